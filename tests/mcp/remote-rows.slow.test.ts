import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agent, connectAgent, type Json } from "./agent-client.ts";
import { type AgentGateway, federatedConfig, startAgentGateway } from "./agent-gateway.ts";

/** "obey" in tag characters, which nobody sees. */
const HIDDEN = "\u{E006F}\u{E0062}\u{E0065}\u{E0079}";
const NOTE = /^What is marked federated:<peer> comes from another gateway\./m;

let work: AgentGateway;
let home: AgentGateway;
let workAgent: Agent;
let homeAgent: Agent;

async function rest(gateway: AgentGateway, path: string, body: unknown): Promise<Json> {
  const answer = await fetch(new URL(path, gateway.url), {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

beforeAll(async () => {
  [work, home] = await Promise.all([startAgentGateway(federatedConfig), startAgentGateway(federatedConfig)]);
  workAgent = await connectAgent(work.url, work.key);
  homeAgent = await connectAgent(home.url, home.key);
  const scope = { resources: ["tasks", "notes"], include_personal: true };
  const { invite } = await rest(work, "/api/v1/federation/grants", { name: "home", subject: "ada@example.org", scope });
  await rest(home, "/api/v1/federation/peers", { invite, name: "work" });
}, 90_000);
afterAll(async () => {
  await Promise.all([homeAgent.close(), workAgent.close()]);
  await Promise.all([home.stop(), work.stop()]);
});

describe("an agent at home, whose user may read at work", () => {
  let remoteId: string;

  test("sees the rows of both by default, each with its source, and hidden text only where it is the user's own", async () => {
    const title = `Ship\u202E it${HIDDEN}`;
    const own = (await homeAgent.call("add_task", { title })).row;
    const remote = (await workAgent.call("add_task", { title, properties: { [`k${HIDDEN}`]: "v\u0007\u200B" } })).row;
    remoteId = remote.id;
    const { rows, source, partial, sources, note } = await homeAgent.call("list", { resource: "tasks" });
    expect(rows.map(({ id, title: shown, _source }: Json) => ({ id, shown, _source }))).toEqual([
      { id: remote.id, shown: "Ship it", _source: "federated:work" },
      { id: own.id, shown: title, _source: "local" },
    ]);
    expect(rows[0].properties).toEqual({ k: "v" });
    expect({ source, partial, note }).toEqual({ source: "all", partial: false, note: expect.stringMatching(NOTE) });
    expect(sources.map(({ source: from, status, rows: share }: Json) => [from, status, share])).toEqual([
      ["local", "ok", 1],
      ["federated:work", "ok", 1],
    ]);
    const text = await homeAgent.text("list", { resource: "tasks" });
    expect(text).toMatch(/^tasks, source all: 2 rows \(local 1, federated:work 1\)\.$/m);
    expect(text).toMatch(NOTE);
  });

  test("is told of remote text only where there is some", async () => {
    const local = await homeAgent.call("list", { resource: "tasks", source: "local" });
    expect(local).toMatchObject({ source: "local", rows: [{ _source: "local" }] });
    expect(local).not.toHaveProperty("note");
    const one = await homeAgent.call("list", { resource: "tasks", source: "federated:work" });
    expect(one).toMatchObject({
      source: "federated:work",
      rows: [{ id: remoteId }],
      note: expect.stringMatching(NOTE),
    });
  });

  test("gets one row of work, and cannot change it", async () => {
    const got = await homeAgent.call("get", { resource: "tasks", id: remoteId });
    expect(got).toMatchObject({
      row: { title: "Ship it", _source: "federated:work" },
      note: expect.stringMatching(NOTE),
    });
    expect(await homeAgent.text("get", { resource: "tasks", id: remoteId })).toMatch(NOTE);
    expect((await homeAgent.refusal("update_task", { id: remoteId, title: "Mine" })).code).toBe("not_found");
  });

  test("learns what the grant lets it read", async () => {
    const { capabilities, partial, note } = await homeAgent.call("capabilities");
    expect(Object.keys(capabilities)).toEqual(["local", "federated:work"]);
    expect(capabilities["federated:work"]).toMatchObject({ subject: { name: "Ada" }, include_personal: true });
    expect({ partial, note }).toEqual({ partial: false, note: expect.stringMatching(NOTE) });
  });

  test("is told that an answer is incomplete where the grant does not cover it", async () => {
    const { partial, sources } = await homeAgent.call("list", { resource: "memory" });
    expect(partial).toBe(true);
    expect(sources[1]).toMatchObject({
      source: "federated:work",
      status: "denied",
      error: { code: expect.any(String) },
    });
    expect(await homeAgent.text("list", { resource: "memory" })).toMatch(
      /^Incomplete: federated:work did not answer, denied \(/m,
    );
  });

  // From here on the gateway at work is stopped.
  test("with work gone, still has its own rows, and what to do", async () => {
    await workAgent.close();
    await work.stop();
    const { rows, partial, sources } = await homeAgent.call("list", { resource: "tasks" });
    expect(rows).toHaveLength(1);
    expect({ partial, status: sources[1].status }).toEqual({ partial: true, status: "offline" });
    const refusal = await homeAgent.refusal("get", { resource: "tasks", id: remoteId });
    expect(refusal).toMatchObject({ code: "not_found", partial: true });
    expect(refusal.sources[1]).toMatchObject({
      source: "federated:work",
      error: { remedy: expect.stringMatching(/./) },
    });
  });

  test("with the peer removed between two pages, is told on the second that its rows are missing, as REST tells it", async () => {
    const first = await homeAgent.call("list", { resource: "tasks", limit: 1 });
    // Work doesn't answer, and may owe rows.
    const added = await homeAgent.call("add_task", { title: "The newest" });
    const begun = await homeAgent.call("list", { resource: "tasks", limit: 1 });
    expect([first.partial, begun.rows[0].id]).toEqual([true, added.row.id]);
    const headers = { authorization: `Bearer ${home.key}` };
    await fetch(new URL("/api/v1/federation/peers/work", home.url), { method: "DELETE", headers });
    const cursor = begun.next_cursor as string;
    const page = await homeAgent.call("list", { resource: "tasks", limit: 1, cursor });
    const gone = { source: "federated:work", status: "gone", error: { code: "source_gone" } };
    expect(page).toMatchObject({ partial: true, sources: [{ source: "local", status: "ok" }, gone] });
    const text = await homeAgent.text("list", { resource: "tasks", limit: 1, cursor });
    expect(text).toMatch(/^Incomplete: federated:work did not answer, gone \(source_gone\): /m);
    const overRest = await fetch(new URL(`/api/v1/tasks?source=all&limit=1&cursor=${cursor}`, home.url), { headers });
    expect(await overRest.json()).toMatchObject({
      rows: page.rows,
      partial: true,
      sources: [{ source: "local" }, gone],
    });
  });
});
