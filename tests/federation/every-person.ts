import { enroll, type Json, listEverything, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import {
  type ModelData,
  type ModelPerson,
  type ModelResource,
  type ModelRow,
  rowName,
  visibleTo,
} from "./blended-model.ts";

const RESOURCES: readonly ModelResource[] = ["tasks", "notes"];
const SCOPE = { resources: RESOURCES, include_teams: "all", include_personal: true };
const EMAIL_DOMAIN = "people.test";
const PEER = "work";

const MAX_ROWS = 200;
const MAX_BYTES = 4 * 1024 * 1024;

/** A work gateway with everybody's rows, and a home gateway with those of the one who reads. */
export interface TwoGateways {
  readonly home: TestGateway;
  readonly work: TestGateway;
  /** Whose peers they are, one person of work after another. */
  readonly reader: TestUser;
  /** The reader's own rows at home, by resource. */
  readonly homeRows: Readonly<Record<ModelResource, readonly string[]>>;
}

/** What a person's blended list came to, next to what it had to be. */
export interface Comparison {
  readonly expected: readonly string[];
  readonly got: readonly string[];
  /** Ids in the order they were given. */
  readonly ids: readonly string[];
  /** Whether any page was partial. */
  readonly partial: boolean;
}

function* batchesOf(rows: readonly unknown[]): Generator<readonly unknown[]> {
  let batch: unknown[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = Buffer.byteLength(JSON.stringify(row));
    if (batch.length >= MAX_ROWS || (batch.length > 0 && bytes + size > MAX_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(row);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** Imports in batches as the command line does. @throws Error when a row is not made */
async function importAll(api: TestUser["api"], resource: string, rows: readonly unknown[]): Promise<void> {
  const [member, more] = resource === "people" ? ["people", { email_domain: EMAIL_DOMAIN }] : ["rows", {}];
  for (const batch of batchesOf(rows)) {
    const { results } = await api.json("POST", `/api/v1/import/${resource}`, { [member]: batch, ...more });
    const wrong = results.filter(({ outcome }: Json) => outcome !== "created");
    if (wrong.length > 0) throw new Error(`${resource}: ${JSON.stringify(wrong.slice(0, 3))}`);
  }
}

/** Fills a gateway through its import, as its administrator. @throws Error when a row is not made */
export async function importModel({ admin }: TestGateway, data: ModelData): Promise<void> {
  await importAll(admin.api, "people", data.people);
  for (const resource of RESOURCES) await importAll(admin.api, resource, data[resource]);
}

async function makeHomeRows(home: TestGateway, reader: TestUser, samples: ModelData): Promise<TwoGateways["homeRows"]> {
  const team = await home.addTeam("Plattform", reader);
  const other = await home.addUser("Another of home");
  const homeRows = { tasks: [] as string[], notes: [] as string[] };
  for (const resource of RESOURCES) {
    // Some keys and times are also those of rows at work: neither may make one row of two.
    for (const { key, input, created_at } of samples[resource].slice(0, 7)) {
      const times = created_at === undefined ? {} : { created_at };
      await importAll(reader.api, resource, [
        { key, input, ...times },
        { key, input, team: "Plattform" },
      ]);
      await importAll(other.api, resource, [{ key, input }]);
      homeRows[resource].push(rowName("local", null, key), rowName("local", team, key));
    }
  }
  return homeRows;
}

/**
 * Boots both and fills them, the work gateway through its import. Whoever asks stops them.
 * @param maxRowsPerQuery the most rows work gives at once: below the size of a page, the page has to end there
 */
export async function fillTwoGateways(data: ModelData, maxRowsPerQuery: number): Promise<TwoGateways> {
  const [home, work] = await Promise.all([
    startGateway({ tier: "federated", name: "home", deadlineMs: 20_000 }),
    startGateway({ tier: "federated", name: "work", maxRowsPerQuery }),
  ]);
  await importModel(work, data);
  const reader = await home.addUser("Reader");
  return { home, work, reader, homeRows: await makeHomeRows(home, reader, data) };
}

/** Names of the rows as the lists gave them: the work gateway's by team name, the home gateway's by team id. */
function nameOf({ _source, team, team_id, key }: Json): string {
  return rowName(_source, _source === "local" ? team_id : team, key);
}

/**
 * One person's whole way: grant, peer, both lists to their end, revocation, removal.
 * @param limit rows a page
 */
export async function readAs(
  { home: _home, work, reader, homeRows }: TwoGateways,
  person: ModelPerson,
  data: Readonly<Record<ModelResource, readonly ModelRow[]>>,
  limit: number,
): Promise<Readonly<Record<ModelResource, Comparison>>> {
  const { grant } = await enroll(reader, work, { subject: person.name, scope: SCOPE, peer: PEER });
  const compare = async (resource: ModelResource): Promise<Comparison> => {
    const { rows, pages } = await listEverything(reader.api, resource, `source=all&limit=${limit}`);
    return {
      expected: [...visibleTo(person, data[resource], `federated:${PEER}`), ...homeRows[resource]].toSorted(),
      got: rows.map(nameOf).toSorted(),
      ids: rows.map(({ id }) => id as string),
      partial: pages.some(({ partial }) => partial as boolean),
    };
  };
  const compared = { tasks: await compare("tasks"), notes: await compare("notes") };
  await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/revoke`);
  await reader.api.json("DELETE", `/api/v1/federation/peers/${PEER}`);
  return compared;
}

/** What is wrong with a comparison, in words; none: nothing. */
export function faultsOf({ expected, got, ids, partial }: Comparison): string[] {
  const wanted = new Set(expected);
  const given = new Set(got);
  const inOrder = ids.every((id, index) => index === 0 || id < (ids[index - 1] ?? ""));
  return [
    ...expected.filter((name) => !given.has(name)).map((name) => `missing: ${name}`),
    ...got.filter((name) => !wanted.has(name)).map((name) => `not theirs: ${name}`),
    ...got.filter((name, index) => name === got[index - 1]).map((name) => `twice: ${name}`),
    ...(inOrder ? [] : ["not newest first"]),
    ...(partial ? ["a page was partial"] : []),
  ];
}
