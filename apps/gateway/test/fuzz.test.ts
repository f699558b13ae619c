import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestGateway, type Person, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
let ben: Person;
let words: string[];

beforeAll(async () => {
  gateway = await openTestGateway();
  ben = await gateway.person("Ben");
  const team = await gateway.team("Platform", ben);
  const { json } = await gateway.call("POST", "/api/v1/tasks", { as: ben, body: { title: "x" } });
  words = [ben.id, team, json.id, randomUUID(), "Platform", ben.email, "open", "personal", "local", "all", "title"];
});
afterAll(() => gateway.stop());

const MEMBERS = (
  "name email password role title description status due_at key properties team_id body content kind secret rows people " +
  "input owner team created_at updated_at dry_run email_domain teams expires_in_days code token currentPassword newPassword"
).split(" ");
const QUERY = ["limit", "cursor", "source", "team", "key", "status", "name", "__proto__", "constructor"];

function arbitraries() {
  const text = fc.oneof(
    fc.constantFrom(...words),
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom(
      "\0",
      "\ud800",
      "9999-12-31T23:59:59-12:00",
      "1000-01-01T00:00:00+12:00",
      "%00",
      "' or 1=1 --",
      "{}",
    ),
  );
  const leaf = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
  const member = fc.oneof(fc.constantFrom(...MEMBERS), text);
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(member, tie("value"), { maxKeys: 4 }),
    ),
  }));
  const body = fc.oneof(
    { weight: 4, arbitrary: fc.dictionary(member, value, { maxKeys: 5 }) },
    { weight: 1, arbitrary: value },
  );
  const query = fc.dictionary(fc.constantFrom(...QUERY), text, { maxKeys: 3 });
  return { text, body, query };
}

test("whatever a request holds, no answer blames the gateway", { timeout: 120_000 }, async () => {
  const routes = gateway.gateway.routes
    .all()
    .filter(({ method, url }) => method !== "HEAD" && url !== "/api/v1/setup" && !url.endsWith("/sign-in/email"));
  const { text, body, query } = arbitraries();
  const request = fc.record({ route: fc.constantFrom(...routes), text, other: text, body, query, admin: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(request, async ({ route, text: first, other, body: sent, query: asked, admin }) => {
      // Who asks must not be removed by what is asked.
      if (route.method === "DELETE" && route.url.startsWith("/api/v1/users")) return;
      const path = route.url
        .replace(":id", encodeURIComponent(first.toWellFormed()) || "x")
        .replace(":user_id", encodeURIComponent(other.toWellFormed()) || "x");
      const parameters = new URLSearchParams(Object.entries(asked)).toString();
      const { status, text: answer } = await gateway.call(route.method as "GET", `${path}?${parameters}`, {
        as: admin ? gateway.admin : ben,
        ...(route.method === "GET" ? {} : { body: sent }),
      });
      expect(status, answer).toBeLessThan(500);
    }),
    { numRuns: 600 },
  );
});
