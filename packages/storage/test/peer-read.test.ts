import { openTestStore } from "@mosaicstack/harness";
import { newId } from "@mosaicstack/foundation";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PeerBounds, Store } from "../src/index.ts";
import { type PeerTransaction, peerRead } from "../src/peer-reader/peer-read.ts";

// What is sent together may fail in part: a BEGIN that fails leaves the statement behind it to run outside any transaction,
// without the wall. Here every part runs on a connection of its own, so that nothing but the guard is between.
let store: Store;
let ran: string[];
beforeAll(async () => {
  store = await openTestStore({ vector: true });
});
afterAll(() => store.close());

const bounds: PeerBounds = { subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] };

function without(begin: string): PeerTransaction {
  ran = [];
  const query: PeerTransaction["query"] = async <Row extends object>(text: string, parameters: readonly unknown[]) => {
    const rows = await store.query<Row>(text, parameters);
    ran.push(text);
    return rows;
  };
  return { begin, run: (text) => store.db.execute(sql.raw(text)), query, queryBehindWall: query };
}

test("a statement that ran because BEGIN had failed answers nobody, nor do those after it", async () => {
  const read = peerRead(without("begin what isn't"), bounds);
  await expect(read.query("select 1 as secret", [])).rejects.toThrow("begin what isn't");
  await expect.poll(() => ran).toEqual(["select 1 as secret"]);
  await expect(read.query("select 2 as secret", [])).rejects.toThrow("begin what isn't");
});

test("candidates that were found because BEGIN had failed are nobody's either", async () => {
  const read = peerRead(without("begin what isn't"), bounds);
  await expect(read.findCandidates("select 1 as secret", [])).rejects.toThrow("begin what isn't");
  await expect.poll(() => ran).toEqual(["select 1 as secret"]);
  await expect(read.query("select 2 as secret", [])).rejects.toThrow("set local role");
});

test("with a BEGIN that works it answers", async () => {
  const read = peerRead(without("select 1"), bounds);
  expect(await read.findCandidates("select 1 as one", [])).toEqual([{ one: 1 }]);
});
