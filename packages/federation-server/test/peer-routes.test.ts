import { createSigningRequest, RENEWAL_PATH, type Verb, verbPath, verbs } from "@mosaicstack/federation-protocol";
import { newId } from "@mosaicstack/foundation";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { peerPaths, registerPeerRoutes } from "../src/peer-routes.ts";
import { auditOf } from "./audit.ts";
import { addTask, addUser, grantAndEnroll, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const MOST_RENEWALS = 60;
const scope = { resources: ["tasks"], include_personal: true };

let gateway: ServingGateway;
let ada: string;
let task: string;
beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
  task = await addTask(gateway.store, "a task", ada);
});
afterAll(() => gateway.stop());

/** A request of each that is answered. A verb that is new to the wire is missing here, and does not compile. */
const answered: Readonly<Record<Verb | "renew", () => unknown>> = {
  list: () => ({ resource: "tasks", limit: 5 }),
  get: () => ({ resource: "tasks", id: task }),
  search: () => ({ query: "task", limit: 5 }),
  capabilities: () => ({}),
  renew: async () => ({ csr: (await createSigningRequest()).csrPem }),
};

/** One that is told apart from every other by its peer: a grant of its own. */
async function peer(limits: { readonly requestsPerMinute?: number } = {}) {
  const { grant, keys, admin } = await grantAndEnroll(gateway, ada, scope);
  await gateway.grants.edit(admin, grant.id, { requestsPerMinute: 1_000_000, ...limits });
  return { grantId: grant.id, agent: gateway.agent(keys) };
}

/** What the audit has of a grant's peer, apart from its enrollment and first use. */
async function asked(grantId: string) {
  await gateway.auditQueue.flush();
  const entries = await auditOf(gateway.store, grantId);
  return entries
    .filter(({ event }) => event === "request" || event === "renewal")
    .map(({ event, verb, outcome, requestId }) => ({ of: verb ?? event, outcome, requestId }));
}

const named = (of: string): string => (of === "renew" ? "renewal" : of);

describe("everything that is answered on the listener for peers", () => {
  test("is a verb of the protocol, or the renewal", () => {
    expect([...peerPaths.keys()]).toEqual([...verbs.map(verbPath), RENEWAL_PATH]);
  });

  test.each([...peerPaths])("%s is audited where it is answered, and where it is refused", async (path, of) => {
    const { agent, grantId } = await peer();
    const [good, bad] = [newId(), newId()];
    const answer = await gateway.ask(agent, path, await answered[of](), { "x-request-id": good });
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
    const refusal = await gateway.ask(agent, path, { bogus: 1 }, { "x-request-id": bad });
    expect([refusal.status, refusal.json["code"]]).toEqual([400, "request_malformed"]);
    expect(await asked(grantId)).toEqual([
      { of: named(of), outcome: "ok", requestId: good },
      { of: named(of), outcome: "request_malformed", requestId: bad },
    ]);
  });

  test.each([...peerPaths])("%s is limited, says until when, and is audited then too", async (path, of) => {
    const { agent, grantId } = await peer(of === "renew" ? {} : { requestsPerMinute: 1 });
    let answer = await gateway.ask(agent, path, { bogus: 1 });
    for (let count = 0; answer.status !== 429 && count < MOST_RENEWALS; count += 1) {
      answer = await gateway.ask(agent, path, { bogus: 1 });
    }
    expect([answer.status, answer.json["code"]]).toEqual([429, "rate_limited"]);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect((await asked(grantId)).at(-1)).toMatchObject({ outcome: "rate_limited" });
  });

  test("what is nothing counts, and is audited, as everything else", async () => {
    const { agent, grantId } = await peer({ requestsPerMinute: 1 });
    const path = "/federation/v1/planted";
    expect((await gateway.ask(agent, path, {})).status).toBe(404);
    expect((await gateway.ask(agent, path, {})).status).toBe(429);
    expect((await asked(grantId)).map(({ of, outcome }) => [of, outcome])).toEqual([
      ["unknown", "verb_unknown"],
      ["unknown", "rate_limited"],
    ]);
  });
});

test("while the database's second wall is down, what reads rows is answered with 503 and audited; mended, with rows", async () => {
  const { agent, grantId } = await peer();
  const list = () => gateway.ask(agent, "list", answered.list());
  await gateway.store.query("create policy planted on tasks to mosaic_peer_reader using (true)", []);
  await expect(gateway.store.checkSecondWall()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
  const refusal = await list();
  expect([refusal.status, refusal.json["code"]]).toEqual([503, "database_busy"]);
  expect(refusal.text).not.toContain("wall");
  expect((await asked(grantId)).at(-1)).toMatchObject({ of: "list", outcome: "database_busy" });
  await gateway.store.query("drop policy planted on tasks", []);
  await gateway.store.checkSecondWall();
  expect((await list()).status).toBe(200);
});

describe("a planted offender, which would be answered past identity, limit and audit", () => {
  const listener = () => {
    const app = Fastify();
    registerPeerRoutes(app, async (_request, reply) => await reply.send("answered"));
    return app;
  };

  test.each([
    ["beside the protocol's addresses", "/federation/v1/planted"],
    ["at one of them, by another method", verbPath("list")],
  ])("is refused when it is registered: %s", async (_, path) => {
    const app = listener();
    expect(() => app.get(path, () => "planted")).toThrow(
      `GET ${path} would be answered past identity, limit and audit`,
    );
    await app.close();
  });

  test("and is refused within a plugin, too", async () => {
    const app = listener();
    app.register(async (plugin) => {
      await Promise.resolve();
      plugin.post("/planted", () => "planted");
    });
    await expect(app.ready()).rejects.toThrow("POST /planted would be answered past");
  });
});
