import type { QueueAccess } from "@mosaicstack/config";
import { LIMIT_MS } from "./bounded.ts";
import { type Check, faulty, ok, warning } from "./check.ts";

const NAME = "valkey";

/** Looks at Valkey as the gateway's start would find it, and writes nothing. */
export async function checkQueue(access: QueueAccess): Promise<readonly Check[]> {
  const { probeValkey } = await import("@mosaicstack/coordination");
  const { host, port } = access;
  try {
    const { latencyMs, product, version, evictionPolicy, tls } = await probeValkey(access, { timeoutMs: LIMIT_MS });
    const latency = Math.round(latencyMs * 10) / 10;
    const who = `${host}:${port}, ${product === "redis" ? "Redis" : "Valkey"} ${version}`;
    const found = { host, port, latency_ms: latency };
    const evicts =
      evictionPolicy === "noeviction"
        ? []
        : [
            {
              ...warning(NAME, "valkey_evicts", `Its maxmemory-policy is ${evictionPolicy}, not noeviction.`),
              host,
              port,
            },
          ];
    return [{ ...ok(NAME, `${who}, ${tls ? "over TLS" : "without TLS"}, ${latency} ms`), ...found }, ...evicts];
  } catch (error) {
    return [faulty(NAME, error)];
  }
}
