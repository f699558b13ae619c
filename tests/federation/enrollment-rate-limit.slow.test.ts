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

test("an address that is refused 100 times in a minute is told to wait; enrolling as such is not counted", async () => {
  const { csrPem } = await createSigningRequest();
  const [early, late] = [await newToRedeem(), await newToRedeem()];
  expect((await redeem(early, csrPem)).status).toBe(200);
  const statuses = [];
  for (let index = 0; index < 100; index += 1) statuses.push((await redeem(newToken(), csrPem)).status);
  expect(new Set(statuses)).toEqual(new Set([410]));

  const answer = await redeem(late, (await createSigningRequest()).csrPem);
  const json = (await answer.json()) as Json;
  expect([answer.status, json.code, answer.headers.get("content-type")]).toEqual([
    429,
    "rate_limited",
    expect.stringMatching(/^application\/problem\+json/),
  ]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(60);
});
