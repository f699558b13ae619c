import { createScriptedAuthority, openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { codeOf, type Scene, startScene } from "./serving-side/scene.ts";

let store: Store;
let scene: Scene;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());
beforeEach(async () => {
  scene = await startScene(store);
});
afterEach(() => scene.stop());

const add = () => scene.peers.add(scene.ada, scene.gateway.invite(), "work");

describe("a hostile peer", () => {
  test("that numbers a renewal past what a row holds is refused like every wrong answer, and asked less and less", async () => {
    await add();
    scene.gateway.alterRenewal = (answer) => ({ ...answer, generation: 2 ** 31 });
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_incompatible");
    expect(await scene.row()).toMatchObject({ generation: 1, renewAttempts: 1, renewError: "peer_incompatible" });
  });

  test("that numbers an enrollment past what a row holds is refused like every wrong answer", async () => {
    scene.gateway.alterAnswer = (answer) => ({ ...answer, generation: 2 ** 31 });
    expect(await codeOf(add())).toBe("peer_incompatible");
  });

  test("that numbers its CRL with more than 20 bytes proves nothing, and has nothing of it kept", async () => {
    await add();
    const { serial } = scene.gateway.grant().certificates[0]!;
    scene.gateway.cutSerials.add(serial);
    scene.gateway.crl = { number: (1n << 168n) as unknown as number };
    expect(await codeOf(scene.ask())).toBe("peer_unreachable");
    await expect.poll(async () => (await scene.peers.get(scene.ada, "work")).lastFailureReason).toBe("crl_invalid");
    expect((await scene.row()).crlNumber).toBeNull();
  });

  test.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost:8500/v1/agent/leave",
    "https://internal.example/admin/delete?id=1&x=/federation/crl",
    "https://internal.example/federation/crl?id=1",
    "https://ada:secret@internal.example/federation/crl",
    "https://internal.example/federation/crl",
    "http://169.254.169.254/federation/crl",
    "https://localhost.internal.example/federation/crl",
  ])("cannot have anything but a CRL asked for in this network: %s", async (address) => {
    scene.gateway.alterAnswer = (answer) => ({ ...answer, crl_url: address });
    await add();
    expect((await scene.row()).crlUrl).toBeNull();
  });

  test("may publish its CRL where it was invited from, or on the host that it answers at", async () => {
    for (const address of [scene.gateway.crlUrl, `http://${new URL(scene.gateway.endpoint).hostname}/federation/crl`]) {
      scene.gateway.alterAnswer = (answer) => ({ ...answer, crl_url: address });
      await add();
      expect((await scene.row()).crlUrl).toBe(address);
      await scene.peers.remove(scene.ada, "work");
      scene.gateway.newGrant();
    }
  });

  test("whose root is not the pinned one raises an alert: the peer is only pending, and nobody would look at it", async () => {
    const other = await createScriptedAuthority();
    scene.gateway.alterAnswer = (answer) => ({ ...answer, root: other.rootPem });
    expect(await codeOf(add())).toBe("ca_pin_mismatch");
    expect(scene.alerts).toMatchObject([
      { userId: scene.ada, name: "work", from: "pending", to: "pending", code: "ca_pin_mismatch" },
    ]);
    scene.gateway.alterAnswer = (answer) => answer;
    await scene.gateway.stop();
    expect(await codeOf(scene.peers.add(scene.ada, scene.gateway.invite()))).toBe("peer_unreachable");
    expect(scene.alerts).toHaveLength(1);
  });
});
