import { createServer, connect, type Socket } from "node:net";
import { listen, type Listening, openTestStore, startScriptedPeer } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { codeOf, DAY_MS, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

let store: Store;
let scene: Scene;
let home: Address;
const opened: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());
beforeEach(async () => {
  scene = await startScene(store);
  home = await addressOf(scene.gateway.endpoint);
  scene.gateway.alterAnswer = (answer) => ({ ...answer, endpoint: home.endpoint });
  await scene.peers.add(scene.ada, scene.gateway.invite(), "work");
});
afterEach(async () => {
  await scene.stop();
  for (const close of opened.splice(0)) await close();
});

interface Address {
  readonly endpoint: string;
  /** Connections that came this way. */
  connections: number;
  stop(): Promise<void>;
}

/** Another address of a listener: passes TCP on. */
async function addressOf(endpoint: string): Promise<Address> {
  const pairs = new Set<Socket>();
  const listening: Listening = await listen(
    createServer((socket) => {
      address.connections += 1;
      const onward = connect(Number(new URL(endpoint).port), "127.0.0.1");
      for (const one of [socket, onward]) {
        pairs.add(one);
        one.on("error", () => undefined);
      }
      socket.pipe(onward).pipe(socket);
    }),
  );
  const address: Address = {
    endpoint: `https://localhost:${listening.port}`,
    connections: 0,
    async stop() {
      for (const socket of pairs) socket.destroy();
      await listening.stop();
    },
  };
  opened.push(() => address.stop().catch(() => undefined));
  return address;
}

const sayEndpoint = (endpoint: string) => {
  scene.gateway.alterRenewal = (answer) => ({ ...answer, endpoint });
};
const renew = () => scene.peers.renew(scene.ada, "work");
const peer = () => scene.peers.get(scene.ada, "work");

describe("a peer that has moved", () => {
  test("is asked at its new address once that has worked, and the previous one is forgotten", async () => {
    const next = await addressOf(scene.gateway.endpoint);
    sayEndpoint(next.endpoint);
    expect(await renew()).toMatchObject({ endpoint: next.endpoint, generation: 2, state: "active", renewError: null });
    expect(await scene.row()).toMatchObject({ endpoint: next.endpoint, previousEndpoint: null });
    expect((await peer()).warning).toBeNull();
    await home.stop();
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(scene.alerts).toEqual([]);
  });

  test.each([
    ["where nothing listens", () => Promise.resolve("https://localhost:1")],
    ["where somebody else's gateway is", async () => (await otherGateway()).endpoint],
    ["where nobody answers", async () => (await silence()).endpoint],
  ])(
    "to an address %s is read on at its previous one, with its new certificate; somebody is told",
    async (_, where) => {
      const endpoint = await where();
      sayEndpoint(endpoint);
      const wasAt = home.connections;
      expect(await renew()).toMatchObject({
        endpoint: home.endpoint,
        generation: 2,
        state: "degraded",
        renewError: "peer_address_unusable",
      });
      expect(await scene.row()).toMatchObject({
        endpoint,
        previousEndpoint: home.endpoint,
        previousCertificatePem: null,
      });
      expect(home.connections).toBeGreaterThan(wasAt);
      expect(await codeOf(scene.ask())).toBe("ok");
      expect(scene.gateway.queries.at(-1)!.serial).toBe(scene.gateway.grant().certificates[1]!.serial);
      expect(scene.alerts).toMatchObject([{ from: "active", to: "degraded", code: "peer_address_unusable" }]);
      expect((await scene.audits()).at(-1)).toMatchObject({ event: "peer.moved", details: { endpoint } });
      expect((await peer()).warning).toMatchObject({
        code: "peer_address_unusable",
        detail: expect.stringMatching(/^The peer "work" says that it has moved to https:/),
        remedy: expect.stringContaining("federation.publicUrl"),
      });
      // Nor does the moment of its next renewal come any sooner for it.
      expect((await scene.row()).renewAt!.getTime()).toBeGreaterThan(scene.now().getTime() + DAY_MS);
    },
    30_000,
  );

  test("is tried again where it was not found, every ten minutes, and found by itself", async () => {
    const later = await addressOf(scene.gateway.endpoint);
    await later.stop();
    sayEndpoint(later.endpoint);
    await renew();
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    scene.advance(11 * MINUTE_MS);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 1, failed: 0 });
    expect(await peer()).toMatchObject({ state: "degraded", endpoint: home.endpoint });
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    // What it said is one thing, told once.
    expect(scene.alerts).toHaveLength(1);
    expect((await scene.audits()).filter(({ event }) => event === "peer.moved")).toHaveLength(1);

    const port = Number(new URL(later.endpoint).port);
    const back = createServer((socket) => {
      const onward = connect(Number(new URL(scene.gateway.endpoint).port), "127.0.0.1");
      for (const one of [socket, onward]) one.on("error", () => undefined);
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => back.listen(port, "127.0.0.1", resolve));
    opened.push(() => new Promise((resolve) => back.close(resolve)));
    scene.advance(11 * MINUTE_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "active", endpoint: later.endpoint, renewError: null });
    expect(scene.alerts.at(-1)).toMatchObject({ from: "degraded", to: "active", code: null });
    expect(scene.alerts).toHaveLength(2);
    expect(scene.gateway.renewals).toHaveLength(1);
  }, 30_000);

  test("and says so again at the next renewal stays degraded throughout: nobody is told that all is well", async () => {
    sayEndpoint("https://localhost:1");
    await renew();
    scene.advance(5 * DAY_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "degraded", generation: 3, endpoint: home.endpoint });
    expect(scene.alerts).toHaveLength(1);
    // Its administrator takes it back.
    sayEndpoint(home.endpoint);
    scene.advance(5 * DAY_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "active", generation: 4, endpoint: home.endpoint, renewError: null });
    expect((await scene.row()).previousEndpoint).toBeNull();
  }, 30_000);

  test("and cannot be reached at either address is what any peer is that cannot be reached; an invite brings it back", async () => {
    sayEndpoint("https://localhost:1");
    await renew();
    await home.stop();
    expect(await codeOf(scene.ask())).toBe("peer_unreachable");
    scene.advance(5 * DAY_MS);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 1 });
    const elsewhere = await addressOf(scene.gateway.endpoint);
    scene.gateway.alterAnswer = (answer) => ({ ...answer, endpoint: elsewhere.endpoint });
    expect(await scene.peers.add(scene.ada, scene.gateway.invite())).toMatchObject({
      name: "work",
      state: "active",
      endpoint: elsewhere.endpoint,
    });
    expect((await scene.row()).previousEndpoint).toBeNull();
  }, 30_000);

  test("and crashed us before its new address was tried is looked for after the restart", async () => {
    const next = await addressOf(scene.gateway.endpoint);
    sayEndpoint(next.endpoint);
    scene.gateway.onQuery = (_request, response) => response.destroy();
    await codeOf(renew());
    scene.gateway.onQuery = undefined;
    await scene.restart();
    expect(await codeOf(scene.ask())).toBe("ok");
    scene.advance(4 * MINUTE_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "active", endpoint: next.endpoint, generation: 2 });
  });
});

async function otherGateway() {
  const other = await startScriptedPeer();
  opened.push(() => other.stop());
  return other;
}

async function silence(): Promise<{ endpoint: string }> {
  const silent = await listen(createServer(() => undefined));
  opened.push(() => silent.stop());
  return { endpoint: `https://localhost:${silent.port}` };
}
