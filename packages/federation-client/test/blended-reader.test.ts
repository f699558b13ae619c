import { LAST_ID, newId, Problem, systemClock } from "@mosaicstack/foundation";
import { type ListAnswer, peerPlace, type Positions, type Reader, type Row } from "@mosaicstack/federation-protocol";
import { answerJson, openTestStore, type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createBlendedReader, createPeers, type Peers } from "../src/index.ts";
import { createLocalRows, type LocalRows } from "./local-rows.ts";

const sealer = createSealer({ secret: "a secret for the tests of blending, long enough" });
const ada = newId();
const bob = newId();
const deadlineMs = 400;

let store: Store;
let work: ScriptedPeer;
let club: ScriptedPeer;
let peers: Peers;
let own: Map<string, Row[]>;
let local: LocalRows;
let reader: Reader;

/** Rows of one place, with times of creation that interleave with those of the others. */
const rowsNamed = (place: string, count: number, offset: number): Row[] =>
  Array.from({ length: count }, (_, index) => ({
    id: newId(new Date(Date.UTC(2026, 0, 1) + (index * 10 + offset) * 1000)),
    title: `${place} ${index}`,
  }));

beforeAll(async () => {
  [store, work, club] = await Promise.all([openTestStore(), startScriptedPeer(), startScriptedPeer()]);
  await store.db.insert(schema.users).values([
    { id: ada, name: "Ada", email: "ada@example.org" },
    { id: bob, name: "Bob", email: "bob@example.org" },
  ]);
});
afterAll(async () => {
  await Promise.all([work.stop(), club.stop()]);
  await store.close();
});

beforeEach(() => {
  for (const gateway of [work, club]) Object.assign(gateway, { onQuery: undefined, cap: 200 });
  own = new Map([
    [ada, rowsNamed("ada", 20, 0)],
    [bob, rowsNamed("bob", 20, 1)],
  ]);
  work.rows = rowsNamed("work", 20, 2);
  club.rows = rowsNamed("club", 20, 3);
  local = createLocalRows((userId) => own.get(userId) ?? []);
  peers = createPeers({ store, sealer, clock: systemClock });
  reader = createBlendedReader({ local: local.reader, localSource: local.source, peers, deadlineMs });
});
afterEach(async () => {
  await peers.close();
  await store.db.delete(schema.federationPeers);
});

/** As they were enrolled in the first test that needed them. */
let enrolled: (typeof schema.federationPeers.$inferSelect)[] | undefined;

/** Ada reads work and club. */
async function bothPeers(): Promise<void> {
  if (enrolled === undefined) {
    await peers.add(ada, work.invite(), "work");
    await peers.add(ada, club.invite(), "club");
    enrolled = await store.db.select().from(schema.federationPeers);
  } else {
    await store.db.insert(schema.federationPeers).values(enrolled);
  }
  work.queries.length = 0;
  club.queries.length = 0;
}

/** Under what a cursor keeps Ada's position in a peer. */
const placeOf = (name: string) => peerPlace(name, enrolled!.find((peer) => peer.name === name)!.id);

const list = (
  userId: string,
  source: string,
  change: { limit?: number; positions?: Positions; resource?: string } = {},
) => reader.list(userId, { source, resource: "tasks", limit: 10, filters: {}, positions: undefined, ...change });
const rowsOf = ({ rowsJson }: ListAnswer) => JSON.parse(rowsJson) as (Row & { _source: string })[];
const titlesOf = (answer: ListAnswer) => rowsOf(answer).map((row) => row["title"] as string);
const statusesOf = ({ sources }: { sources: readonly { source: string; status: string }[] }) =>
  Object.fromEntries(sources.map(({ source, status }) => [source, status]));
const sortedTitles = (...lists: Row[][]) =>
  lists
    .flat()
    .map((row) => row["title"] as string)
    .toSorted();

async function readAll(userId: string, source: string, limit: number): Promise<ListAnswer[]> {
  const pages: ListAnswer[] = [];
  let positions: Positions | undefined;
  do {
    const page: ListAnswer = await list(userId, source, { limit, ...(positions === undefined ? {} : { positions }) });
    pages.push(page);
    positions = page.next;
  } while (positions !== undefined && pages.length < 200);
  return pages;
}

async function refusal(work_: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work_.then(
    () => "it was not refused",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

describe("list over local rows", () => {
  test("is the local reader's own answer, and asks no peer", async () => {
    await bothPeers();
    const answer = await list(ada, "local");
    expect(answer.sources).toEqual([{ source: "local", status: "ok", took_ms: 0, rows: 10, truncated: true }]);
    expect(local.reads).toEqual(["list local"]);
    expect([...work.queries, ...club.queries]).toEqual([]);
  });

  test("is also what `all` comes to for a user without peers", async () => {
    await bothPeers();
    const { sources } = await list(bob, "all");
    expect(sources).toEqual([{ source: "local", status: "ok", took_ms: 0, rows: 10, truncated: true }]);
    expect([...work.queries, ...club.queries]).toEqual([]);
  });
});

describe("list over all", () => {
  test("merges newest first, tags each row, and reports each source", async () => {
    await bothPeers();
    const answer = await list(ada, "all", { limit: 6 });
    expect(titlesOf(answer)).toEqual(["club 19", "work 19", "ada 19", "club 18", "work 18", "ada 18"]);
    expect(rowsOf(answer).map(({ _source }) => _source)).toEqual([
      "federated:club",
      "federated:work",
      "local",
      "federated:club",
      "federated:work",
      "local",
    ]);
    expect(answer.partial).toBe(false);
    const report = { status: "ok", took_ms: expect.any(Number), rows: 2, truncated: true };
    expect(answer.sources).toEqual([
      { source: "local", ...report },
      { source: "federated:club", ...report },
      { source: "federated:work", ...report },
    ]);
  });

  test.each([1, 7, 50])("pages by %i to its end: every row of every source, each once", async (limit) => {
    await bothPeers();
    work.cap = 5;
    const pages = await readAll(ada, "all", limit);
    expect(pages.flatMap(titlesOf).toSorted()).toEqual(sortedTitles(own.get(ada)!, work.rows, club.rows));
    const ids = pages.flatMap(rowsOf).map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted().toReversed());
  });

  test("goes on with a peer that is down, and gets what it owes once it is back", async () => {
    await bothPeers();
    work.onQuery = (_request, response) => response.destroy();
    const pages = await readAll(ada, "all", 10);
    expect(pages.every(({ partial }) => partial)).toBe(true);
    expect(pages.flatMap(titlesOf).toSorted()).toEqual(sortedTitles(own.get(ada)!, club.rows));
    const last = pages.at(-1)!;
    expect(last.retry).toEqual({ local: null, [placeOf("club")]: null, [placeOf("work")]: LAST_ID });
    expect(last.sources.at(-1)).toMatchObject({
      source: "federated:work",
      status: "offline",
      error: { code: "peer_unreachable" },
    });

    work.onQuery = undefined;
    const owed = await list(ada, "all", { limit: 50, positions: last.retry! });
    expect(titlesOf(owed).toSorted()).toEqual(sortedTitles(work.rows));
    expect(owed).toMatchObject({ next: undefined, retry: undefined, partial: false });
    expect(owed.sources).toHaveLength(1);
  });

  test("has one deadline: a peer that is slow costs its own rows and no more time than that", async () => {
    await bothPeers();
    work.onQuery = () => undefined;
    const startedAt = performance.now();
    const answer = await list(ada, "all", { limit: 40 });
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs + 300);
    expect(statusesOf(answer)).toEqual({ local: "ok", "federated:club": "ok", "federated:work": "timeout" });
    expect(answer.partial).toBe(true);
    expect(titlesOf(answer)).toHaveLength(40);
  });

  test("reports own rows that cannot be read, and gives the peers'", async () => {
    await bothPeers();
    local.failure = new Problem("database_busy", { status: 503, title: "Busy.", remedy: "Try again." });
    const answer = await list(ada, "all");
    expect(statusesOf(answer)).toEqual({ local: "offline", "federated:club": "ok", "federated:work": "ok" });
    local.failure = undefined;
    local.delayMs = deadlineMs * 2;
    expect(statusesOf(await list(ada, "all"))).toMatchObject({ local: "timeout" });
  });

  test("refuses what the caller asked wrongly, by the local source's judgement", async () => {
    await bothPeers();
    expect((await refusal(list(ada, "all", { resource: "nothing" }))).code).toBe("unknown_resource");
  });

  /** What a source that is gone is told as. */
  const gone = (source: string) => ({
    source,
    status: "gone",
    took_ms: 0,
    rows: 0,
    truncated: false,
    error: { code: "source_gone", detail: expect.any(String), remedy: expect.stringContaining("without a cursor") },
  });

  test("reports a peer that was removed between pages, on each page that follows", async () => {
    await bothPeers();
    const first = await list(ada, "all", { limit: 6 });
    await peers.remove(ada, "work");
    const pages = [first];
    while (pages.at(-1)!.next !== undefined) {
      pages.push(await list(ada, "all", { limit: 10, positions: pages.at(-1)!.next! }));
    }
    expect(pages.flatMap(titlesOf).toSorted()).toEqual(
      sortedTitles(own.get(ada)!, club.rows, [{ title: "work 19" }, { title: "work 18" }] as unknown as Row[]),
    );
    expect(pages.length).toBeGreaterThan(3);
    for (const page of pages.slice(1)) {
      expect(page.partial).toBe(true);
      expect(page.sources.at(-1)).toEqual(gone("federated:work"));
      expect(page.sources.filter(({ status }) => status === "gone")).toHaveLength(1);
    }
    expect(pages.at(-1)!.retry).toBeUndefined();
  });

  test("reports the last peer removed between pages, with nobody left to ask but itself", async () => {
    await bothPeers();
    const { next } = await list(ada, "all", { limit: 6 });
    await peers.remove(ada, "work");
    await peers.remove(ada, "club");
    const answer = await list(ada, "all", { limit: 10, positions: next! });
    expect(titlesOf(answer)[0]).toBe("ada 17");
    expect(answer.partial).toBe(true);
    expect(answer.sources.slice(1)).toEqual([gone("federated:club"), gone("federated:work")]);
    expect(Object.keys(answer.next!)).toHaveLength(3);
  });

  test("does not mention a peer removed after it was given to its end", async () => {
    await bothPeers();
    work.rows = rowsNamed("work", 1, 500);
    const { next } = await list(ada, "all", { limit: 6 });
    await peers.remove(ada, "work");
    const answer = await list(ada, "all", { limit: 10, positions: next! });
    expect(statusesOf(answer)).toEqual({ local: "ok", "federated:club": "ok" });
    expect(answer.partial).toBe(false);
  });

  test("a new peer of a removed one's name does not inherit its position: its rows come from the newest", async () => {
    await bothPeers();
    const { next } = await list(ada, "federated:work", { limit: 10 });
    await peers.remove(ada, "work");
    club.newGrant();
    await peers.remove(ada, "club");
    await peers.add(ada, club.invite(), "work");
    club.rows = rowsNamed("club", 20, 3);
    const answer = await list(ada, "federated:work", { limit: 20, positions: next! });
    expect(titlesOf(answer).toSorted()).toEqual(sortedTitles(club.rows));
    expect(answer.sources).toEqual([
      { source: "federated:work", status: "ok", took_ms: expect.any(Number), rows: 20, truncated: false },
      gone("federated:work"),
    ]);
    expect(answer.partial).toBe(true);
  });

  test("a cursor of all, asked of one source, says that the others are not in it", async () => {
    await bothPeers();
    const { next } = await list(ada, "all", { limit: 6 });
    const answer = await list(ada, "local", { limit: 50, positions: next! });
    expect(titlesOf(answer)[0]).toBe("ada 17");
    expect(answer.sources.slice(1)).toEqual([gone("federated:club"), gone("federated:work")]);
  });

  test("a cursor tells of ten sources that are gone, and grows no further", async () => {
    await bothPeers();
    const places = Array.from({ length: 40 }, (_, index) => [peerPlace(`gone-${index}`, newId()), newId()] as const);
    const answer = await list(ada, "all", { limit: 6, positions: Object.fromEntries(places) });
    expect(answer.sources.filter(({ status }) => status === "gone")).toHaveLength(40);
    expect(Object.keys(answer.next!)).toHaveLength(3 + 10);
  });
});

describe("list over one peer", () => {
  test("pages to its end", async () => {
    await bothPeers();
    const pages = await readAll(ada, "federated:work", 7);
    expect(pages.flatMap(titlesOf)).toEqual(work.rows.map((row) => row["title"]).toReversed());
    expect(local.reads).toEqual([]);
    expect(club.queries).toEqual([]);
  });

  test("that fails is an empty, partial answer with its report, and can be retried", async () => {
    await bothPeers();
    work.onQuery = (_request, response) => response.destroy();
    const answer = await list(ada, "federated:work");
    expect(answer).toMatchObject({ rowsJson: "[]", partial: true, next: undefined });
    expect(answer.sources).toMatchObject([{ source: "federated:work", status: "offline", rows: 0 }]);
    work.onQuery = undefined;
    expect(titlesOf(await list(ada, "federated:work", { positions: answer.retry! }))).toHaveLength(10);
  });

  test("that is not confirmed yet is refused, and is no part of `all`", async () => {
    work.onQuery = (_request, response) => response.destroy();
    await refusal(peers.add(ada, work.invite(), "work"));
    expect((await refusal(list(ada, "federated:work"))).code).toBe("peer_not_confirmed");
    expect(statusesOf(await list(ada, "all"))).toEqual({ local: "ok" });
  });

  test.each([
    [
      "403 with a code",
      403,
      { code: "resource_not_in_scope", status: 403, detail: "no" },
      "denied",
      "resource_not_in_scope",
    ],
    ["401", 401, { code: "identity_invalid", status: 401, detail: "no" }, "denied", "identity_invalid"],
    ["429", 429, {}, "rate_limited", "peer_rate_limited"],
    ["500", 500, {}, "offline", "peer_failing"],
    ["503", 503, { code: "database_busy", status: 503, detail: "no" }, "offline", "database_busy"],
    ["404", 404, {}, "incompatible", "peer_incompatible"],
    ["400", 400, { code: "request_malformed", status: 400, detail: "no" }, "incompatible", "request_malformed"],
    ["another shape", 200, { rows: 7 }, "incompatible", "peer_incompatible"],
  ])("that answers %s", async (_what, httpStatus, body, status, code) => {
    await bothPeers();
    work.onQuery = (_request, response) => answerJson(response, body, httpStatus);
    const [report] = (await list(ada, "federated:work")).sources;
    expect(report).toMatchObject({ status, error: { code, detail: expect.any(String), remedy: expect.any(String) } });
    expect(await peers.get(ada, "work")).toMatchObject({ state: "active" });
  });

  test("that asks for fewer requests is reported with the seconds left, and is not asked", async () => {
    await bothPeers();
    work.onQuery = (_request, response) => response.writeHead(429, { "retry-after": "60" }).end();
    await list(ada, "federated:work");
    work.onQuery = undefined;
    const answer = await list(ada, "all", { limit: 50 });
    expect(answer).toMatchObject({ partial: true, retry: { local: null, [placeOf("club")]: null } });
    expect(titlesOf(answer)).toHaveLength(40);
    const [, , report] = answer.sources;
    expect(report).toMatchObject({ source: "federated:work", status: "rate_limited", rows: 0 });
    expect(report!.took_ms).toBeLessThan(20);
    expect(report!.error).toMatchObject({
      code: "peer_rate_limited",
      detail: expect.stringMatching(/again in (?:59|60) s\.$/),
    });
    expect([59, 60]).toContain(report!.error?.retry_after);
    expect(work.queries).toEqual([]);
  });

  test("that says over its pinned connection that the grant is revoked is revoked from then on, and not asked again", async () => {
    await bothPeers();
    work.onQuery = (_request, response) =>
      answerJson(response, { code: "grant_revoked", status: 403, detail: "no" }, 403);
    expect((await list(ada, "federated:work")).sources).toMatchObject([
      { status: "revoked", error: { code: "grant_revoked" } },
    ]);
    await expect.poll(async () => (await peers.get(ada, "work")).state).toBe("revoked");
    work.onQuery = undefined;
    work.queries.length = 0;
    expect((await list(ada, "federated:work")).sources).toMatchObject([
      { status: "revoked", error: { code: "peer_revoked" } },
    ]);
    expect(work.queries).toEqual([]);
  });

  test.each([["federated:nobody"], ["federated:"], ["federated:Work"], ["everything"], [""], ["federated:../x"]])(
    "of no such name (%s) is unknown_source",
    async (source) => {
      await bothPeers();
      const problem = await refusal(list(ada, source));
      expect(problem).toMatchObject({ code: "unknown_source", status: 404 });
    },
  );
});

describe("a hostile peer", () => {
  test("cannot pass its rows off as another source's", async () => {
    await bothPeers();
    work.rows = work.rows.map((row) => ({ ...row, _source: "local" }));
    const answer = await list(ada, "federated:work");
    expect(new Set(rowsOf(answer).map(({ _source }) => _source))).toEqual(new Set(["federated:work"]));
  });

  test("whose row cannot be written as JSON loses its own rows only", async () => {
    await bothPeers();
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    work.onQuery = (_request, response) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(`{"rows":[{"id":"${newId()}","deep":${deep}}],"more":false,"limit":10}`);
    const answer = await list(ada, "all", { limit: 50 });
    expect(statusesOf(answer)).toEqual({ local: "ok", "federated:club": "ok", "federated:work": "incompatible" });
    expect(titlesOf(answer)).toHaveLength(40);
  });

  test("that sends __proto__ changes nothing here: beside the rows it is left out, and no row may have it", async () => {
    await bothPeers();
    let row = `{"id":"${newId()}"}`;
    work.onQuery = (_request, response) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(`{"rows":[${row}],"more":false,"limit":10,"__proto__":{"polluted":1}}`);
    expect(rowsOf(await list(ada, "federated:work"))).toHaveLength(1);
    row = `{"id":"${newId()}","__proto__":{"polluted":1}}`;
    expect(statusesOf(await list(ada, "federated:work"))).toEqual({ "federated:work": "incompatible" });
    expect({}).not.toHaveProperty("polluted");
  });
});

describe("get", () => {
  const get = (userId: string, source: string, id: string, resource = "tasks") =>
    reader.get(userId, { source, resource, id });

  test("over all: a local row is answered without asking any peer", async () => {
    await bothPeers();
    const [row] = own.get(ada)!;
    const answer = await get(ada, "all", row!.id);
    expect(JSON.parse(answer.rowJson!)).toMatchObject({ ...row, _source: "local" });
    expect(answer.partial).toBe(false);
    expect([...work.queries, ...club.queries]).toEqual([]);
  });

  test("over all: a peer's row is found, tagged", async () => {
    await bothPeers();
    const answer = await get(ada, "all", work.rows[3]!.id);
    expect(JSON.parse(answer.rowJson!)).toEqual({ ...work.rows[3], _source: "federated:work" });
    expect(statusesOf(answer)).toEqual({ local: "ok", "federated:club": "ok", "federated:work": "ok" });
  });

  test("over all: a row that two peers claim is the first source's, and is not waited for at the others", async () => {
    await bothPeers();
    work.onQuery = () => undefined;
    const startedAt = performance.now();
    const answer = await get(ada, "all", club.rows[0]!.id);
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs);
    expect(JSON.parse(answer.rowJson!)).toMatchObject({ _source: "federated:club" });
    expect(answer).toMatchObject({ partial: false, sources: { length: 2 } });
  });

  test("over all: no such row is a whole answer when all answered, and a partial one when a source did not", async () => {
    await bothPeers();
    expect(await get(ada, "all", newId())).toMatchObject({ rowJson: undefined, partial: false });
    work.onQuery = (_request, response) => response.destroy();
    expect(await get(ada, "all", newId())).toMatchObject({ rowJson: undefined, partial: true });
  });

  test("over one peer", async () => {
    await bothPeers();
    expect(JSON.parse((await get(ada, "federated:club", club.rows[0]!.id)).rowJson!)).toMatchObject(club.rows[0]!);
    expect(await get(ada, "federated:club", work.rows[0]!.id)).toMatchObject({
      rowJson: undefined,
      partial: false,
      sources: [{ source: "federated:club", status: "ok", rows: 0 }],
    });
    expect(local.reads).toEqual([]);
  });

  test("of what is no id asks no peer", async () => {
    await bothPeers();
    expect(await get(ada, "federated:work", "../../etc/passwd")).toMatchObject({ rowJson: undefined, partial: false });
    expect(work.queries).toEqual([]);
  });

  test("of an unknown resource is refused by the local source", async () => {
    await bothPeers();
    expect((await refusal(get(ada, "all", newId(), "nothing"))).code).toBe("unknown_resource");
  });

  test("that a peer answers with another row is that peer's failure", async () => {
    await bothPeers();
    work.onQuery = (_request, response) => answerJson(response, { row: { id: newId() } });
    expect(await get(ada, "federated:work", newId())).toMatchObject({
      rowJson: undefined,
      partial: true,
      sources: [{ status: "incompatible" }],
    });
  });
});

describe("capabilities", () => {
  test("over all are each source's, by its name", async () => {
    await bothPeers();
    work.onQuery = (_request, response) => response.destroy();
    const answer = await reader.capabilities(ada, "all");
    expect(Object.keys(answer.capabilities)).toEqual(["local", "federated:club"]);
    expect(answer.partial).toBe(true);
    expect(statusesOf(answer)).toEqual({ local: "ok", "federated:club": "ok", "federated:work": "offline" });
  });

  test("over local and over one peer", async () => {
    await bothPeers();
    expect(Object.keys((await reader.capabilities(ada, "local")).capabilities)).toEqual(["local"]);
    expect((await reader.capabilities(ada, "federated:work")).capabilities).toMatchObject({
      "federated:work": { grant: { id: work.grantId } },
    });
  });
});

describe("leaks between users of this gateway", () => {
  test("another user's peer is answered like one that does not exist, and is never asked", async () => {
    await bothPeers();
    await list(ada, "all");
    work.queries.length = 0;
    const unknown = await refusal(list(bob, "federated:nobody"));
    for (const ask of [list, (userId: string, source: string) => reader.capabilities(userId, source)]) {
      expect((await refusal(ask(bob, "federated:work"))).details).toEqual(unknown.details);
    }
    const got = await refusal(reader.get(bob, { source: "federated:work", resource: "tasks", id: work.rows[0]!.id }));
    expect(got.details).toEqual(unknown.details);
    expect(await reader.get(bob, { source: "all", resource: "tasks", id: work.rows[0]!.id })).toMatchObject({
      rowJson: undefined,
    });
    expect(titlesOf(await list(bob, "all", { limit: 50 })).toSorted()).toEqual(sortedTitles(own.get(bob)!));
    expect(work.queries).toEqual([]);
  });

  test("sessions of two users, interleaved over peers of one name, each see their own and nothing of the other's", async () => {
    // Twenty at once wait for each other: on a busy machine for longer than the deadline of the other tests.
    reader = createBlendedReader({ local: local.reader, localSource: local.source, peers, deadlineMs: 20_000 });
    await peers.add(ada, work.invite(), "shared-name");
    await peers.add(bob, club.invite(), "shared-name");
    for (const gateway of [work, club]) gateway.queries.length = 0;
    const expected = new Map([
      [ada, sortedTitles(own.get(ada)!, work.rows)],
      [bob, sortedTitles(own.get(bob)!, club.rows)],
    ]);
    const sessions = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? ada : bob));
    const seen = await Promise.all(
      sessions.map(async (userId, index) => ({ userId, pages: await readAll(userId, "all", 5 + (index % 3)) })),
    );
    for (const { userId, pages } of seen) {
      expect(pages.flatMap(titlesOf).toSorted()).toEqual(expected.get(userId));
    }
    expect(new Set(work.queries.map(({ serial }) => serial)).size).toBe(1);
    expect(new Set(club.queries.map(({ serial }) => serial)).size).toBe(1);
  });

  test("a peer that was removed is not asked again, and its name is free for the next", async () => {
    await bothPeers();
    await list(ada, "all");
    await peers.remove(ada, "work");
    work.queries.length = 0;
    expect(statusesOf(await list(ada, "all"))).toEqual({ local: "ok", "federated:club": "ok" });
    expect((await refusal(list(ada, "federated:work"))).code).toBe("unknown_source");
    expect(work.queries).toEqual([]);
    club.newGrant();
    expect(await peers.add(ada, club.invite(), "work")).toMatchObject({ name: "work" });
  });
});

test("nothing of a peer's rows is in this gateway's database", async () => {
  await bothPeers();
  work.rows = [{ id: newId(), title: "canary-7f3a", nested: { secret: "canary-7f3a" } }];
  await readAll(ada, "all", 10);
  await reader.get(ada, { source: "all", resource: "tasks", id: work.rows[0]!.id });
  const tables = await store.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
    [],
  );
  expect(tables.length).toBeGreaterThan(10);
  for (const { name } of tables) {
    const [found] = await store.query<{ count: number }>(
      `select count(*)::int as count from "${name}" as t where t::text like '%canary%'`,
      [],
    );
    expect(found).toEqual({ count: 0 });
  }
});
