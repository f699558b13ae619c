import { newId } from "@mosaicstack/foundation";
import {
  everythingOf,
  findResource,
  getRow,
  listRows,
  narrowTo,
  type ResourceDefinition,
  registry,
  type Visibility,
} from "@mosaicstack/resources";
import type { PeerBounds, Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { removePolicies, restorePolicies, type RunAsOwner, withoutFirstWall } from "./walls.ts";

/** A federated gateway's store, and a way to change the walls of its database. */
export interface WalledStore {
  readonly store: Store;
  readonly runAsOwner: RunAsOwner;
}

/** What a row is, in the words of an answer. */
interface Leak {
  readonly resource: string;
  readonly verb: "list" | "get";
  readonly id: string;
}

/**
 * What a peer may read is held by two walls, the statement's own filter and the database's policies: either alone lets
 * nothing through that the bounds leave out, and without both everything is seen, which shows that these tests see.
 */
export function twoWallsContract(open: () => Promise<WalledStore>): void {
  let store: Store;
  let runAsOwner: RunAsOwner;
  const [ada, bob] = [newId(), newId()];
  /** Ada's two teams, one that only Bob is in, and one without members. */
  const [mine, also, theirs, nobodys] = [newId(), newId(), newId(), newId()];
  /** By table: each row's id, and the space it lives in. */
  const rows = new Map<string, { readonly id: string; readonly space: string }[]>();

  beforeAll(async () => {
    ({ store, runAsOwner } = await open());
    const people = [ada, bob].map((id) => [id, `Person ${id}`, `${id}@example.org`]);
    for (const person of people) await store.query("insert into users (id, name, email) values ($1, $2, $3)", person);
    for (const id of [mine, also, theirs, nobodys]) {
      await store.query("insert into teams (id, name) values ($1, $2)", [id, `Team ${id}`]);
    }
    const members = [ada, bob].flatMap((person) =>
      (person === ada ? [mine, also] : [mine, theirs]).map((team) => [team, person]),
    );
    for (const member of members)
      await store.query("insert into team_members (team_id, user_id) values ($1, $2)", member);
    for (const [table, columns] of Object.entries(COLUMNS)) {
      const made: { id: string; space: string }[] = [];
      for (const space of [ada, bob, mine, also, theirs, nobodys, ada, theirs]) {
        const id = newId();
        const isPersonal = space === ada || space === bob;
        await store.query(
          `insert into ${table} (id, owner_id, team_id, created_at, updated_at, ${columns})
           values ($1, $2, $3, now(), now(), ${columns.replace(/\w+/g, "'secret of a row'")})`,
          [id, isPersonal ? space : bob, isPersonal ? null : space],
        );
        made.push({ id, space });
      }
      rows.set(table, made);
    }
    rows.set(
      "teams",
      [mine, also, theirs, nobodys].map((id) => ({ id, space: id })),
    );
  });
  afterAll(() => store.close());
  afterEach(() => restorePolicies(runAsOwner));

  const reaches: readonly (readonly [string, Omit<Visibility, "userId">, () => readonly string[]])[] = [
    ["everything that is Ada's", { personal: true, teams: "all" }, () => [ada, mine, also]],
    ["her own space", { personal: true, teams: [] }, () => [ada]],
    ["one of her teams", { personal: false, teams: [mine] }, () => [mine]],
    ["a team that isn't hers", { personal: false, teams: [theirs] }, () => []],
    ["nothing", { personal: false, teams: [] }, () => []],
  ];

  /** Reads all there is by list, and each row there is by get; and tells which of it the bounds leave out. */
  async function leaksOf(through: Store, visibility: Visibility, spaces: readonly string[]): Promise<Leak[]> {
    const leaks: Leak[] = [];
    for (const definition of registry) {
      const bounds = boundsOf(visibility, [definition]);
      const { ids } = await through.readAsPeer(bounds, async (read) => {
        const page = await listRows(read, definition, visibility, { limit: 100 }, "federated");
        const listed = JSON.parse(page.json) as readonly { readonly id: string }[];
        expect(page.count).toBe(listed.length);
        return { ids: listed.map(({ id }) => id) };
      });
      const all = rows.get(definition.from.table) ?? [];
      expect(all).not.toEqual([]);
      const allowed = new Set(all.filter(({ space }) => spaces.includes(space)).map(({ id }) => id));
      // No wall may hide what is to be seen either.
      expect(ids).toEqual(expect.arrayContaining([...allowed]));
      leaks.push(
        ...ids.filter((id) => !allowed.has(id)).map((id) => ({ resource: definition.name, verb: "list" as const, id })),
      );
      for (const { id } of all) {
        const json = await through.readAsPeer(bounds, (read) => getRow(read, definition, visibility, id, "federated"));
        expect([id, !allowed.has(id) || json?.includes(id)]).toEqual([id, true]);
        if (!allowed.has(id) && json !== undefined) leaks.push({ resource: definition.name, verb: "get", id });
      }
    }
    return leaks;
  }

  describe.each(reaches)("a peer with a grant of %s", (_, reach, spaces) => {
    const visibility = { userId: ada, ...reach };

    test("sees that and no more, behind both walls", async () => {
      expect(await leaksOf(store, visibility, spaces())).toEqual([]);
    });

    test("sees no more where the application's filter is removed", async () => {
      expect(await leaksOf(withoutFirstWall(store), visibility, spaces())).toEqual([]);
    });

    test("sees no more where the policies are removed", async () => {
      await removePolicies(runAsOwner);
      expect(await leaksOf(store, visibility, spaces())).toEqual([]);
    });

    test("sees every row of everybody where both are removed", async () => {
      await removePolicies(runAsOwner);
      const leaks = await leaksOf(withoutFirstWall(store), visibility, spaces());
      const hidden = [...rows.values()].flat().filter(({ space }) => !spaces().includes(space));
      expect(leaks).toHaveLength(hidden.length * 2);
    });
  });

  test("the policies let no row through of a resource that isn't within the bounds", async () => {
    const visibility = everythingOf(ada);
    const others = registry.filter(({ name }) => name !== "tasks" && name !== "teams");
    for (const definition of others) {
      const page = await store.readAsPeer(boundsOf(visibility, [findResource("tasks")!]), (read) =>
        listRows(read, definition, visibility, { limit: 100 }, "federated"),
      );
      expect([definition.name, page.count]).toEqual([definition.name, 0]);
    }
    // Names of teams come with rows of any resource, so a team is bounded by its space alone.
    const narrowed = narrowTo(visibility, mine);
    const teams = await withoutFirstWall(store).readAsPeer(boundsOf(narrowed, [findResource("tasks")!]), (read) =>
      listRows(read, findResource("teams")!, narrowed, { limit: 100 }, "federated"),
    );
    expect(JSON.parse(teams.json)).toMatchObject([{ id: mine }]);
  });

  test("removing the filter refuses a statement that doesn't have it", async () => {
    const read = withoutFirstWall(store).readAsPeer(boundsOf(everythingOf(ada), registry), (walled) =>
      walled.query("select id from tasks", []),
    );
    await expect(read).rejects.toThrow("doesn't have the filter");
    let isDown = false;
    const kept = withoutFirstWall(store, () => isDown);
    const count = () =>
      kept.readAsPeer(boundsOf(everythingOf(ada), registry), (walled) =>
        walled.query("select 1 as one from users limit 1", []),
      );
    expect(await count()).toEqual([{ one: 1 }]);
    isDown = true;
    await expect(count()).rejects.toThrow("doesn't have the filter");
  });
}

const COLUMNS = {
  tasks: "title",
  notes: "title",
  memories: "content",
  credentials: "name, kind, sealed_secret",
} as const;

function boundsOf({ userId, personal, teams }: Visibility, definitions: readonly ResourceDefinition[]): PeerBounds {
  return { subjectUserId: userId, personal, teams, resources: definitions.map(({ from }) => from.table) };
}
