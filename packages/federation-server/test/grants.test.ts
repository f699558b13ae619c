import { newId, Problem } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import { asc, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createGrantExpiry, GRANT_LIMITS, type GrantStatus, serialOfGrant } from "../src/index.ts";
import { revokeGrant, suspendGrant } from "../src/revocation.ts";
import { DAY_MS, issueFor, openGrants, type OpenGrants, OWN_TASKS } from "./grant-fixture.ts";

const { federationAuditLog, federationEnrollmentTokens, federationGrants } = schema;
const statuses = schema.grantStatus.enumValues;

let world: OpenGrants;
beforeAll(async () => {
  world = await openGrants();
});
afterAll(() => world.store.close());
beforeEach(() => world.setClockRight());

/** A grant in a state, reached by the ways there are. */
async function grantThatIs(status: GrantStatus): Promise<string> {
  const { grants, admin } = world;
  if (status === "pending") return (await world.grant()).id;
  const { id } = (await world.enrolled()).grant;
  if (status === "suspended") await grants.suspend(admin, id);
  if (status === "revoked") await grants.revoke(admin, id);
  if (status === "expired") {
    await world.store.db.update(federationGrants).set({ status }).where(eq(federationGrants.id, id));
  }
  return id;
}

async function auditOf(grantId: string) {
  return await world.store.db
    .select()
    .from(federationAuditLog)
    .where(eq(federationAuditLog.grantId, grantId))
    .orderBy(asc(federationAuditLog.id));
}

async function tokensOf(grantId: string): Promise<string[]> {
  const { status, grantId: grant } = federationEnrollmentTokens;
  const rows = await world.store.db.select({ status }).from(federationEnrollmentTokens).where(eq(grant, grantId));
  return rows.map((row) => row.status);
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => "done",
    (error: unknown) => (error instanceof Problem ? error.code : error),
  );
}

describe("what may be done with a grant in which state", () => {
  const actions = {
    suspend: { allowed: ["active"], becomes: "suspended" },
    resume: { allowed: ["suspended"], becomes: "active" },
    revoke: { allowed: ["pending", "active", "suspended", "revoked"], becomes: "revoked" },
    edit: { allowed: ["pending", "active", "suspended"], becomes: undefined },
    invite: { allowed: ["pending", "active"], becomes: undefined },
    previewRevocation: { allowed: ["pending", "active", "suspended", "revoked"], becomes: undefined },
  } as const satisfies Record<string, { allowed: readonly GrantStatus[]; becomes: GrantStatus | undefined }>;
  type Action = keyof typeof actions;
  const cases = (Object.keys(actions) as Action[]).flatMap((action) =>
    statuses.map((status) => {
      const allowed: readonly GrantStatus[] = actions[action].allowed;
      return { action, status, outcome: allowed.includes(status) ? "done" : "grant_transition_refused" };
    }),
  );

  test.each(cases)("$action of a grant that is $status: $outcome", async ({ action, status, outcome }) => {
    const { grants, admin } = world;
    const id = await grantThatIs(status);
    const before = await grants.find(admin, id);
    expect(before.status).toBe(status);
    const done = action === "edit" ? grants.edit(admin, id, { name: "renamed" }) : grants[action](admin, id);
    expect(await codeOf(done)).toBe(outcome);
    const after = await grants.find(admin, id);
    const becomes = outcome === "done" ? (actions[action].becomes ?? status) : status;
    expect(after.status).toBe(becomes);
    expect(after.name).toBe(outcome === "done" && action === "edit" ? "renamed" : before.name);
  });

  test.each(["suspend", "resume", "revoke", "edit", "invite"] as const)(
    "%s of a grant whose end has passed, unwritten as yet, is refused",
    async (action) => {
      const { grants, admin } = world;
      const { id } = (await world.enrolled(new Date(Date.now() + DAY_MS))).grant;
      if (action === "resume") await grants.suspend(admin, id);
      world.advance(2 * DAY_MS);
      const expiresAt = new Date(world.clock.now().getTime() + DAY_MS);
      const done = action === "edit" ? grants.edit(admin, id, { expiresAt }) : grants[action](admin, id);
      expect(await codeOf(done)).toBe("grant_transition_refused");
      expect((await grants.find(admin, id)).status).toBe("expired");
    },
  );
});

describe("the database's own rule, for whoever writes past the code", () => {
  const legal: Readonly<Record<GrantStatus, readonly GrantStatus[]>> = {
    pending: ["active", "revoked", "expired"],
    active: ["suspended", "revoked", "expired"],
    suspended: ["active", "revoked", "expired"],
    revoked: [],
    expired: [],
  };
  const pairs = statuses.flatMap((from) => statuses.map((to) => ({ from, to })));
  const isLegal = ({ from, to }: { from: GrantStatus; to: GrantStatus }) => from === to || legal[from].includes(to);
  const set = (id: string, status: GrantStatus) =>
    world.store.query("update federation_grants set status = $2::grant_status where id = $1::uuid returning id", [
      id,
      status,
    ]);

  test.each(pairs.filter(isLegal))("$from to $to", async ({ from, to }) => {
    expect(await set(await grantThatIs(from), to)).toHaveLength(1);
  });

  test.each(pairs.filter((pair) => !isLegal(pair)))("never $from to $to", async ({ from, to }) => {
    await expect(set(await grantThatIs(from), to)).rejects.toThrow(`a grant that is ${from} cannot become ${to}`);
  });

  test("the history of scopes takes no change", async () => {
    const { id } = await world.grant();
    for (const statement of [
      "update federation_grant_scopes set scope = '{}' where grant_id = $1::uuid",
      "delete from federation_grant_scopes where grant_id = $1::uuid",
    ]) {
      await expect(world.store.query(statement, [id])).rejects.toThrow("federation_grant_scopes is append-only");
    }
  });

  describe("of how often and how much at once a peer may ask", () => {
    const columns = [
      ["requests_per_minute", GRANT_LIMITS.requestsPerMinute.most],
      ["concurrent_requests", GRANT_LIMITS.concurrentRequests.most],
    ] as const;
    const limit = (id: string, column: string, value: number) =>
      world.store.query(`update federation_grants set ${column} = $2::int4 where id = $1::uuid returning id`, [
        id,
        value,
      ]);

    test.each(columns.flatMap(([column, most]) => [1, most].map((value) => [column, value] as const)))(
      "%s may be %i",
      async (column, value) => {
        expect(await limit((await world.grant()).id, column, value)).toHaveLength(1);
      },
    );

    test.each(columns.flatMap(([column, most]) => [-1, 0, most + 1].map((value) => [column, value] as const)))(
      "%s is never %i",
      async (column, value) => {
        const refused = limit((await world.grant()).id, column, value);
        await expect(refused).rejects.toMatchObject({ code: "23514", constraint: `federation_grants_${column}` });
      },
    );
  });
});

describe("editing", () => {
  test("a scope is validated, and every scope is kept with who set it", async () => {
    const { grants, admin } = world;
    const { id } = await world.grant();
    const wider = { ...OWN_TASKS, resources: ["tasks", "notes"] };
    const other = { ...admin, userId: newId() };
    expect((await grants.edit(other, id, { scope: wider })).scope).toEqual(wider);
    expect(await codeOf(grants.edit(admin, id, { scope: { ...OWN_TASKS, resources: ["nonsense"] } }))).toBe(
      "scope_invalid",
    );
    // The same again is no change.
    await grants.edit(other, id, { scope: wider });
    const history = await grants.scopes(admin, id);
    expect(history.map(({ scope, changedBy }) => [scope, changedBy])).toEqual([
      [wider, other.userId],
      [OWN_TASKS, admin.userId],
    ]);
  });

  test("a team that the subject is not in is refused", async () => {
    const { id } = await world.grant();
    const scope = { ...OWN_TASKS, include_teams: [newId()] };
    await expect(world.grants.edit(world.admin, id, { scope })).rejects.toMatchObject({
      code: "grant_input_invalid",
      details: { path: "scope.include_teams.0" },
    });
  });

  test("the name and the end: sooner, later, none, but never past", async () => {
    const { grants, admin } = world;
    const { id } = await world.grant(new Date(Date.now() + 10 * DAY_MS));
    expect((await grants.edit(admin, id, { name: "renamed" })).name).toBe("renamed");
    for (const expiresAt of [new Date(Date.now() + DAY_MS), new Date(Date.now() + 20 * DAY_MS), null]) {
      expect((await grants.edit(admin, id, { expiresAt })).expiresAt).toEqual(expiresAt);
    }
    await expect(grants.edit(admin, id, { expiresAt: new Date(Date.now() - 1) })).rejects.toMatchObject({
      code: "grant_input_invalid",
      details: { path: "expires_at" },
    });
    expect((await grants.find(admin, id)).expiresAt).toBeNull();
  });
});

test("a subject sees the grants over their own data and their history, and nobody else does", async () => {
  const { grants, subject } = world;
  const { id } = await world.grant();
  const own = { userId: subject, isAdmin: false };
  const stranger = { userId: newId(), isAdmin: false };
  expect((await grants.find(own, id)).id).toBe(id);
  expect(await grants.scopes(own, id)).toHaveLength(1);
  for (const act of ["find", "scopes", "revoke", "previewRevocation"] as const) {
    expect(await codeOf(grants[act](stranger, id))).toBe("grant_not_found");
  }
  expect((await grants.revoke(own, id)).status).toBe("revoked");
});

test("each step is audited, with who took it", async () => {
  const { grants, admin, subject } = world;
  const { id } = (await world.enrolled()).grant;
  await grants.invite(admin, id);
  await grants.edit(admin, id, { name: "renamed" });
  await grants.suspend(admin, id);
  await grants.resume(admin, id);
  await grants.revoke({ userId: subject, isAdmin: false }, id);
  // Again: nothing happens, so nothing is written.
  await grants.revoke(admin, id);
  const entries = await auditOf(id);
  expect(entries.map(({ event, actorUserId }) => [event, actorUserId])).toEqual([
    ["grant.created", admin.userId],
    ["grant.invited", admin.userId],
    ["grant.edited", admin.userId],
    ["grant.suspended", admin.userId],
    ["grant.resumed", admin.userId],
    ["grant.revoked", subject],
  ]);
  for (const entry of entries) expect(entry).toMatchObject({ side: "serving", outcome: "ok", subjectUserId: subject });
});

describe("suspending", () => {
  test("keeps the certificates, withdraws invites and tells the replicas", async () => {
    const { grants, admin } = world;
    const { id } = (await world.enrolled()).grant;
    await grants.invite(admin, id);
    world.published.length = 0;
    const suspended = await grants.suspend(admin, id);
    expect(suspended.suspendedAt).toBeInstanceOf(Date);
    expect(suspended.suspendedReason).toBeNull();
    expect(suspended.certificates.map(({ state }) => state)).toEqual(["active"]);
    expect(new Set(await tokensOf(id))).toEqual(new Set(["void"]));
    expect(world.published).toEqual([`grant-changed ${id}`]);
    expect(await grants.resume(admin, id)).toMatchObject({ status: "active", suspendedAt: null });
  });

  test("for a cloned key: resuming revokes the certificates, since nobody can tell whose is right", async () => {
    const { grants, admin, store, clock } = world;
    const { grant, serial } = await world.enrolled();
    const suspension = { at: clock.now(), reason: "cloned_key" };
    expect(await store.transaction((db) => suspendGrant(db, grant.id, suspension))).toBe(true);
    expect(await store.transaction((db) => suspendGrant(db, grant.id, suspension))).toBe(false);
    expect(await grants.find(admin, grant.id)).toMatchObject({ status: "suspended", suspendedReason: "cloned_key" });
    const resumed = await grants.resume(admin, grant.id);
    expect(resumed).toMatchObject({ status: "active", suspendedReason: null });
    expect(resumed.certificates).toMatchObject([{ serial, state: "revoked" }]);
    expect(await codeOf(grants.invite(admin, grant.id))).toBe("done");
  });
});

test("a clone found while somebody suspends the grant by hand gives the suspension its reason, whichever is first", async () => {
  const { grants, admin, store, clock } = world;
  const byHand = await world.enrolled();
  await grants.suspend(admin, byHand.grant.id);
  const cloned = { at: clock.now(), reason: "cloned_key" };
  expect(await store.transaction((db) => suspendGrant(db, byHand.grant.id, cloned))).toBe(true);
  expect(await grants.find(admin, byHand.grant.id)).toMatchObject({
    status: "suspended",
    suspendedReason: "cloned_key",
  });
  const resumed = await grants.resume(admin, byHand.grant.id);
  expect(resumed.certificates).toMatchObject([{ serial: byHand.serial, state: "revoked" }]);

  const byGateway = await world.enrolled();
  expect(await store.transaction((db) => suspendGrant(db, byGateway.grant.id, cloned))).toBe(true);
  expect(await codeOf(grants.suspend(admin, byGateway.grant.id))).toBe("grant_transition_refused");
  const late = { at: clock.now(), reason: null };
  expect(await store.transaction((db) => suspendGrant(db, byGateway.grant.id, late))).toBe(false);
  expect(await grants.find(admin, byGateway.grant.id)).toMatchObject({ suspendedReason: "cloned_key" });
});

test("revoking ends grant, certificates and invites, and puts what is valid in the outbox", async () => {
  const { grants, admin, store, authority, subject } = world;
  const { grant, serial } = await world.enrolled();
  const second = await issueFor({ store, authority, grantId: grant.id, subjectUserId: subject, generation: 2 });
  const preview = await grants.previewRevocation(admin, grant.id);
  expect(preview).toMatchObject({ serials: [second, serial], openSockets: 0, grant: { status: "active" } });
  expect((await grants.find(admin, grant.id)).status).toBe("active");
  const revoked = await grants.revoke(admin, grant.id);
  expect(revoked.certificates.map(({ state }) => state)).toEqual(["revoked", "revoked"]);
  const { federationRevocations } = schema;
  const rows = await store.db.select().from(federationRevocations).where(eq(federationRevocations.grantId, grant.id));
  expect(rows.map((row) => row.serial).toSorted()).toEqual([serial, second, serialOfGrant(grant.id)].toSorted());
  for (const row of rows) expect(row).toMatchObject({ reason: "privilegeWithdrawn", toldAt: null, attempts: 0 });
  const again = await store.transaction((db) =>
    revokeGrant(db, grant.id, { at: world.clock.now(), reason: "privilegeWithdrawn" }),
  );
  expect(again).toEqual({ isNew: false, serials: [] });
});

test("removing a user revokes the grants over their data", async () => {
  const { grants, admin, subject } = world;
  const [pending, { grant }] = [await world.grant(), await world.enrolled()];
  await grants.revokeAllOf(subject);
  for (const { id } of [pending, grant]) {
    expect((await grants.find(admin, id)).status).toBe("revoked");
    expect((await auditOf(id)).at(-1)).toMatchObject({
      event: "grant.revoked",
      reason: "subject_removed",
      actorUserId: null,
    });
  }
});

test("a certificate's state, and the last use", async () => {
  const { grants, admin, store, authority, subject, lastUses, clock } = world;
  const { federationCertificates } = schema;
  const { grant, serial } = await world.enrolled();
  const newer = await issueFor({ store, authority, grantId: grant.id, subjectUserId: subject, generation: 2 });
  const confirmedAt = new Date(clock.now().getTime() - 60_000);
  await store.db
    .update(federationCertificates)
    .set({ supersededAt: confirmedAt })
    .where(eq(federationCertificates.serial, serial));
  await store.db.update(federationCertificates).set({ confirmedAt }).where(eq(federationCertificates.serial, newer));
  const shown = await grants.find(admin, grant.id);
  expect(shown.certificates).toMatchObject([
    { serial: newer, generation: 2, state: "active", confirmedAt },
    { serial, generation: 1, state: "superseded" },
  ]);
  expect(shown.lastUsedAt).toEqual(confirmedAt);
  lastUses.note(grant.id);
  const usedAt = (await grants.find(admin, grant.id)).lastUsedAt?.getTime() ?? 0;
  expect(usedAt).toBeGreaterThan(confirmedAt.getTime());
  world.advance(8 * DAY_MS);
  expect((await grants.find(admin, grant.id)).certificates[0]?.state).toBe("expired");
});

describe("expiry", () => {
  test("writes down what has ended, withdraws invites, tells the replicas, and revokes nothing", async () => {
    const { store, clock, announcer, grants, admin } = world;
    const expiry = createGrantExpiry({ store, clock, announcer });
    const end = new Date(Date.now() + DAY_MS);
    const [pending, enrolled, suspended] = [
      await world.grant(end),
      (await world.enrolled(end)).grant,
      (await world.enrolled(end)).grant,
    ];
    await grants.suspend(admin, suspended.id);
    const unending = await world.grant();
    const ids = [pending, enrolled, suspended].map(({ id }) => id);
    expect(await expiry.expireGrants()).toEqual([]);
    world.advance(DAY_MS);
    world.published.length = 0;
    const ended = await expiry.expireGrants();
    expect(ended.toSorted()).toEqual(ids.toSorted());
    expect(world.published).toHaveLength(3);
    for (const id of ids) {
      const [row] = await store.db.select().from(federationGrants).where(eq(federationGrants.id, id));
      expect(row?.status).toBe("expired");
      expect(await tokensOf(id)).toEqual(["void"]);
      expect((await auditOf(id)).at(-1)).toMatchObject({ event: "grant.expired", actorUserId: null });
      for (const { revokedAt } of (await grants.find(admin, id)).certificates) expect(revokedAt).toBeNull();
    }
    expect((await grants.find(admin, unending.id)).status).toBe("pending");
    expect(await expiry.expireGrants()).toEqual([]);
  });
});
