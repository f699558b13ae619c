import type { Reader } from "@mosaicstack/federation-protocol";
import { z } from "zod";
import { capabilitiesAnswer, refusals } from "./answers.ts";
import { source } from "./parameters.ts";
import type { Routes } from "./server.ts";

/** What may be read where. */
export function registerCapabilities(app: Routes, reader: Reader): void {
  app.get(
    "/api/v1/capabilities",
    {
      config: { access: "user" },
      schema: {
        tags: ["capabilities"],
        summary: "What each source lets you read",
        querystring: z.strictObject({ source }),
        response: { 200: capabilitiesAnswer, ...refusals },
      },
    },
    async (request, reply) => {
      const answer = await reader.capabilities(request.principal.userId, request.query.source);
      return reply.type("application/json; charset=utf-8").send(JSON.stringify(answer) as never);
    },
  );
}
