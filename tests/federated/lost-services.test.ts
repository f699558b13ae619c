import { setTimeout } from "node:timers/promises";
import { startGateway, type TestGateway } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type PrivateServices, startServices } from "./real-gateway.ts";

let services: PrivateServices;
let gateway: TestGateway;
beforeAll(async () => {
  services = await startServices();
  gateway = await startGateway({ tier: "federated", name: "work", services: services.addresses });
});
afterAll(async () => {
  await gateway.stop();
  await services.stop();
});

const readiness = async () => (await gateway.api().call("GET", "/readyz")).json;
const eventually = { timeout: 20_000, interval: 100 };

test("PostgreSQL killed under load: every answer is a row or a clean 503, and it recovers without a restart", async () => {
  const { api } = gateway.admin;
  const answers: { readonly status: number; readonly code: string | undefined; readonly text: string }[] = [];
  const stopping = new AbortController();
  const load = Array.from({ length: 10 }, async (_, worker) => {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      const writes = worker % 2 === 0;
      const { status, json, text } = writes
        ? await api.call("POST", "/api/v1/tasks", { title: `task ${worker}.${turn}` })
        : await api.call("GET", "/api/v1/tasks?limit=5");
      answers.push({ status, code: json?.code, text });
      await setTimeout(5);
    }
  });
  await setTimeout(500);
  await services.postgresql.kill();
  await vi.waitFor(() => expect(answers.at(-1)?.status).toBe(503), eventually);
  expect(await readiness()).toMatchObject({ status: 503, code: "database_unavailable" });
  expect((await gateway.api().call("GET", "/healthz")).status).toBe(200);
  await services.postgresql.restart();
  await vi.waitFor(() => expect(answers.at(-1)?.status).toBeLessThan(300), eventually);
  await setTimeout(300);
  stopping.abort();
  await Promise.all(load);

  const others = answers.filter(({ status, code }) => status >= 300 && code !== "database_unavailable");
  expect(others).toEqual([]);
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused.length).toBeGreaterThan(10);
  for (const { text } of refused) expect(text).not.toContain(services.addresses.database.password);
  // Whatever was answered with a row is there.
  const created = answers.filter(({ status }) => status === 201).length;
  const [row] = await gateway.store.query<{ count: number }>("select count(*)::int from tasks", []);
  expect(row?.count).toBeGreaterThanOrEqual(created);
  expect(await readiness()).toMatchObject({ status: "ok" });
});

test("Valkey killed: the gateway serves on, says that it is degraded, and recovers by itself", async () => {
  await services.valkey.kill();
  await vi.waitFor(async () => {
    expect(await readiness()).toMatchObject({
      status: "degraded",
      services: [
        { service: "database", status: "ok" },
        { service: "coordination", status: "degraded" },
        { service: "audit", status: "ok" },
      ],
    });
  }, eventually);
  expect((await gateway.admin.api.call("POST", "/api/v1/tasks", { title: "meanwhile" })).status).toBe(201);
  const ada = await gateway.addUser("Ada");
  const { rows } = await ada.api.json("GET", "/api/v1/api-keys");
  expect((await ada.api.call("DELETE", `/api/v1/api-keys/${rows[0].id}`)).status).toBe(204);
  expect((await ada.api.call("GET", "/api/v1/me")).status).toBe(401);

  await services.valkey.restart();
  await vi.waitFor(async () => expect(await readiness()).toMatchObject({ status: "ok" }), eventually);
  const said = gateway.log.filter((line) => line.includes("Valkey is"));
  expect(said).toHaveLength(2);
  expect(gateway.log.join("")).not.toContain(services.addresses.valkey.password);
});
