import { randomBytes } from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import { createGateway, type Gateway } from "../gateway.ts";
import { cliProblem } from "../problems.ts";
import type { SampleData, SampleRow } from "./sample-data.ts";

/** The first admin of a demo gateway, signed in. */
export interface Admin {
  readonly gateway: Gateway;
  readonly apiKey: string;
  readonly email: string;
  readonly password: string;
}

/** Makes the first admin, with the code that the gateway printed. */
export async function claimGateway(
  url: string,
  code: string | undefined,
  person: { readonly name: string; readonly email: string },
  signal: AbortSignal,
): Promise<Admin> {
  if (code === undefined) {
    throw cliProblem("demo_not_as_expected", { detail: `The new gateway at ${url} printed no setup code.` });
  }
  const password = randomBytes(12).toString("base64url");
  const stranger = createGateway({ url, apiKey: undefined, ca: undefined }, signal);
  const { body } = await stranger.call<{ api_key: string }>("POST", "/api/v1/setup", {
    body: { code, ...person, password },
  });
  const apiKey = body.api_key;
  return { gateway: createGateway({ url, apiKey, ca: undefined }, signal), apiKey, email: person.email, password };
}

/** Puts people, teams and rows into a gateway, as `mosaic import` would. */
export async function furnish(gateway: Gateway, data: SampleData, clock: Clock): Promise<void> {
  if (data.people.length > 0) await importAll(gateway, "people", { people: data.people });
  for (const resource of ["tasks", "notes", "memory"] as const) {
    const rows = data[resource].map((row, index) => imported(row, index, clock));
    if (rows.length > 0) await importAll(gateway, resource, { rows });
  }
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function imported({ hoursAgo, dueInDays, input, ...whose }: SampleRow, index: number, clock: Clock): object {
  const now = clock.now().getTime();
  const at = new Date(now - hoursAgo * HOUR_MS).toISOString();
  const day = Math.floor(now / DAY_MS) * DAY_MS;
  const due = dueInDays === undefined ? {} : { due_at: new Date(day + dueInDays * DAY_MS).toISOString() };
  return { key: `demo-${index + 1}`, ...whose, created_at: at, updated_at: at, input: { ...input, ...due } };
}

interface ImportResult {
  readonly key: string | null;
  readonly outcome: string;
  readonly error?: { readonly detail: string };
}

async function importAll(gateway: Gateway, what: string, body: object): Promise<void> {
  const { body: answer } = await gateway.call<{ results: ImportResult[] }>("POST", `/api/v1/import/${what}`, { body });
  const failed = answer.results.find(({ outcome }) => outcome === "failed");
  if (failed === undefined) return;
  throw cliProblem("demo_not_as_expected", {
    detail: `Sample data was refused: ${what} ${failed.key ?? ""}: ${failed.error?.detail ?? "no reason given"}.`,
  });
}
