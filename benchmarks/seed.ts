import { createSigningRequest, readInvite } from "@mosaicstack/federation-protocol";

/** Somebody's access to a gateway's REST. */
export interface Account {
  readonly url: string;
  readonly userId: string;
  readonly apiKey: string;
}

/** Somebody else who works with the account's gateway, and the teams that are theirs alone. */
export interface Person {
  readonly name: string;
  readonly email: string;
  readonly teams: readonly string[];
}

/** What a peer holds after its enrollment. */
export interface PeerKeys {
  readonly endpoint: string;
  readonly rootPem: string;
  readonly cert: string;
  readonly key: string;
}

const TEAMS = ["Platform", "Finance", "Field work"];
const BATCH = 500;
const FIRST_TASK_AT = Date.UTC(2026, 0, 5, 8);
const MINUTE_MS = 60_000;

async function post<Answer>(url: string, body: unknown, apiKey?: string): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST ${new URL(url).pathname}: ${response.status} ${text.slice(0, 400)}`);
  return JSON.parse(text) as Answer;
}

/** Makes the first administrator with the code a new gateway printed. */
export async function setUp(url: string, printed: string): Promise<Account> {
  const code = /setup code\s+(\S+)/.exec(printed)?.[1];
  const claim = { code, name: "Ada Ekwueme", email: "ada@example.org", password: "a long password of the benchmark" };
  const made = await post<{ user: { id: string }; api_key: string }>(`${url}/api/v1/setup`, claim);
  return { url, userId: made.user.id, apiKey: made.api_key };
}

/** Makes the three teams of which the account is the owner. */
export async function addTeams({ url, apiKey }: Account): Promise<void> {
  for (const name of TEAMS) await post(`${url}/api/v1/teams`, { name }, apiKey);
}

/** Makes people, and the teams they are in. */
export async function addPeople({ url, apiKey }: Account, people: readonly Person[]): Promise<void> {
  checkImported("people", await post<ImportAnswer>(`${url}/api/v1/import/people`, { people }, apiKey));
}

/** Where and when a row is, whatever it holds. */
function placeAt(index: number, teams: readonly string[], phaseMs: number) {
  const at = new Date(FIRST_TASK_AT + index * MINUTE_MS + phaseMs).toISOString();
  const team = teams.length === 0 ? undefined : [undefined, ...teams][index % (teams.length + 1)];
  return { ...(team === undefined ? {} : { team }), created_at: at, updated_at: at };
}

function noteAt(index: number, teams: readonly string[], phaseMs: number) {
  return {
    key: `N-${index}`,
    ...placeAt(index, teams, phaseMs),
    input: { title: `Note ${index} of the quarterly review`, body: `What was said in paragraph ${index}. `.repeat(20) },
  };
}

function taskAt(index: number, teams: readonly string[], phaseMs: number) {
  const place = placeAt(index, teams, phaseMs);
  return {
    key: `T-${index}`,
    ...place,
    input: {
      title: `Task ${index}: agree on the "quarterly" figures`,
      description: `Paragraph ${index}. `.repeat(20),
      status: ["open", "in_progress", "done"][index % 3],
      ...(index % 2 === 0 ? { due_at: place.created_at } : {}),
      properties: { priority: index % 5, labels: ["budget", `sprint-${index % 12}`] },
    },
  };
}

/**
 * Imports tasks a minute apart, spread over the account's own space and the teams.
 * @param rows.phaseMs moves their times, so that two gateways' tasks alternate in a blended list
 */
export async function addTasks(account: Account, rows: Rows): Promise<void> {
  await importRows(account, "tasks", rows, taskAt);
}

/** The same with notes. */
export async function addNotes(account: Account, rows: Rows): Promise<void> {
  await importRows(account, "notes", rows, noteAt);
}

/**
 * Imports tasks with these titles and nothing else, a minute apart.
 * @param team by its name; absent: into the account's own space
 */
export async function addTitled(account: Account, titles: readonly string[], team?: string): Promise<void> {
  const rows = { count: titles.length, inTeams: false, phaseMs: 0 };
  await importRows(account, "tasks", rows, (index) => ({
    key: `titled-${index}-${titles[index]}`,
    ...placeAt(index, team === undefined ? [] : [team], 0),
    ...(team === undefined ? {} : { team }),
    input: { title: titles[index] },
  }));
}

interface Rows {
  readonly count: number;
  readonly inTeams: boolean;
  readonly phaseMs: number;
  /** Whose they are in place of the account's, spread over their own space and their teams; the titles begin with the name. */
  readonly of?: Person;
}

/** What the title of each row of a person begins with, and no other's. */
export const titleMark = (name: string): string => `${name}: `;

interface ImportedRow {
  readonly key: string;
  readonly input: { readonly title: string | undefined };
}

function ownedBy({ name, email }: Person, row: ImportedRow): object {
  return {
    ...row,
    key: `${name}-${row.key}`,
    owner: email,
    input: { ...row.input, title: `${titleMark(name)}${row.input.title}` },
  };
}

interface ImportAnswer {
  readonly results: readonly { readonly outcome: string; readonly error?: unknown }[];
}

function checkImported(what: string, { results }: ImportAnswer): void {
  const failed = results.find(({ outcome }) => outcome !== "created");
  if (failed !== undefined) throw new Error(`a row of ${what} was not imported: ${JSON.stringify(failed)}`);
}

async function importRows(
  { url, apiKey }: Account,
  resource: "tasks" | "notes",
  rows: Rows,
  rowAt: (index: number, teams: readonly string[], phaseMs: number) => ImportedRow,
): Promise<void> {
  const { of: person } = rows;
  const teams = person?.teams ?? (rows.inTeams ? TEAMS : []);
  for (let start = 0; start < rows.count; start += BATCH) {
    const length = Math.min(BATCH, rows.count - start);
    const batch = Array.from({ length }, (_, offset) => {
      const row = rowAt(start + offset, teams, rows.phaseMs);
      return person === undefined ? row : ownedBy(person, row);
    });
    checkImported(resource, await post<ImportAnswer>(`${url}/api/v1/import/${resource}`, { rows: batch }, apiKey));
  }
}

/**
 * Grants a peer the reading of somebody's tasks; the invite.
 * @param subject id, e-mail or name. Default: the account
 */
export async function grantTasks({ url, userId, apiKey }: Account, name: string, subject = userId): Promise<string> {
  const scope = { resources: ["tasks"], include_teams: "all", include_personal: true };
  // No limit that a benchmark could reach: what is measured is the gateway.
  const limits = { requests_per_minute: 1_000_000, concurrent_requests: 1000 };
  const grant = { name, subject, scope, ...limits };
  return (await post<{ invite: string }>(`${url}/api/v1/federation/grants`, grant, apiKey)).invite;
}

/** Enrolls this process, which then speaks to the serving side as a gateway would. */
export async function enroll(invite: string): Promise<PeerKeys> {
  const reading = readInvite(invite);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const { enrollUrl, token } = reading.invite;
  const own = await createSigningRequest();
  const answer = await post<{ certificate: string; root: string; endpoint: string }>(enrollUrl, {
    protocol: 1,
    token,
    csr: own.csrPem,
  });
  return { endpoint: answer.endpoint, rootPem: answer.root, cert: answer.certificate, key: own.privateKeyPem };
}

/** Makes the account's gateway a peer of the one that gave the invite. */
export async function addPeer({ url, apiKey }: Account, invite: string, name: string): Promise<void> {
  await post(`${url}/api/v1/federation/peers`, { invite, name }, apiKey);
}
