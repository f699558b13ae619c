import { enroll, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let work: TestGateway;
let home: TestGateway;
let ada: TestUser;
let eve: TestUser;
let adaAtHome: TestUser;
let eveAtHome: TestUser;
let grantId: string;

beforeAll(async () => {
  work = await startGateway({ tier: "federated", name: "work" });
  home = await startGateway({ tier: "federated", name: "home" });
  [ada, eve] = [await work.addUser("Ada"), await work.addUser("Eve")];
  [adaAtHome, eveAtHome] = [await home.addUser("Ada"), await home.addUser("Eve")];
  const scope = { resources: ["tasks"], include_personal: true };
  const { grant } = await enroll(adaAtHome, work, { subject: ada.id, scope, peer: "work" });
  grantId = grant.id;
});
afterAll(() => Promise.all([work.stop(), home.stop()]));

const grants = "/api/v1/federation/grants";

describe("another user", () => {
  test("finds nothing of a grant, by whatever route, and changes nothing of it", async () => {
    const answers = await Promise.all([
      eve.api.call("GET", `${grants}/${grantId}`),
      eve.api.call("GET", `${grants}/${grantId}/scopes`),
      eve.api.call("POST", `${grants}/${grantId}/revoke`),
      eve.api.call("POST", `${grants}/${grantId}/revoke?dry_run=true`),
      eve.api.call("POST", `${grants}/${grantId.toUpperCase()}/revoke`),
      eve.api.call("POST", `${grants}/${grantId}/preview`),
    ]);
    expect(answers.map(({ status, json }) => [status, json.code])).toEqual(answers.map(() => [404, "grant_not_found"]));
    const forbidden = await Promise.all([
      eve.api.call("PATCH", `${grants}/${grantId}`, { name: "mine" }),
      eve.api.call("POST", `${grants}/${grantId}/suspend`),
      eve.api.call("POST", `${grants}/${grantId}/resume`),
      eve.api.call("POST", `${grants}/${grantId}/token`),
      eve.api.call("POST", grants, { name: "x", subject: ada.id, scope: { resources: ["tasks"] } }),
      eve.api.call("POST", `${grants}/preview`, {
        subject: ada.id,
        scope: { resources: ["tasks"], include_personal: true },
      }),
      eve.api.call("GET", "/api/v1/federation/authority"),
    ]);
    expect(forbidden.map(({ status }) => status)).toEqual(forbidden.map(() => 403));
    expect((await eve.api.json("GET", grants)).grants).toEqual([]);
    expect((await eve.api.json("GET", "/api/v1/federation/status")).grants).toEqual({});
    expect((await work.admin.api.json("GET", `${grants}/${grantId}`)).status).toBe("active");
  });

  test("finds nothing of a peer, renews and removes none, an administrator neither", async () => {
    for (const { api } of [eveAtHome, home.admin]) {
      const answers = await Promise.all([
        api.call("GET", "/api/v1/federation/peers/work"),
        api.call("POST", "/api/v1/federation/peers/work/renew"),
        api.call("DELETE", "/api/v1/federation/peers/work"),
        api.call("GET", "/api/v1/tasks?source=federated:work"),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, expect.any(Number)]);
      expect(answers[3]?.json.code).toBe("unknown_source");
      expect((await api.json("GET", "/api/v1/federation/peers")).peers).toEqual([]);
    }
    expect((await adaAtHome.api.json("GET", "/api/v1/federation/peers/work")).state).toBe("active");
  });
});

describe("the subject", () => {
  test("sees the grant and its scopes, and cannot edit, suspend, resume or invite", async () => {
    expect((await ada.api.json("GET", `${grants}/${grantId}/scopes`)).scopes).toHaveLength(1);
    const answers = await Promise.all([
      ada.api.call("PATCH", `${grants}/${grantId}`, { expires_at: null }),
      ada.api.call("POST", `${grants}/${grantId}/suspend`),
      ada.api.call("POST", `${grants}/${grantId}/resume`),
      ada.api.call("POST", `${grants}/${grantId}/token`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
  });

  test("is not taken to want a revocation where the dry run was asked for in another way", async () => {
    const answers = await Promise.all([
      ada.api.call("POST", `${grants}/${grantId}/revoke?dry_run=1`),
      ada.api.call("POST", `${grants}/${grantId}/revoke?dry-run=true`),
      ada.api.call("POST", `${grants}/${grantId}/revoke?dry_run=true&dry_run=false`),
      ada.api.call("POST", `${grants}/${grantId}/revoke`, { dry_run: true }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect((await ada.api.json("GET", `${grants}/${grantId}`)).status).toBe("active");
  });
});

describe("an invite that is checked", () => {
  const pin = `token=${"A".repeat(43)}&ca=${"0".repeat(64)}`;
  test.each([
    `http://169.254.169.254/enroll#${pin}`,
    `http://localhost.evil.example/enroll#${pin}`,
    `http://[::ffff:10.0.0.1]/enroll#${pin}`,
    `http://0.0.0.0/enroll#${pin}`,
    `https://u:p@internal.example/enroll#${pin}`,
    `https://internal.example/admin?x=/enroll#${pin}`,
    `file:///etc/enroll#${pin}`,
  ])("is refused unasked: %s", async (invite) => {
    for (const path of ["/api/v1/federation/peers/check", "/api/v1/federation/peers"]) {
      const { status, json, text } = await eveAtHome.api.call("POST", path, { invite });
      expect([status, json.code]).toEqual([400, "invite_malformed"]);
      expect(text).not.toContain("A".repeat(43));
    }
  });
});
