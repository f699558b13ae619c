import type { Reader } from "@mosaicstack/federation-protocol";
import type { Writer } from "@mosaicstack/resources";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { noContent, refusals } from "../http/answers.ts";
import type { Routes } from "../http/server.ts";
import { gatewayProblem } from "../problems.ts";
import { isOwnOrigin } from "./origins.ts";
import { readTools } from "./read-tools.ts";
import { createMessageHandler } from "./server.ts";
import { writeTools } from "./write-tools.ts";

const id = z.union([z.string(), z.number()]);

/** One JSON-RPC message. Not several: revision 2025-06-18 took batches out, and one of them could ask for any amount. */
const message = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id: id.optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});

const answer = z.looseObject({ jsonrpc: z.literal("2.0"), id: id.nullable() });

/**
 * Serves agents by the Model Context Protocol (revision 2025-11-25 and those before it) at `POST /mcp`: authenticated as
 * every other route, without sessions, one JSON answer a message. GET and DELETE, which are for streams and sessions, are
 * answered with 405 as the specification has it.
 *
 * @param deps.federated whether `reader` may answer with what other gateways wrote
 * @param deps.publicOrigin the origin people open, where the configuration names one
 */
export function registerMcp(
  app: Routes,
  deps: {
    readonly reader: Reader;
    readonly writer: Writer;
    readonly federated: boolean;
    readonly publicOrigin: string | undefined;
  },
): void {
  const { reader, writer, federated, publicOrigin } = deps;
  const answerMessage = createMessageHandler([...readTools(reader, federated), ...writeTools(writer)]);
  app.post(
    "/mcp",
    {
      config: { access: "user" },
      schema: {
        tags: ["mcp"],
        summary: "Answer one message of the Model Context Protocol",
        description: "Streamable HTTP without sessions. Agents find the tools by `tools/list`; docs/guides/mcp.md.",
        body: message,
        response: { 200: answer, 202: noContent, ...refusals },
      },
      onRequest(request, _reply, done) {
        const { origin, host } = request.headers;
        const isForeign = origin !== undefined && !isOwnOrigin(origin, host, publicOrigin);
        done(isForeign ? gatewayProblem("origin_refused") : undefined);
      },
    },
    async (request, reply: FastifyReply) => {
      const caller = { userId: request.principal.userId, requestId: request.id, log: request.log };
      const { status, body } = await answerMessage(request.body, request.headers, caller);
      if (body === undefined) return reply.code(status).send();
      return reply.code(status).type("application/json; charset=utf-8").send(body);
    },
  );
}
