import { setTimeout } from "node:timers/promises";
import type { Coordination } from "@mosaicstack/coordination";
import type { AuditQueueStatus, ReadStore } from "@mosaicstack/storage";
import { z } from "zod";
import { gatewayProblem } from "../problems.ts";
import { refusals } from "./answers.ts";
import type { Routes } from "./server.ts";

const PROBE_MS = 2000;

const alive = z.object({ status: z.literal("ok") });
const service = z.object({
  service: z.enum(["database", "coordination", "audit"]),
  status: z.enum(["ok", "degraded"]),
  since: z.iso.datetime().optional().meta({ description: "When it was lost." }),
  cause: z.string().optional(),
  queued: z.int().optional().meta({ description: "Of the audit: entries that are not in the database yet." }),
  dropped: z
    .int()
    .optional()
    .meta({ description: "Of the audit: entries it had no room for since the gateway started." }),
});
const readiness = z.object({
  status: z.enum(["ok", "degraded"]).meta({ description: "`degraded`: it serves, and something does not work." }),
  services: z.array(service),
});

/** @throws Problem `database_unavailable` */
async function assertAnswering(store: ReadStore): Promise<void> {
  const probed = new AbortController();
  const tooLate = setTimeout(PROBE_MS, undefined, { signal: probed.signal, ref: false }).then(() => {
    throw new Error(`no answer in ${PROBE_MS} ms`);
  });
  try {
    await Promise.race([store.query("select 1 as ready", []), tooLate]);
  } catch (cause) {
    throw gatewayProblem("database_unavailable", { cause });
  } finally {
    tooLate.catch(() => undefined);
    probed.abort();
  }
}

/** One look at a time, which all who ask meanwhile share: whoever asks how often, the database is asked once. */
function sharedProbe(store: ReadStore): () => Promise<void> {
  let probing: Promise<void> | undefined;
  return () =>
    (probing ??= assertAnswering(store).finally(() => {
      probing = undefined;
    }));
}

/** What was dropped is over; that entries cannot be written, or there is no room for them, is not. */
function auditService({ queued, dropped, failing, full }: AuditQueueStatus) {
  const counts = { service: "audit" as const, queued, dropped };
  if (!failing && !full) return { ...counts, status: "ok" as const };
  const cause = full ? "it takes no more entries, so peers are not served" : "it cannot be written to the database";
  return { ...counts, status: "degraded" as const, cause };
}

/** Whether the process lives, whether it can serve, and what it serves. Public: they say nothing of anybody's data. */
export function registerHealth(
  app: Routes,
  {
    store,
    coordination,
    audit,
  }: {
    readonly store: ReadStore;
    readonly coordination: Coordination;
    /** Where this gateway federates. */
    readonly audit?: (() => AuditQueueStatus) | undefined;
  },
): void {
  const probe = sharedProbe(store);
  let document: string | undefined;
  app.get(
    "/healthz",
    {
      config: { access: "public", limit: { uncounted: "a constant" } },
      schema: { tags: ["health"], summary: "The process runs", security: [], response: { 200: alive, ...refusals } },
    },
    () => ({ status: "ok" as const }),
  );
  app.get(
    "/readyz",
    {
      config: { access: "public", limit: { uncounted: "those who ask at once share one look at the database" } },
      schema: {
        tags: ["health"],
        summary: "The gateway can serve",
        description:
          "503 without its database; 200 with `degraded` while jobs and broadcasts wait for Valkey, or the audit log can't be written.",
        security: [],
        response: { 200: readiness, ...refusals },
      },
    },
    async () => {
      await probe();
      const shared = coordination.state();
      const audits = audit === undefined ? [] : [auditService(audit())];
      const isDegraded = shared.status !== "ok" || audits.some(({ status }) => status !== "ok");
      return {
        status: isDegraded ? ("degraded" as const) : ("ok" as const),
        services: [
          { service: "database" as const, status: "ok" as const },
          {
            service: "coordination" as const,
            ...(shared.status === "ok" ? shared : { ...shared, since: shared.since.toISOString() }),
          },
          ...audits,
        ],
      };
    },
  );
  app.get(
    "/openapi.json",
    {
      config: { access: "public", limit: { uncounted: "a constant, made once" } },
      schema: {
        tags: ["health"],
        summary: "This document",
        security: [],
        response: { 200: z.looseObject({}), ...refusals },
      },
    },
    (_request, reply) => {
      document ??= JSON.stringify(app.swagger());
      void reply.type("application/json; charset=utf-8").send(document as never);
    },
  );
}
