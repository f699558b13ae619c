import { setTimeout as wait } from "node:timers/promises";
import { Problem } from "@mosaicstack/foundation";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { admin, askNext, callWith, join, redeemInvite, renew } from "./renewing-peer.ts";
import { inviteOf, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const { federationAuditLog, federationCertificates } = schema;

let gateway: ServingGateway;
let afterSigning: () => Promise<void> = () => Promise.resolve();
let signed = 0;

beforeAll(async () => {
  gateway = await startServingGateway({
    authority: (own) => ({
      ...own,
      async issue(request) {
        const issued = await own.issue(request);
        signed += 1;
        await afterSigning();
        return issued;
      },
    }),
  });
});
beforeEach(() => {
  afterSigning = () => Promise.resolve();
});
afterAll(() => gateway.stop());

describe("a stolen key", () => {
  test("whose renewal is being signed gets nothing, once the grant was suspended for it and resumed meanwhile", async () => {
    const peer = await join(gateway);
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const held = new Promise<void>((resolve) => {
      afterSigning = () => {
        resolve();
        return gate;
      };
    });
    const stolen = askNext(gateway, peer.keys).catch(() => undefined);
    await held;
    const honest = await askNext(gateway, peer.keys);
    expect(honest.answer.json["code"]).toBe("grant_suspended");
    await gateway.grants.resume(admin, peer.grantId);
    release();
    await stolen;
    await expect
      .poll(async () => {
        const rows = await gateway.store.db
          .select()
          .from(federationCertificates)
          .where(eq(federationCertificates.grantId, peer.grantId))
          .orderBy(federationCertificates.generation);
        return rows.map(({ generation, revokedAt }) => [generation, revokedAt !== null]);
      })
      .toEqual([
        [1, true],
        [2, true],
      ]);
  });

  test("cannot keep the peer that was invited anew from renewing", async () => {
    const peer = await join(gateway);
    const invite = await gateway.grants.invite(admin, peer.grantId);
    const anew = await redeemInvite(gateway, invite.url);
    expect(await callWith(gateway, anew.keys)).toBe("200");
    const codes = new Set<unknown>();
    for (let n = 0; n < 62; n++) codes.add((await askNext(gateway, peer.keys)).answer.json["code"]);
    expect([...codes]).toEqual(["certificate_superseded", "rate_limited"]);
    expect(await callWith(gateway, await renew(gateway, anew.keys))).toBe("200");
  });
});

describe("an invite", () => {
  async function newInvite() {
    const peer = await join(gateway);
    const { token } = inviteOf((await gateway.grants.invite(admin, peer.grantId)).url);
    return { ...peer, token };
  }

  test("that is redeemed by its key again and again is answered, signed for and recorded a bounded number of times", async () => {
    const { grantId, token } = await newInvite();
    const own = await createSigningRequest();
    const before = signed;
    const redeem = () =>
      gateway.enrollment.redeem({ protocol: 1, token, csr: own.csrPem }).then(
        () => "ok",
        (error: unknown) => (error instanceof Problem ? error.code : String(error)),
      );
    const outcomes: string[] = [];
    const startedAt = performance.now();
    for (let n = 0; n < 10; n++) outcomes.push(...(await Promise.all(Array.from({ length: 20 }, redeem))));
    // A minute's at once, and one more a second.
    const most = 60 + Math.ceil((performance.now() - startedAt) / 1000);
    expect(outcomes.filter((one) => one === "ok").length).toBeLessThanOrEqual(most);
    expect(new Set(outcomes)).toEqual(new Set(["ok", "rate_limited"]));
    expect(signed - before).toBeLessThanOrEqual(most);
    const rows = await gateway.store.db
      .select()
      .from(federationAuditLog)
      .where(eq(federationAuditLog.grantId, grantId));
    expect(rows.length).toBeLessThan(80);
    await wait(1100);
    expect(await redeem()).toBe("ok");
  });
});
