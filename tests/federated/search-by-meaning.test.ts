import {
  enroll,
  type EmbeddingEndpoint,
  type Json,
  startEmbeddingEndpoint,
  startGateway,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { connectAgent } from "../mcp/agent-client.ts";
import { startOnSharedServices, startReal } from "./real-gateway.ts";

/**
 * A home gateway without an embedding endpoint searches at one of work that has one, on PostgreSQL with pgvector. The endpoint is
 * a server of its own; only its model is made up: to it `automobile` and `vehicle` mean `car`.
 */
let endpoint: EmbeddingEndpoint;
let database: Awaited<ReturnType<typeof startOnSharedServices>>;
let work: TestGateway;
let home: TestGateway;
let ada: TestUser;
let grace: TestUser;

const WORDS_ONLY = { code: "search_words_only", remedy: expect.stringContaining("other words") as string };

beforeAll(async () => {
  endpoint = await startEmbeddingEndpoint();
  // Rows first: a gateway that starts embeds what is there at once, and looks again each minute.
  database = await startOnSharedServices("work", 14);
  const linus = await database.gateway.addUser("Linus");
  const first = await database.gateway.addUser("Grace");
  await first.api.json("POST", "/api/v1/notes", { title: "car repair", body: "brakes and tyres" });
  await first.api.json("POST", "/api/v1/notes", { title: "garden", body: "tulips" });
  await first.api.json("POST", "/api/v1/credentials", { name: "car insurance", kind: "password", secret: "s3cret" });
  await linus.api.json("POST", "/api/v1/notes", { title: "car of Linus" });
  work = await startGateway({
    tier: "federated",
    name: "work",
    replicaOf: database.gateway,
    embeddingsUrl: endpoint.url,
  });
  await vi.waitFor(async () => expect(await embedded()).toBe(3), { timeout: 20_000, interval: 100 });
  grace = { ...first, api: work.api(first.key) };

  home = await startReal({ tier: "federated", name: "home", deadlineMs: 10_000 });
  ada = await home.addUser("Ada");
  await ada.api.json("POST", "/api/v1/notes", { title: "repair at home" });
  const scope = { resources: ["notes", "credentials"], include_personal: true };
  await enroll(ada, work, { subject: grace.id, scope, peer: "work" });
});
afterAll(async () => {
  await Promise.all([home?.stop(), work?.stop()]);
  await database?.stop();
  await endpoint?.stop();
});
beforeEach(() => {
  Object.assign(endpoint, { failures: [], delayMs: 0 });
  endpoint.requests.length = 0;
});

async function embedded(): Promise<number> {
  const [count] = await work.store.query<{ rows: number }>("select count(*)::int as rows from embeddings", []);
  return count?.rows ?? 0;
}

const search = async (user: TestUser, query: string): Promise<Json> =>
  await user.api.json("GET", `/api/v1/search?${query}`);
const titlesOf = ({ rows }: Json): string[] => rows.map(({ row }: Json) => row.title ?? row.name);
const always = (status: number): number[] => Array.from({ length: 50 }, () => status);

describe("a search at a peer that has text embedded", () => {
  test("finds by meaning what no word of the query is in, and nothing of another person's", async () => {
    const answer = await search(ada, "q=automobile&source=federated:work");
    expect(titlesOf(answer)[0]).toBe("car repair");
    expect(JSON.stringify(answer)).not.toContain("Linus");
    expect(answer).toMatchObject({ partial: false, sources: [{ source: "federated:work", status: "ok" }] });
    expect(answer.sources[0].warning).toBeUndefined();
    expect(endpoint.requests.map(({ texts }) => texts)).toEqual([["automobile"]]);
  });

  test("is blended: what is found by meaning there stands beside what is found by words here", async () => {
    const answer = await search(ada, "q=vehicle+home&source=all");
    expect(titlesOf(answer).slice(0, 2).toSorted()).toEqual(["car repair", "repair at home"]);
    // Home has no endpoint, so that nothing is missing there.
    expect(answer.sources.map(({ warning }: Json) => warning)).toEqual([undefined, undefined]);
  });

  test("hands the endpoint no query that only looks for credentials, which are never embedded", async () => {
    const answer = await search(ada, "q=insurance&source=federated:work&resource=credentials");
    expect(titlesOf(answer)).toEqual(["car insurance"]);
    expect([answer.sources[0].warning, endpoint.requests]).toEqual([undefined, []]);
  });
});

describe("with the endpoint down", () => {
  beforeEach(() => {
    endpoint.failures = always(503);
  });

  test("the words still answer, nothing is partial, and the report says that only they did", async () => {
    const answer = await search(ada, "q=repair&source=all");
    expect(titlesOf(answer).toSorted()).toEqual(["car repair", "repair at home"]);
    expect(answer.partial).toBe(false);
    expect(answer.sources).toMatchObject([
      { source: "local", status: "ok" },
      { source: "federated:work", status: "ok", warning: WORDS_ONLY },
    ]);
    expect(answer.sources[0].warning).toBeUndefined();
    const unfound = await search(ada, "q=automobile&source=federated:work");
    expect(unfound).toMatchObject({ rows: [], sources: [{ status: "ok", warning: WORDS_ONLY }] });
  });

  test("its own people are told the same", async () => {
    const answer = await search(grace, "q=repair");
    expect(titlesOf(answer)).toEqual(["car repair"]);
    expect(answer.sources).toMatchObject([{ source: "local", status: "ok", warning: WORDS_ONLY }]);
  });

  test("an agent is told in words", async () => {
    const agent = await connectAgent(home.url, ada.key);
    try {
      const text = await agent.text("search", { query: "repair", source: "all" });
      expect(text).toMatch(/^By words alone: federated:work\. .*other words/mu);
      expect(text).not.toContain("By words alone: local");
    } finally {
      await agent.close();
    }
  });
});

test("an endpoint that takes its time is not waited for: the words answer, and the report says so", async () => {
  endpoint.delayMs = 4_000;
  const began = performance.now();
  const answer = await search(ada, "q=repair&source=federated:work");
  expect(performance.now() - began).toBeLessThan(3_900);
  expect(answer).toMatchObject({ sources: [{ status: "ok", warning: WORDS_ONLY }] });
});

test("rows that have no vectors yet are said to be searched by words alone; a person without rows misses nothing", async () => {
  const nobody = await database.gateway.addUser("Nobody");
  await work.store.query("delete from embeddings", []);
  const answer = await search(ada, "q=automobile&source=federated:work");
  expect(answer).toMatchObject({ rows: [], sources: [{ status: "ok", warning: WORDS_ONLY }] });
  const empty = await search({ ...nobody, api: work.api(nobody.key) }, "q=automobile");
  expect([empty.rows, empty.sources[0].warning]).toEqual([[], undefined]);
});
