import { createServer } from "node:http";
import { eq } from "drizzle-orm";
import { createScriptedAuthority, listen, openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { schema } from "@mosaicstack/storage";
import { codeOf, HOUR_MS, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

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

const peer = () => scene.peers.get(scene.ada, "work");

/** A peer that ends every connection of ours without a word, as Node ends those of a revoked certificate. */
async function cutOff(): Promise<string> {
  await scene.peers.add(scene.ada, scene.gateway.invite(), "work");
  const { serial } = scene.gateway.grant().certificates[0]!;
  scene.gateway.cutSerials.add(serial);
  return serial;
}

describe("sharp edge 7: proof of a revocation", () => {
  test("the peer's CRL lists our serial: revoked, written down with its proof, and not asked again", async () => {
    const serial = await cutOff();
    expect(await codeOf(scene.ask())).toBe("peer_unreachable");
    await expect.poll(async () => (await peer()).state).toBe("revoked");
    expect(await codeOf(scene.ask())).toBe("peer_revoked");
    expect(scene.alerts).toMatchObject([{ to: "revoked", code: "crl" }]);
    expect((await scene.audits()).at(-1)).toMatchObject({ event: "peer.revoked", reason: "crl", outcome: "ok" });
    expect((await scene.row()).crlNumber).toBe("1");
    expect(serial).toMatch(/^40/);
  });

  test("by a renewal that is cut off, too", async () => {
    await cutOff();
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_revoked");
    expect(await peer()).toMatchObject({ state: "revoked", renewAt: null });
  });

  test("under an intermediate, whose CRL it is", async () => {
    await scene.stop();
    scene = await startScene(store, {
      authority: await createScriptedAuthority("With one between", { intermediate: true }),
    });
    await cutOff();
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_revoked");
  });

  test("over plain HTTP as well, since the list is signed", async () => {
    await cutOff();
    const list = await scene.gateway.authority.revocationList({
      serials: [...scene.gateway.cutSerials],
      number: 1,
      thisUpdate: new Date(Date.now() - HOUR_MS),
      nextUpdate: new Date(Date.now() + HOUR_MS),
    });
    const server = await listen(createServer((_request, response) => response.end(list)));
    const crlUrl = `http://localhost:${server.port}/`;
    await store.db.update(schema.federationPeers).set({ crlUrl }).where(eq(schema.federationPeers.userId, scene.ada));
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_revoked");
    await server.stop();
  });

  test("is no matter where nothing listens: the CRL is not even asked", async () => {
    await scene.peers.add(scene.ada, scene.gateway.invite(), "work");
    await scene.gateway.stop();
    expect(await codeOf(scene.ask())).toBe("peer_unreachable");
    expect(scene.gateway.crlRequests).toBe(0);
    expect(await peer()).toMatchObject({ state: "active" });
  });
});

describe("sharp edge 7: unreachable and never revoked, with the reason, where the CRL", () => {
  async function expectUnproven(reason: string): Promise<void> {
    expect(await codeOf(scene.ask())).toBe("peer_unreachable");
    await expect.poll(async () => (await peer()).lastFailureReason).toBe(reason);
    expect(await peer()).toMatchObject({ state: "active", lastFailure: "peer_unreachable" });
    expect(await codeOf(scene.ask())).toBe("peer_unreachable");
  }

  test("does not list our serial", async () => {
    await cutOff();
    scene.gateway.crl = { serials: ["abcdef"] };
    await expectUnproven("not_on_crl");
  });

  test("is past its nextUpdate", async () => {
    await cutOff();
    scene.gateway.crl = { nextUpdate: new Date(Date.now() - 1000), thisUpdate: new Date(Date.now() - HOUR_MS) };
    await expectUnproven("crl_stale");
  });

  test("is of another signer", async () => {
    await cutOff();
    const other = await createScriptedAuthority();
    scene.gateway.authority.revocationList = (wishes) => other.revocationList(wishes);
    await expectUnproven("crl_wrong_signer");
  });

  test("is of another signer under the same name", async () => {
    await cutOff();
    const other = await createScriptedAuthority("Test CA");
    scene.gateway.authority.revocationList = (wishes) => other.revocationList(wishes);
    await expectUnproven("crl_wrong_signer");
  });

  test("is corrupt", async () => {
    await cutOff();
    scene.gateway.onCrl = (_request, response) => response.writeHead(200).end(Buffer.from("3003020101", "hex"));
    await expectUnproven("crl_invalid");
  });

  test("is older than one that was seen before, by this process or another", async () => {
    await cutOff();
    scene.gateway.crl = { serials: [], number: 300 };
    await expectUnproven("not_on_crl");
    expect((await scene.row()).crlNumber).toBe("300");
    scene.gateway.crl = { number: 299 };
    await scene.restart();
    await expectUnproven("crl_older");
    scene.gateway.crl = { number: 301 };
    scene.advance(MINUTE_MS + 1000);
    await codeOf(scene.ask());
    await expect.poll(async () => (await peer()).state).toBe("revoked");
  });

  test("is too large", async () => {
    await cutOff();
    scene.gateway.onCrl = (_request, response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", pour);
      pour();
    };
    await expectUnproven("crl_unreachable");
  });

  test("cannot be had", async () => {
    await cutOff();
    scene.gateway.onCrl = (_request, response) => response.writeHead(500).end();
    await expectUnproven("crl_unreachable");
  });

  test("redirects elsewhere", async () => {
    await cutOff();
    scene.gateway.onCrl = (_request, response) => response.writeHead(302, { location: "http://localhost:1/" }).end();
    await expectUnproven("crl_unreachable");
  });

  test("was never said to be anywhere", async () => {
    await scene.stop();
    scene = await startScene(store);
    scene.gateway.alterAnswer = (answer) => ({ ...answer, crl_url: "file:///etc/passwd" });
    await cutOff();
    await expectUnproven("crl_not_published");
  });
});

test("sharp edge 7: the CRL is asked once a minute at most", async () => {
  await cutOff();
  scene.gateway.crl = { serials: [] };
  for (let query = 0; query < 5; query++) await codeOf(scene.ask());
  await expect.poll(async () => (await peer()).lastFailureReason).toBe("not_on_crl");
  expect(scene.gateway.crlRequests).toBe(1);
  scene.advance(MINUTE_MS + 1000);
  await codeOf(scene.ask());
  await expect.poll(() => scene.gateway.crlRequests).toBe(2);
});
