import { connect } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import { MAX_PAGE_BYTES } from "@mosaicstack/federation-protocol";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditOf } from "./audit.ts";
import {
  addTask,
  addTeam,
  addUser,
  grantAndEnroll,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

let gateway: ServingGateway;
let ada: string;
let grace: string;
let compilers: string;
let secret: string;

beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
  grace = await addUser(gateway.store, "grace");
  compilers = await addTeam(gateway.store, "compilers", ada, grace);
  secret = await addTeam(gateway.store, "secret", ada);
  await addTask(gateway.store, "personal of ada", ada);
  await addTask(gateway.store, "shared", grace, compilers);
  await addTask(gateway.store, "hidden team", ada, secret);
  await addTask(gateway.store, "personal of grace", grace);
});
afterAll(() => gateway.stop());

function titles(answer: { json: Record<string, unknown> }): string[] {
  return (answer.json["rows"] as { title: string }[]).map(({ title }) => title);
}

test("a list is the subject's rows within the scope, newest first", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, {
    resources: ["tasks"],
    include_teams: [compilers],
    include_personal: true,
  });
  const answer = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 50 });
  expect(answer.status).toBe(200);
  expect(titles(answer)).toEqual(["shared", "personal of ada"]);
});

test("the serving side knows which client certificate arrived, and whose", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 50 });
  const [certificate] = (await gateway.grants.find({ userId: ada, isAdmin: false }, grant.id)).certificates;
  expect(gateway.records.at(-1)).toMatchObject({
    verb: "list",
    resource: "tasks",
    outcome: "ok",
    grantId: grant.id,
    subjectUserId: ada,
    serial: certificate?.serial,
  });
});

test("an idle connection is kept longer than a querying gateway keeps it, so that no request meets its end", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const answer = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 1 });
  expect(answer.headers["keep-alive"]).toBe("timeout=72");
});

test("a request is recorded under the id that the querying side gave it, with all that is known of it but the question", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const agent = gateway.agent(keys);
  const ids = [newId(), newId(), newId()];
  const body = { resource: "tasks", limit: 50, filters: { status: "open" } };
  const same = { filters: { status: "open" }, limit: 50, resource: "tasks" };
  const answers = [];
  for (const [index, question] of [body, same, { ...body, limit: 49 }].entries()) {
    answers.push(await gateway.ask(agent, "list", question, { "x-request-id": ids[index] ?? "" }));
  }
  expect(answers.map(({ headers }) => headers["x-request-id"])).toEqual(ids);
  await gateway.auditQueue.flush();
  const rows = await auditOf(gateway.store, grant.id, "request");
  expect(rows.map(({ requestId }) => requestId)).toEqual(ids);
  for (const [index, row] of rows.entries()) {
    expect(row).toMatchObject({ verb: "list", resource: "tasks", outcome: "ok", subjectUserId: ada, rows: 1 });
    expect(row.bytes).toBe(Buffer.byteLength(answers[index]?.text ?? ""));
    expect(row.tookMs).toBeGreaterThan(0);
    expect(JSON.stringify(row)).not.toContain("open");
  }
  const [first, again, other] = rows.map(({ queryHash }) => queryHash);
  expect(first).toEqual(expect.stringMatching(/^[\w-]{43}$/));
  expect([again === first, other === first]).toEqual([true, false]);
});

test("a page whose answer would be too large is cut to rows that fit, and pages on to its end", async () => {
  const hoarder = await addUser(gateway.store, "hoarder");
  const properties = { text: "é".repeat(50_000) };
  const now = new Date();
  const rows = Array.from({ length: 130 }, (_, index) => ({
    id: newId(new Date(now.getTime() + index)),
    ownerId: hoarder,
    title: `task ${index}`,
    properties,
    createdAt: now,
    updatedAt: now,
  }));
  await gateway.store.db.insert(schema.tasks).values(rows);
  const { keys } = await grantAndEnroll(gateway, hoarder, {
    resources: ["tasks"],
    include_personal: true,
    max_rows_per_query: 1000,
  });
  const agent = gateway.agent(keys);
  const seen: string[] = [];
  let before: string | undefined;
  for (let more = true; more;) {
    const answer = await gateway.ask(agent, "list", {
      resource: "tasks",
      limit: 200,
      ...(before === undefined ? {} : { before }),
    });
    expect([answer.status, answer.json["limit"]]).toEqual([200, 200]);
    expect(Buffer.byteLength(answer.text)).toBeLessThanOrEqual(MAX_PAGE_BYTES);
    const page = answer.json["rows"] as { id: string }[];
    seen.push(...page.map(({ id }) => id));
    before = page.at(-1)?.id;
    more = answer.json["more"] === true;
    expect(!more || Buffer.byteLength(answer.text) > MAX_PAGE_BYTES / 2).toBe(true);
  }
  expect(seen).toEqual(rows.map(({ id }) => id).toReversed());
});

test("a turn is given back with its answer, with a refusal, and when the peer leaves in the middle", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const { federationGrants } = schema;
  await gateway.store.db
    .update(federationGrants)
    .set({ concurrentRequests: 1 })
    .where(eq(federationGrants.id, grant.id));
  const agent = gateway.agent(keys);
  const statuses: number[] = [];
  for (let index = 0; index < 10; index += 1) {
    statuses.push((await gateway.ask(agent, "list", { resource: "tasks", limit: 1 })).status);
    statuses.push((await gateway.ask(agent, "get", { resource: "tasks", id: newId() })).status);
    statuses.push((await gateway.ask(agent, "list", "{")).status);
  }
  expect(new Set(statuses)).toEqual(new Set([200, 404, 400]));

  const held = connect({
    host: "127.0.0.1",
    port: gateway.port,
    ca: gateway.rootPem,
    ...keys,
    ALPNProtocols: ["http/1.1"],
  });
  held.write(
    "POST /federation/v1/list HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  );
  const status = async (): Promise<number> => (await gateway.ask(agent, "capabilities", {})).status;
  await expect.poll(status).toBe(429);
  held.destroy();
  await expect.poll(status).toBe(200);
});
