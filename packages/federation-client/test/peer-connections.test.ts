import { newId } from "@mosaicstack/foundation";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { createSealer } from "@mosaicstack/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPeerConnections, type EnrolledPeer } from "../src/peer-connections.ts";
import { keyBinding } from "../src/peer-key.ts";

const sealer = createSealer({ secret: "a secret for the tests of connections, long enough" });
let gateway: ScriptedPeer;

beforeEach(async () => {
  gateway = await startScriptedPeer();
});
afterEach(() => gateway.stop());

async function enrolledPeer(): Promise<EnrolledPeer> {
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const id = newId();
  return {
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
}

const ask = (connection: ReturnType<ReturnType<typeof createPeerConnections>["to"]>) =>
  connection.call("capabilities", {}, AbortSignal.timeout(5000));

test("a peer keeps its connection", async () => {
  const connections = createPeerConnections(sealer);
  const peer = await enrolledPeer();
  expect(connections.to({ ...peer })).toBe(connections.to(peer));
  await connections.close();
});

test("a renewed certificate is used from the next query on; the old one's query under way finishes", async () => {
  const connections = createPeerConnections(sealer);
  const peer = await enrolledPeer();
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const renewed = {
    ...peer,
    certificatePem: await gateway.authority.client(csrPem, gateway),
    sealedKey: sealer.seal(privateKeyPem, keyBinding(peer.id)),
  };
  const underWay = ask(connections.to(peer));
  await Promise.all([underWay, ask(connections.to(renewed))]);
  expect(new Set(gateway.queries.map(({ serial }) => serial)).size).toBe(2);
  expect(connections.to(renewed)).not.toBe(connections.to(peer));
  await connections.close();
});

test("the connection longest unused makes room for a new one, and its peer can still be asked", async () => {
  const connections = createPeerConnections(sealer, { maxConnections: 2 });
  const [one, two, three] = await Promise.all([enrolledPeer(), enrolledPeer(), enrolledPeer()]);
  const [first, second] = [connections.to(one), connections.to(two)];
  connections.to(one);
  connections.to(three);
  expect(connections.to(one)).toBe(first);
  await expect(ask(second)).rejects.toMatchObject({ code: "peer_unreachable" });
  const again = connections.to(two);
  expect(again).not.toBe(second);
  await expect(ask(again)).resolves.toMatchObject({ grant: { id: gateway.grantId } });
  await connections.close();
});

test("a dropped peer's sockets end", async () => {
  const connections = createPeerConnections(sealer);
  const peer = await enrolledPeer();
  const connection = connections.to(peer);
  await ask(connection);
  connections.drop(peer.id);
  await expect(ask(connection)).rejects.toMatchObject({ code: "peer_unreachable" });
  await connections.close();
});

test("a key that was sealed to another row does not open", async () => {
  const connections = createPeerConnections(sealer);
  const peer = await enrolledPeer();
  expect(() => connections.to({ ...peer, id: newId() })).toThrow(expect.objectContaining({ code: "unsealing_failed" }));
  await connections.close();
});
