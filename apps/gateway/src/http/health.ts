import { setTimeout } from "node:timers/promises";
import type { ReadStore } from "@mosaicstack/storage";
import { z } from "zod";
import { gatewayProblem } from "../problems.ts";
import { refusals } from "./answers.ts";
import type { Routes } from "./server.ts";

const PROBE_MS = 2000;

/** Whether the process lives, whether it can serve, and what it serves. Public: they say nothing of anybody's data. */
export function registerHealth(app: Routes, store: ReadStore): void {
  const status = z.object({ status: z.literal("ok") });
  app.get(
    "/healthz",
    {
      config: { access: "public" },
      schema: { tags: ["health"], summary: "The process runs", security: [], response: { 200: status, ...refusals } },
    },
    () => ({ status: "ok" as const }),
  );
  app.get(
    "/readyz",
    {
      config: { access: "public" },
      schema: {
        tags: ["health"],
        summary: "The gateway can serve",
        security: [],
        response: { 200: status, ...refusals },
      },
    },
    async () => {
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
      return { status: "ok" as const };
    },
  );
  app.get(
    "/openapi.json",
    {
      config: { access: "public" },
      schema: {
        tags: ["health"],
        summary: "This document",
        security: [],
        response: { 200: z.looseObject({}), ...refusals },
      },
    },
    (_request, reply) => {
      void reply.type("application/json; charset=utf-8").send(JSON.stringify(app.swagger()) as never);
    },
  );
}
