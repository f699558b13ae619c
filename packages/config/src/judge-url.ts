import type { ConfigFault } from "./config.ts";
import { correct, describeOrigin } from "./fault.ts";
import type { Entry } from "./layer.ts";
import type { GivenText } from "./secret-variables.ts";
import { readDatabaseUrl, readQueueUrl, showQueueUrl, type UrlReading } from "./service-url.ts";

/** What a URL turned into: settings that may be shown, and the password apart. */
export interface JudgedUrl {
  readonly entries: readonly Entry[];
  readonly faults: readonly ConfigFault[];
  readonly password?: GivenText;
}

/** The password may come by a variable, which only this process sees; never by a file people share or a flag that `ps` shows. */
function takePassword(
  entry: Entry,
  password: string | undefined,
  service: "DATABASE" | "VALKEY",
): { readonly password?: GivenText; readonly faults: readonly ConfigFault[] } {
  const { path, origin } = entry;
  if (password === undefined) return { faults: [] };
  if (origin.kind === "environment") return { password: { text: password, origin }, faults: [] };
  const alone = service === "DATABASE" ? "POSTGRES_PASSWORD" : "VALKEY_PASSWORD";
  const remedy = `Take the password out and set ${alone} or ${alone}_FILE; or take the URL out and set ${service}_URL or ${service}_URL_FILE.`;
  return { faults: [{ path, origin, message: "holds a password", remedy }] };
}

function unread(entry: Entry, reading: UrlReading<unknown> & { readonly kind: "fault" }): JudgedUrl {
  const { path, origin } = entry;
  return { entries: [], faults: [{ path, origin, message: reading.message, remedy: correct(path, origin) }] };
}

/** Turns `database.url` into the settings it names. `beside` is what the same source said apart from it. */
export function judgeDatabaseUrl(entry: Entry, url: string, beside: readonly Entry[]): JudgedUrl {
  const reading = readDatabaseUrl(url);
  if (reading.kind === "fault") return unread(entry, reading);
  const taken = takePassword(entry, reading.password, "DATABASE");
  const entries = Object.entries(reading.parts).map(([part, value]) => ({ ...entry, path: `database.${part}`, value }));
  const twice = beside
    .filter((other) => entries.some((part) => part.path === other.path))
    .map(({ path, origin }) => ({
      path,
      origin,
      message: `is also in the URL that ${describeOrigin(entry.origin)} gives`,
      remedy: "Give the URL, or its parts.",
    }));
  return { ...taken, entries, faults: [...taken.faults, ...twice] };
}

/** Leaves `queue.url` what may be shown of it. */
export function judgeQueueUrl(entry: Entry, url: string): JudgedUrl {
  const reading = readQueueUrl(url);
  if (reading.kind === "fault") return unread(entry, reading);
  return {
    ...takePassword(entry, reading.password, "VALKEY"),
    entries: [{ ...entry, value: showQueueUrl(reading.parts) }],
  };
}
