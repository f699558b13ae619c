import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { newId, systemClock } from "@mosaicstack/foundation";
import { federationProblem, type Row, type SearchAnswer } from "@mosaicstack/federation-protocol";
import { answerJson, openTestStore, type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createBlendedReader, createPeers, type Peers } from "../src/index.ts";
import { createLocalRows } from "./local-rows.ts";

const sealer = createSealer({ secret: "a secret for the tests of blended search, long enough" });
const ada = newId();
const deadlineMs = 1_500;
const [first, second, third] = [1, 2, 3].map((day) => newId(new Date(Date.UTC(2026, 0, day)))) as [
  string,
  string,
  string,
];
const own: Row = { id: newId(new Date(Date.UTC(2026, 1, 1))), title: "heron at home" };

let store: Store;
let work: ScriptedPeer;
let club: ScriptedPeer;
let peers: Peers;

const found = (...rows: readonly Row[]) => rows.map((row) => ({ resource: "tasks", row, snippet: `…${row.id}…` }));
const answersWith = (gateway: ScriptedPeer, rows: unknown, more = false) => {
  gateway.onQuery = (_request, response) => answerJson(response, { rows, more, limit: 10 }, 200);
};

const local = createLocalRows(() => [own]);
const search = async (source = "all", limit = 10): Promise<SearchAnswer> =>
  await createBlendedReader({ local: local.reader, localSource: local.source, peers, deadlineMs }).search(ada, {
    source,
    query: "heron",
    resources: ["tasks"],
    team: undefined,
    limit,
  });
const rowsOf = ({ rowsJson }: SearchAnswer) =>
  JSON.parse(rowsJson) as { resource: string; row: Row & { _source: string }; snippet: string }[];
const idsOf = (answer: SearchAnswer) => rowsOf(answer).map(({ row }) => row.id);
const reportOf = ({ sources }: SearchAnswer, name: string) => sources.find(({ source }) => source === name);

beforeAll(async () => {
  [store, work, club] = await Promise.all([openTestStore(), startScriptedPeer(), startScriptedPeer()]);
  await store.db.insert(schema.users).values({ id: ada, name: "Ada", email: "ada@example.org" });
  peers = createPeers({ store, sealer, clock: systemClock });
  await peers.add(ada, work.invite(), "work");
  await peers.add(ada, club.invite(), "club");
});
afterAll(async () => {
  await peers.close();
  await Promise.all([work.stop(), club.stop()]);
  await store.close();
});
beforeEach(() => {
  local.failure = undefined;
  answersWith(work, found({ id: first }, { id: second }));
  answersWith(club, found({ id: third }));
});

describe("a blended search", () => {
  test("takes each source's best first, tags rows, and reports each source", async () => {
    const answer = await search();
    expect(idsOf(answer)).toEqual([own.id, third, first, second]);
    expect(rowsOf(answer).map(({ row }) => row._source)).toEqual([
      "local",
      "federated:club",
      "federated:work",
      "federated:work",
    ]);
    expect(answer).toMatchObject({ partial: false, more: false });
    expect(answer.sources.map(({ source, status, rows }) => [source, status, rows])).toEqual([
      ["local", "ok", 1],
      ["federated:club", "ok", 1],
      ["federated:work", "ok", 2],
    ]);
  });

  test("says that a source found more than is here", async () => {
    answersWith(club, found({ id: third }), true);
    const answer = await search();
    expect(answer.more).toBe(true);
    expect(reportOf(answer, "federated:club")).toMatchObject({ truncated: true });
    expect((await search("all", 1)).more).toBe(true);
  });

  test("asks the peer each time, with the query in the body: an answer is never kept", async () => {
    const asked: unknown[] = [];
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      asked.push([request.method, request.url, await json(request)]);
      answerJson(response, { rows: found({ id: asked.length === 1 ? first : second }), more: false, limit: 10 }, 200);
    };
    work.onQuery = (request, response) => {
      answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    };
    expect(idsOf(await search("federated:work"))).toEqual([first]);
    expect(idsOf(await search("federated:work"))).toEqual([second]);
    const body = { query: "heron", resources: ["tasks"], limit: 10 };
    expect(asked).toEqual(Array.from({ length: 2 }, () => ["POST", "/federation/v1/search", body]));
  });

  test("says of a peer that it searched by words alone, in this gateway's own words, and of no other source", async () => {
    work.onQuery = (_request, response) =>
      answerJson(
        response,
        { rows: found({ id: first }), more: false, limit: 10, words_only: true, why: "canary" },
        200,
      );
    const answer = await search();
    expect(answer.partial).toBe(false);
    expect(reportOf(answer, "federated:work")).toMatchObject({ status: "ok", warning: { code: "search_words_only" } });
    expect(reportOf(answer, "local")?.warning).toBeUndefined();
    expect(reportOf(answer, "federated:club")?.warning).toBeUndefined();
    expect(JSON.stringify(answer)).not.toContain("canary");
  });

  test("of a peer that does not know the verb is incompatible there, and whole elsewhere", async () => {
    const { details, status } = federationProblem("verb_unknown");
    work.onQuery = (_request, response) => answerJson(response, details, status);
    const answer = await search();
    expect(answer.partial).toBe(true);
    expect(reportOf(answer, "federated:work")).toMatchObject({
      status: "incompatible",
      error: { code: "verb_unknown" },
    });
    expect(idsOf(answer)).toEqual([own.id, third]);
  });

  test("of a peer that does not answer comes at the deadline with the others' rows", async () => {
    work.onQuery = () => undefined;
    const began = performance.now();
    const answer = await search();
    expect(performance.now() - began).toBeLessThan(deadlineMs + 300);
    expect(reportOf(answer, "federated:work")).toMatchObject({ status: "timeout" });
    expect(idsOf(answer)).toEqual([own.id, third]);
  });

  test.each([
    ["a resource that was not asked for", [{ resource: "credentials", row: { id: first }, snippet: "" }]],
    ["a row twice", found({ id: first }, { id: first })],
    ["more rows than asked for", Array.from({ length: 11 }, () => found({ id: newId() })).flat()],
    ["a row without an id", [{ resource: "tasks", row: {}, snippet: "" }]],
    ["a snippet without end", [{ resource: "tasks", row: { id: first }, snippet: "x".repeat(401) }]],
    ["no rows", undefined],
  ])("refuses a peer that answers with %s", async (_, rows) => {
    answersWith(work, rows);
    const answer = await search();
    expect(reportOf(answer, "federated:work")).toMatchObject({ status: "incompatible", rows: 0 });
    expect(idsOf(answer)).toEqual([own.id, third]);
  });

  test("tags a peer's row as the peer's, whatever it says itself", async () => {
    answersWith(work, found({ id: first, _source: "local" }));
    expect(rowsOf(await search("federated:work")).map(({ row }) => row._source)).toEqual(["federated:work"]);
  });
});
