import { Secret, embeddingsAccess } from "@mosaicstack/config";
import { newId } from "@mosaicstack/foundation";
import { type EmbeddingEndpoint, openTestStore, startEmbeddingEndpoint, vectorOf } from "@mosaicstack/harness";
import { everythingOf, findCandidates, searchable } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createInProcessCoordination } from "@mosaicstack/coordination";
import { embedRows } from "../src/embedding/embed-rows.ts";
import { createEmbedding } from "../src/embedding/index.ts";
import { createEmbeddingProvider, EmbeddingFailure } from "../src/embedding/provider.ts";
import { createLocalReader } from "../src/reading/local-reader.ts";

let store: Store;
let endpoint: EmbeddingEndpoint;
const user = newId();
const other = newId();
const signal = new AbortController().signal;
const log = pino({ level: "silent" });

const access = () => {
  const found = embeddingsAccess({ embeddings: new Secret(endpoint.url) });
  if (found === undefined) throw new Error("the endpoint's URL is malformed");
  return found;
};
const provider = () => createEmbeddingProvider(access(), { firstWaitMs: 1 });

async function addNote(title: string, body = "", owner = user): Promise<string> {
  const id = newId();
  await store.query(
    "insert into notes (id, owner_id, title, body, created_at, updated_at) values ($1, $2, $3, $4, now(), now())",
    [id, owner, title, body],
  );
  return id;
}
const embeddedIds = async () =>
  (await store.query<{ id: string }>("select row_id::text as id from embeddings order by row_id", [])).map(
    ({ id }) => id,
  );

beforeAll(async () => {
  [store, endpoint] = await Promise.all([openTestStore({ vector: true }), startEmbeddingEndpoint()]);
  await store.query("insert into users (id, name, email) select id, id::text, id::text from unnest($1::uuid[]) as id", [
    [user, other],
  ]);
});
afterAll(async () => {
  await endpoint.stop();
  await store.close();
});
beforeEach(async () => {
  await store.query("delete from notes", []);
  await store.query("delete from embeddings", []);
  Object.assign(endpoint, { failures: [], delayMs: 0, alter: (answer: unknown) => answer });
  endpoint.requests.length = 0;
});

describe("the job that embeds rows", () => {
  test("embeds what lacks a vector, in batches, with the key, once", async () => {
    const ids: string[] = [];
    for (let number = 0; number < 70; number += 1) ids.push(await addNote(`note ${number}`, "text"));
    expect(await embedRows(store, provider(), signal)).toBe(70);
    expect(await embeddedIds()).toEqual(ids.toSorted());
    expect(endpoint.requests.map(({ texts }) => texts.length)).toEqual([64, 6]);
    expect(endpoint.requests[0]).toMatchObject({ authorization: "Bearer a-key" });
    expect(await embedRows(store, provider(), signal)).toBe(0);
    expect(endpoint.requests).toHaveLength(2);
    const [kept] = await store.query<{ same: boolean }>(
      "select (embedding <=> $1::vector) < 0.000001 as same from embeddings where row_id = $2",
      [`[${vectorOf("note 0\n\ntext").join(",")}]`, ids[0]],
    );
    expect(kept).toEqual({ same: true });
  });

  test("embeds a changed row anew, forgets a deleted one, and another model's vectors", async () => {
    const [changed, deleted] = [await addNote("car"), await addNote("train")];
    await embedRows(store, provider(), signal);
    await store.query("update notes set title = 'boat', updated_at = now() + interval '1 second' where id = $1", [
      changed,
    ]);
    await store.query("delete from notes where id = $1", [deleted]);
    await store.query(
      "insert into embeddings select resource, row_id, space_id, 'older', embedding, updated_at from embeddings",
      [],
    );
    expect(await embedRows(store, provider(), signal)).toBe(1);
    expect(endpoint.requests.at(-1)?.texts).toEqual(["boat\n\n"]);
    expect(await embeddedIds()).toEqual([changed]);
  });

  test("hands nobody what a credential is for", async () => {
    await store.query(
      `insert into credentials (id, owner_id, name, kind, sealed_secret, created_at, updated_at)
       values ($1, $2, 'bank', 'password', 'sealed', now(), now())`,
      [newId(), user],
    );
    await embedRows(store, provider(), signal);
    expect(endpoint.requests).toEqual([]);
  });

  test.each([[429], [500], [503]])("tries again after HTTP %i", async (status) => {
    await addNote("car");
    endpoint.failures = [status, status];
    expect(await embedRows(store, provider(), signal)).toBe(1);
    expect(endpoint.requests).toHaveLength(3);
  });

  test("gives up after three more tries until the next run, and at once where trying does not help", async () => {
    await addNote("car");
    endpoint.failures = [500, 500, 500, 500];
    await expect(embedRows(store, provider(), signal)).rejects.toThrow(EmbeddingFailure);
    expect(endpoint.requests).toHaveLength(4);
    endpoint.failures = [401];
    await expect(embedRows(store, provider(), signal)).rejects.toThrow("HTTP 401");
    expect(endpoint.requests).toHaveLength(5);
    expect(await embeddedIds()).toEqual([]);
  });

  test.each([
    ["too few vectors", () => ({ data: [] })],
    [
      "vectors of two lengths",
      () => ({
        data: [
          { index: 0, embedding: [1, 2] },
          { index: 1, embedding: [1] },
        ],
      }),
    ],
    [
      "a vector twice",
      () => ({
        data: [
          { index: 0, embedding: [1] },
          { index: 0, embedding: [1] },
        ],
      }),
    ],
    [
      "no numbers",
      () => ({
        data: [
          { index: 0, embedding: ["1"] },
          { index: 1, embedding: [1] },
        ],
      }),
    ],
    ["something else", () => "no"],
  ])("keeps nothing of an answer with %s", async (_, alter) => {
    await addNote("car");
    await addNote("boat");
    endpoint.alter = alter;
    await expect(embedRows(store, provider(), signal)).rejects.toThrow("not one to this request");
    expect(await embeddedIds()).toEqual([]);
  });

  test("runs by itself on one replica, off the path of any request", async () => {
    const id = await addNote("car");
    const coordination = createInProcessCoordination({ onFault: (_, error) => expect(error).toBeUndefined() });
    const embedding = createEmbedding({ access: access(), store, coordination, log, everyMs: 50 });
    await embedding.start();
    await expect.poll(embeddedIds).toEqual([id]);
    embedding.stop();
    await coordination.close();
  });
});

describe("a search with vectors", () => {
  const search = async (text: string) => {
    const embedding = createEmbedding({ access: access(), store, coordination: undefined as never, log });
    const query = { source: "local", query: text, resources: ["notes"], team: undefined, limit: 10 };
    const answer = await createLocalReader(store, embedding.embedQuery).search(user, query);
    return (JSON.parse(answer.rowsJson) as { row: { id: string } }[]).map(({ row }) => row.id);
  };

  test("finds what means the same in other words, and only of visible rows", async () => {
    const mine = await addNote("car repair");
    await addNote("garden");
    await addNote("car repair", "", other);
    await embedRows(store, provider(), signal);
    expect((await search("automobile repair"))[0]).toBe(mine);
    expect((await search("vehicle"))[0]).toBe(mine);
    expect(await search("vehicle")).toHaveLength(2);
  });

  test("goes on with the words alone where the endpoint fails, or takes more than a second", async () => {
    const id = await addNote("car repair");
    await embedRows(store, provider(), signal);
    endpoint.failures = [500];
    expect(await search("repair")).toEqual([id]);
    endpoint.delayMs = 3_000;
    const began = performance.now();
    expect(await search("repair")).toEqual([id]);
    expect(performance.now() - began).toBeLessThan(2_500);
  });

  test("is ordered the same each time, and has each row once", async () => {
    for (let number = 0; number < 30; number += 1) await addNote("car repair");
    await embedRows(store, provider(), signal);
    const query = { text: "car", resources: searchable, visibility: everythingOf(user) };
    const vector = { model: "test-model", embedding: vectorOf("car") };
    const first = await findCandidates(store, { ...query, vector });
    expect(await findCandidates(store, { ...query, vector })).toEqual(first);
    expect(new Set(first.map(({ id }) => id)).size).toBe(30);
  });
});
