import { databaseAccess, type FederatedConfig, type GivenSecrets, queueAccess } from "@mosaicstack/config";
import { probeValkey } from "@mosaicstack/coordination";
import { Problem } from "@mosaicstack/foundation";
import { probePostgres } from "@mosaicstack/storage";
import { gatewayProblem } from "../problems.ts";

/** The longest any one service is waited for; they are asked together. */
const PROBE_MS = 5000;

/** One service that does not serve, as the start's refusal lists it. Holds no secret. */
export interface ServiceFault {
  /** `postgresql`, `pgvector`, `valkey`. */
  readonly service: string;
  readonly host: string;
  readonly port: number;
  readonly code: string;
  readonly cause: string;
  readonly remedy: string;
}

/**
 * Asserts that the services of tier `federated` are there: PostgreSQL, pgvector in it, and Valkey. Opens nothing that stays
 * open and writes nothing.
 *
 * @throws Problem `services_unavailable`, within 5 s, with a {@link ServiceFault} for each that is not
 */
export async function assertServices(config: FederatedConfig, secrets: GivenSecrets): Promise<void> {
  const database = await databaseAccess(config.database, secrets);
  const queue = queueAccess(config.queue, secrets);
  const probes = await Promise.allSettled([
    probePostgres({ ...database, vector: true, connectTimeoutMs: PROBE_MS }),
    probeValkey(queue, { timeoutMs: PROBE_MS }),
  ]);
  const refusals = probes.flatMap((probe): unknown[] => (probe.status === "rejected" ? [probe.reason] : []));
  const faults = refusals.map(faultOf);
  if (faults.length === 0) return;
  const lines = faults.map(
    ({ service, host, port, cause, remedy }) => `  ${service} at ${host}:${port}: ${cause}. ${remedy}`,
  );
  throw gatewayProblem("services_unavailable", {
    detail: `Tier federated needs what is not available:\n${lines.join("\n")}`,
    extensions: { faults },
    cause: new AggregateError(refusals, "services that do not serve"),
  });
}

function faultOf(reason: unknown): ServiceFault {
  if (!(reason instanceof Problem)) throw reason;
  const { service, host, port, cause, detail, remedy, code } = reason.details;
  return {
    service: String(service),
    host: String(host),
    port: Number(port),
    code,
    cause: typeof cause === "string" ? cause : detail,
    remedy,
  };
}
