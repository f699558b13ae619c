import { schema } from "@mosaicstack/storage";
import { movableClock } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test } from "vitest";
import { issueSetupCode } from "../src/auth/setup-code.ts";
import { openTestGateway, PASSWORD, type TestGateway } from "./test-gateway.ts";

const clock = movableClock();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openTestGateway({ clock, withoutAdmin: true });
});
afterAll(() => gateway.stop());

function setUp(code: string, changes: object = {}) {
  clock.advance(61_000);
  const body = { code, name: "Ada", email: "Ada@Example.org", password: PASSWORD, ...changes };
  return gateway.call("POST", "/api/v1/setup", { body });
}

const users = () => gateway.store.db.select().from(schema.users);

// In this order: the gateway has one first administrator.
test("a wrong code is refused with 403, and makes nobody", async () => {
  for (const code of ["0000000-0000000-0000000-00000", "x", `${gateway.gateway.setupCode}0`]) {
    const answer = await setUp(code);
    expect(answer.status).toBe(403);
    expect(answer.json.code).toBe("setup_code_wrong");
  }
  expect(await users()).toEqual([]);
});

test("being first without a code makes nobody an administrator", async () => {
  const { code: _, ...body } = { code: "", name: "Mallory", email: "mallory@example.org", password: PASSWORD };
  expect((await gateway.call("POST", "/api/v1/setup", { body })).status).toBe(400);
  expect((await gateway.call("POST", "/api/auth/sign-up/email", { body })).status).toBe(404);
  expect(await users()).toEqual([]);
});

test("guessing is limited to five attempts a minute", async () => {
  await setUp("a guess");
  const guesses = Array.from({ length: 5 }, () =>
    gateway.call("POST", "/api/v1/setup", {
      body: { code: "guess", name: "M", email: "m@example.org", password: PASSWORD },
    }),
  );
  const answers = await Promise.all(guesses);
  expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([
    403, 403, 403, 403, 429,
  ]);
  const limited = answers.find(({ status }) => status === 429);
  expect(limited?.json.code).toBe("rate_limited");
  expect(Number(limited?.headers["retry-after"])).toBeGreaterThan(0);
});

test("a password of fewer than 12 characters is refused, and leaves the code usable", async () => {
  const answer = await setUp(gateway.gateway.setupCode ?? "", { password: "elevenchars" });
  expect(answer.status).toBe(400);
  expect(answer.json).toMatchObject({ code: "invalid_input", path: "password" });
});

test("the code has at least 128 bits, is stored hashed and not logged", async () => {
  const code = gateway.gateway.setupCode ?? "";
  expect(code.replaceAll("-", "")).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
  const stored = await gateway.store.db.select().from(schema.verifications);
  expect(stored).toHaveLength(1);
  expect(JSON.stringify(stored)).not.toContain(code);
  expect(gateway.log.join("\n")).not.toContain(code);
});

test("the next start's code replaces this one's", async () => {
  const earlier = gateway.gateway.setupCode ?? "";
  const next = await issueSetupCode(gateway.store, clock);
  expect(next).not.toBe(earlier);
  expect((await setUp(earlier)).json.code).toBe("setup_code_wrong");
});

test("an expired code is refused", async () => {
  const code = (await issueSetupCode(gateway.store, clock)) ?? "";
  clock.advance(31 * 24 * 3600 * 1000);
  expect((await setUp(code)).json.code).toBe("setup_code_wrong");
});

test("of two who hold the code at the same moment one becomes the administrator, however they type it", async () => {
  const code = (await issueSetupCode(gateway.store, clock)) ?? "";
  const answers = await Promise.all([
    setUp(code.toUpperCase(), { email: "one@example.org" }),
    setUp(code.replaceAll("-", " "), { email: "two@example.org" }),
  ]);
  expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([201, 410]);
  const made = answers.find(({ status }) => status === 201);
  expect(made?.json.user).toMatchObject({ name: "Ada", role: "admin" });
  expect(await users()).toHaveLength(1);
  const me = await gateway.call("GET", "/api/v1/me", { headers: { authorization: `Bearer ${made?.json.api_key}` } });
  expect(me.json).toMatchObject({ role: "admin" });
});

test("once there is an administrator every code is answered with 410, and no start makes one", async () => {
  const answer = await setUp(gateway.gateway.setupCode ?? "");
  expect(answer.status).toBe(410);
  expect(answer.json.code).toBe("setup_done");
  expect(await issueSetupCode(gateway.store, clock)).toBeUndefined();
});
