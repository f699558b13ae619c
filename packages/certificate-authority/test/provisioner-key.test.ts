import { generateKeyPairSync } from "node:crypto";
import { Problem } from "@mosaicstack/foundation";
import { calculateJwkThumbprint, CompactEncrypt, FlattenedEncrypt, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import { readProvisionerKey } from "../src/step-ca/provisioner-key.ts";

const password = "correct horse battery staple";
const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }) as JWK & {
  d: string;
};
const named = { ...jwk, use: "sig", alg: "ES256", kid: "the-key" };

async function sealed(content: unknown, alg = "PBES2-HS256+A128KW", enc = "A256GCM", p2c = 2000): Promise<string> {
  return await new CompactEncrypt(Buffer.from(JSON.stringify(content)))
    .setProtectedHeader({ alg, enc, cty: "jwk+json" })
    .setKeyManagementParameters({ p2c })
    .encrypt(Buffer.from(password));
}

function dOf(read: Awaited<ReturnType<typeof readProvisionerKey>>): unknown {
  return read.privateKey.export({ format: "jwk" }).d;
}

describe("a provisioner's key is read", () => {
  test("from a JWK, with its name", async () => {
    const read = await readProvisionerKey(`${JSON.stringify(named)}\n`, undefined);
    expect([dOf(read), read.keyId]).toEqual([jwk.d, "the-key"]);
  });

  test("from a JWK without a name, under its thumbprint", async () => {
    const read = await readProvisionerKey(JSON.stringify(jwk), undefined);
    expect(read.keyId).toBe(await calculateJwkThumbprint(jwk));
  });

  test.each([
    ["PBES2-HS256+A128KW", "A256GCM"],
    ["PBES2-HS256+A128KW", "A128GCM"],
    ["PBES2-HS384+A192KW", "A192GCM"],
    ["PBES2-HS512+A256KW", "A256GCM"],
  ])("from a compact JWE by %s and %s", async (alg, enc) => {
    const read = await readProvisionerKey(await sealed(named, alg, enc), password);
    expect([dOf(read), read.keyId]).toEqual([jwk.d, "the-key"]);
  });

  test("from a JWE as JSON, which `step crypto jwk create` writes", async () => {
    const text = await new FlattenedEncrypt(Buffer.from(JSON.stringify(named)))
      .setProtectedHeader({ alg: "PBES2-HS256+A128KW", enc: "A256GCM", cty: "jwk+json" })
      .setKeyManagementParameters({ p2c: 2000 })
      .encrypt(Buffer.from(password));
    expect(dOf(await readProvisionerKey(JSON.stringify(text, null, 2), password))).toBe(jwk.d);
  });
});

describe("a provisioner's key is refused, without a word of it", () => {
  const { d: _, ...publicHalf } = named;
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" });
  const changedAt = (text: string, part: number) => {
    const parts = text.split(".");
    parts[part] = Buffer.from(
      Buffer.from(parts[part] ?? "", "base64url").map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
    ).toString("base64url");
    return parts.join(".");
  };
  const cases: [string, () => string | Promise<string>, string | undefined, RegExp][] = [
    ["nothing", () => "", undefined, /neither/],
    ["a text", () => "secret words", undefined, /neither/],
    ["JSON cut short", () => JSON.stringify(named).slice(0, -3), undefined, /neither/],
    ["a list", () => JSON.stringify([named]), undefined, /neither/],
    ["the public half", () => JSON.stringify(publicHalf), undefined, /neither/],
    ["a key on P-384", () => JSON.stringify(other), undefined, /neither/],
    ["a point that is not on the curve", () => JSON.stringify({ ...named, x: named.y }), undefined, /no key on P-256/],
    ["a JWE without its password", () => sealed(named), undefined, /no password was given/],
    ["a JWE with another password", () => sealed(named), "another password", /doesn't open it/],
    ["a JWE with its content changed", async () => changedAt(await sealed(named), 3), password, /doesn't open it/],
    ["a JWE with its key changed", async () => changedAt(await sealed(named), 1), password, /doesn't open it/],
    ["a JWE with a tag cut short", async () => (await sealed(named)).slice(0, -6), password, /neither/],
    ["a JWE of the public half", () => sealed(publicHalf), password, /neither/],
    [
      "a JWE by another algorithm",
      () => `${Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString("base64url")}..AAAA.AAAA.${"A".repeat(22)}`,
      password,
      /isn't known here/,
    ],
    [
      "a JWE of a billion rounds",
      () =>
        `${Buffer.from('{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"AAAA","p2c":1000000000}').toString("base64url")}.AAAA.AAAA.AAAA.${"A".repeat(22)}`,
      password,
      /isn't known here/,
    ],
  ];
  test.each(cases)("%s", async (_what, text, given, reason) => {
    const refusal: unknown = await readProvisionerKey(await text(), given).catch((error: unknown) => error);
    if (!(refusal instanceof Problem)) throw new Error("it was not refused");
    expect(refusal).toMatchObject({ code: "ca_key_unusable", message: expect.stringMatching(reason) });
    const shown = `${refusal.message}${refusal.stack}${JSON.stringify(refusal.details)}${String(refusal.cause)}`;
    for (const secret of [jwk.d, password, "another password", "secret words"]) expect(shown).not.toContain(secret);
  });
});
