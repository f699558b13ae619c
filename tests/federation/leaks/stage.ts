import { newId } from "@mosaicstack/foundation";
import { enrollRawPeer, type Json, type RawPeer, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { type Expected, expectedOf } from "./model.ts";
import { OWNED, PEOPLE, TEAMS, type World, type WorldRequest, type WorldRow } from "./world.ts";

/** What an answer was, next to what it had to be. */
export interface Fault {
  readonly request: WorldRequest;
  readonly expected: Expected;
  readonly got: string;
}

/** A serving gateway with people, teams and one peer of each person, in which one world after the other is set up. */
export interface Stage {
  /** Sets the world up and asks all of it, the people's requests interleaved. What went wrong; none: nothing. */
  run(world: World): Promise<readonly Fault[]>;
  close(): Promise<void>;
}

const TABLES = { tasks: "tasks", notes: "notes", memory: "memories", credentials: "credentials" } as const;
const TITLES = { tasks: "title", notes: "title", memory: "content", credentials: "name" } as const;
/** Stands in every row, with the row's number: found in an answer that should not have it, it is a leak, wherever it stands. */
const MARK = /mark(\d+)x/g;
const SIDE_BY_SIDE = 6;
const EVERYTHING = { resources: OWNED, include_teams: "all", include_personal: true };

export async function openStage(work: TestGateway): Promise<Stage> {
  const people: TestUser[] = [];
  for (let index = 0; index < PEOPLE; index++) people.push(await work.addUser(`Person ${index}`));
  const teams: string[] = [];
  for (let index = 0; index < TEAMS; index++) teams.push(await work.addTeam(`Team ${index}`, people[0]!));
  const peers: RawPeer[] = [];
  for (const person of people) peers.push(await enrollRawPeer(work, person.id, EVERYTHING));

  let ids: string[] = [];

  async function insert(row: WorldRow, index: number): Promise<void> {
    const { resource, owner, team, topic } = row;
    const text = `${topic} mark${index}x`;
    const secret = resource === "credentials" ? { kind: "token", sealed_secret: `sealed mark${index}x` } : {};
    const values: Record<string, unknown> = {
      id: ids[index],
      owner_id: people[owner]!.id,
      team_id: team === null ? null : teams[team],
      [TITLES[resource]]: text,
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

  /** Straight into the database: what is tested is what comes out. */
  async function setUp(world: World): Promise<void> {
    for (const table of [...Object.values(TABLES), "team_members"]) await work.store.query(`delete from ${table}`, []);
    for (const [person, memberships] of world.members.entries()) {
      for (const [team, isMember] of memberships.entries()) {
        if (!isMember) continue;
        const member = [teams[team], people[person]!.id];
        await work.store.query("insert into team_members (team_id, user_id) values ($1::uuid, $2::uuid)", member);
      }
    }
    ids = world.rows.map(() => newId());
    for (const [index, row] of world.rows.entries()) await insert(row, index);
    for (const [person, scope] of world.scopes.entries()) {
      const stored = {
        resources: scope.resources,
        excluded_resources: scope.excluded,
        include_teams: scope.teams === "all" ? "all" : scope.teams.map((team) => teams[team]),
        include_personal: scope.personal,
        max_rows_per_query: scope.maxRows,
      };
      const grant = [JSON.stringify(stored), peers[person]!.grantId];
      await work.store.query("update federation_grants set scope = $1::text::jsonb where id = $2::uuid", grant);
    }
  }

  function nameOf({ id }: Json): string {
    const index = ids.indexOf(id);
    return index >= 0 ? `row ${index}` : `team ${teams.indexOf(id)}`;
  }

  /** One request, a list paged to its end. What it was answered, in the model's words, and every text that came. */
  async function ask(
    request: WorldRequest,
  ): Promise<{ readonly got: Expected | string; readonly texts: readonly string[] }> {
    const peer = peers[request.person]!;
    const texts: string[] = [];
    const names: string[] = [];
    let before: string | undefined;
    for (;;) {
      const answer = await peer.ask(request.verb, bodyOf(request, before));
      texts.push(answer.text);
      if (answer.status === 403 && answer.json.code === "resource_not_in_scope")
        return { got: { kind: "refused" }, texts };
      if (answer.status === 404 && answer.json.code === "row_not_found") return { got: { kind: "absent" }, texts };
      if (answer.status !== 200) return { got: `${answer.status} ${answer.text}`, texts };
      if (request.verb === "get") return { got: { kind: "rows", names: [nameOf(answer.json.row)] }, texts };
      const rows: Json[] = request.verb === "list" ? answer.json.rows : answer.json.rows.map(({ row }: Json) => row);
      const mayHave = Math.min(request.verb === "list" ? request.limit : 100, answer.json.limit);
      if (rows.length > mayHave) return { got: `${rows.length} rows where ${mayHave} were allowed`, texts };
      names.push(...rows.map(nameOf));
      if (request.verb === "search" || answer.json.more !== true) return { got: { kind: "rows", names }, texts };
      before = rows.at(-1)?.id;
    }
  }

  function bodyOf(request: WorldRequest, before: string | undefined): unknown {
    const { resource } = request;
    switch (request.verb) {
      case "list": {
        const { limit, team } = request;
        const filters = team === null ? {} : { filters: { team: typeof team === "number" ? teams[team] : team } };
        return { resource, limit, ...filters, ...(before === undefined ? {} : { before }) };
      }
      case "get":
        return { resource, id: ids[request.row] ?? newId() };
      case "search":
        return { query: request.topic, limit: 100, ...(request.everywhere ? {} : { resources: [resource] }) };
    }
  }

  async function check(world: World, request: WorldRequest): Promise<readonly Fault[]> {
    const expected = expectedOf(world, request);
    const { got, texts } = await ask(request);
    const marked = texts.flatMap((text) => [...text.matchAll(MARK)].map(([, index]) => `row ${index}`));
    const allowed = expected.kind === "rows" ? expected.names : [];
    const strays = marked.filter((name) => !allowed.includes(name));
    const fault = (what: string): readonly Fault[] => [{ request, expected, got: what }];
    if (strays.length > 0) return fault(`text of ${strays.join(", ")}`);
    return isSame(world, request, got, expected) ? [] : fault(JSON.stringify(got));
  }

  function isSame(world: World, request: WorldRequest, got: Expected | string, expected: Expected): boolean {
    if (typeof got === "string" || got.kind !== expected.kind) return false;
    if (got.kind !== "rows" || expected.kind !== "rows") return true;
    // Newest first; a search gives its best first, and its cap may leave some out.
    if (request.verb !== "search") return JSON.stringify(got.names) === JSON.stringify(newestFirst(expected.names));
    const cap = Math.min(100, world.scopes[request.person]!.maxRows);
    const isSubset = got.names.every((name) => expected.names.includes(name));
    return isSubset && got.names.length === Math.min(cap, expected.names.length);
  }

  function newestFirst(names: readonly string[]): readonly string[] {
    const idOf = (name: string): string => {
      const [kind, index] = name.split(" ");
      return (kind === "row" ? ids[Number(index)] : teams[Number(index)]) ?? "";
    };
    return names.toSorted((one, other) => (idOf(one) < idOf(other) ? 1 : -1));
  }

  return {
    async run(world) {
      await setUp(world);
      const faults: Fault[] = [];
      for (let from = 0; from < world.requests.length; from += SIDE_BY_SIDE) {
        const some = world.requests.slice(from, from + SIDE_BY_SIDE);
        for (const found of await Promise.all(some.map((request) => check(world, request)))) faults.push(...found);
      }
      return faults;
    },
    close: async () => void (await Promise.all(peers.map((peer) => peer.close()))),
  };
}
