import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { pino } from "pino";
import { movableClock } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBetterAuth } from "../src/auth/better-auth.ts";
import { config, openTestGateway, PASSWORD, type Person, type TestGateway } from "./test-gateway.ts";

const clock = movableClock();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openTestGateway({ clock });
});
afterAll(() => gateway.stop());

const ORIGIN = { host: "mosaic.example:14242", origin: "http://mosaic.example:14242" };

async function signIn(email: string, password = PASSWORD, headers: Record<string, string> = {}) {
  clock.advance(61_000);
  const answer = await gateway.call("POST", "/api/auth/sign-in/email", { body: { email, password }, headers });
  const cookies = [answer.headers["set-cookie"] ?? []].flat().map(String);
  return { answer, cookie: cookies.map((cookie) => cookie.split(";")[0]).join("; "), cookies };
}

async function withPassword(name: string): Promise<Person> {
  const person = await gateway.person(name);
  await gateway.call("PATCH", `/api/v1/users/${person.id}`, { as: gateway.admin, body: { password: PASSWORD } });
  return person;
}

const me = (headers: Record<string, string>) => gateway.call("GET", "/api/v1/me", { headers });

describe("API keys", () => {
  test("no credential is refused with 401 unauthenticated", async () => {
    const answer = await gateway.call("GET", "/api/v1/tasks");
    expect(answer.status).toBe(401);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.json).toMatchObject({ code: "unauthenticated", request_id: answer.headers["x-request-id"] });
  });

  test("a key is accepted as a bearer token and as x-api-key", async () => {
    const { key } = gateway.admin;
    expect((await me({ authorization: `Bearer ${key}` })).json).toMatchObject({ name: "Ada", role: "admin" });
    expect((await me({ authorization: `bearer  ${key}` })).status).toBe(200);
    expect((await me({ "x-api-key": key })).status).toBe(200);
  });

  test.each([
    ["a wrong key of the right form", `Bearer mosaic_${"x".repeat(64)}`],
    ["a cut key", "Bearer mosaic_abc"],
    ["an empty bearer token", "Bearer "],
    ["basic authentication", `Basic ${Buffer.from("ada:secret").toString("base64")}`],
    ["SQL in the key", `Bearer mosaic_${"'".repeat(64)}`],
  ])("%s is refused with 401 credential_refused", async (_, authorization) => {
    const answer = await me({ authorization });
    expect(answer.status).toBe(401);
    expect(answer.json.code).toBe("credential_refused");
  });

  test("an invalid key is refused even beside a valid session", async () => {
    const { cookie } = await signIn("ada@example.org");
    expect((await me({ cookie })).status).toBe(200);
    expect((await me({ cookie, "x-api-key": "mosaic_wrong" })).status).toBe(401);
  });

  test("a deleted key is refused by the very next request, although it was remembered", async () => {
    const made = (await gateway.call("POST", "/api/v1/api-keys", { as: gateway.admin, body: { name: "short-lived" } }))
      .json;
    const header = { authorization: `Bearer ${made.key}` };
    expect((await me(header)).status).toBe(200);
    expect((await gateway.call("DELETE", `/api/v1/api-keys/${made.id}`, { as: gateway.admin })).status).toBe(204);
    expect((await me(header)).status).toBe(401);
  });

  test("a key withdrawn by another process is refused after at most 5 s", async () => {
    const person = await gateway.person("Elsewhere");
    const header = { authorization: `Bearer ${person.key}` };
    expect((await me(header)).status).toBe(200);
    await gateway.store.db.delete(schema.apiKeys).where(eq(schema.apiKeys.referenceId, person.id));
    clock.advance(4900);
    expect((await me(header)).status).toBe(200);
    clock.advance(200);
    expect((await me(header)).status).toBe(401);
  });

  test("an expired key is refused", async () => {
    const body = { name: "a day", expires_in_days: 1 };
    const made = (await gateway.call("POST", "/api/v1/api-keys", { as: gateway.admin, body })).json;
    const header = { authorization: `Bearer ${made.key}` };
    expect(Date.parse(made.expires_at) - Date.now()).toBeGreaterThan(86_000_000);
    expect((await me(header)).status).toBe(200);
    await gateway.store.db
      .update(schema.apiKeys)
      .set({ expiresAt: new Date(clock.now().getTime() - 1) })
      .where(eq(schema.apiKeys.id, made.id));
    clock.advance(5001);
    expect((await me(header)).status).toBe(401);
  });

  test("another user's key cannot be deleted, and answers as one that isn't there", async () => {
    const mallory = await gateway.person("Mallory");
    const [own] = (await gateway.call("GET", "/api/v1/api-keys", { as: gateway.admin })).json.rows;
    const answer = await gateway.call("DELETE", `/api/v1/api-keys/${own.id}`, { as: mallory });
    expect(answer.status).toBe(404);
    expect(answer.json.code).toBe("unknown_api_key");
    expect((await gateway.call("DELETE", "/api/v1/api-keys/no-id", { as: mallory })).status).toBe(404);
    expect((await me({ authorization: `Bearer ${gateway.admin.key}` })).status).toBe(200);
  });

  test("what is stored and listed of a key is not the key", async () => {
    const list = await gateway.call("GET", "/api/v1/api-keys", { as: gateway.admin });
    const stored = await gateway.store.db.select().from(schema.apiKeys);
    expect(list.text).not.toContain(gateway.admin.key);
    expect(JSON.stringify(stored)).not.toContain(gateway.admin.key);
    expect(gateway.log.join("\n")).not.toContain(gateway.admin.key);
  });

  test("a key has no daily limit", async () => {
    const person = await gateway.person("Busy");
    for (let request = 0; request < 30; request += 1) {
      clock.advance(5001);
      expect((await me({ authorization: `Bearer ${person.key}` })).status).toBe(200);
    }
  });

  test("one user has at most 100 keys", async () => {
    const person = await gateway.person("Collector");
    const now = new Date();
    const rows = Array.from({ length: 99 }, () => ({
      id: crypto.randomUUID(),
      key: crypto.randomUUID(),
      referenceId: person.id,
    }));
    await gateway.store.db.insert(schema.apiKeys).values(rows.map((row) => ({ ...row, createdAt: now })));
    const answer = await gateway.call("POST", "/api/v1/api-keys", { as: person, body: { name: "one more" } });
    expect(answer.status).toBe(409);
    expect(answer.json.code).toBe("too_many_api_keys");
  });

  test("only an administrator makes a key for somebody else", async () => {
    const person = await gateway.person("Nobody");
    const path = `/api/v1/users/${gateway.admin.id}/api-keys`;
    const answer = await gateway.call("POST", path, { as: person, body: { name: "stolen" } });
    expect(answer.status).toBe(403);
    expect(answer.json.code).toBe("not_admin");
  });
});

describe("sessions", () => {
  test("signing in gives a cookie that scripts cannot read, and the session it names works", async () => {
    const { answer, cookie, cookies } = await signIn("ADA@example.org");
    expect(answer.status).toBe(200);
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatch(/^mosaic\.session_token=.*HttpOnly; SameSite=Lax$/);
    expect((await me({ cookie })).json).toMatchObject({ name: "Ada", role: "admin" });
  });

  test("a wrong password and an unknown address are refused alike", async () => {
    const wrong = await signIn("ada@example.org", "not the password at all");
    const unknown = await signIn("nobody@example.org");
    expect(wrong.answer.status).toBe(401);
    expect(wrong.answer.json.code).toBe("sign_in_refused");
    expect({ ...unknown.answer.json, request_id: "" }).toEqual({ ...wrong.answer.json, request_id: "" });
  });

  test("the eleventh attempt of a minute is refused with 429 and retry-after, whatever address it claims", async () => {
    clock.advance(61_000);
    const attempt = (number: number) =>
      gateway.call("POST", "/api/auth/sign-in/email", {
        body: { email: "ada@example.org", password: "not the password at all" },
        headers: { "x-forwarded-for": `10.0.0.${number}`, "x-mosaic-client-address": `10.0.1.${number}` },
      });
    for (let number = 1; number <= 10; number += 1) expect((await attempt(number)).status).toBe(401);
    const answer = await attempt(11);
    expect(answer.status).toBe(429);
    expect(answer.json.code).toBe("rate_limited");
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect((await signIn("ada@example.org")).answer.status).toBe(200);
  });

  test("a forged cookie is refused", async () => {
    const { cookie } = await signIn("ada@example.org");
    const forged = cookie.replace(/\.[^.]*$/, `.${"A".repeat(43)}%3D`);
    expect((await me({ cookie: forged })).json.code).toBe("credential_refused");
    expect((await me({ cookie: "mosaic.session_token=x" })).status).toBe(401);
  });

  test("a write by cookie from a page of another site is refused, and one from our own works", async () => {
    const { cookie } = await signIn("ada@example.org");
    const write = (headers: Record<string, string>) =>
      gateway.call("POST", "/api/v1/tasks", { body: { title: "by cookie" }, headers: { cookie, ...headers } });
    for (const origin of [
      "https://evil.example",
      "null",
      "http://mosaic.example",
      "http://mosaic.example:14242.evil.example",
    ]) {
      const answer = await write({ ...ORIGIN, origin });
      expect(answer.status).toBe(403);
      expect(answer.json.code).toBe("origin_refused");
    }
    expect((await write({ host: ORIGIN.host })).json.code).toBe("origin_refused");
    expect((await write(ORIGIN)).status).toBe(201);
  });

  test("signing in from a page of another site is refused", async () => {
    const { answer } = await signIn("ada@example.org", PASSWORD, { ...ORIGIN, origin: "https://evil.example" });
    expect(answer.status).toBe(403);
    expect((await signIn("ada@example.org", PASSWORD, ORIGIN)).answer.status).toBe(200);
  });

  test("signing out ends the session at once", async () => {
    const { cookie } = await signIn("ada@example.org");
    expect((await me({ cookie })).status).toBe(200);
    const out = await gateway.call("POST", "/api/auth/sign-out", { headers: { cookie, ...ORIGIN }, body: {} });
    expect(out.status).toBe(200);
    expect((await me({ cookie })).status).toBe(401);
  });

  test("changing the password ends the other sessions when asked, at once", async () => {
    const person = await withPassword("Changer");
    const first = await signIn(person.email);
    const second = await signIn(person.email);
    expect((await me({ cookie: first.cookie })).status).toBe(200);
    const body = { currentPassword: PASSWORD, newPassword: `${PASSWORD} 2`, revokeOtherSessions: true };
    const changed = await gateway.call("POST", "/api/auth/change-password", {
      headers: { cookie: second.cookie, ...ORIGIN },
      body,
    });
    expect(changed.status).toBe(200);
    expect((await me({ cookie: first.cookie })).status).toBe(401);
    expect((await signIn(person.email)).answer.status).toBe(401);
    expect((await signIn(person.email, `${PASSWORD} 2`)).answer.status).toBe(200);
  });

  test("a new password set by an administrator ends the user's sessions at once", async () => {
    const person = await withPassword("Reset");
    const { cookie } = await signIn(person.email);
    expect((await me({ cookie })).status).toBe(200);
    const body = { password: `${PASSWORD} new` };
    expect((await gateway.call("PATCH", `/api/v1/users/${person.id}`, { as: gateway.admin, body })).status).toBe(200);
    expect((await me({ cookie })).status).toBe(401);
  });

  test("a user without a password cannot sign in", async () => {
    const person = await gateway.person("Keyless");
    expect((await signIn(person.email, "")).answer.status).not.toBe(200);
    expect((await signIn(person.email)).answer.status).toBe(401);
  });

  test.each([
    "/sign-up/email",
    "/update-user",
    "/delete-user",
    "/change-email",
    "/set-password",
    "/api-key/create",
    "/api-key/delete",
    "/admin/set-role",
    "/request-password-reset",
    "/verify-password",
  ])("Better Auth's %s is shut", async (path) => {
    const { cookie } = await signIn("ada@example.org");
    const answer = await gateway.call("POST", `/api/auth${path}`, {
      headers: { cookie, ...ORIGIN },
      body: { role: "admin" },
    });
    expect(answer.status).toBe(404);
    expect(answer.json.code).toBe("route_unknown");
  });
});

test("behind a proxy that changes the host, pages of the public address are our own", async () => {
  const proxied = await openTestGateway({
    config: { ...config, http: { ...config.http, publicUrl: "https://mosaic.example" } },
  });
  const body = { email: "ada@example.org", password: PASSWORD };
  const from = (origin: string) => ({ host: "10.0.0.7:14242", origin });
  const foreign = await proxied.call("POST", "/api/auth/sign-in/email", {
    body,
    headers: from("https://evil.example"),
  });
  expect(foreign.json.code).toBe("origin_refused");
  const ours = await proxied.call("POST", "/api/auth/sign-in/email", { body, headers: from("https://mosaic.example") });
  expect(ours.status).toBe(200);
  // People reach it over HTTPS, so the cookie is for HTTPS only although the listener itself is plain.
  const [cookie = ""] = [ours.headers["set-cookie"] ?? []].flat().map(String);
  expect(cookie).toMatch(/^__Secure-mosaic\.session_token=.*; Secure/);
  const headers = { cookie: cookie.split(";")[0] ?? "", ...from("https://mosaic.example") };
  expect((await proxied.call("POST", "/api/v1/tasks", { body: { title: "by cookie" }, headers })).status).toBe(201);
  await proxied.stop();
});

test("Better Auth itself refuses a sign-up, were it ever reached", async () => {
  const log = pino({ level: "silent" });
  const betterAuth = createBetterAuth({
    store: gateway.store,
    secret: "x".repeat(40),
    clock,
    log,
    secure: false,
    publicOrigin: undefined,
  });
  const body = { name: "Mallory", email: "mallory2@example.org", password: PASSWORD };
  const url = "http://localhost/api/auth/sign-up/email";
  const headers = { "content-type": "application/json" };
  const answer = await betterAuth.handler(new Request(url, { method: "POST", headers, body: JSON.stringify(body) }));
  expect(answer.status).toBe(400);
  expect(await gateway.store.db.select().from(schema.users).where(eq(schema.users.email, body.email))).toEqual([]);
});

describe("what an administrator changes holds for the next request", () => {
  test("a demoted administrator is none", async () => {
    const person = await gateway.person("Deputy");
    const setRole = (role: string) =>
      gateway.call("PATCH", `/api/v1/users/${person.id}`, { as: gateway.admin, body: { role } });
    await setRole("admin");
    expect((await gateway.call("GET", "/api/v1/users", { as: person })).status).toBe(200);
    await setRole("user");
    const answer = await gateway.call("GET", "/api/v1/users", { as: person });
    expect(answer.status).toBe(403);
    expect(answer.json.code).toBe("not_admin");
  });

  test("a removed user's key is refused", async () => {
    const person = await gateway.person("Leaver");
    expect((await me({ authorization: `Bearer ${person.key}` })).status).toBe(200);
    expect((await gateway.call("DELETE", `/api/v1/users/${person.id}`, { as: gateway.admin })).status).toBe(204);
    expect((await me({ authorization: `Bearer ${person.key}` })).status).toBe(401);
  });
});
