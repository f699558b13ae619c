import { Problem } from "@mosaicstack/foundation";
import { enroll, type GatewayServices, startGateway, type TestGateway } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";
import { agentSession } from "../mcp/agent-session.ts";
import { addressOf, type PrivateServices, startServices } from "./real-gateway.ts";

/** No refusal may take longer, whatever is wrong. */
const WITHIN_MS = 6000;

let services: PrivateServices;
beforeAll(async () => {
  services = await startServices();
});
afterAll(async () => await services.stop());

describe("tier federated on PostgreSQL and Valkey", () => {
  let work: TestGateway;
  beforeAll(async () => {
    work = await startGateway({ tier: "federated", name: "work", services: services.addresses });
  });
  afterAll(async () => await work.stop());

  test("serves a whole agent's session", async () => {
    await agentSession(work.url, work.admin.key);
    const [row] = await work.store.query<{ count: number }>("select count(*)::int from tasks", []);
    expect(row?.count).toBeGreaterThan(5);
  });

  test("is ready, and says so of each service", async () => {
    expect((await work.api().call("GET", "/readyz")).json).toEqual({
      status: "ok",
      services: [
        { service: "database", status: "ok" },
        { service: "coordination", status: "ok" },
        { service: "audit", status: "ok", queued: 0, dropped: 0 },
      ],
    });
  });

  test("keeps a vector, and finds the nearest", async () => {
    await work.store.transaction(async (db) => {
      await db.execute("create temporary table points (at vector(3)) on commit drop");
      await db.execute("insert into points values ('[1,2,3]'), ('[3,2,1]')");
      const { rows } = (await db.execute("select at::text from points order by at <=> '[1,2,2.5]' limit 1")) as {
        rows: unknown;
      };
      expect(rows).toEqual([{ at: "[1,2,3]" }]);
    });
  });

  test("answers a home gateway, live", async () => {
    const home = await startGateway({ tier: "federated", name: "home" });
    try {
      const ada = await work.addUser("Ada");
      await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
      const adaAtHome = await home.addUser("Ada");
      await enroll(adaAtHome, work, { subject: ada.id, scope: { resources: ["tasks"], include_personal: true } });
      const { rows } = await adaAtHome.api.json("GET", "/api/v1/tasks?source=federated:work");
      expect(rows).toMatchObject([{ title: "from work", _source: "federated:work" }]);
    } finally {
      await home.stop();
    }
  });
});

async function refusal(addresses: GatewayServices): Promise<Problem> {
  const began = performance.now();
  const refused = await startGateway({ tier: "federated", name: "refused", services: addresses }).then(
    async (gateway) => {
      await gateway.stop();
      throw new Error("it started");
    },
    (error: unknown) => error as Problem,
  );
  expect(performance.now() - began).toBeLessThan(WITHIN_MS);
  expect(refused).toBeInstanceOf(Problem);
  const said = JSON.stringify(refused.details) + String(refused.stack);
  expect(said).not.toContain(addresses.database.password);
  expect(said).not.toContain(addresses.valkey.password);
  return refused;
}

/** What a start is refused for, where `wrong` of a healthy stack is. */
async function faults(wrong: {
  readonly database?: Partial<GatewayServices["database"]>;
  readonly valkey?: Partial<GatewayServices["valkey"]>;
}): Promise<unknown> {
  const { database, valkey } = services.addresses;
  const refused = await refusal({
    database: { ...database, ...wrong.database },
    valkey: { ...valkey, ...wrong.valkey },
  });
  expect(refused.code).toBe("services_unavailable");
  const listed = refused.details["faults"] as readonly { readonly service: string; readonly remedy: string }[];
  for (const { service, remedy } of listed) {
    expect(refused.message).toContain(service);
    expect(refused.message).toContain(remedy);
  }
  return listed;
}

const fault = (service: string, code: string, more: object = {}): unknown =>
  expect.objectContaining({ service, code, host: "127.0.0.1", ...more });

describe("tier federated refuses to start", () => {
  const port = 1;

  test("where PostgreSQL refuses the connection", async () => {
    expect(await faults({ database: { port } })).toEqual([
      fault("postgresql", "database_unreachable", { port, cause: "connection refused" }),
    ]);
  });

  test("where Valkey refuses the connection", async () => {
    expect(await faults({ valkey: { port } })).toEqual([
      fault("valkey", "valkey_unreachable", { port, cause: "connection refused" }),
    ]);
  });

  test("where both do, and names both", async () => {
    expect(await faults({ database: { port }, valkey: { port } })).toEqual([
      fault("postgresql", "database_unreachable"),
      fault("valkey", "valkey_unreachable"),
    ]);
  });

  test("where a password is wrong", async () => {
    const password = "a-wrong-password";
    expect(await faults({ database: { password }, valkey: { password } })).toEqual([
      fault("postgresql", "database_unreachable", { cause: "wrong user or password" }),
      fault("valkey", "valkey_unreachable"),
    ]);
  });

  test("where there is no such database", async () => {
    expect(await faults({ database: { name: "nowhere" } })).toEqual([
      fault("postgresql", "database_unreachable", { cause: "no such database" }),
    ]);
  });

  test("where PostgreSQL hangs", async () => {
    services.postgresql.pause();
    try {
      expect(await faults({})).toEqual([fault("postgresql", "database_unreachable", { cause: "timed out" })]);
    } finally {
      services.postgresql.resume();
    }
  });

  test("where Valkey hangs", async () => {
    services.valkey.pause();
    try {
      expect(await faults({})).toEqual([fault("valkey", "valkey_unreachable", { cause: "timed out" })]);
    } finally {
      services.valkey.resume();
    }
  });

  test("where pgvector is not installed", async () => {
    const bare = await startPrivatePostgresql({ withoutVector: true });
    try {
      const listed = (await faults({ database: addressOf(bare.url) })) as readonly { remedy: string }[];
      expect(listed).toEqual([fault("pgvector", "vector_unavailable")]);
      expect(listed[0]?.remedy).toMatch(/install/i);
    } finally {
      await bare.stop();
    }
  });

  test("where pgvector is installed, and this user may not enable it", async () => {
    const { postgresql } = services;
    const admin = new (await import("pg")).default.Client({ connectionString: postgresql.url });
    await admin.connect();
    await admin.query("create role plain login password 'plain-password'");
    await admin.query("create database plain owner plain");
    await admin.end();
    const user = { user: "plain", password: "plain-password", name: "plain" };
    const listed = (await faults({ database: user })) as readonly { remedy: string }[];
    expect(listed).toEqual([fault("pgvector", "vector_unavailable")]);
    expect(listed[0]?.remedy).toContain("CREATE EXTENSION vector");
  });
});
