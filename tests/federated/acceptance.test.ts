import { enroll, enrollRawPeer, startGateway } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditOfRequests } from "../federation/acceptance/audit-of-requests.ts";
import { blendedSearch } from "../federation/acceptance/blended-search.ts";
import { peersThatFail } from "../federation/acceptance/peers-that-fail.ts";
import { threeEmployees } from "../federation/acceptance/three-employees.ts";
import { twoGateways } from "../federation/acceptance/two-gateways.ts";
import { startOnSharedServices, startReal } from "./real-gateway.ts";

describe("two gateways on PostgreSQL and Valkey", () => {
  twoGateways(startReal);
});
describe("a company on PostgreSQL and Valkey", () => {
  threeEmployees(startReal);
});
describe("a gateway on PostgreSQL and Valkey", () => {
  peersThatFail(startReal);
});
describe("search on PostgreSQL and Valkey", () => {
  blendedSearch(startReal);
});
describe("the audit on PostgreSQL and Valkey", () => {
  auditOfRequests(startReal);
});

describe("a grant's rate limit, on two replicas that share PostgreSQL and Valkey", () => {
  const LIMITS = { requests_per_minute: 60, concurrent_requests: 16 };
  const SCOPE = { resources: ["tasks"], include_personal: true };
  let work: Awaited<ReturnType<typeof startOnSharedServices>>;
  let replica: Awaited<ReturnType<typeof startGateway>>;
  beforeAll(async () => {
    work = await startOnSharedServices("limits", 15);
    replica = await startGateway({ tier: "federated", name: "limits", replicaOf: work.gateway });
  });
  afterAll(async () => {
    await replica?.stop();
    await work?.stop();
  });

  test("is one for both: 429 with Retry-After, RateLimit headers and what is allowed, whichever is asked", async () => {
    const ada = await work.gateway.addUser("Ada");
    const peer = await enrollRawPeer(work.gateway, ada.id, SCOPE, LIMITS);
    const startedAt = performance.now();
    const statuses: number[] = [];
    let refused: Awaited<ReturnType<typeof peer.ask>> | undefined;
    while (refused === undefined && statuses.length < 40) {
      const origin = statuses.length % 2 === 0 ? work.gateway.federationUrl : replica.federationUrl;
      const answer = await peer.ask("list", { resource: "tasks", limit: 1 }, origin);
      statuses.push(answer.status);
      if (answer.status === 429) refused = answer;
    }
    // A sixth of a minute's at once, and one more for each second since.
    const seconds = (performance.now() - startedAt) / 1000;
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(10);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(11 + seconds);
    expect(refused?.json).toMatchObject({ code: "rate_limited", status: 429, ...LIMITS });
    const retryAfter = Number(refused?.headers["retry-after"]);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    expect(refused?.json.retry_after).toBe(retryAfter);
    expect(refused?.headers).toMatchObject({
      "ratelimit-limit": "60",
      "ratelimit-remaining": "0",
      "ratelimit-reset": expect.stringMatching(/^\d+$/u) as string,
    });
    await peer.close();
  });

  test("is honoured by a gateway: it says so of the source, and does not ask before", async () => {
    const home = await startReal({ tier: "federated", name: "home" });
    try {
      const user = await home.addUser("Ada");
      const ada = await work.gateway.addUser("Another Ada");
      const { grant } = await enroll(user, work.gateway, { subject: ada.id, scope: SCOPE, peer: "work" });
      const served = async (): Promise<number> => {
        const filters = `grant=${grant.id}&event=request&limit=200`;
        return (await work.gateway.admin.api.json("GET", `/api/v1/federation/audit?${filters}`)).rows.length as number;
      };
      const limits = { requests_per_minute: 1, concurrent_requests: 16 };
      await work.gateway.admin.api.json("PATCH", `/api/v1/federation/grants/${grant.id}`, limits);
      const ask = async () => (await user.api.json("GET", "/api/v1/tasks?source=federated:work")).sources[0];
      let source = await ask();
      for (let turn = 0; turn < 5 && source.status === "ok"; turn += 1) source = await ask();
      expect(source).toMatchObject({ status: "rate_limited", error: { code: "peer_rate_limited" } });
      expect(source.error.retry_after).toBeGreaterThan(1);
      await expect.poll(served, { timeout: 3_000 }).toBeGreaterThanOrEqual(2);
      await new Promise((resolve) => setTimeout(resolve, 900));
      const before = await served();
      expect(await ask()).toMatchObject({ status: "rate_limited" });
      await new Promise((resolve) => setTimeout(resolve, 900));
      expect(await served()).toBe(before);
    } finally {
      await home.stop();
    }
  });
});
