import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { Problem } from "@mosaicstack/foundation";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { answerJson, type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { createSealer } from "@mosaicstack/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPeerConnections, type EnrolledPeer, type PeerConnections } from "../src/peer-connections.ts";
import { keyBinding } from "../src/peer-key.ts";
import { enrolledPeerOf } from "./serving-side/enrolled-peer.ts";

const sealer = createSealer({ secret: "a secret for the tests of allowances, long enough" });
const emptyList = { rows: [], more: false, limit: 10 };
let gateway: ScriptedPeer;
let connections: PeerConnections;
let peer: EnrolledPeer;

beforeEach(async () => {
  gateway = await startScriptedPeer();
  connections = createPeerConnections(sealer);
  peer = await enrolledPeerOf(gateway, sealer);
});
afterEach(async () => {
  await connections.close();
  await gateway.stop();
});

const ask = (signal: AbortSignal = AbortSignal.timeout(5000), of = peer) =>
  connections.to(of).call("list", { resource: "tasks", limit: 10 }, signal);

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.then(
    () => "it was not refused",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

/** The peer refuses once so. */
function refuseOnce(headers: Record<string, string | string[]>): void {
  gateway.onQuery = (_request, response: ServerResponse) => {
    gateway.onQuery = undefined;
    response.writeHead(429, { "content-type": "application/problem+json", ...headers }).end("{}");
  };
}

describe("a peer that asks for fewer requests", () => {
  test("isn't asked again until then, by any of its connections, and then is", async () => {
    refuseOnce({ "retry-after": "2" });
    expect((await refusal(ask())).details).toMatchObject({ code: "peer_rate_limited", retry_after: 2 });
    const since = performance.now();
    const socketsBefore = gateway.openQuerySockets();
    const held = await refusal(ask());
    expect(held).toMatchObject({
      code: "peer_rate_limited",
      message: "The peer asks for fewer requests: again in 2 s.",
      headers: { "retry-after": "2" },
    });
    expect(performance.now() - since).toBeLessThan(100);
    const { privateKeyPem, csrPem } = await createSigningRequest();
    const renewed = {
      ...peer,
      certificatePem: await gateway.authority.client(csrPem, gateway),
      sealedKey: sealer.seal(privateKeyPem, keyBinding(peer.id)),
    };
    expect((await refusal(ask(undefined, renewed))).code).toBe("peer_rate_limited");
    expect(gateway.queries).toEqual([]);
    expect(gateway.openQuerySockets()).toBeLessThanOrEqual(socketsBefore);
    await wait(since + 2000 - performance.now() + 20);
    expect(await ask(undefined, renewed)).toEqual(emptyList);
  });

  test("says nothing of another peer", async () => {
    refuseOnce({ "retry-after": "60" });
    await refusal(ask());
    expect(await ask(undefined, await enrolledPeerOf(gateway, sealer))).toEqual(emptyList);
  });

  const date = new Date("2026-03-01T12:00:00Z");
  const at = (seconds: number) => new Date(date.getTime() + seconds * 1000).toUTCString();
  test.each<[what: string, value: string | string[] | undefined, seconds: number]>([
    ["seconds", "7", 7],
    ["five minutes", "300", 300],
    ["more than five minutes", "301", 300],
    ["days", "99999999", 300],
    ["more than a number holds", "9".repeat(400), 300],
    ["zero", "0", 1],
    ["a negative number", "-5", 1],
    ["a fraction", "1.5", 1],
    ["nothing", undefined, 1],
    ["an empty text", "", 1],
    ["garbage", "soon", 1],
    ["hexadecimal", "0x10", 1],
    ["two values", ["5", "9"], 1],
    ["a date by the peer's clock", at(42), 42],
    ["a date far away", at(86_400), 300],
    ["a date that is past", at(-60), 1],
    ["a date that is none", "Sun, 99 Foo 2026 12:00:00 GMT", 1],
    ["a date of another form", "2026-03-01T12:05:00Z", 1],
  ])("by %s is asked again after that, within a second and five minutes", async (_what, value, seconds) => {
    refuseOnce({ date: date.toUTCString(), ...(value === undefined ? {} : { "retry-after": value }) });
    expect((await refusal(ask())).details["retry_after"]).toBe(seconds);
    expect((await refusal(ask())).details["retry_after"]).toBe(seconds);
    expect(gateway.queries).toEqual([]);
  });

  test("by a date, and tells no time itself, is asked again after a second", async () => {
    gateway.onQuery = (_request, response) => {
      response.removeHeader("date");
      response.writeHead(429, { "retry-after": at(42) }).end();
    };
    expect((await refusal(ask())).details["retry_after"]).toBe(1);
  });

  test("while others wait for their turn spares them being sent", async () => {
    let asked = 0;
    gateway.onQuery = (_request, response) => {
      asked += 1;
      setTimeout(() => response.writeHead(429, { "retry-after": "30" }).end(), 50);
    };
    const codes = await Promise.all(Array.from({ length: 40 }, async () => (await refusal(ask())).code));
    expect(new Set(codes)).toEqual(new Set(["peer_rate_limited"]));
    expect(asked).toBe(8);
  });
});

describe("a burst", () => {
  /** Counts how many the peer has under way; beyond `most` it refuses, as a serving side does. */
  function count(most: number, takesMs: number): { now: number; most: number; refused: number } {
    const seen = { now: 0, most: 0, refused: 0 };
    gateway.onQuery = (_request, response) => {
      if (seen.now >= most) {
        seen.refused += 1;
        const refused = { code: "concurrency_limited", status: 429, detail: "Too many.", concurrent_requests: most };
        return void response.writeHead(429, { "retry-after": "1" }).end(JSON.stringify(refused));
      }
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      setTimeout(() => {
        seen.now -= 1;
        answerJson(response, emptyList);
      }, takesMs);
    };
    return seen;
  }

  test("of 60 waits for its turn: 8 at once reach the peer over 8 sockets, and none is refused", async () => {
    const seen = count(16, 10);
    await Promise.all(Array.from({ length: 60 }, () => ask()));
    expect(seen).toEqual({ now: 0, most: 8, refused: 0 });
    expect(gateway.openQuerySockets()).toBeLessThanOrEqual(8);
  });

  test("keeps to what the peer's capabilities say it takes at once", async () => {
    gateway.onQuery = (_request, response) =>
      answerJson(response, {
        protocol: 1,
        grant: { id: peer.remoteGrantId, name: "home", expires_at: null },
        subject: { id: gateway.subjectUserId, name: "Ada" },
        resources: [],
        max_rows_per_query: 1,
        requests_per_minute: 1200,
        concurrent_requests: 3,
        include_personal: true,
        include_teams: "all",
      });
    await connections.to(peer).call("capabilities", {}, AbortSignal.timeout(5000));
    const seen = count(3, 10);
    await Promise.all(Array.from({ length: 30 }, () => ask()));
    expect(seen).toEqual({ now: 0, most: 3, refused: 0 });
  });

  test("that was refused for being too much at once is as small from then on as the peer said", async () => {
    const seen = count(2, 400);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => ask()));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    await wait(1020);
    seen.refused = 0;
    await Promise.all(Array.from({ length: 10 }, () => ask()));
    expect(seen).toEqual({ now: 0, most: 2, refused: 0 });
  });

  test("has each wait no longer than its deadline, and none that gave up is sent", async () => {
    let asked = 0;
    const held: ServerResponse[] = [];
    gateway.onQuery = (_request, response) => {
      asked += 1;
      held.push(response);
    };
    const patient = Array.from({ length: 8 }, () => ask());
    await expect.poll(() => held.length).toBe(8);
    const since = performance.now();
    const codes = await Promise.all(
      Array.from({ length: 5 }, async () => (await refusal(ask(AbortSignal.timeout(100)))).code),
    );
    expect(codes).toEqual(Array(5).fill("peer_timeout"));
    expect(performance.now() - since).toBeLessThan(600);
    const last = ask();
    for (const response of held.splice(0)) answerJson(response, emptyList);
    await Promise.all(patient);
    await expect.poll(() => held.length).toBe(1);
    answerJson(held[0]!, emptyList);
    expect(await last).toEqual(emptyList);
    expect(asked).toBe(9);
  });

  test("that waits while its certificate is renewed is asked with the one it began with, and none of it fails", async () => {
    gateway.queryDelayMs = 30;
    const connection = connections.to(peer);
    const burst = Array.from({ length: 30 }, () =>
      connection.call("list", { resource: "tasks", limit: 10 }, AbortSignal.timeout(5000)),
    );
    const { privateKeyPem, csrPem } = await createSigningRequest();
    const renewed = {
      ...peer,
      certificatePem: await gateway.authority.client(csrPem, gateway),
      sealedKey: sealer.seal(privateKeyPem, keyBinding(peer.id)),
    };
    const after = Array.from({ length: 10 }, () => ask(undefined, renewed));
    expect(
      (await refusal(connection.call("list", { resource: "tasks", limit: 10 }, AbortSignal.timeout(5000)))).code,
    ).toBe("peer_unreachable");
    expect(await Promise.all([...burst, ...after])).toHaveLength(40);
    const serials = gateway.queries.map(({ serial }) => serial);
    expect(serials.filter((serial) => serial === serials[0])).toHaveLength(30);
  });

  test("of those whose requests fail leaves as many turns as before", async () => {
    gateway.onQuery = (request) => request.socket.destroy();
    await Promise.allSettled(Array.from({ length: 20 }, () => ask()));
    // Each connection is made anew: the first request is still under way when the eighth one has its own.
    const seen = count(16, 250);
    await Promise.all(Array.from({ length: 24 }, () => ask()));
    expect(seen.most).toBe(8);
  });
});
