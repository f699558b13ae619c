import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The four ways to run a gateway, as `mosaic init` asks for them. */
export const plans = {
  local: { label: "local", hint: "everything in one process and one folder, no other gateway" },
  "federated-embedded": {
    label: "federated, embedded",
    hint: "the same, and it federates: a home gateway, or a trial",
  },
  standalone: { label: "standalone", hint: "PostgreSQL, no other gateway" },
  federated: { label: "federated", hint: "PostgreSQL with pgvector, and Valkey; federates" },
} as const;
export type Plan = keyof typeof plans;

/** What a configuration file says. Everything that is left out keeps its default. */
export interface ConfigDraft {
  readonly tier: "local" | "standalone" | "federated";
  readonly embedded?: true;
  readonly dataDirectory?: string;
  readonly http?: { readonly host?: string; readonly port?: number; readonly publicUrl?: string };
  readonly federation?: { readonly host?: string; readonly port?: number; readonly publicUrl?: string };
  readonly database?: { readonly url: string };
  readonly queue?: { readonly url: string };
}

/** What was answered, or given as flags. */
export interface InitAnswers {
  readonly plan: Plan;
  readonly dataDirectory?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly publicUrl?: string | undefined;
  readonly federationPort?: number | undefined;
  readonly federationUrl?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly queueUrl?: string | undefined;
}

/** Whether the plan keeps its data in a folder of its own. */
export function isEmbedded(plan: Plan): boolean {
  return plan === "local" || plan === "federated-embedded";
}

/** Whether the plan talks to other gateways. */
export function isFederated(plan: Plan): boolean {
  return plan === "federated-embedded" || plan === "federated";
}

function given<Section extends object>(section: Section): Section | undefined {
  const members = Object.entries(section).filter(([, value]) => value !== undefined);
  return members.length === 0 ? undefined : (Object.fromEntries(members) as Section);
}

/** The file for the answers, members in the order people read them. */
export function draftOf(answers: InitAnswers): ConfigDraft {
  const { plan, dataDirectory, host, port, publicUrl, federationPort, federationUrl, databaseUrl, queueUrl } = answers;
  const http = given({ host, port, publicUrl });
  // Who is reached from elsewhere by people is reached from elsewhere by peers.
  const federation = isFederated(plan) ? given({ host, port: federationPort, publicUrl: federationUrl }) : undefined;
  const draft = {
    tier: isFederated(plan) ? "federated" : plan,
    embedded: plan === "federated-embedded" ? true : undefined,
    dataDirectory: isEmbedded(plan) ? dataDirectory : undefined,
    database: !isEmbedded(plan) && databaseUrl !== undefined ? { url: databaseUrl } : undefined,
    queue: plan === "federated" && queueUrl !== undefined ? { url: queueUrl } : undefined,
    http,
    federation,
  };
  return given(draft) as ConfigDraft;
}

/**
 * Has the gateway's own reader judge a draft, before it is written where it counts.
 * @throws Problem `config_invalid` with every fault
 */
export async function judgeDraft(draft: ConfigDraft, directory: string): Promise<void> {
  const { loadConfig } = await import("@mosaicstack/config");
  const folder = await mkdtemp(join(tmpdir(), "mosaic-init-"));
  const file = join(folder, "mosaic.config.json");
  try {
    await writeFile(file, JSON.stringify(draft));
    // Secrets are not the file's: any will do to judge it.
    await loadConfig({ directory, file, environment: { HOME: directory, BETTER_AUTH_SECRET: "x".repeat(64) } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is to do before the gateway starts, one thing a line. */
export function nextSteps(plan: Plan): string[] {
  const secrets = [
    "Set BETTER_AUTH_SECRET, at least 32 characters: openssl rand -base64 48",
    "Set DATABASE_URL, or DATABASE_URL_FILE, if the database wants a password.",
  ];
  return [
    ...(isEmbedded(plan) ? [] : secrets),
    "Start it: mosaic start",
    "Become its admin, with the code it prints: mosaic setup",
  ];
}
