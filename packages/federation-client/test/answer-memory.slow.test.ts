import { setTimeout as wait } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LARGE_BYTES, largeAnswers, MEGABYTE, type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { createSealer } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPeerConnections, type EnrolledPeer, type PeerConnections } from "../src/peer-connections.ts";
import { enrolledPeerOf } from "./serving-side/enrolled-peer.ts";

const sealer = createSealer({ secret: "a secret for the tests of large answers, long enough" });

let gateway: ScriptedPeer;
let connections: PeerConnections;
let peer: EnrolledPeer;

beforeAll(async () => {
  gateway = await startScriptedPeer();
  connections = createPeerConnections(sealer);
  peer = await enrolledPeerOf(gateway, sealer);
});
afterAll(async () => {
  await connections.close();
  await gateway.stop();
});

const refusal = () =>
  connections
    .to(peer)
    .call("list", { resource: "tasks", limit: 10 }, AbortSignal.timeout(20_000))
    .catch((error: unknown) => error);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What this process holds once nobody needs it any more, the peer's half included. */
async function heldBytes(): Promise<{ held: number; rss: number }> {
  for (let round = 0; round < 3; round += 1) {
    await wait(20);
    collectGarbage();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, rss };
}

test.each(Object.entries(largeAnswers))(
  "an answer of 11 MB %s, fifty times: nothing of it stays in memory",
  async (_how, send) => {
    gateway.onQuery = (_request, response) => void send(response);
    for (let count = 0; count < 5; count += 1) await refusal();
    const before = await heldBytes();
    for (let count = 0; count < 50; count += 1)
      expect(await refusal()).toMatchObject({ code: "peer_answer_too_large" });
    const after = await heldBytes();
    const grown = { held: after.held - before.held, rss: after.rss - before.rss };
    expect(grown.held).toBeLessThan(2 * MEGABYTE);
    expect(grown.rss).toBeLessThan(LARGE_BYTES * 8);
  },
);
