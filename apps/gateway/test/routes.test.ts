import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EmbeddedFederatedConfig } from "@mosaicstack/config";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer } from "../src/http/server.ts";
import { config, openTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(() => gateway.stop());

/** The only addresses that answer without a credential. A new one is a decision, so it fails here first. */
const PUBLIC = [
  "GET /api/auth/get-session",
  "GET /api/auth/list-sessions",
  "GET /healthz",
  "GET /openapi.json",
  "GET /readyz",
  "POST /api/auth/change-password",
  "POST /api/auth/revoke-other-sessions",
  "POST /api/auth/revoke-session",
  "POST /api/auth/revoke-sessions",
  "POST /api/auth/sign-in/email",
  "POST /api/auth/sign-out",
  "POST /api/v1/setup",
];

const federatedConfig: Omit<EmbeddedFederatedConfig, "dataDirectory"> = {
  tier: "federated",
  embedded: true,
  http: config.http,
  log: config.log,
  queue: { kind: "in-process" },
  certificateAuthority: { kind: "embedded" },
  federation: {
    host: "127.0.0.1",
    port: 0,
    certificateLifetimeDays: 7,
    inviteLifetimeMinutes: 15,
    deadlineMs: 2000,
    maxRowsPerQuery: 200,
  },
};

const address = (url: string) => url.replaceAll(/:\w+/g, "01900000-0000-7000-8000-000000000000");

describe("every route of the gateway", () => {
  test("is closed, but for a list", () => {
    const isPublic = gateway.gateway.routes
      .all()
      .filter(({ access, method }) => access === "public" && method !== "HEAD");
    expect(isPublic.map(({ method, url }) => `${method} ${url}`).toSorted()).toEqual(PUBLIC);
  });

  test("that is closed answers 401 without a credential, whatever the request holds", async () => {
    const closed = gateway.gateway.routes.all().filter(({ access }) => access !== "public");
    expect(closed.length).toBeGreaterThan(40);
    for (const { method, url } of closed) {
      const withBody = method === "POST" || method === "PUT" || method === "PATCH";
      const answer = await gateway.call(method as "GET", address(url), withBody ? { body: {} } : {});
      expect({ method, url, status: answer.status }).toEqual({ method, url, status: 401 });
    }
  });

  test("for administrators answers 403 to anybody else, before it looks at the request", async () => {
    const user = await gateway.person("Plain");
    const closed = gateway.gateway.routes.all().filter(({ access }) => access === "admin");
    expect(closed.length).toBeGreaterThan(5);
    for (const { method, url } of closed) {
      const withBody = method === "POST" || method === "PUT" || method === "PATCH";
      const answer = await gateway.call(method as "GET", address(url), {
        as: user,
        ...(withBody ? { body: { bogus: 1 } } : {}),
      });
      expect({ method, url, status: answer.status }).toEqual({ method, url, status: 403 });
    }
  });

  test("that takes a body refuses members it does not know", async () => {
    const writes = gateway.gateway.routes
      .all()
      .filter(({ method, url }) => method.startsWith("P") && !url.startsWith("/api/auth"));
    for (const { method, url } of writes) {
      if (url.endsWith("/reveal")) continue;
      const answer = await gateway.call(method as "POST", address(url), {
        as: gateway.admin,
        body: { bogus_member: 1 },
      });
      expect({ method, url, status: answer.status, code: answer.json.code }).toEqual({
        method,
        url,
        status: 400,
        code: "invalid_input",
      });
    }
  });
});

test("on tier federated, only the enrollment and the CRL are open beside those, and the rest answers 401", async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), "mosaic-routes-"));
  const federated = await openTestGateway({ config: { ...federatedConfig, dataDirectory } });
  const all = federated.gateway.routes.all();
  const isPublic = all.filter(({ access, method }) => access === "public" && method !== "HEAD");
  const opened = isPublic.map(({ method, url }) => `${method} ${url}`).filter((name) => !PUBLIC.includes(name));
  expect(opened.toSorted()).toEqual(["GET /enroll", "GET /federation/crl", "POST /enroll"]);
  const closed = all.filter(({ access, url }) => access !== "public" && url.startsWith("/api/v1/federation"));
  expect(closed.length).toBeGreaterThan(8);
  for (const { method, url } of closed) {
    const withBody = method === "POST" ? { body: {} } : {};
    const answer = await federated.call(method as "GET", address(url), withBody);
    expect({ method, url, status: answer.status }).toEqual({ method, url, status: 401 });
  }
  await federated.stop();
  await rm(dataDirectory, { recursive: true });
});

describe("the OpenAPI document", () => {
  test("has every route but those that hide, each with a summary and a tag", async () => {
    const { paths } = (await gateway.call("GET", "/openapi.json")).json;
    for (const { method, url } of gateway.gateway.routes.all().filter((route) => route.method !== "HEAD")) {
      const operation = paths[url.replaceAll(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
      expect({ method, url, summary: operation?.summary, tags: operation?.tags }).toEqual({
        method,
        url,
        summary: expect.stringMatching(/^[A-Z]/),
        tags: [expect.any(String)],
      });
    }
  });

  test("refers to nothing that it does not have, and has nothing that it does not refer to", async () => {
    const { text, json } = await gateway.call("GET", "/openapi.json");
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? "");
    expect(references.length).toBeGreaterThan(0);
    expect(Object.keys(json.components.schemas)).toEqual(["Json", "JsonInput", "Problem"]);
    for (const reference of new Set(references)) {
      const parts = reference.replace(/^#\//, "").split("/");
      expect({ reference, found: parts.reduce((at, part) => at?.[part], json) }).toEqual({
        reference,
        found: expect.any(Object),
      });
    }
  });
});

describe("a planted offender is refused when it is registered", () => {
  async function server() {
    const authenticator = { identify: () => Promise.resolve(undefined), forgetUser: () => undefined };
    const log = pino({ level: "silent" });
    return (await createServer({ log, maxBodyBytes: 1024, tls: undefined, authenticator, publicOrigin: undefined }))
      .app;
  }

  test("without access", async () => {
    const app = await server();
    expect(() => app.get("/planted", { schema: {} }, () => "")).toThrow("GET /planted does not say who may call it");
    expect(() => app.get("/planted", () => "")).toThrow("does not say who may call it");
  });

  test("without a schema", async () => {
    const app = await server();
    expect(() => app.post("/planted", { config: { access: "user" } }, () => "")).toThrow("POST /planted has no schema");
  });

  test("and one that is public but reads the principal fails closed", async () => {
    const app = await server();
    app.get(
      "/planted",
      { config: { access: "public", limit: "counted" }, schema: {} },
      (request) => request.principal.name,
    );
    const answer = await app.inject({ url: "/planted" });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: "internal" });
    expect(answer.body).not.toContain("principal");
  });
});
