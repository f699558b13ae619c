import { connect } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import type { PeerBounds, Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createListener, issueServerCertificate } from "../src/index.ts";
import {
  addTask,
  addTeam,
  addUser,
  grantAndEnroll,
  type PeerKeys,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

let gateway: ServingGateway;
let port: number;
let stop: () => Promise<void>;
let keys: PeerKeys;
/** Texts of statements, and bounds, in the order they were asked for. */
const asked: string[] = [];
const kinds = { rows: {} as Record<string, string>, teams: {} as Record<string, string> };

/** The gateway's own store, with every statement written down. */
function recording(store: Store): Pick<Store, "query" | "readAsPeer"> {
  const noting =
    (read: Store["query"]): Store["query"] =>
    (sql, parameters) => {
      asked.push(sql);
      return read(sql, parameters);
    };
  return {
    query: noting((sql, parameters) => store.query(sql, parameters)),
    readAsPeer(bounds: PeerBounds, work) {
      asked.push(JSON.stringify(bounds));
      return store.readAsPeer(bounds, (read) =>
        work({
          query: noting((sql, parameters) => read.query(sql, parameters)),
          findCandidates: noting((sql, parameters) => read.findCandidates(sql, parameters)),
          last: { query: noting((sql, parameters) => read.last.query(sql, parameters)) },
        }),
      );
    },
  };
}

beforeAll(async () => {
  gateway = await startServingGateway();
  const { store } = gateway;
  const ada = await addUser(store, "ada");
  const grace = await addUser(store, "grace");
  const inside = await addTeam(store, "inside", ada, grace);
  const outside = await addTeam(store, "outside", ada);
  const foreign = await addTeam(store, "foreign", grace);
  await addTask(store, "inside", grace, inside);
  kinds.rows = {
    absent: newId(),
    "somebody else's": await addTask(store, "grace's secret", grace),
    "of a team the subject is not in": await addTask(store, "foreign secret", grace, foreign),
    "of a team outside the scope": await addTask(store, "outside secret", ada, outside),
    "personal, which the scope leaves out": await addTask(store, "private secret", ada),
  };
  kinds.teams = {
    absent: newId(),
    "one the subject is not in": foreign,
    "one of the subject's outside the scope": outside,
    "somebody else's personal space": grace,
  };
  keys = (
    await grantAndEnroll(gateway, ada, {
      resources: ["tasks", "notes", "credentials"],
      excluded_resources: ["credentials"],
      include_teams: [inside],
    })
  ).keys;
  const listener = createListener({
    ...gateway,
    host: "127.0.0.1",
    port: 0,
    certificate: await issueServerCertificate(gateway.authority, gateway.clock, []),
    store: recording(store),
    maxRowsPerQuery: 200,
    record: (entry) => gateway.records.push(entry),
  });
  ({ port } = await listener.start());
  stop = () => listener.stop();
  await ask("capabilities", {});
});
afterAll(async () => {
  await stop();
  await gateway.stop();
});

const requestId = newId();

/** Everything the peer sees of an answer, as it comes over the wire, but for the date; and what was asked of the database. */
async function ask(verb: string, body: unknown): Promise<{ seen: string; statements: string[] }> {
  const { rootPem: ca } = gateway;
  const socket = connect({ host: "127.0.0.1", port, ca, ...keys, ALPNProtocols: ["http/1.1"] });
  const text = JSON.stringify(body);
  const head = [
    `POST /federation/v1/${verb} HTTP/1.1`,
    "host: x",
    `x-request-id: ${requestId}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  let seen = "";
  socket.on("data", (data: Buffer) => (seen += data.toString()));
  socket.write(`${head.join("\r\n")}\r\n\r\n${text}`);
  await new Promise((resolve, reject) => socket.on("close", resolve).on("error", reject));
  // The first look-up is the admission's, of the connection itself.
  return { seen: seen.replace(/^date: .*\r\n/im, ""), statements: asked.splice(0).slice(1) };
}

/** Alike over the wire and before the database, each with each. */
async function expectAlike(verb: string, bodies: Readonly<Record<string, unknown>>, pattern: RegExp): Promise<void> {
  const [first = "", ...others] = Object.keys(bodies);
  const expected = await ask(verb, bodies[first]);
  expect(expected.seen).toMatch(pattern);
  expect(expected.seen).toContain(requestId);
  expect(expected.seen).not.toMatch(/secret/);
  for (const name of others) {
    const found = await ask(verb, bodies[name]);
    expect([name, found.seen]).toEqual([name, expected.seen]);
    expect([name, found.statements]).toEqual([name, expected.statements]);
  }
}

/** Of the same kinds, what was found: so that a difference would be seen. */
test("what is within the scope answers otherwise", async () => {
  const { seen, statements } = await ask("list", { resource: "tasks", limit: 5 });
  expect(seen).toContain('"title" : "inside"');
  expect(statements).toHaveLength(3);
  expect(statements[1]).toContain('"resources":["tasks"]');
});

describe("one answer, byte for byte, after the same statements", () => {
  test("get: absent, somebody else's and outside the scope", async () => {
    const bodies = Object.entries(kinds.rows).map(([name, id]) => [name, { resource: "tasks", id }] as const);
    await expectAlike("get", Object.fromEntries(bodies), /^HTTP\/1\.1 404 [^]*"code":"row_not_found"/);
  });

  test("list: a team that is absent, foreign, or outside the scope", async () => {
    const lists = Object.entries(kinds.teams).map(
      ([name, team]) => [name, { resource: "tasks", limit: 5, filters: { team } }] as const,
    );
    await expectAlike("list", Object.fromEntries(lists), /^HTTP\/1\.1 200 [^]*{"rows":\[\],"more":false,"limit":5}$/);
  });

  test("list: a position that is an absent, somebody else's or hidden row's", async () => {
    // Each is newer than what is inside, so that the rows are the same as well.
    const lists = Object.entries(kinds.rows)
      .filter(([name]) => name !== "absent")
      .map(([name, before]) => [name, { resource: "tasks", limit: 5, before }] as const);
    lists.push(["absent", { resource: "tasks", limit: 5, before: newId() }]);
    await expectAlike("list", Object.fromEntries(lists), /^HTTP\/1\.1 200 [^]*"title" : "inside"/);
  });

  test("search: words of rows that are absent, somebody else's or outside the scope, and such teams", async () => {
    const searches = [
      ...["nowhere", "foreign", "outside", "private"].map((query) => [query, { query, limit: 5 }] as const),
      ...Object.entries(kinds.teams).map(([name, team]) => [name, { query: "inside", limit: 5, team }] as const),
    ];
    await expectAlike(
      "search",
      Object.fromEntries(searches),
      /^HTTP\/1\.1 200 [^]*{"rows":\[\],"more":false,"limit":5}$/,
    );
  });

  test.each([
    ["list", { limit: 5 }],
    ["get", { id: newId() }],
  ])("%s: a resource that is unknown, excluded, or not named", async (verb, rest) => {
    const names = ["nonsense", "credentials", "memory", "teams", "__proto__", "toString"];
    const bodies = Object.fromEntries(names.map((resource) => [resource, { ...rest, resource }]));
    await expectAlike(verb, bodies, /^HTTP\/1\.1 403 [^]*"code":"resource_not_in_scope"/);
  });

  test("search: a resource that is unknown, excluded, not named, or not searched", async () => {
    const names = ["nonsense", "credentials", "memory", "teams"];
    const bodies = names.map((name) => [name, { query: "x", limit: 5, resources: ["tasks", name] }] as const);
    await expectAlike("search", Object.fromEntries(bodies), /^HTTP\/1\.1 403 [^]*"code":"resource_not_in_scope"/);
  });
});
