import { newId } from "@mosaicstack/foundation";
import { beforeEach, expect, test } from "vitest";
import type { PeerRow } from "../src/peer-store.ts";
import { createUserPeers } from "../src/user-peers.ts";

const ada = newId();
const bob = newId();
let nowMs: number;
let loads: string[];

beforeEach(() => {
  nowMs = 0;
  loads = [];
});

const clock = { now: () => new Date(nowMs) };
const rowsOf = (userId: string) => [{ userId, name: `peer ${loads.length}` } as PeerRow];
const load = (userId: string) => {
  loads.push(userId);
  return Promise.resolve(rowsOf(userId));
};

test("one read serves the queries of five seconds", async () => {
  const peers = createUserPeers(load, clock);
  const first = await peers.of(ada);
  nowMs = 4_999;
  expect(await peers.of(ada)).toBe(first);
  nowMs = 5_000;
  expect(await peers.of(ada)).not.toBe(first);
  expect(loads).toEqual([ada, ada]);
});

test("a user is never handed another's peers", async () => {
  const peers = createUserPeers(load, clock);
  const [ofAda, ofBob, again] = await Promise.all([peers.of(ada), peers.of(bob), peers.of(ada)]);
  expect(ofAda).toMatchObject([{ userId: ada }]);
  expect(ofBob).toMatchObject([{ userId: bob }]);
  expect(again).toBe(ofAda);
});

test("after a change the next query reads anew, also where a read was under way", async () => {
  let finish: ((rows: PeerRow[]) => void) | undefined;
  const slow = (userId: string) => {
    loads.push(userId);
    return loads.length > 1 ? Promise.resolve([]) : new Promise<PeerRow[]>((resolve) => (finish = resolve));
  };
  const peers = createUserPeers(slow, clock);
  const stale = peers.of(ada);
  peers.forget(ada);
  expect(await peers.of(ada)).toEqual([]);
  finish?.(rowsOf(ada));
  expect(await stale).toHaveLength(1);
  expect(await peers.of(ada)).toEqual([]);
});

test("a read that failed is not kept", async () => {
  let fails = true;
  const peers = createUserPeers((userId) => (fails ? Promise.reject(new Error("no database")) : load(userId)), clock);
  await expect(peers.of(ada)).rejects.toThrow("no database");
  fails = false;
  await expect(peers.of(ada)).resolves.toHaveLength(1);
});
