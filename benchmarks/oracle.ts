import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { newId } from "@mosaicstack/foundation";
import { verbPath } from "@mosaicstack/federation-protocol";
import { makeDatabase } from "./databases.ts";
import { makeHome, startGateway } from "./gateway.ts";
import { addWords, WORDS } from "./oracle-words.ts";
import { table } from "./report.ts";
import { type Account, addTasks, addTeams, enroll, type PeerKeys, setUp } from "./seed.ts";

/** How long the serving side takes for answers that a peer must not be able to tell apart. */
export interface OracleReport {
  readonly node: string;
  readonly requestsPerKind: number;
  readonly questions: readonly {
    readonly name: string;
    readonly kinds: readonly {
      readonly name: string;
      readonly p50Ms: number;
      readonly p95Ms: number;
      readonly ratio: number;
    }[];
  }[];
}

interface Kind {
  readonly name: string;
  readonly verb: "list" | "get" | "search";
  readonly body: object;
}

const WARM_UP = 200;
const NOISE = "absent, again";

/**
 * Asks for what is absent, somebody else's and outside the scope, in a random order and one after the other over one connection.
 * Each question has its first kind twice: how far those two are apart is the noise, and any other kind is judged against it.
 */
export async function measureOracle(
  folder: string,
  options: { readonly databaseUrl: string | undefined; readonly requestsPerKind: number; readonly tasks: number },
): Promise<OracleReport> {
  const database = options.databaseUrl === undefined ? undefined : await makeDatabase(options.databaseUrl, "oracle");
  const gateway = await makeHome(join(folder, "oracle"), "federated", database?.url);
  const running = await startGateway(gateway);
  try {
    const ada = await setUp(gateway.url, running.printed);
    await addTeams(ada);
    await addTasks(ada, { count: options.tasks, inTeams: true, phaseMs: 0 });
    const measured = [];
    for (const { name, keys, kinds } of await grantToAnother(ada, options.tasks)) {
      const samples = await sample(openConnection(keys), kinds, options.requestsPerKind);
      const reference = quantile(samples[0] ?? [], 0.5);
      measured.push({
        name,
        kinds: kinds.map((kind, index) => {
          const p50Ms = quantile(samples[index] ?? [], 0.5);
          return { name: kind.name, p50Ms, p95Ms: quantile(samples[index] ?? [], 0.95), ratio: p50Ms / reference };
        }),
      });
    }
    return { node: process.version, requestsPerKind: options.requestsPerKind, questions: measured };
  } finally {
    await running.stop();
    await database?.drop();
  }
}

/** What is asked of one peer, in several ways. */
interface Question {
  readonly name: string;
  readonly keys: PeerKeys;
  readonly kinds: readonly Kind[];
}

/**
 * A grant over the rows of one of two teams of a user who has none of their own, and what lies beyond it; and one over a team of few.
 * @param tasks how many there are already
 */
async function grantToAnother(ada: Account, tasks: number): Promise<readonly Question[]> {
  const api = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${ada.url}/api/v1/${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${ada.apiKey}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  type Rows = { rows: { id: string; name: string; team_id: string | null }[] };
  const [inside, outside, foreign] = (await api<Rows>("GET", "teams")).rows.map(({ id }) => id);
  if (inside === undefined || outside === undefined || foreign === undefined) throw new Error("three teams were made");
  const grace = await api<{ id: string }>("POST", "users", { name: "Grace", email: "grace@example.org" });
  const few = await api<{ id: string; name: string }>("POST", "teams", { name: "Few rows" });
  await addWords(ada, few.name, tasks);
  for (const team of [inside, outside, few.id]) await api("PUT", `teams/${team}/members/${grace.id}`, {});
  const { rows } = await api<Rows>("GET", "tasks?limit=100");
  const rowOf = (team: string | null): string => {
    const row = rows.find(({ team_id: id }) => id === team);
    if (row === undefined) throw new Error("each space has tasks");
    return row.id;
  };
  const enrollFor = async (team: string): Promise<PeerKeys> => {
    const scope = { resources: ["tasks", "notes"], excluded_resources: ["notes"], include_teams: [team] };
    const limits = { requests_per_minute: 1_000_000, concurrent_requests: 1000 };
    const grant = { name: `oracle ${team}`, subject: grace.id, scope, ...limits };
    return await enroll((await api<{ invite: string }>("POST", "federation/grants", grant)).invite);
  };
  const [keys, keysOfFew] = [await enrollFor(inside), await enrollFor(few.id)];

  const get = (name: string, id: () => string): Kind => ({
    name,
    verb: "get",
    get body() {
      return { resource: "tasks", id: id() };
    },
  });
  const list = (name: string, rest: object): Kind => ({
    name,
    verb: "list",
    body: { resource: "tasks", limit: 50, ...rest },
  });
  const team = (name: string, id: string): Kind => list(name, { filters: { team: id } });
  const search = WORDS.map(({ name, query }): Kind => ({ name, verb: "search", body: { query, limit: 20 } }));
  return [
    {
      name: "get a row",
      keys,
      kinds: [
        get("absent", () => newId()),
        get(NOISE, () => newId()),
        get("somebody else's", () => rowOf(null)),
        get("of a team the subject is not in", () => rowOf(foreign)),
        get("of a team outside the scope", () => rowOf(outside)),
      ],
    },
    {
      name: "list a team's rows",
      keys,
      kinds: [
        team("absent", newId()),
        team(NOISE, newId()),
        team("one the subject is not in", foreign),
        team("one outside the scope", outside),
      ],
    },
    {
      name: "list a resource",
      keys,
      kinds: [
        list("unknown", { resource: "nonsense" }),
        list("unknown, again", { resource: "nothing" }),
        list("excluded", { resource: "notes" }),
        list("not named", { resource: "credentials" }),
      ],
    },
    { name: "search a team of few rows", keys: keysOfFew, kinds: search },
    { name: "search a team with a quarter of the tasks", keys, kinds: search },
  ];
}

type Ask = (kind: Kind) => Promise<number>;

/** One connection; answers with how long the whole answer took, in milliseconds. */
function openConnection({ endpoint, rootPem, cert, key }: PeerKeys): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: rootPem, cert, key, maxCachedSessions: 0 });
  return ({ verb, body }) =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      const askedAt = performance.now();
      httpsRequest(`${endpoint}${verbPath(verb)}`, { agent, method: "POST", headers }, (response) => {
        response.resume();
        response.on("end", () => resolve(performance.now() - askedAt));
      })
        .on("error", reject)
        .end(text);
    });
}

/** Every kind once, in an order of its own each time: whatever else the machine does meets all of them. */
async function sample(ask: Ask, kinds: readonly Kind[], times: number): Promise<number[][]> {
  const samples = kinds.map((): number[] => []);
  for (let warm = 0; warm < WARM_UP; warm += 1) for (const kind of kinds) await ask(kind);
  for (let round = 0; round < times; round += 1) {
    const order = kinds.map((_, index) => [Math.random(), index] as const).toSorted(([one], [other]) => one - other);
    for (const [, index] of order) {
      const kind = kinds[index];
      if (kind !== undefined) samples[index]?.push(await ask(kind));
    }
  }
  return samples;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function oracleText({ node, requestsPerKind, questions }: OracleReport): string {
  const header = ["", "p50 ms", "p95 ms", "p50 / the first"];
  const parts = questions.map(({ name, kinds }) => {
    const rows = kinds.map((kind) => [kind.name, kind.p50Ms.toFixed(3), kind.p95Ms.toFixed(3), kind.ratio.toFixed(3)]);
    return `${name}\n${table([header, ...rows])}`;
  });
  const title = `Node ${node}; ${requestsPerKind} requests of each kind, interleaved. The second line of each is the noise.`;
  return `${title}\n\n${parts.join("\n\n")}\n`;
}
