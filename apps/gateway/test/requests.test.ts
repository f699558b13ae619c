import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, openTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(() => gateway.stop());

const json = { "content-type": "application/json" };

async function expectProblem(answer: Promise<Answer>, status: number, code: string) {
  const { status: given, headers, json: body } = await answer;
  expect({ status: given, code: body?.code }).toEqual({ status, code });
  expect(headers["content-type"]).toBe("application/problem+json");
  expect(body).toMatchObject({
    type: `urn:mosaic:problem:${code}`,
    status,
    title: expect.any(String),
    detail: expect.any(String),
    remedy: expect.any(String),
    request_id: headers["x-request-id"],
  });
  return body;
}

const post = (raw: string | Buffer, headers: Record<string, string> = json) =>
  gateway.call("POST", "/api/v1/tasks", { as: gateway.admin, raw, headers });

describe("bodies", () => {
  test.each([
    ["cut short", '{"title": "a'],
    ["no JSON", "title=a"],
    ["two documents", '{"title":"a"}{"title":"b"}'],
    ["a trailing comma", '{"title":"a",}'],
    ["a prototype", '{"title":"a","__proto__":{"role":"admin"}}'],
    ["a constructor's prototype", '{"title":"a","constructor":{"prototype":{"role":"admin"}}}'],
  ])("that are %s are refused with 400 json_malformed", async (_, body) => {
    await expectProblem(post(body), 400, "json_malformed");
  });

  test("that are not UTF-8 are refused with 400 json_malformed", async () => {
    await expectProblem(
      post(Buffer.from([...Buffer.from('{"title":"'), 0xff, 0xfe, ...Buffer.from('"}')])),
      400,
      "json_malformed",
    );
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "nonsense",
  ])("of type %s are refused with 415", async (type) => {
    await expectProblem(post('{"title":"a"}', { "content-type": type }), 415, "media_type_unsupported");
  });

  test("that are larger than the limit are refused with 413", async () => {
    await expectProblem(
      post(JSON.stringify({ title: "a", description: "x".repeat(1_048_577) })),
      413,
      "body_too_large",
    );
  });

  test.each([
    ["nothing", ""],
    ["null", "null"],
    ["an array", "[]"],
    ["a string", '"title"'],
    ["a number", "1"],
    ["an empty object", "{}"],
  ])("that are %s where an object is wanted are refused with 400 invalid_input", async (_, body) => {
    await expectProblem(post(body), 400, "invalid_input");
  });

  test.each([
    ["an unknown member", { title: "a", colour: "red" }, "colour"],
    ["a wrong type", { title: 1 }, "title"],
    ["a blank title", { title: " \t\n" }, "title"],
    ["an unknown status", { title: "a", status: "late" }, "status"],
    ["a date that is none", { title: "a", due_at: "2025-02-30T00:00:00Z" }, "due_at"],
    ["a date without a zone", { title: "a", due_at: "2025-01-01T00:00:00" }, "due_at"],
    ["a date before the year 1000", { title: "a", due_at: "0001-01-01T00:00:00Z" }, "due_at"],
    ["a date that its offset carries past 9999", { title: "a", due_at: "9999-12-31T23:59:59-12:00" }, "due_at"],
    ["a date that its offset carries before 1000", { title: "a", due_at: "1000-01-01T00:00:00+12:00" }, "due_at"],
    ["a team that is no id", { title: "a", team_id: "Platform" }, "team_id"],
    ["too long a title", { title: "a".repeat(501) }, "title"],
    ["too large properties", { title: "a", properties: { x: "y".repeat(20_000) } }, "properties"],
    ["an owner of one's choosing", { title: "a", owner_id: "01900000-0000-7000-8000-000000000000" }, "owner_id"],
  ])("with %s are refused with 400 and the path to it", async (_, body, path) => {
    const problem = await expectProblem(post(JSON.stringify(body)), 400, "invalid_input");
    expect(problem.path).toBe(path);
  });

  test.each([63, 100_000])(
    "that are nested %i deeper than properties are refused with 400 json_malformed",
    async (depth) => {
      await expectProblem(
        post(`{"title":"a","properties":{"x":${"[".repeat(depth)}${"]".repeat(depth)}}}`),
        400,
        "json_malformed",
      );
    },
  );

  test("that nest 64 deep, with brackets in strings beside, are read", async () => {
    const brackets = "[".repeat(62);
    const body = `{"title":${JSON.stringify('\\"[[[{{{')},"properties":{"x":${brackets}${"]".repeat(62)},"y":"${brackets}"}}`;
    expect((await post(body)).status).toBe(201);
  });

  test("an empty one on a DELETE is no body, whatever type it is said to be", async () => {
    const { id } = (await gateway.call("POST", "/api/v1/tasks", { as: gateway.admin, body: { title: "a" } })).json;
    expect((await gateway.call("DELETE", `/api/v1/tasks/${id}`, { as: gateway.admin, headers: json })).status).toBe(
      204,
    );
  });
});

describe("addresses", () => {
  test.each([
    "/",
    "/api/v1",
    "/api/v1/secrets",
    "/api/v2/tasks",
    "//api/v1/tasks",
    "/api/v1/tasks/a/b",
    "/API/V1/TASKS",
  ])("%s is answered with 404 route_unknown", async (path) => {
    await expectProblem(gateway.call("GET", path, { as: gateway.admin }), 404, "route_unknown");
  });

  test("an escape that is none is answered with 404", async () => {
    await expectProblem(gateway.call("GET", "/api/v1/tasks/%ZZ", { as: gateway.admin }), 404, "route_unknown");
  });

  test("an overlong id is answered as a row that is not there", async () => {
    await expectProblem(
      gateway.call("GET", `/api/v1/tasks/${"a".repeat(99)}`, { as: gateway.admin }),
      404,
      "not_found",
    );
    await expectProblem(
      gateway.call("GET", `/api/v1/tasks/${"a".repeat(2000)}`, { as: gateway.admin }),
      404,
      "route_unknown",
    );
    await expectProblem(gateway.call("GET", "/api/v1/tasks/%00", { as: gateway.admin }), 404, "not_found");
  });

  test("a method that an address does not take is answered with 405 and those it does", async () => {
    const answer = gateway.call("PUT", "/api/v1/tasks?x=1", { as: gateway.admin, body: {} });
    await expectProblem(answer, 405, "method_not_allowed");
    expect((await answer).headers["allow"]).toBe("GET, HEAD, POST");
    expect((await gateway.call("DELETE", "/api/v1/me", { as: gateway.admin })).headers["allow"]).toBe("GET, HEAD");
  });

  test("what is unknown needs no credential to be unknown", async () => {
    await expectProblem(gateway.call("GET", "/api/v1/secrets"), 404, "route_unknown");
  });
});

describe("headers", () => {
  test("an Idempotency-Key that cannot be one is refused", async () => {
    for (const key of ["", "with space", "é", "x".repeat(256)]) {
      const headers = { "idempotency-key": key };
      const answer = gateway.call("POST", "/api/v1/tasks", { as: gateway.admin, body: { title: "a" }, headers });
      const problem = await expectProblem(answer, 400, "invalid_input");
      expect(problem.path).toBe("idempotency-key");
    }
  });

  test("every answer forbids storing, sniffing and framing", async () => {
    for (const path of ["/api/v1/me", "/api/v1/tasks", "/healthz", "/nothing"]) {
      const { headers } = await gateway.call("GET", path, { as: gateway.admin });
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none';frame-ancestors 'none'",
      });
      expect(headers["access-control-allow-origin"]).toBeUndefined();
      expect(headers["x-powered-by"]).toBeUndefined();
    }
  });

  test("HEAD answers as GET does, without the body", async () => {
    const answer = await gateway.call("HEAD", "/api/v1/tasks", { as: gateway.admin });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: "" });
    expect((await gateway.call("HEAD", "/api/v1/tasks")).status).toBe(401);
  });
});

describe("the log", () => {
  test("has a line a request, with the id of the answer, and neither query nor credential", async () => {
    const answer = await gateway.call("GET", "/api/v1/tasks?key=very-private", { as: gateway.admin });
    const line = gateway.log
      .map((entry) => JSON.parse(entry))
      .find((entry) => entry.request_id === answer.headers["x-request-id"]);
    expect(line).toMatchObject({
      method: "GET",
      path: "/api/v1/tasks",
      status: 200,
      msg: "request",
      ms: expect.any(Number),
    });
    expect(gateway.log.join("\n")).not.toContain("very-private");
    expect(gateway.log.join("\n")).not.toContain(gateway.admin.key);
  });
});

describe("health", () => {
  test("healthz, readyz and openapi.json need no credential", async () => {
    expect((await gateway.call("GET", "/healthz")).json).toEqual({ status: "ok" });
    expect((await gateway.call("GET", "/readyz")).json).toEqual({
      status: "ok",
      services: [
        { service: "database", status: "ok" },
        { service: "coordination", status: "ok" },
      ],
    });
    expect((await gateway.call("GET", "/openapi.json")).json.openapi).toBe("3.1.0");
  });

  // Last: it takes the database away.
  test("with the database gone, readyz answers 503 without saying what it was, and healthz 200", async () => {
    await gateway.store.close();
    const problem = await expectProblem(gateway.call("GET", "/readyz"), 503, "database_unavailable");
    expect(JSON.stringify(problem)).not.toMatch(/pglite|closed|postgres/i);
    expect((await gateway.call("GET", "/healthz")).status).toBe(200);
  });
});
