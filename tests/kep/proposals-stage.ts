import fc from "fast-check";
import { enrollRawPeer, type RawPeer, type TestGateway } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { importModel } from "../federation/every-person.ts";
import type { ModelData, ModelRow } from "../federation/blended-model.ts";
import { askAll, giveScopes, markOf } from "../federation/leaks/asking.ts";
import { EVERYTHING, type Stage, withoutFilters } from "../federation/leaks/stage.ts";
import { RESOURCES, scopes, type World, type WorldRequest, type WorldRow } from "../federation/leaks/world.ts";

/** Some people's scopes, and what they ask: all that changes while the data stays as it was imported. */
export type Asked = Pick<World, "scopes" | "requests">;

const ASKING = 4;
/** Without the application's filter a search's best are chosen among everybody's rows: these all fit into one answer. */
const MOST_FOUND = 90;

/** A row of the data, and which resource it is. */
interface DataRow extends ModelRow {
  readonly resource: "tasks" | "notes";
}

/** What a search looks for, made of a row's title: a phrase, one of its words, and the words as they stand. */
interface Topics {
  readonly exact: readonly string[];
  readonly loose: string;
}

/** Imports the data as it is, but for a mark in each row's properties, and enrolls a peer for whoever asks. */
export async function openProposals(work: TestGateway, data: ModelData): Promise<Stage<Asked>> {
  const rows: DataRow[] = [
    ...data.tasks.map((row) => ({ ...row, resource: "tasks" as const })),
    ...data.notes.map((row) => ({ ...row, resource: "notes" as const })),
  ].map((row, index) => marked(row, index));
  const named = (resource: string): ModelRow[] => rows.filter((row) => row.resource === resource).map(bare);
  await importModel(work, { people: data.people, tasks: named("tasks"), notes: named("notes") });

  const teamNames = [...new Set(data.people.flatMap(({ teams }) => teams))];
  const people = new Map(data.people.map(({ name }, index) => [name, index]));
  const teams = new Map(teamNames.map((name, index) => [name, index]));
  const topics = rows.map(({ input }) => topicsOf(String(input["title"])));
  const found = await foundBy(work.store, rows, topics);
  const base: Pick<World, "members" | "rows"> = {
    members: data.people.map((person) => teamNames.map((team) => person.teams.includes(team))),
    rows: rows.map(({ resource, owner, team }, index): WorldRow => ({
      resource,
      owner: people.get(owner) ?? NaN,
      team: team === undefined ? null : (teams.get(team) ?? NaN),
      topics: [...found].filter(([, finds]) => finds.has(index)).map(([topic]) => topic),
    })),
  };

  const ids = await idsIn(work.store);
  const staged = {
    rows: rows.map((row) => ids.get(nameOf(row.resource, row.team ?? row.owner, row.key)) ?? ""),
    teams: teamNames.map((name) => ids.get(nameOf("teams", "", name)) ?? ""),
  };
  const missing = [...staged.rows, ...staged.teams].filter((id) => id === "");
  if (missing.length > 0) throw new Error(`${missing.length} rows or teams of the data are not in the gateway`);
  const peers = new Map<number, RawPeer>();
  const peerOf = (person: number): RawPeer => {
    const peer = peers.get(person);
    if (peer === undefined) throw new Error(`person ${person} has not been enrolled`);
    return peer;
  };
  const exactTopics = topics.map(({ exact }) => exact.filter((topic) => found.has(topic)));

  return {
    worlds: (requests) => asked(base, { exact: exactTopics, loose: topics.map(({ loose }) => loose) }, requests),
    unfiltered: withoutFilters,
    async run(world) {
      for (const person of Object.keys(world.scopes).map(Number)) {
        if (peers.has(person)) continue;
        peers.set(person, await enrollRawPeer(work, data.people[person]?.name ?? "", EVERYTHING));
      }
      await giveScopes(work.store, world, { ...staged, peerOf });
      return await askAll({ ...base, ...world }, { ...staged, peerOf });
    },
    close: async () => void (await Promise.all([...peers.values()].map((peer) => peer.close()))),
  };
}

function marked(row: DataRow, index: number): DataRow {
  const properties = { ...(row.input["properties"] as object | undefined), mark: markOf(index) };
  return { ...row, input: { ...row.input, properties } };
}

function bare({ resource: _resource, ...row }: DataRow): ModelRow {
  return row;
}

function nameOf(resource: string, space: string, key: string): string {
  return [resource, space, key].join(" / ");
}

/** Ids by {@link nameOf}, as the database has them: no code that reads for a user takes part. */
async function idsIn(store: Store): Promise<ReadonlyMap<string, string>> {
  const ofTable = (table: string): string => `
    select '${table}' as resource, coalesce(t.name, u.name) as space, r.key, r.id::text
    from ${table} r left join teams t on t.id = r.team_id left join users u on u.id = r.owner_id`;
  const found = await store.query<{ resource: string; space: string; key: string; id: string }>(
    `${ofTable("tasks")} union all ${ofTable("notes")} union all select 'teams', '', name, id::text from teams`,
    [],
  );
  return new Map(found.map(({ resource, space, key, id }) => [nameOf(resource, space, key), id]));
}

function topicsOf(title: string): Topics {
  const loose = title.replaceAll(/[^\p{L}\p{N}-]+/gu, " ").trim();
  const words = loose.split(" ").filter((word) => word.length > 4);
  return { exact: [loose, ...words.slice(-1)].map((text) => `"${text}"`), loose };
}

/**
 * The rows that each topic finds, of those that find few. PostgreSQL's own text search says which text has which words, over
 * the texts of the data; none of the product's statements takes part.
 */
async function foundBy(
  store: Store,
  rows: readonly DataRow[],
  topics: readonly Topics[],
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  await store.query("create table data_texts (row int primary key, words tsvector)", []);
  const texts = rows.map(({ input }, row) => ({ row, title: input["title"], body: input["body"] ?? "" }));
  for (let from = 0; from < texts.length; from += 100) {
    await store.query(
      `insert into data_texts select (text->>'row')::int,
         to_tsvector('english', text->>'title') || to_tsvector('english', left(text->>'body', 100000))
       from jsonb_array_elements($1::text::jsonb) as text`,
      [JSON.stringify(texts.slice(from, from + 100))],
    );
  }
  await store.query("create index on data_texts using gin (words)", []);
  const every = [...new Set(topics.flatMap(({ exact }) => exact))];
  const found = await store.query<{ topic: string; rows: number[] }>(
    `select topic, array_agg(row) as rows
     from unnest($1::text[]) as topic join data_texts on words @@ websearch_to_tsquery('english', topic)
     group by topic having count(*) <= ${MOST_FOUND}`,
    [every],
  );
  await store.query("drop table data_texts", []);
  return new Map(found.map(({ topic, rows: of }) => [topic, new Set(of)]));
}

/** What some people ask, mostly of what they may see, by the data: of 2,000 rows a person sees some tens. */
function asked(
  { members, rows }: Pick<World, "members" | "rows">,
  topics: { readonly exact: readonly (readonly string[])[]; readonly loose: readonly string[] },
  requests: number,
): fc.Arbitrary<Asked> {
  const teams = members[0]?.map((_, team) => team) ?? [];
  const some = fc.nat(rows.length - 1);
  const resource = fc.constantFrom(
    "tasks" as const,
    "notes" as const,
    "tasks" as const,
    "notes" as const,
    ...RESOURCES,
  );

  const requestOf = (person: number): fc.Arbitrary<WorldRequest> => {
    const isIn = (team: number): boolean => members[person]?.[team] === true;
    const theirs = rows.flatMap((row, index) =>
      (row.team === null ? row.owner === person : isIn(row.team)) ? [index] : [],
    );
    const row = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...theirs) }, { weight: 1, arbitrary: some });
    const own = teams.filter(isIn);
    const team = fc.oneof(fc.constant(null), fc.constantFrom(...own, "personal" as const), fc.constantFrom(...teams));
    const search = {
      person: fc.constant(person),
      resource,
      verb: fc.constant("search" as const),
      everywhere: fc.boolean(),
    };
    return fc.oneof(
      fc.record({
        person: fc.constant(person),
        resource,
        verb: fc.constant("list" as const),
        limit: fc.oneof(fc.integer({ min: 10, max: 40 }), fc.constant(200)),
        team,
      }),
      fc.oneof({ weight: 9, arbitrary: row }, { weight: 1, arbitrary: fc.constant(rows.length) }).chain((index) =>
        fc.record({
          person: fc.constant(person),
          resource: fc.oneof(
            { weight: 3, arbitrary: fc.constant(rows[index]?.resource ?? "notes") },
            { weight: 1, arbitrary: resource },
          ),
          verb: fc.constant("get" as const),
          row: fc.constant(index),
        }),
      ),
      row.chain((index) => {
        const [first, ...more] = topics.exact[index] ?? [];
        const exact = first === undefined ? [] : [fc.record({ ...search, topic: fc.constantFrom(first, ...more) })];
        const loose = fc.record({
          ...search,
          topic: fc.constant(topics.loose[index] ?? ""),
          isLoose: fc.constant(true),
        });
        return fc.oneof(...exact, loose);
      }),
    );
  };

  const scope = (person: number) => {
    const own = teams.filter((team) => members[person]?.[team] === true);
    const foreign = fc.uniqueArray(fc.constantFrom(...teams), { maxLength: 4 });
    return scopes({
      teams: fc.tuple(fc.subarray(own), foreign).map((both) => [...new Set(both.flat())]),
      maxRows: fc.integer({ min: 10, max: 60 }),
      wide: 8,
    });
  };

  return fc.uniqueArray(fc.nat(members.length - 1), { minLength: ASKING, maxLength: ASKING }).chain((people) =>
    fc.record({
      scopes: fc
        .tuple(...people.map(scope))
        .map((all) => Object.fromEntries(people.map((person, index) => [person, all[index]!]))),
      requests: fc.array(fc.oneof(...people.map(requestOf)), { minLength: requests, maxLength: requests }),
    }),
  );
}
