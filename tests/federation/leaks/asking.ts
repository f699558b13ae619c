import { newId } from "@mosaicstack/foundation";
import type { Json, RawPeer } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { type Expected, expectedOf } from "./model.ts";
import type { World, WorldRequest } from "./world.ts";

/** What an answer was, next to what it had to be. */
export interface Fault {
  readonly request: WorldRequest;
  readonly expected: Expected;
  readonly got: string;
}

/** A world as it stands in a gateway: what its numbers are called there. */
export interface Staged {
  /** Ids by the world's row. */
  readonly rows: readonly string[];
  /** Ids by the world's team. */
  readonly teams: readonly string[];
  /** A peer that reads as this person. */
  peerOf(person: number): RawPeer;
}

/** Stands in every row, with the row's number: found in an answer that should not have it, it is a leak, wherever it stands. */
const MARK = /mark(\d+)x/g;
const SIDE_BY_SIDE = 6;

export function markOf(row: number): string {
  return `mark${row}x`;
}

/** Gives each peer its scope, past whatever judges a scope: a team that the subject is not in, too. */
export async function giveScopes(store: Store, { scopes }: Pick<World, "scopes">, staged: Staged): Promise<void> {
  for (const [person, scope] of Object.entries(scopes)) {
    const stored = {
      resources: scope.resources,
      excluded_resources: scope.excluded,
      include_teams: scope.teams === "all" ? "all" : scope.teams.map((team) => staged.teams[team]),
      include_personal: scope.personal,
      max_rows_per_query: scope.maxRows,
    };
    const grant = [JSON.stringify(stored), staged.peerOf(Number(person)).grantId];
    await store.query("update federation_grants set scope = $1::text::jsonb where id = $2::uuid", grant);
  }
}

/** Asks all of the world's requests, the people's interleaved. What went wrong; none: nothing. */
export async function askAll(world: World, staged: Staged): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  for (let from = 0; from < world.requests.length; from += SIDE_BY_SIDE) {
    const some = world.requests.slice(from, from + SIDE_BY_SIDE);
    for (const found of await Promise.all(some.map((request) => check(world, request, staged)))) faults.push(...found);
  }
  return faults;
}

async function check(world: World, request: WorldRequest, staged: Staged): Promise<readonly Fault[]> {
  const expected = expectedOf(world, request);
  const { got, texts } = await ask(request, staged);
  const marked = texts.flatMap((text) => [...text.matchAll(MARK)].map(([, index]) => `row ${index}`));
  const allowed = new Set(expected.kind === "rows" ? expected.names : []);
  const strays = new Set(marked.filter((name) => !allowed.has(name)));
  const fault = (what: string): readonly Fault[] => [{ request, expected, got: what }];
  if (strays.size > 0) return fault(`text of ${[...strays].join(", ")}`);
  return isSame(world, request, got, expected, staged) ? [] : fault(JSON.stringify(got));
}

/** One request, a list paged to its end. What it was answered, in the model's words, and every text that came. */
async function ask(
  request: WorldRequest,
  staged: Staged,
): Promise<{ readonly got: Expected | string; readonly texts: readonly string[] }> {
  const peer = staged.peerOf(request.person);
  const texts: string[] = [];
  const names: string[] = [];
  const nameOf = ({ id }: Json): string => {
    const index = staged.rows.indexOf(id);
    return index >= 0 ? `row ${index}` : `team ${staged.teams.indexOf(id)}`;
  };
  let before: string | undefined;
  for (;;) {
    const answer = await peer.ask(request.verb, bodyOf(request, before, staged));
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

function bodyOf(request: WorldRequest, before: string | undefined, { rows, teams }: Staged): unknown {
  const { resource } = request;
  switch (request.verb) {
    case "list": {
      const { limit, team } = request;
      const filters = team === null ? {} : { filters: { team: typeof team === "number" ? teams[team] : team } };
      return { resource, limit, ...filters, ...(before === undefined ? {} : { before }) };
    }
    case "get":
      return { resource, id: rows[request.row] ?? newId() };
    case "search":
      return { query: request.topic, limit: 100, ...(request.everywhere ? {} : { resources: [resource] }) };
  }
}

function isSame(
  world: World,
  request: WorldRequest,
  got: Expected | string,
  expected: Expected,
  staged: Staged,
): boolean {
  if (typeof got === "string" || got.kind !== expected.kind) return false;
  if (got.kind !== "rows" || expected.kind !== "rows") return true;
  // Newest first; a search gives its best first, and its cap may leave some out.
  if (request.verb !== "search") return got.names.join() === newestFirst(expected.names, staged).join();
  const allowed = new Set(expected.names);
  const isSubset = got.names.every((name) => allowed.has(name)) && new Set(got.names).size === got.names.length;
  if (expected.isBound === true) return isSubset;
  const cap = Math.min(100, world.scopes[request.person]!.maxRows);
  return isSubset && got.names.length === Math.min(cap, expected.names.length);
}

function newestFirst(names: readonly string[], staged: Staged): readonly string[] {
  const idOf = (name: string): string => {
    const [kind, index] = name.split(" ");
    return (kind === "row" ? staged.rows : staged.teams)[Number(index)] ?? "";
  };
  return names.toSorted((one, other) => (idOf(one) < idOf(other) ? 1 : -1));
}
