import type { ServerResponse } from "node:http";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { newId, Problem } from "@mosaicstack/foundation";
import { MAX_PAGE_BYTES, MAX_ROW_BYTES, type Verb } from "@mosaicstack/federation-protocol";
import {
  emptyList,
  jsonHeaders as json,
  LARGE_BYTES,
  largeAnswers,
  MEGABYTE,
  type ScriptedPeer,
  startScriptedPeer,
} from "@mosaicstack/harness";
import { createSealer } from "@mosaicstack/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPeerConnections, type EnrolledPeer, type PeerConnections } from "../src/peer-connections.ts";
import { statusOf } from "../src/source-status.ts";
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
beforeEach(() => {
  gateway.onQuery = undefined;
});
afterAll(async () => {
  await connections.close();
  await gateway.stop();
});

const ask = () => connections.to(peer).call("list", { resource: "tasks", limit: 10 }, AbortSignal.timeout(20_000));
const id = newId();
const getOne = () => connections.to(peer).call("get", { resource: "tasks", id }, AbortSignal.timeout(20_000));

async function refusal(asked: () => Promise<unknown> = ask): Promise<Problem> {
  const error: unknown = await asked().then(
    () => "it was not refused",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

describe("an answer of 11 MB", () => {
  test.each(Object.entries(largeAnswers))("%s is refused, and the next one is read", async (_how, send) => {
    gateway.onQuery = (_request, response) => void send(response);
    const problem = await refusal();
    expect(problem.code).toBe("peer_answer_too_large");
    expect(statusOf(problem)).toBe("incompatible");
    gateway.onQuery = undefined;
    expect(await ask()).toMatchObject({ rows: [] });
  });

  test("that says how long it is isn't read at all", async () => {
    const socketBytes: number[] = [];
    gateway.onQuery = (request, response) => {
      const { socket } = request;
      const before = socket.bytesWritten;
      socket.once("close", () => socketBytes.push(socket.bytesWritten - before));
      void largeAnswers["that says how long it is"]?.(response);
    };
    await refusal();
    await expect.poll(() => socketBytes).toHaveLength(1);
    // What the peer's system took from it before it heard.
    expect(socketBytes[0]).toBeLessThan(4 * MEGABYTE);
  });
});

test.each<[Verb, number, () => Promise<unknown>, string]>([
  ["list", MAX_PAGE_BYTES, ask, emptyList],
  ["get", MAX_ROW_BYTES, getOne, JSON.stringify({ row: { id } })],
])("an answer to %s of %i bytes is read, and one byte more is refused", async (_verb, most, asked, text) => {
  const ways: readonly ((response: ServerResponse, answer: string) => void)[] = [
    (response, answer) => response.writeHead(200, json).end(answer),
    (response, answer) => {
      response.writeHead(200, json).flushHeaders();
      response.write(answer.slice(0, 100));
      response.end(answer.slice(100));
    },
  ];
  for (const send of ways) {
    gateway.onQuery = (_request, response) => send(response, text.padEnd(most));
    await asked();
    gateway.onQuery = (_request, response) => send(response, text.padEnd(most + 1));
    expect((await refusal(asked)).code).toBe("peer_answer_too_large");
  }
});

describe("an encoded answer", () => {
  const bomb = gzipSync(Buffer.alloc(LARGE_BYTES, " "));

  test("isn't asked for", async () => {
    let asked: unknown;
    gateway.onQuery = (request, response) => {
      asked = request.headers["accept-encoding"];
      response.writeHead(200, json).end(emptyList);
    };
    await ask();
    expect(asked).toBeUndefined();
  });

  test.each<[string, Buffer]>([
    ["gzip", bomb],
    ["br", brotliCompressSync(Buffer.alloc(LARGE_BYTES, " "))],
    ["gzip, gzip", gzipSync(bomb)],
    ["identity, gzip", bomb],
    // Whatever is in it.
    ["gzip", Buffer.from(emptyList)],
  ])("(%s) is refused, and never decoded", async (encoding, body) => {
    gateway.onQuery = (_request, response) =>
      void response.writeHead(200, { ...json, "content-encoding": encoding }).end(body);
    expect(await refusal()).toMatchObject({
      code: "peer_incompatible",
      message: "Its answer is encoded, which this gateway does not ask for.",
    });
  });

  test("that doesn't say so is no JSON", async () => {
    gateway.onQuery = (_request, response) => void response.writeHead(200, json).end(bomb);
    expect(await refusal()).toMatchObject({ code: "peer_incompatible", message: "Its answer is not JSON." });
  });

  test("by the encoding that is none is read", async () => {
    gateway.onQuery = (_request, response) =>
      void response.writeHead(200, { ...json, "content-encoding": "identity" }).end(emptyList);
    expect(await ask()).toMatchObject({ rows: [] });
  });
});
