import { newId } from "@mosaicstack/foundation";
import {
  enroll,
  type Json,
  startGateway,
  type TestGateway,
  type TestUser,
  GENEROUS_LIMITS,
} from "@mosaicstack/harness";
import { schema } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const GRANTS = "/api/v1/federation/grants";
const OWN_TASKS = { resources: ["tasks"], include_personal: true };
const DAY_MS = 86_400_000;

let work: TestGateway;
let home: TestGateway;
let ada: TestUser;
let grace: TestUser;
let linus: TestUser;
beforeAll(async () => {
  [work, home] = await Promise.all([
    startGateway({ tier: "federated", name: "work" }),
    startGateway({ tier: "federated", name: "home" }),
  ]);
  [grace, linus, ada] = [await work.addUser("Grace"), await work.addUser("Linus"), await home.addUser("Ada")];
});
afterAll(async () => await Promise.all([work?.stop(), home?.stop()]));

async function newGrant(): Promise<Json> {
  const body = { name: "home", subject: grace.email, scope: OWN_TASKS };
  return (await work.admin.api.json("POST", GRANTS, body)).grant;
}

test("a grant says its generation, its certificates and why it is suspended", async () => {
  const made = await newGrant();
  expect(made).toMatchObject({
    status: "pending",
    generation: 0,
    suspended_at: null,
    suspended_reason: null,
    last_used_at: null,
    certificates: [],
  });
  const { grant } = await enroll(ada, work, { subject: grace.email, scope: OWN_TASKS, peer: newId().slice(-12) });
  const shown = await grace.api.json("GET", `${GRANTS}/${grant.id}`);
  expect(shown).toMatchObject({ status: "active", generation: 1 });
  expect(shown.certificates).toEqual([
    {
      serial: expect.stringMatching(/^[0-9a-f]+$/),
      generation: 1,
      state: "active",
      issued_at: expect.any(String),
      not_after: expect.any(String),
      confirmed_at: expect.any(String),
      superseded_at: null,
      revoked_at: null,
    },
  ]);
  // The request that confirmed it was its last use.
  expect(Date.parse(shown.last_used_at)).toBeGreaterThanOrEqual(Date.parse(shown.certificates[0].confirmed_at));
});

describe("a grant's limits", () => {
  test("are 1200 a minute and 16 at once where nothing is said", async () => {
    expect(await newGrant()).toMatchObject({ requests_per_minute: 1200, concurrent_requests: 16 });
  });

  test("are what they are made with, and each is changed by itself", async () => {
    const { api } = work.admin;
    const body = { name: "home", subject: grace.email, scope: OWN_TASKS };
    const limits = { requests_per_minute: 1_000_000, concurrent_requests: 1000 };
    const { grant } = await api.json("POST", GRANTS, { ...body, ...limits });
    expect(grant).toMatchObject(limits);
    const path = `${GRANTS}/${grant.id}`;
    const slower = { requests_per_minute: 1, concurrent_requests: 1000 };
    expect(await api.json("PATCH", path, { requests_per_minute: 1 })).toMatchObject(slower);
    expect(await api.json("PATCH", path, { concurrent_requests: 1 })).toMatchObject({
      requests_per_minute: 1,
      concurrent_requests: 1,
    });
    expect(await api.json("PATCH", path, { name: "renamed" })).toMatchObject({ concurrent_requests: 1 });
  });

  test("hold from the peer's next request on, and the peer's gateway says when it asks again", async () => {
    const { grant, peer } = await enroll(ada, work, {
      subject: grace.email,
      scope: OWN_TASKS,
      peer: newId().slice(-12),
    });
    const list = async (): Promise<Json> => {
      const page = await ada.api.json("GET", `/api/v1/tasks?source=${peer.source}`);
      return page.sources[0];
    };
    const capabilities = await ada.api.json("GET", `/api/v1/capabilities?source=${peer.source}`);
    expect(capabilities.capabilities[peer.source]).toMatchObject({
      ...GENEROUS_LIMITS,
    });
    for (let count = 0; count < 12; count += 1) expect(await list()).toMatchObject({ status: "ok" });
    await work.admin.api.json("PATCH", `${GRANTS}/${grant.id}`, { requests_per_minute: 1 });
    await expect.poll(async () => (await list()).status).toBe("rate_limited");
    const { error } = await list();
    expect(error).toMatchObject({ code: "peer_rate_limited", retry_after: expect.any(Number) });
    expect(error.retry_after).toBeGreaterThan(0);
    expect(error.retry_after).toBeLessThanOrEqual(60);
  });

  test.each([
    { requests_per_minute: 0 },
    { requests_per_minute: 1_000_001 },
    { requests_per_minute: 1.5 },
    { requests_per_minute: null },
    { concurrent_requests: 0 },
    { concurrent_requests: 1001 },
    { concurrent_requests: "16" },
  ])("can't be %j", async (limits) => {
    const { api } = work.admin;
    const made = await newGrant();
    const refused = await api.call("PATCH", `${GRANTS}/${made.id}`, limits);
    expect([refused.status, refused.json.code]).toEqual([400, "invalid_input"]);
    const body = { name: "home", subject: grace.email, scope: OWN_TASKS, ...limits };
    expect((await api.call("POST", GRANTS, body)).status).toBe(400);
    expect(await api.json("GET", `${GRANTS}/${made.id}`)).toEqual(made);
  });
});

describe("PATCH", () => {
  test("changes the name, the end and the scope, and keeps every scope", async () => {
    const { id } = await newGrant();
    const expiresAt = new Date(Date.now() + DAY_MS).toISOString();
    const wider = { resources: ["tasks", "notes"], include_teams: "all", include_personal: true };
    const { api } = work.admin;
    expect(await api.json("PATCH", `${GRANTS}/${id}`, { name: "renamed" })).toMatchObject({ name: "renamed" });
    expect(await api.json("PATCH", `${GRANTS}/${id}`, { expires_at: expiresAt, scope: wider })).toMatchObject({
      name: "renamed",
      expires_at: expiresAt,
      scope: wider,
    });
    expect(await api.json("PATCH", `${GRANTS}/${id}`, { expires_at: null })).toMatchObject({ expires_at: null });
    const { scopes } = await grace.api.json("GET", `${GRANTS}/${id}/scopes`);
    expect(scopes).toMatchObject([
      { scope: wider, changed_by: work.admin.id },
      { scope: OWN_TASKS, changed_by: work.admin.id },
    ]);
  });

  test.each([
    ["an end in the past", { expires_at: "2020-01-01T00:00:00Z" }, 400, "grant_input_invalid"],
    ["a scope that names an unknown resource", { scope: { ...OWN_TASKS, resources: ["x"] } }, 400, "scope_invalid"],
    ["a team the subject is not in", { scope: { ...OWN_TASKS, include_teams: [newId()] } }, 400, "grant_input_invalid"],
    ["a status", { status: "active" }, 400, "invalid_input"],
    ["another subject", { subject: "linus" }, 400, "invalid_input"],
    ["an empty name", { name: "" }, 400, "invalid_input"],
  ])("refuses %s", async (_name, body, status, code) => {
    const made = await newGrant();
    const answer = await work.admin.api.call("PATCH", `${GRANTS}/${made.id}`, body);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(await work.admin.api.json("GET", `${GRANTS}/${made.id}`)).toEqual(made);
  });
});

describe("suspend and resume", () => {
  test("stop a grant and let it go on", async () => {
    const { grant, peer } = await enroll(ada, work, {
      subject: grace.email,
      scope: OWN_TASKS,
      peer: newId().slice(-12),
    });
    const list = async (): Promise<Json> => {
      const page = await ada.api.json("GET", `/api/v1/tasks?source=${peer.source}`);
      return page.sources[0].status;
    };
    expect(await list()).toBe("ok");
    const suspended = await work.admin.api.json("POST", `${GRANTS}/${grant.id}/suspend`);
    expect(suspended).toMatchObject({ status: "suspended", suspended_at: expect.any(String) as string });
    expect(await list()).not.toBe("ok");
    expect(await work.admin.api.json("POST", `${GRANTS}/${grant.id}/resume`)).toMatchObject({ status: "active" });
    await expect.poll(list).toBe("ok");
  });

  test.each([
    ["suspend", "pending"],
    ["resume", "pending"],
  ])("%s of a grant that is %s is refused, and says so", async (action, status) => {
    const { id } = await newGrant();
    const answer = await work.admin.api.call("POST", `${GRANTS}/${id}/${action}`);
    expect([answer.status, answer.json.code, answer.json.grant_status]).toEqual([
      409,
      "grant_transition_refused",
      status,
    ]);
  });
});

test("revoke?dry_run=true says what would happen, and changes nothing", async () => {
  const { grant } = await enroll(ada, work, { subject: grace.email, scope: OWN_TASKS, peer: newId().slice(-12) });
  const before = await grace.api.json("GET", `${GRANTS}/${grant.id}`);
  const preview = await grace.api.json("POST", `${GRANTS}/${grant.id}/revoke?dry_run=true`);
  expect(preview).toEqual({
    dry_run: true,
    serials: [before.certificates[0].serial],
    // Home keeps the one it has asked on.
    open_sockets_here: 1,
    last_used_at: before.last_used_at,
    grant: before,
  });
  expect(await grace.api.json("GET", `${GRANTS}/${grant.id}`)).toEqual(before);
  const revoked = await grace.api.json("POST", `${GRANTS}/${grant.id}/revoke`);
  expect(revoked).toMatchObject({ status: "revoked", certificates: [{ state: "revoked" }] });
  expect(revoked).not.toHaveProperty("dry_run");
  // Once more is the same.
  expect(await work.admin.api.json("POST", `${GRANTS}/${grant.id}/revoke?dry_run=false`)).toEqual(revoked);
});

describe("preview", () => {
  const CANARY = "canary-of-grace-4711";
  const scope = { resources: ["tasks", "notes"], include_personal: true };
  beforeAll(async () => {
    await grace.api.json("POST", "/api/v1/tasks", { title: CANARY, key: CANARY });
  });
  const audited = () => work.store.db.select().from(schema.federationAuditLog);

  test("the subject sees number and newest rows, as the peer is answered them", async () => {
    const { grant, peer } = await enroll(ada, work, { subject: grace.email, scope, peer: newId().slice(-12) });
    const preview = await grace.api.json("POST", `${GRANTS}/${grant.id}/preview`);
    const { rows } = await ada.api.json("GET", `/api/v1/tasks?source=${peer.source}`);
    const asSent = rows.map(({ _source, ...row }: Json) => row);
    expect(asSent[0].title).toBe(CANARY);
    expect(preview).toEqual({
      grant: expect.objectContaining({ id: grant.id, name: grant.name, status: "active", scope: grant.scope }),
      subject: { id: grace.id, name: "Grace" },
      scope: grant.scope,
      resources: [
        { name: "tasks", rows: asSent.length, more: false, newest: asSent },
        { name: "notes", rows: 0, more: false, newest: [] },
      ],
    });
  });

  test("an administrator who is not the subject gets numbers, and nothing of any row", async () => {
    const { id } = await newGrant();
    const before = work.refusals.length;
    const answers = [
      await work.admin.api.call("POST", `${GRANTS}/${id}/preview`),
      await work.admin.api.call("POST", `${GRANTS}/${id}/preview`, { scope }),
      await work.admin.api.call("POST", `${GRANTS}/preview`, { subject: grace.email, scope }),
    ];
    for (const { status, text, json } of answers) {
      expect([status, json.resources[0]]).toEqual([200, { name: "tasks", rows: expect.any(Number), more: false }]);
      expect(json.resources[0].rows).toBeGreaterThan(0);
      expect(text).not.toContain(CANARY);
    }
    expect(work.refusals).toHaveLength(before);
  });

  test("neither the audit nor the log has anything of a row, whoever looked", async () => {
    const { id } = await newGrant();
    const logged = work.log.length;
    for (const { api } of [grace, work.admin]) await api.json("POST", `${GRANTS}/${id}/preview`, { scope });
    expect(JSON.stringify(await audited())).not.toContain(CANARY);
    expect(work.log.slice(logged).join("\n")).toContain("/preview");
    expect(work.log.slice(logged).join("\n")).not.toContain(CANARY);
  });

  test("an administrator sees the rows that are their own", async () => {
    await work.admin.api.json("POST", "/api/v1/notes", { title: "an administrator's own" });
    const { resources } = await work.admin.api.json("POST", `${GRANTS}/preview`, {
      subject: work.admin.id,
      scope,
    });
    expect(resources[1]).toMatchObject({ name: "notes", rows: 1, newest: [{ title: "an administrator's own" }] });
  });

  test("it makes and changes nothing", async () => {
    const { id } = await newGrant();
    const state = async () => {
      const { grants } = await work.admin.api.json("GET", GRANTS);
      const events = (await audited()).filter(({ grantId }) => grantId === id).map(({ event }) => event);
      return [grants.length, grants.find((grant: Json) => grant.id === id), events];
    };
    const before = await state();
    expect(before[2]).toEqual(["grant.created"]);
    await work.admin.api.json("POST", `${GRANTS}/${id}/preview`, { scope });
    await work.admin.api.json("POST", `${GRANTS}/preview`, { subject: grace.email, scope });
    expect(await state()).toEqual(before);
  });

  test.each([
    ["an unknown resource", { scope: { ...scope, resources: ["x"] } }, "scope_invalid", "resources.0"],
    ["an unknown key of the scope", { scope: { ...scope, rows: "all" } }, "scope_invalid", ""],
    ["an unknown member", { scope, name: "x" }, "invalid_input", "name"],
  ])("refuses %s, with the path to it", async (_name, body, code, path) => {
    const { id } = await newGrant();
    const refused = [
      await work.admin.api.call("POST", `${GRANTS}/${id}/preview`, body),
      await work.admin.api.call("POST", `${GRANTS}/preview`, { subject: grace.email, ...body }),
    ];
    for (const { status, json } of refused) expect([status, json.code, json.path]).toEqual([400, code, path]);
  });

  test("of a grant that is not made is not for the subject, nor for anybody else who is no administrator", async () => {
    for (const { api } of [grace, linus]) {
      const refused = await api.call("POST", `${GRANTS}/preview`, { subject: grace.email, scope });
      expect(refused.status).toBe(403);
      expect(refused.text).not.toContain(CANARY);
    }
    expect((await work.api().call("POST", `${GRANTS}/preview`, { subject: grace.email, scope })).status).toBe(401);
  });

  test("of a grant that is revoked is refused, the subject too", async () => {
    const { id } = await newGrant();
    await work.admin.api.json("POST", `${GRANTS}/${id}/revoke`);
    for (const { api } of [grace, work.admin]) {
      const { status, json } = await api.call("POST", `${GRANTS}/${id}/preview`);
      expect([status, json.code, json.grant_status]).toEqual([409, "grant_transition_refused", "revoked"]);
    }
  });
});

describe("who may", () => {
  const forAdministrators = [
    ["PATCH", "", { name: "renamed" }],
    ["POST", "/suspend", undefined],
    ["POST", "/resume", undefined],
    ["POST", "/token", undefined],
  ] as const;

  test.each(forAdministrators)("%s %s is not for the subject", async (method, path, body) => {
    const { id } = await newGrant();
    expect((await grace.api.call(method, `${GRANTS}/${id}${path}`, body)).status).toBe(403);
  });

  const forSubjectsToo = [
    ["POST", "/revoke", undefined],
    ["POST", "/preview", undefined],
    ["GET", "/scopes", undefined],
  ] as const;
  test.each([...forAdministrators, ...forSubjectsToo])(
    "%s %s is not for somebody without a key",
    async (method, path, body) => {
      const { id } = await newGrant();
      expect((await work.api().call(method, `${GRANTS}/${id}${path}`, body)).status).toBe(401);
    },
  );

  test.each([
    ["GET", ""],
    ["GET", "/scopes"],
    ["POST", "/revoke"],
    ["POST", "/revoke?dry_run=true"],
    ["POST", "/preview"],
  ] as const)("%s %s of somebody else's grant is answered as one that is not there", async (method, path) => {
    const { id } = await newGrant();
    const [others, absent] = [
      await linus.api.call(method, `${GRANTS}/${id}${path}`),
      await linus.api.call(method, `${GRANTS}/${newId()}${path}`),
    ];
    expect([others.status, others.json.code]).toEqual([404, "grant_not_found"]);
    expect({ ...others.json, request_id: "" }).toEqual({ ...absent.json, request_id: "" });
  });
});
