import type { ServerResponse } from "node:http";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Problem } from "@mosaicstack/foundation";
import { MAX_RESPONSE_BYTES } from "@mosaicstack/federation-protocol";
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

async function refusal(): Promise<Problem> {
  const error: unknown = await ask().then(
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

  test("within the bound to the byte is read, and one byte more is refused", async () => {
    const send = (bytes: number) => (_request: unknown, response: ServerResponse) =>
      void response.writeHead(200, json).end(emptyList.padEnd(bytes));
    gateway.onQuery = send(MAX_RESPONSE_BYTES);
    expect(await ask()).toMatchObject({ rows: [] });
    gateway.onQuery = send(MAX_RESPONSE_BYTES + 1);
    expect((await refusal()).code).toBe("peer_answer_too_large");
  });
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
