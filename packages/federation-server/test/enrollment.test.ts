import { randomUUID } from "node:crypto";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import { createSigningRequest, hashToken, signingRequestFor } from "@mosaicstack/federation-protocol";
import { Problem } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import { count, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { auditOf } from "./audit.ts";
import {
  addUser,
  enroll,
  grantAndEnroll,
  inviteOf,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

const { federationEnrollmentTokens, federationGrants } = schema;
const scope = { resources: ["tasks"], include_personal: true };
const admin = { userId: randomUUID(), isAdmin: true };

let gateway: ServingGateway;
let ada: string;

beforeAll(async () => {
  gateway = await startServingGateway();
});
beforeEach(async () => {
  gateway.setClockRight();
  ada = await addUser(gateway.store, `ada-${randomUUID()}`);
});
afterAll(() => gateway.stop());

async function newGrant(expiresAt: Date | null = null) {
  const { grant, invite } = await gateway.grants.create(admin, { name: "home", subject: ada, scope, expiresAt });
  return { id: grant.id, token: inviteOf(invite.url).token, url: invite.url };
}

/** Enrollment whose CA signs in a way of the test's own. */
function enrollmentWith(authority: Pick<CertificateAuthority, "issue">) {
  return gateway.issuance({ authority: { ...gateway.authority, ...authority } }).enrollment;
}

function redeem(token: string, csr: string) {
  return gateway.enrollment.redeem({ protocol: 1, token, csr });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "done",
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );
}

/** What became of a grant's certificates, oldest first. Each that is revoked is in the outbox to the CA too. */
async function certificatesOf(grantId: string): Promise<string[]> {
  const rows = await gateway.store.query<{ revoked: boolean; told: boolean }>(
    `select c.revoked_at is not null as revoked, r.serial is not null as told
     from federation_certificates c left join federation_revocations r using (serial)
     where c.grant_id = $1::uuid order by c.issued_at`,
    [grantId],
  );
  return rows.map(({ revoked, told }) => (revoked && told ? "revoked" : revoked || told ? "half revoked" : "good"));
}

test("of 20 keys that redeem one token at once, one gets a certificate", async () => {
  const { id, token } = await newGrant();
  const requests = await Promise.all(Array.from({ length: 20 }, () => createSigningRequest()));
  const outcomes = await Promise.all(requests.map(({ csrPem }) => codeOf(redeem(token, csrPem))));
  expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === "enrollment_refused")).toHaveLength(19);
  expect(await certificatesOf(id)).toEqual(["good"]);
});

test("the same key that asks again, at once or later, gets the same certificate", async () => {
  const { id, token } = await newGrant();
  const { csrPem, privateKeyPem } = await createSigningRequest();
  const again = await signingRequestFor(privateKeyPem);
  const answers = await Promise.all([redeem(token, csrPem), redeem(token, again.csrPem), redeem(token, csrPem)]);
  answers.push(await redeem(token, again.csrPem));
  expect(new Set(answers.map(({ certificate }) => certificate)).size).toBe(1);
  expect(await certificatesOf(id)).toEqual(["good"]);
});

describe("410 enrollment_refused", () => {
  test("a token that was never made", async () => {
    const { csrPem } = await createSigningRequest();
    expect(await codeOf(redeem("a".repeat(43), csrPem))).toBe("enrollment_refused");
  });

  test("another key after the first", async () => {
    const { token, url } = await newGrant();
    await enroll(gateway, url);
    expect(await codeOf(redeem(token, (await createSigningRequest()).csrPem))).toBe("enrollment_refused");
  });

  test("any replay after the new peer's first connection, by the same key too", async () => {
    const { token } = await newGrant();
    const own = await createSigningRequest();
    const { certificate } = await redeem(token, own.csrPem);
    const agent = gateway.agent({ cert: certificate, key: own.privateKeyPem });
    expect((await gateway.ask(agent, "capabilities", {})).status).toBe(200);
    expect(await codeOf(redeem(token, own.csrPem))).toBe("enrollment_refused");
  });

  test("a token past its end", async () => {
    const { token } = await newGrant();
    gateway.advance(16 * 60_000);
    expect(await codeOf(redeem(token, (await createSigningRequest()).csrPem))).toBe("enrollment_refused");
  });

  test("a token that a newer invite replaced", async () => {
    const { id, token } = await newGrant();
    const { url } = await gateway.grants.invite(admin, id);
    expect(await codeOf(redeem(token, (await createSigningRequest()).csrPem))).toBe("enrollment_refused");
    await enroll(gateway, url);
  });

  test("a token of a revoked grant", async () => {
    const { id, token } = await newGrant();
    await gateway.grants.revoke(admin, id);
    expect(await codeOf(redeem(token, (await createSigningRequest()).csrPem))).toBe("enrollment_refused");
  });

  test("a token of a grant whose end has passed", async () => {
    const { token } = await newGrant(new Date(Date.now() + 60_000));
    gateway.advance(2 * 60_000);
    expect(await codeOf(redeem(token, (await createSigningRequest()).csrPem))).toBe("enrollment_refused");
  });

  test("a grant revoked while its certificate was being signed: its certificate is recorded as revoked, and the CA is to be told", async () => {
    const { id, token } = await newGrant();
    const enrollment = enrollmentWith({
      async issue(request) {
        const issued = await gateway.authority.issue(request);
        await gateway.grants.revoke(admin, id);
        return issued;
      },
    });
    const { csrPem } = await createSigningRequest();
    expect(await codeOf(enrollment.redeem({ protocol: 1, token, csr: csrPem }))).toBe("enrollment_refused");
    expect(await certificatesOf(id)).toEqual(["revoked"]);
  });

  test("a token that a newer invite replaced while its certificate was being signed: its certificate is recorded as revoked, and the CA is to be told", async () => {
    const { id, token } = await newGrant();
    const enrollment = enrollmentWith({
      async issue(request) {
        const issued = await gateway.authority.issue(request);
        await gateway.grants.invite(admin, id);
        return issued;
      },
    });
    const { csrPem } = await createSigningRequest();
    expect(await codeOf(enrollment.redeem({ protocol: 1, token, csr: csrPem }))).toBe("enrollment_refused");
    expect(await certificatesOf(id)).toEqual(["revoked"]);
  });
});

describe("400", () => {
  test("signing_request_invalid: no request at all, and the token stays good", async () => {
    const { token, url } = await newGrant();
    expect(await codeOf(redeem(token, "not a request"))).toBe("signing_request_invalid");
    await enroll(gateway, url);
  });

  test("signing_request_invalid: a key that has another grant's certificate", async () => {
    const first = await newGrant();
    const { csrPem } = await createSigningRequest();
    await redeem(first.token, csrPem);
    const second = await newGrant();
    expect(await codeOf(redeem(second.token, csrPem))).toBe("signing_request_invalid");
  });

  test.each([
    ["a member too many", { protocol: 1, token: "a".repeat(43), csr: "x", subject: "grace" }],
    ["another protocol", { protocol: 2, token: "a".repeat(43), csr: "x" }],
    ["a short token", { protocol: 1, token: "abc", csr: "x" }],
    ["no object", "hello"],
  ])("request_malformed: %s", async (_name, body) => {
    expect(await codeOf(gateway.enrollment.redeem(body))).toBe("request_malformed");
  });
});

test("a certificate the CA gets wrong is not delivered, and not recorded", async () => {
  const { id, token } = await newGrant();
  const other = await newGrant();
  const enrollment = enrollmentWith({
    issue: (request) =>
      gateway.authority.issue(
        request.kind === "client" ? { ...request, identity: { ...request.identity, grantId: other.id } } : request,
      ),
  });
  const { csrPem } = await createSigningRequest();
  expect(await codeOf(enrollment.redeem({ protocol: 1, token, csr: csrPem }))).toBe("authority_unavailable");
  expect((await auditOf(gateway.store, id, "enrollment")).at(-1)).toMatchObject({
    outcome: "authority_unavailable",
    reason: expect.stringContaining("another grant") as string,
  });
  expect(await certificatesOf(id)).toEqual([]);
});

test("tokens are stored hashed", async () => {
  const { token } = await newGrant();
  const rows = await gateway.store.db.select().from(federationEnrollmentTokens);
  expect(JSON.stringify(rows)).not.toContain(token);
  expect(rows.some(({ tokenHash }) => tokenHash === hashToken(token))).toBe(true);
});

test("a re-invite keeps the grant, and the old certificate until the new one is used", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, scope);
  const old = gateway.agent(keys);
  expect((await gateway.ask(old, "capabilities", {})).status).toBe(200);
  const newer = await enroll(gateway, (await gateway.grants.invite(admin, grant.id)).url);
  expect((await gateway.ask(old, "capabilities", {})).status).toBe(200);
  expect((await gateway.ask(gateway.agent(newer), "capabilities", {})).status).toBe(200);
  expect((await gateway.grants.find(admin, grant.id)).status).toBe("active");
  gateway.advance(61_000);
  const { status, json } = await gateway.ask(old, "capabilities", {});
  expect([status, json["code"]]).toEqual([403, "certificate_superseded"]);
  expect(await certificatesOf(grant.id)).toEqual(["good", "good"]);
});

describe("grants", () => {
  const stranger = { userId: randomUUID(), isAdmin: false };

  test("the subject sees and revokes the grants over their data", async () => {
    const { id } = await newGrant();
    const subject = { userId: ada, isAdmin: false };
    expect((await gateway.grants.list(subject)).map((grant) => grant.id)).toEqual([id]);
    expect((await gateway.grants.revoke(subject, id)).status).toBe("revoked");
  });

  test("grant_not_found: anybody else's, for showing, revoking and inviting", async () => {
    const { id } = await newGrant();
    expect(await gateway.grants.list(stranger)).toEqual([]);
    expect(await codeOf(gateway.grants.find(stranger, id))).toBe("grant_not_found");
    expect(await codeOf(gateway.grants.revoke(stranger, id))).toBe("grant_not_found");
    expect(await codeOf(gateway.grants.invite(stranger, id))).toBe("grant_not_found");
    expect(await codeOf(gateway.grants.find(admin, "nonsense"))).toBe("grant_not_found");
  });

  test("grant_transition_refused: an invite for a revoked or expired grant", async () => {
    const revoked = await newGrant();
    await gateway.grants.revoke(admin, revoked.id);
    expect(await codeOf(gateway.grants.invite(admin, revoked.id))).toBe("grant_transition_refused");
    const expired = await newGrant(new Date(Date.now() + 60_000));
    gateway.advance(2 * 60_000);
    expect((await gateway.grants.find(admin, expired.id)).status).toBe("expired");
    expect(await codeOf(gateway.grants.invite(admin, expired.id))).toBe("grant_transition_refused");
  });

  test("grant_input_invalid: a team the subject is not in", async () => {
    const input = {
      name: "x",
      subject: ada,
      expiresAt: null,
      scope: { resources: ["tasks"], include_teams: [randomUUID()] },
    };
    expect(await codeOf(gateway.grants.create(admin, input))).toBe("grant_input_invalid");
  });

  test("grant_input_invalid: an end in the past", async () => {
    const input = { name: "x", subject: ada, expiresAt: new Date(0), scope };
    expect(await codeOf(gateway.grants.create(admin, input))).toBe("grant_input_invalid");
  });

  test("grant_subject_unknown", async () => {
    const input = { name: "x", subject: "nobody@example.test", expiresAt: null, scope };
    expect(await codeOf(gateway.grants.create(admin, input))).toBe("grant_subject_unknown");
  });

  test("scope_invalid: an unknown resource, and nothing is stored", async () => {
    const before = await gateway.store.db.select({ n: count() }).from(federationGrants);
    const input = {
      name: "x",
      subject: ada,
      expiresAt: null,
      scope: { resources: ["salaries"], include_personal: true },
    };
    expect(await codeOf(gateway.grants.create(admin, input))).toBe("scope_invalid");
    expect(await gateway.store.db.select({ n: count() }).from(federationGrants)).toEqual(before);
  });

  test("removing a user revokes the grants over their data", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, scope);
    await gateway.grants.revokeAllOf(ada);
    expect((await gateway.grants.find(admin, grant.id)).status).toBe("revoked");
    await expect(gateway.ask(gateway.agent(keys), "capabilities", {})).rejects.toThrow(/closed|reset|hang up/i);
  });

  test("a stored scope that is no longer valid reads nothing and blames nobody else", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, scope);
    const wider = { resources: ["tasks"], include_personal: true, everything: true };
    await gateway.store.db.update(federationGrants).set({ scope: wider }).where(eq(federationGrants.id, grant.id));
    const answer = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 5 });
    expect([answer.status, answer.json["code"]]).toEqual([500, "serving_failed"]);
  });
});
