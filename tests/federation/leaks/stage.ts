import type fc from "fast-check";
import { newId } from "@mosaicstack/foundation";
import { enrollRawPeer, type RawPeer, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { askAll, type Fault, giveScopes, markOf } from "./asking.ts";
import { OWNED, PEOPLE, TEAMS, type World, worlds, type WorldRow } from "./world.ts";

/** A serving gateway with people, teams and peers, of which one world after the other is asked. */
export interface Stage<Of> {
  /** @param requests how many a world has */
  worlds(requests: number): fc.Arbitrary<Of>;
  /**
   * What goes with the application's filter. A list's `team` filter, which narrows within what may be seen, is part of it;
   * and without it a search's few best may all be rows that the second wall then hides: with room for all, none is missing.
   */
  unfiltered(world: Of): Of;
  /** Sets the world up and asks all of it. What went wrong; none: nothing. */
  run(world: Of): Promise<readonly Fault[]>;
  close(): Promise<void>;
}

const TABLES = { tasks: "tasks", notes: "notes", memory: "memories", credentials: "credentials" } as const;
const TITLES = { tasks: "title", notes: "title", memory: "content", credentials: "name" } as const;
/** Of a raw peer until its world gives it one. */
export const EVERYTHING = { resources: OWNED, include_teams: "all", include_personal: true };

/** {@link Stage.unfiltered} of a world's requests and scopes. */
export function withoutFilters<Of extends Pick<World, "scopes" | "requests">>(world: Of): Of {
  const scopes = Object.entries(world.scopes).map(([person, scope]) => [person, { ...scope, maxRows: 200 }]);
  return {
    ...world,
    scopes: Object.fromEntries(scopes) as World["scopes"],
    requests: world.requests.map((request) => (request.verb === "list" ? { ...request, team: null } : request)),
  };
}

/** Five people in three teams; everything else is generated. */
export async function openStage(work: TestGateway): Promise<Stage<World>> {
  const people: TestUser[] = [];
  for (let index = 0; index < PEOPLE; index++) people.push(await work.addUser(`Person ${index}`));
  const teams: string[] = [];
  for (let index = 0; index < TEAMS; index++) teams.push(await work.addTeam(`Team ${index}`, people[0]!));
  const peers: RawPeer[] = [];
  for (const person of people) peers.push(await enrollRawPeer(work, person.id, EVERYTHING));

  async function insert(row: WorldRow, index: number, id: string): Promise<void> {
    const { resource, owner, team, topics } = row;
    const secret = resource === "credentials" ? { kind: "token", sealed_secret: `sealed ${markOf(index)}` } : {};
    const values: Record<string, unknown> = {
      id,
      owner_id: people[owner]!.id,
      team_id: team === null ? null : teams[team],
      [TITLES[resource]]: `${topics.join(" ")} ${markOf(index)}`,
      ...secret,
      created_at: new Date(),
      updated_at: new Date(),
    };
    const columns = Object.keys(values);
    const places = columns.map((_, place) => `$${place + 1}`).join(", ");
    await work.store.query(
      `insert into ${TABLES[resource]} (${columns.join(", ")}) values (${places})`,
      Object.values(values),
    );
  }

  /** Straight into the database: what is tested is what comes out. The rows' ids. */
  async function fill(world: World): Promise<readonly string[]> {
    for (const table of [...Object.values(TABLES), "team_members"]) await work.store.query(`delete from ${table}`, []);
    for (const [person, memberships] of world.members.entries()) {
      for (const [team, isMember] of memberships.entries()) {
        if (!isMember) continue;
        const member = [teams[team], people[person]!.id];
        await work.store.query("insert into team_members (team_id, user_id) values ($1::uuid, $2::uuid)", member);
      }
    }
    const ids = world.rows.map(() => newId());
    for (const [index, row] of world.rows.entries()) await insert(row, index, ids[index]!);
    return ids;
  }

  return {
    worlds,
    unfiltered: withoutFilters,
    async run(world) {
      const staged = { rows: await fill(world), teams, peerOf: (person: number) => peers[person]! };
      await giveScopes(work.store, world, staged);
      return await askAll(world, staged);
    },
    close: async () => void (await Promise.all(peers.map((peer) => peer.close()))),
  };
}
