import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPrivatePostgresql } from "../scripts/services/private-instances.ts";
import { auditText, measureAudit } from "./audit.ts";
import { fanOutText, measureFanOut } from "./fan-out.ts";
import { faultsText, measureFaults } from "./faults.ts";
import { startFromSources } from "./gateway.ts";
import { measureLoad } from "./load-report.ts";
import { type BenchOptions, type Measurement, readOptions, USAGE } from "./options.ts";
import { measureOracle, oracleText } from "./oracle.ts";
import { reportText } from "./report.ts";
import { say } from "./say.ts";
import { measureSearchLatency } from "./search-latency.ts";
import { measureQuality } from "./search-quality.ts";
import { searchAims, type SearchReport, searchText } from "./search-report.ts";
import { measureSoak, soakText } from "./soak.ts";
import { measureTrust } from "./trust.ts";
import { trustAims, type TrustReport, trustText } from "./trust-report.ts";
import { measureWalls, wallsText } from "./walls.ts";

/** Measures in `folder`, which is removed afterwards, and prints. */
type Run = (folder: string, options: BenchOptions) => Promise<void>;

/** @param text of a report, for people */
function print<Report>(options: BenchOptions, report: Report, text: (report: Report) => string): void {
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : text(report));
}

const runs: Readonly<Record<Measurement, Run>> = {
  load: async (folder, options) => print(options, await measureLoad(folder, options), reportText),
  faults: async (folder, options) => print(options, await measureFaults(folder, options), faultsText),
  "fan-out": async (folder, options) => print(options, await measureFanOut(folder, options), fanOutText),
  async soak(folder, options) {
    const soak = await measureSoak(folder, options);
    print(options, soak, soakText);
    // No matter of speed: an answer that is missing, or another's.
    if (soak.failed > 0) process.exitCode = 1;
  },
  audit: async (folder, options) => print(options, await measureAudit(folder, options), auditText),
  walls: async (folder, options) => print(options, await measureWalls(folder, options), wallsText),
  async oracle(folder, options) {
    const { databaseUrl, requests: requestsPerKind, tasks } = options;
    say("refusals, timed");
    print(options, await measureOracle(folder, { databaseUrl, requestsPerKind, tasks }), oracleText);
  },
  async search(_, options) {
    const { proposals, each, rows, searches } = options.search;
    if (proposals !== undefined) say("quality of search");
    const quality = proposals === undefined ? [] : await measureQuality(proposals, each);
    if (rows > 0) say(`speed of search over ${rows} rows`);
    const latency = rows === 0 ? [] : await measureSearchLatency(rows, searches);
    const report = { node: process.version, rows, quality, latency, aims: searchAims(quality, latency) };
    print<SearchReport>(options, report, searchText);
  },
  async trust(_, options) {
    say("certificates and revocation");
    const trust = await measureTrust(options);
    print<TrustReport>(options, { node: process.version, trust, aims: trustAims(trust) }, trustText);
  },
};

const options = readOptions(process.argv.slice(2), process.env);
if (options === "help") {
  process.stdout.write(USAGE);
} else {
  if (options.fromSources) startFromSources();
  const folder = await mkdtemp(join(tmpdir(), "mosaic-bench-"));
  const server = options.ownPostgres ? await startPrivatePostgresql() : undefined;
  try {
    await runs[options.measurement](folder, { ...options, databaseUrl: server?.url ?? options.databaseUrl });
  } finally {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  }
  // The pipes of gateways that have ended would keep this process.
  process.exit();
}
