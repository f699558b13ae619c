import { createSigningRequest, newToken, readInvite } from "@mosaicstack/federation-protocol";
import { type Json, startGateway, type TestGateway } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test } from "vitest";

let work: TestGateway;

beforeAll(async () => {
  work = await startGateway({ tier: "federated", name: "work" });
  await work.addUser("Grace");
});
afterAll(async () => await work?.stop());

async function newToRedeem(): Promise<string> {
  const made = await work.admin.api.json("POST", "/api/v1/federation/grants", {
    name: "home",
    subject: "Grace",
    scope: { resources: ["tasks"], include_personal: true },
  });
  const reading = readInvite(made.invite as string);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.invite.token;
}

async function redeem(token: string, csr: string): Promise<Response> {
  return await fetch(`${work.url}/enroll`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ protocol: 1, token, csr }),
  });
}

/** Redeems until it's told to wait. @returns the statuses before, and the answer that said so */
async function redeemUntilLimited(most: number, tokenAndKey: () => Promise<[token: string, csr: string]>) {
  const statuses: number[] = [];
  for (let index = 0; index < most; index += 1) {
    const answer = await redeem(...(await tokenAndKey()));
    if (answer.status === 429) return { statuses, answer };
    statuses.push(answer.status);
  }
  throw new Error(`none of ${most} was limited`);
}

async function expectLimited(answer: Response): Promise<void> {
  const json = (await answer.json()) as Json;
  expect([answer.status, json.code, answer.headers.get("content-type")]).toEqual([
    429,
    "rate_limited",
    expect.stringMatching(/^application\/problem\+json/),
  ]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(60);
}

test("an invite that its key redeems again and again is told to wait, and no other is", async () => {
  const token = await newToRedeem();
  const { csrPem } = await createSigningRequest();
  const { statuses, answer } = await redeemUntilLimited(100, async () => [token, csrPem]);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(statuses.length).toBeGreaterThanOrEqual(60);
  await expectLimited(answer);
  expect((await redeem(await newToRedeem(), (await createSigningRequest()).csrPem)).status).toBe(200);
});

test("an address that is refused 100 times in a minute is told to wait; enrolling as such is not counted", async () => {
  const { csrPem } = await createSigningRequest();
  const [early, late] = [await newToRedeem(), await newToRedeem()];
  expect((await redeem(early, csrPem)).status).toBe(200);
  const startedAt = performance.now();
  const { statuses, answer } = await redeemUntilLimited(200, async () => [newToken(), csrPem]);
  expect(new Set(statuses)).toEqual(new Set([410]));
  // One comes back every 0.6 s.
  expect(statuses.length).toBeGreaterThanOrEqual(100);
  expect(statuses.length).toBeLessThanOrEqual(102 + (performance.now() - startedAt) / 600);
  await expectLimited(answer);

  // It passes by itself: an honest one that comes as often as it was told is through in the end.
  await expect
    .poll(async () => (await redeem(late, (await createSigningRequest()).csrPem)).status, {
      timeout: 10_000,
      interval: 1000,
    })
    .toBe(200);
});
