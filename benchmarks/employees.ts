import { type GatewayHome, startGateway } from "./gateway.ts";
import type { Client } from "./load.ts";
import { THROUGH_REST } from "./fill-up.ts";
import { addNotes, addPeer, addPeople, addTasks, grantTasks, type Person, setUp, titleMark } from "./seed.ts";
import { LIMIT, PEER } from "./stage.ts";

/** One who works at the serving gateway and has a gateway at home. */
export interface EmployeeHome {
  readonly name: string;
  readonly home: GatewayHome;
}

/** The same with the API key of the home's owner. */
export interface SeededHome extends EmployeeHome {
  readonly apiKey: string;
}

const TEAMS_EACH = 3;
/** So that the employees' rows alternate in time. */
const PHASE_MS = 15_000;

/**
 * Seeds a work gateway with employees, whose rows are evenly many and each in a space that nobody else sees, and their homes
 * with a page of rows; joins each home to work by a grant of its own, and stops all again. On PostgreSQL, so at most
 * {@link THROUGH_REST} rows of each kind.
 */
export async function seedEmployees(
  work: GatewayHome,
  employees: readonly EmployeeHome[],
  wanted: { readonly tasks: number; readonly notes: number },
): Promise<SeededHome[]> {
  const shareOf = (rows: number): number => Math.ceil(Math.min(rows, THROUGH_REST) / employees.length);
  const seeded: SeededHome[] = [];
  const workGateway = await startGateway(work);
  try {
    const admin = await setUp(work.url, workGateway.printed);
    const people = employees.map(({ name }) => personOf(name));
    await addPeople(admin, people);
    for (const [index, { name, home }] of employees.entries()) {
      const person = personOf(name);
      const rows = { inTeams: true, phaseMs: index * PHASE_MS, of: person };
      await addTasks(admin, { ...rows, count: shareOf(wanted.tasks) });
      await addNotes(admin, { ...rows, count: shareOf(wanted.notes) });
      const homeGateway = await startGateway(home);
      try {
        const owner = await setUp(home.url, homeGateway.printed);
        await addTasks(owner, { count: LIMIT, inTeams: false, phaseMs: 0 });
        await addPeer(owner, await grantTasks(admin, `home of ${name}`, person.email), PEER);
        seeded.push({ name, home, apiKey: owner.apiKey });
      } finally {
        await homeGateway.stop();
      }
    }
    return seeded;
  } finally {
    await workGateway.stop();
  }
}

function personOf(name: string): Person {
  const teams = Array.from({ length: TEAMS_EACH }, (_, index) => `Team ${index + 1} of ${name}`);
  return { name, email: `${name.toLowerCase()}@work.example`, teams };
}

/** How often an employee's home was asked, and how often in vain. */
export interface Tally {
  readonly name: string;
  asked: number;
  failed: number;
}

/**
 * Asks the employees' homes in turn. An answer that is no whole page of the employee's own rows is an error, as is what the
 * client fails with.
 *
 * @param tallies counted on, in the order of the clients
 */
export function askInTurn(clients: readonly Client[], tallies: readonly Tally[]): Client {
  let turn = 0;
  return {
    async ask() {
      const [client, tally] = [clients[turn % clients.length], tallies[turn % clients.length]];
      turn += 1;
      if (client === undefined || tally === undefined) throw new Error("an employee without a client, or a tally");
      tally.asked += 1;
      try {
        const text = await client.ask();
        const fault = faultOf(tally.name, text);
        if (fault !== undefined) throw new Error(fault);
        return text;
      } catch (error) {
        tally.failed += 1;
        throw error;
      }
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}

interface Page {
  readonly rows: readonly { readonly title: string }[];
  readonly partial: boolean;
  readonly sources: readonly { readonly status: string; readonly error?: { readonly code: string } }[];
}

/**
 * What is wrong with an employee's list, in words that are the same each time. Undefined where it is whole, and every row of it
 * is the employee's.
 */
export function faultOf(name: string, text: string): string | undefined {
  const { rows, partial, sources } = JSON.parse(text) as Page;
  if (partial) {
    const reasons = sources.map(({ status, error }) => (error === undefined ? status : `${status} ${error.code}`));
    return `${name} was given a partial answer: ${reasons.join(", ")}`;
  }
  const strange = rows.find(({ title }) => !title.startsWith(titleMark(name)));
  if (strange !== undefined) return `${name} was given a row of another: ${strange.title.split(" ", 1).join("")}`;
  return rows.length === LIMIT ? undefined : `${name} was given ${rows.length} rows in place of ${LIMIT}`;
}
