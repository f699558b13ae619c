import { refusalOf } from "./refusal.ts";
import { connectStepCa } from "./step-ca-connection.ts";

/** What a look at step-ca found. */
export interface StepCaFindings {
  /** Of a new connection and a call. */
  readonly latencyMs: number;
}

/**
 * Whether step-ca is there, proves who it is by the pinned root, and is well. Asks it for nothing.
 *
 * @param options.timeoutMs of the whole look
 * @throws Problem `ca_unreachable` or `ca_refused`
 */
export async function probeStepCa(
  { url, rootPem }: { readonly url: string; readonly rootPem: string },
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<StepCaFindings> {
  const connection = connectStepCa(url, rootPem, timeoutMs);
  const startedAt = performance.now();
  const { status } = await connection.ask({ method: "GET", path: "/health", maxAnswerBytes: 4096 });
  if (status !== 200) throw refusalOf("health", status, connection);
  return { latencyMs: performance.now() - startedAt };
}
