import { Secret } from "@mosaicstack/config";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AgentGateway, standaloneConfig, startAgentGateway } from "../mcp/agent-gateway.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

let database: FreshDatabase;
let gateway: AgentGateway;
beforeAll(async () => {
  database = await freshDatabase();
  gateway = await startAgentGateway(() => standaloneConfig(database.address), {
    authSecret: new Secret("a secret of a test, longer than thirty-two characters"),
    databasePassword: new Secret(database.address.password),
  });
});
afterAll(async () => {
  await gateway.stop();
  await database.drop();
});

async function call(key: string, method: string, path: string, body?: unknown) {
  const response = await fetch(new URL(path, gateway.url), {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: (text === "" ? {} : JSON.parse(text)) as Record<string, string> };
}

test("a user is removed while they write: the removal holds, and no write ends in a fault", async () => {
  for (let round = 0; round < 8; round += 1) {
    const made = await call(gateway.key, "POST", "/api/v1/users", { name: "Eve", email: `eve-${round}@example.org` });
    const { id } = made.json;
    const { json } = await call(gateway.key, "POST", `/api/v1/users/${id}/api-keys`, { name: "writes" });
    const write = () => call(json["key"] ?? "", "POST", "/api/v1/tasks", { title: "in between" });
    await write();
    const done = new AbortController();
    const writers = Array.from({ length: 6 }, async () => {
      const statuses: number[] = [];
      while (!done.signal.aborted) statuses.push((await write()).status);
      return statuses;
    });
    const removal = await call(gateway.key, "DELETE", `/api/v1/users/${id}`).finally(() => done.abort());
    expect(removal.status).toBe(204);
    for (const status of (await Promise.all(writers)).flat()) expect([201, 401, 404]).toContain(status);
  }
  expect(await database.run("select id from tasks where owner_id is null")).toEqual([]);
});
