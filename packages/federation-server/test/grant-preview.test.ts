import { newId } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Actor, GrantPreview } from "../src/index.ts";
import {
  addTask,
  addTeam,
  addUser,
  grantAndEnroll,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

const admin: Actor = { userId: newId(), isAdmin: true };

let gateway: ServingGateway;
let ada: string;
let grace: string;
let platform: string;
let design: string;
let foreign: string;
beforeAll(async () => {
  gateway = await startServingGateway();
  const { store } = gateway;
  [ada, grace] = [await addUser(store, "ada"), await addUser(store, "grace")];
  platform = await addTeam(store, "platform", ada, grace);
  design = await addTeam(store, "design", ada);
  foreign = await addTeam(store, "foreign", grace);
  for (const number of [1, 2, 3, 4, 5]) await addTask(store, `personal ${number}`, ada);
  for (const number of [1, 2, 3]) await addTask(store, `platform ${number}`, grace, platform);
  await addTask(store, "design", ada, design);
  await addTask(store, "foreign", grace, foreign);
  await addTask(store, "hers alone", grace);
  await addNote(store, "a note", ada);
});
afterAll(() => gateway.stop());

async function addNote(store: Store, title: string, ownerId: string): Promise<void> {
  const now = new Date();
  await store.db.insert(schema.notes).values({ id: newId(), ownerId, title, createdAt: now, updatedAt: now });
}

const previewNew = (scope: unknown, actor = admin): Promise<GrantPreview> =>
  gateway.grants.previewNew(actor, { subject: ada, scope });
const counts = ({ resources }: GrantPreview) => Object.fromEntries(resources.map(({ name, rows }) => [name, rows]));

/** All rows that a peer is answered, page by page. */
async function rowsOf(keys: { cert: string; key: string }, resource: string): Promise<unknown[]> {
  const agent = gateway.agent(keys);
  const rows: { id: string }[] = [];
  while (true) {
    const before = rows.at(-1)?.id;
    const body = { resource, limit: 2, ...(before === undefined ? {} : { before }) };
    const { status, json } = await gateway.ask(agent, "list", body);
    expect(status).toBe(200);
    rows.push(...(json["rows"] as { id: string }[]));
    if (json["more"] !== true) return rows;
  }
}

describe("what a preview counts is what a real peer's lists answer", () => {
  const scopes = (): Record<string, { scope: object; tasks: number }> => ({
    everything: { scope: { include_teams: "all", include_personal: true }, tasks: 9 },
    "personal rows": { scope: { include_personal: true }, tasks: 5 },
    "all teams": { scope: { include_teams: "all" }, tasks: 4 },
    "one team": { scope: { include_teams: [platform] }, tasks: 3 },
    "one team and personal rows": { scope: { include_teams: [design], include_personal: true }, tasks: 6 },
  });

  test.each(Object.keys(scopes()))("%s", async (name) => {
    const { scope, tasks } = scopes()[name]!;
    const whole = { resources: ["tasks", "notes", "teams"], ...scope };
    const { grant, keys } = await grantAndEnroll(gateway, ada, whole);
    const preview = await gateway.grants.preview(admin, grant.id);
    expect(preview).toMatchObject({ grant: { id: grant.id }, subject: { id: ada, name: "ada" }, scope: grant.scope });
    expect(preview.resources.map((each) => each.name)).toEqual(["tasks", "notes", "teams"]);
    expect(counts(preview)["tasks"]).toBe(tasks);
    for (const [resource, rows] of Object.entries(counts(preview))) {
      expect([resource, (await rowsOf(keys, resource)).length]).toEqual([resource, rows]);
    }
    // And so before there was a grant.
    expect((await previewNew(whole)).resources).toEqual(preview.resources);
  });

  test("the newest rows that the subject is shown are the first of the peer's", async () => {
    const { grant, keys } = await grantAndEnroll(gateway, ada, {
      resources: ["tasks", "notes"],
      include_teams: [platform],
      include_personal: true,
    });
    const { resources } = await gateway.grants.preview({ userId: ada, isAdmin: false }, grant.id);
    for (const { name, newestJson } of resources) {
      expect(JSON.parse(newestJson!)).toEqual((await rowsOf(keys, name)).slice(0, 3));
    }
    expect(resources[0]?.newestJson).toContain("platform 3");
  });

  test("an excluded resource is absent, and one that is not named", async () => {
    const scope = { resources: ["tasks", "credentials"], excluded_resources: ["credentials"], include_personal: true };
    expect((await previewNew(scope)).resources.map(({ name }) => name)).toEqual(["tasks"]);
  });

  test("more than 10,000 rows are counted to 10,000, and said to be more", async () => {
    const many = await addUser(gateway.store, "many");
    const insert = (from: number, to: number) =>
      gateway.store.query(
        `insert into notes (id, owner_id, title, created_at, updated_at)
         select gen_random_uuid(), $1::uuid, 'x', now(), now() from generate_series($2::int, $3::int)`,
        [many, from, to],
      );
    const wanted = { subject: many, scope: { resources: ["notes"], include_personal: true } };
    await insert(1, 10_000);
    expect((await gateway.grants.previewNew(admin, wanted)).resources).toMatchObject([{ rows: 10_000, more: false }]);
    await insert(1, 1);
    expect((await gateway.grants.previewNew(admin, wanted)).resources).toMatchObject([{ rows: 10_000, more: true }]);
  });
});

describe("a grant's preview with another scope", () => {
  test("shows what the edited grant gives, and changes nothing", async () => {
    const { grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
    const scope = { ...grant.scope, include_teams: [platform], include_personal: false };
    const preview = await gateway.grants.preview(admin, grant.id, scope);
    expect([preview.scope, counts(preview)]).toEqual([scope, { tasks: 3 }]);
    expect(await gateway.grants.find(admin, grant.id)).toMatchObject({ scope: grant.scope });
    expect(await gateway.grants.scopes(admin, grant.id)).toHaveLength(1);
    await gateway.grants.edit(admin, grant.id, { scope });
    expect((await gateway.grants.preview(admin, grant.id)).resources).toEqual(preview.resources);
  });
});

describe("refused", () => {
  const own = { resources: ["tasks"], include_personal: true };

  test.each([
    ["an unknown resource", { ...own, resources: ["x"] }, "resources.0", 'unknown resource "x"'],
    ["an unknown key", { ...own, everything: true }, "", '"everything"'],
    ["no rows at all", { resources: ["tasks"] }, "include_personal", "exposes no rows"],
  ])("%s, with the path to it", async (_name, scope, path, detail) => {
    const { id } = (await grantAndEnroll(gateway, ada, own)).grant;
    for (const refusal of [previewNew(scope), gateway.grants.preview(admin, id, scope)]) {
      await expect(refusal).rejects.toMatchObject({
        code: "scope_invalid",
        details: { path, detail: expect.stringContaining(detail) as string },
      });
    }
  });

  test("a team the subject does not belong to", async () => {
    const scope = { resources: ["tasks"], include_teams: [foreign] };
    const { id } = (await grantAndEnroll(gateway, ada, own)).grant;
    for (const refusal of [previewNew(scope), gateway.grants.preview(admin, id, scope)]) {
      await expect(refusal).rejects.toMatchObject({
        code: "grant_input_invalid",
        details: { path: "scope.include_teams.0" },
      });
    }
  });

  test("a subject that there is not", async () => {
    const unknown = gateway.grants.previewNew(admin, { subject: "nobody", scope: own });
    await expect(unknown).rejects.toMatchObject({ code: "grant_subject_unknown" });
  });

  test.each([false, true])("somebody else's grant, whoever's scope it is given: %s", async (withScope) => {
    const { id } = (await grantAndEnroll(gateway, ada, own)).grant;
    const refusal = gateway.grants.preview({ userId: grace, isAdmin: false }, id, withScope ? own : undefined);
    await expect(refusal).rejects.toMatchObject({ code: "grant_not_found" });
  });

  test("a grant that is revoked, and one whose end has passed; one that is suspended is shown", async () => {
    const [revoked, expired, suspended] = await Promise.all(
      [1, 2, 3].map(async () => (await grantAndEnroll(gateway, ada, own)).grant),
    );
    await gateway.grants.revoke(admin, revoked!.id);
    const ended = { expiresAt: new Date(Date.now() - 1000) };
    const { federationGrants } = schema;
    await gateway.store.db.update(federationGrants).set(ended).where(eq(federationGrants.id, expired!.id));
    await gateway.grants.suspend(admin, suspended!.id);
    for (const [grant, status] of [
      [revoked, "revoked"],
      [expired, "expired"],
    ] as const) {
      await expect(gateway.grants.preview(admin, grant!.id)).rejects.toMatchObject({
        code: "grant_transition_refused",
        details: { grant_status: status },
      });
    }
    const shown = await gateway.grants.preview(admin, suspended!.id);
    expect([shown.grant?.status, counts(shown)]).toEqual(["suspended", { tasks: 5 }]);
  });
});
