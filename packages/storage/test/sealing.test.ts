import { randomBytes } from "node:crypto";
import { Problem } from "@mosaicstack/foundation";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Binding, createSealer } from "../src/sealing.ts";

const secret = randomBytes(32).toString("base64url");
const sealer = createSealer({ secret });
const binding: Binding = {
  table: "credentials",
  column: "sealed_secret",
  rowId: "01900000-0000-7000-8000-000000000001",
};

function refusal(work: () => unknown): Problem {
  try {
    work();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("opened");
}

test("any text opens again where it was sealed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(sealer.open(sealer.seal(text, binding), binding)).toBe(text);
    }),
  );
});

test("the sealed text names its version and key, and shows nothing of the text or the secret", () => {
  const sealed = sealer.seal("hunter2 hunter2 hunter2", binding);
  expect(sealed).toMatch(/^v1\.[\w-]{8}\.[\w-]{16}\.[\w-]+$/);
  expect(sealed.split(".")[1]).toBe(sealer.keyId);
  expect(Buffer.from(sealed.split(".")[3] ?? "", "base64url").toString("latin1")).not.toContain("hunter");
  expect(secret).not.toContain(sealer.keyId);
});

test("the same text never seals the same twice", () => {
  expect(sealer.seal("hunter2", binding)).not.toBe(sealer.seal("hunter2", binding));
});

test("the key id follows the secret", () => {
  expect(createSealer({ secret }).keyId).toBe(sealer.keyId);
  expect(createSealer({ secret: `${secret}x` }).keyId).not.toBe(sealer.keyId);
});

describe("a sealed text stays shut", () => {
  const sealed = sealer.seal("hunter2", binding);
  const [version = "", keyId = "", nonce = "", body = ""] = sealed.split(".");

  test.each([
    ["another row", { rowId: "01900000-0000-7000-8000-000000000002" }],
    ["another column", { column: "name" }],
    ["another table", { table: "federation_peers" }],
    ["a column and table that read alike when joined", { table: "credentialss", column: "ealed_secret" }],
  ])("in %s", (_, moved) => {
    expect(refusal(() => sealer.open(sealed, { ...binding, ...moved })).code).toBe("unsealing_failed");
  });

  test("under another secret", () => {
    const other = createSealer({ secret: randomBytes(32).toString("base64url") });
    expect(refusal(() => other.open(sealed, binding)).code).toBe("unsealing_failed");
    // And when it claims to be that secret's.
    expect(refusal(() => other.open([version, other.keyId, nonce, body].join("."), binding)).code).toBe(
      "unsealing_failed",
    );
  });

  test("when any one character differs", () => {
    for (let index = 0; index < sealed.length; index += 1) {
      const character = sealed[index] === "A" ? "B" : "A";
      const tampered = sealed.slice(0, index) + character + sealed.slice(index + 1);
      expect(refusal(() => sealer.open(tampered, binding)).code, `at ${index}`).toBe("unsealing_failed");
    }
  });

  // 23 bytes: the last of its characters carries two bits that decode to nothing.
  test("when its last character is another one that decodes alike", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const character of alphabet.replace(sealed.slice(-1), "")) {
      const tampered = sealed.slice(0, -1) + character;
      expect(refusal(() => sealer.open(tampered, binding)).code, character).toBe("unsealing_failed");
    }
  });

  test.each([
    "",
    "v1",
    "hunter2",
    "v2.a.b.c",
    `${sealed}.`,
    `${sealed}=`,
    ` ${sealed}`,
    sealed.slice(0, -6),
    `v1.${keyId}..`,
  ])("when it isn't one: %j", (text) => {
    expect(refusal(() => sealer.open(text, binding)).code).toBe("unsealing_failed");
  });

  test("with a tag cut short", () => {
    const cut = Buffer.from(body, "base64url").subarray(0, -4).toString("base64url");
    expect(refusal(() => sealer.open([version, keyId, nonce, cut].join("."), binding)).code).toBe("unsealing_failed");
  });

  test("and says what to do, but nothing of why", () => {
    const moved = refusal(() => sealer.open(sealed, { ...binding, rowId: "elsewhere" }));
    const wrongKey = refusal(() => createSealer({ secret: "another" }).open(sealed, binding));
    expect(moved.details).toEqual(wrongKey.details);
    expect(moved.cause).toBeUndefined();
    expect(moved.details.remedy).toContain("MOSAIC_SEAL_KEY");
    expect(JSON.stringify(moved.details)).not.toContain("elsewhere");
  });
});
