import type { ServerResponse } from "node:http";
import { newId } from "@mosaicstack/foundation";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { answerJson, type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { type AuditEntry, createAuditChain, createSealer } from "@mosaicstack/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPeerConnections, type EnrolledPeer, type PeerConnections } from "../src/peer-connections.ts";
import { keyBinding } from "../src/peer-key.ts";
import { createPeerSource } from "../src/peer-source.ts";

const sealer = createSealer({ secret: "a secret for the tests of the querying side's audit" });
const chain = createAuditChain("a key of a chain, for tests alone, long enough", "");
let gateway: ScriptedPeer;
let connections: PeerConnections;
let peer: EnrolledPeer;
let entries: AuditEntry[];

beforeEach(async () => {
  gateway = await startScriptedPeer();
  entries = [];
  const audit = {
    queryHash: (verb: string, question: unknown) => chain.queryHash(verb, question),
    // As full as it can be: what is asked is answered all the same.
    record(entry: AuditEntry) {
      entries.push(entry);
      return "full" as const;
    },
  };
  connections = createPeerConnections(sealer, { audit });
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const id = newId();
  peer = {
    id,
    userId: newId(),
    name: "work",
    state: "active",
    endpoint: gateway.endpoint,
    rootPem: gateway.authority.rootPem,
    certificatePem: await gateway.authority.client(csrPem, gateway),
    chainPem: [],
    sealedKey: sealer.seal(privateKeyPem, keyBinding(id)),
    remoteGrantId: gateway.grantId,
    notAfter: new Date(Date.now() + 86_400_000),
  };
});
afterEach(async () => {
  await connections.close();
  await gateway.stop();
});

const source = () =>
  createPeerSource({ id: peer.id, name: peer.name, grantId: peer.remoteGrantId }, connections.to(peer));
const soon = () => AbortSignal.timeout(5_000);

test("a request is one entry: whose, of which grant, what, how it came out, and never the question", async () => {
  const requestIds: unknown[] = [];
  const answer = { rows: [{ id: newId(), title: "żółć" }], more: false, limit: 10 };
  gateway.onQuery = ({ headers }, response) => {
    requestIds.push(headers["x-request-id"]);
    answerJson(response, answer);
  };
  const request = { resource: "tasks", limit: 10, filters: { status: "canary" } };
  await source().list(request, soon());
  expect(entries).toEqual([
    {
      side: "querying",
      event: "request",
      grantId: peer.remoteGrantId,
      peerId: peer.id,
      subjectUserId: peer.userId,
      actorUserId: peer.userId,
      requestId: requestIds[0],
      verb: "list",
      resource: "tasks",
      queryHash: chain.queryHash("list", request),
      outcome: "ok",
      rows: 1,
      bytes: Buffer.byteLength(JSON.stringify(answer)),
      tookMs: expect.any(Number),
    },
  ]);
  expect(requestIds).toEqual([expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/u)]);
  expect(JSON.stringify(entries)).not.toContain("canary");
  await source().list(request, soon());
  expect(new Set(requestIds).size).toBe(2);
});

test("a refusal is recorded by its code, with no rows", async () => {
  gateway.onQuery = (_request, response) => refuse(response, 403, "resource_not_in_scope");
  await expect(source().list({ resource: "tasks", limit: 10 }, soon())).rejects.toMatchObject({
    code: "resource_not_in_scope",
  });
  expect(entries).toMatchObject([{ outcome: "resource_not_in_scope", rows: 0, bytes: expect.any(Number) }]);
});

test("an answer to another question is recorded as what it was taken for: incompatible", async () => {
  gateway.onQuery = (_request, response) => answerJson(response, { row: { id: newId(), title: "another" } });
  await expect(source().get({ resource: "tasks", id: newId() }, soon())).rejects.toMatchObject({
    code: "peer_incompatible",
  });
  expect(entries).toMatchObject([{ verb: "get", outcome: "peer_incompatible", rows: 0 }]);
});

test("nobody there, a deadline, and a question nobody waits for any more are told apart", async () => {
  gateway.onQuery = () => undefined;
  const given = new AbortController();
  const abandoned = source().list({ resource: "tasks", limit: 10 }, given.signal);
  given.abort();
  await expect(abandoned).rejects.toMatchObject({ code: "peer_timeout" });
  await expect(source().list({ resource: "tasks", limit: 10 }, AbortSignal.timeout(200))).rejects.toMatchObject({
    code: "peer_timeout",
  });
  await gateway.stop();
  await expect(source().list({ resource: "tasks", limit: 10 }, soon())).rejects.toMatchObject({
    code: "peer_unreachable",
  });
  expect(entries.map(({ outcome }) => outcome)).toEqual(["cancelled", "peer_timeout", "peer_unreachable"]);
});

test("a renewal is recorded too, as nobody's doing", async () => {
  const { csrPem } = await createSigningRequest();
  await connections
    .to(peer)
    .renew(csrPem, soon())
    .catch(() => undefined);
  expect(entries).toMatchObject([{ verb: "renew", subjectUserId: peer.userId }]);
  expect(entries[0]).not.toHaveProperty("actorUserId");
  expect(entries[0]).not.toHaveProperty("queryHash");
});

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(
    JSON.stringify({ type: `urn:mosaic:problem:${code}`, title: code, status, code, detail: code, remedy: code }),
  );
}
