import { isId, LAST_ID } from "@mosaicstack/foundation";
import type { ReadStore } from "@mosaicstack/storage";
import type { ResourceDefinition } from "./definition.ts";

/**
 * Whose rows are read: a user's own space and their teams' spaces, or less. The user's membership is looked up by the
 * statement itself, so this can narrow what they see and never widen it.
 */
export interface Visibility {
  readonly userId: string;
  /** Whether the user's personal space is included. */
  readonly personal: boolean;
  /** Which of the user's teams are included. */
  readonly teams: "all" | readonly string[];
}

/** All that a user sees by native access rules. */
export function everythingOf(userId: string): Visibility {
  return { userId, personal: true, teams: "all" };
}

/** The `team` filter every list has: of what is visible, one team's rows (by its id), or the `personal` ones. */
export function narrowTo(visibility: Visibility, team: string | undefined): Visibility {
  if (team === undefined) return visibility;
  if (team === "personal") return { ...visibility, teams: [] };
  const included = isId(team) && (visibility.teams === "all" || visibility.teams.includes(team));
  return { ...visibility, personal: false, teams: included ? [team] : [] };
}

/** Which fields an answer carries: all of them at home, those that federate for a peer. */
export type Audience = "native" | "federated";

export interface ListQuery {
  /** Rows wanted, at least 1. The caller bounds it. */
  readonly limit: number;
  /** Keyset position: the id of the last row seen; absent: from the newest. */
  readonly before?: string | undefined;
  /** Exact-match filters by the definition's names. */
  readonly filters?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A page, its rows already JSON: the database builds it once and nobody rebuilds it. */
export interface RowsPage {
  /** A JSON array of rows, newest first. */
  readonly json: string;
  readonly count: number;
  /** The last row's id: the next page's `before`. Null when there are no rows. */
  readonly lastId: string | null;
  /** Whether rows follow. */
  readonly more: boolean;
}

/** The spaces of `Visibility`, as parameters $1 (user), $2 (personal), $3 (teams or null for all). */
export const visibleSpaces = `
  select $1::uuid as id where $2::boolean
  union all
  select m.team_id from team_members m where m.user_id = $1::uuid and ($3::uuid[] is null or m.team_id = any($3::uuid[]))`;

/** The parameters `visibleSpaces` reads. */
export function visibilityParameters({ userId, personal, teams }: Visibility): unknown[] {
  return [userId, personal, teams === "all" ? null : teams];
}

/** The SQL of a row's JSON, over the row alias `r`. */
export function projection(definition: ResourceDefinition, answer: "list" | "get", audience: Audience): string {
  const members = Object.entries(definition.fields)
    .filter(([, field]) => field.in === "both" || field.in === answer)
    .filter(([, field]) => audience === "native" || field.federates)
    .map(([name, field]) => `'${name}', ${field.sql}`);
  if (audience === "native") members.push("'_source', 'local'");
  return `json_build_object(${members.join(", ")})`;
}

/** The columns a row's JSON is made of, by name: a peer's role may read no other (docs/adr/0007). */
function columnsOf(rowJson: string): string {
  const columns = new Set(["id", ...Array.from(rowJson.matchAll(/\br\.(\w+)/g), ([, column]) => column)]);
  return Array.from(columns, (column) => `r.${column}`).join(", ");
}

/** One statement: a short index scan per visible space, merged, so its cost follows the page and not the table. */
function listStatement(definition: ResourceDefinition, audience: Audience): string {
  const { table, space } = definition.from;
  const rowJson = projection(definition, "list", audience);
  const columns = columnsOf(rowJson);
  const filters = Object.values(definition.filters)
    .map(({ column }, index) => `and ($${index + 6}::text is null or r.${column}::text = $${index + 6}::text)`)
    .join(" ");
  return `
    with page as (
      select ${columns} from (${visibleSpaces}) visible cross join lateral (
        select ${columns} from ${table} r
        where r.${space} = visible.id and r.id < $4::uuid ${filters}
        order by r.id desc limit $5::int + 1
      ) r order by r.id desc limit $5::int + 1
    ), kept as (select * from page order by id desc limit $5::int)
    select coalesce(json_agg(${rowJson} order by r.id desc), '[]')::text as json,
      count(*)::int as count, min(r.id::text) as "lastId", (select count(*) from page) > $5::int as more
    from kept r`;
}

function getStatement(definition: ResourceDefinition, audience: Audience): string {
  const { table, space } = definition.from;
  return `
    select ${projection(definition, "get", audience)}::text as json
    from ${table} r where r.id = $4::uuid and r.${space} in (${visibleSpaces})`;
}

/** Statements are text that depends on the definition alone; made once, so that engines can prepare them by it. */
function remembered(make: (definition: ResourceDefinition, audience: Audience) => string) {
  const made = { native: new Map<string, string>(), federated: new Map<string, string>() };
  return (definition: ResourceDefinition, audience: Audience): string => {
    const known = made[audience].get(definition.name);
    if (known !== undefined) return known;
    const statement = make(definition, audience);
    made[audience].set(definition.name, statement);
    return statement;
  };
}

/** Each space is left as soon as there are enough, so its cost follows the number asked for and not the table. */
function countStatement({ from: { table, space } }: ResourceDefinition): string {
  return `
    select count(*)::int as count from (
      select from (${visibleSpaces}) visible cross join lateral (
        select from ${table} r where r.${space} = visible.id limit $4::int
      ) r limit $4::int
    ) counted`;
}

const listStatementOf = remembered(listStatement);
const getStatementOf = remembered(getStatement);

/** A page of the rows that are visible, newest first. */
export async function listRows(
  store: ReadStore,
  definition: ResourceDefinition,
  visibility: Visibility,
  query: ListQuery,
  audience: Audience,
): Promise<RowsPage> {
  const filters = Object.keys(definition.filters).map((name) => query.filters?.[name] ?? null);
  const [page] = await store.query<RowsPage>(listStatementOf(definition, audience), [
    ...visibilityParameters(visibility),
    query.before ?? LAST_ID,
    query.limit,
    ...filters,
  ]);
  if (page === undefined) throw new Error("the list statement answers with exactly one row");
  return page;
}

/** How many rows are visible, counted to `most` and no further. */
export async function countRows(
  store: ReadStore,
  definition: ResourceDefinition,
  visibility: Visibility,
  most: number,
): Promise<number> {
  const parameters = [...visibilityParameters(visibility), most];
  const [row] = await store.query<{ count: number }>(countStatement(definition), parameters);
  if (row === undefined) throw new Error("the count statement answers with exactly one row");
  return row.count;
}

/** One row as JSON, or undefined: absent and not visible are the same answer. */
export async function getRow(
  store: ReadStore,
  definition: ResourceDefinition,
  visibility: Visibility,
  id: string,
  audience: Audience,
): Promise<string | undefined> {
  const [row] = await store.query<{ json: string }>(getStatementOf(definition, audience), [
    ...visibilityParameters(visibility),
    id,
  ]);
  return row?.json;
}
