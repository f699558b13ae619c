import type { ListAnswer, Reader } from "@mosaicstack/federation-protocol";
import { type ResourceDefinition, registry, resourceProblem, rowSchema, type Writer } from "@mosaicstack/resources";
import type { FastifyReply, FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { decodeCursor, encodeCursor } from "../reading/cursor.ts";
import { getAnswer, listAnswer, noContent, refusals, writtenRow } from "./answers.ts";
import { clamp, cursor, idParams, limit, source } from "./parameters.ts";
import type { Routes } from "./server.ts";
import { bodyAsSent } from "./validation.ts";

const idempotencyHeaders = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional()
    .describe("Makes a retry of the same request find the row it made instead of making another"),
});

/** Sends what is JSON already: rows go from PostgreSQL to the socket as they are. */
function sendJson(reply: FastifyReply, status: number, json: string): FastifyReply {
  return reply.code(status).type("application/json; charset=utf-8").send(json);
}

function listJson(answer: ListAnswer, page: { readonly limit: number; readonly clamped: boolean }): string {
  const rest = JSON.stringify({
    next_cursor: answer.next === undefined ? null : encodeCursor(answer.next),
    ...(answer.retry === undefined ? {} : { retry_cursor: encodeCursor(answer.retry) }),
    partial: answer.partial,
    limit: page.limit,
    ...(page.clamped ? { limit_clamped: true } : {}),
    sources: answer.sources,
  });
  return `{"rows":${answer.rowsJson},${rest.slice(1)}`;
}

function registerReads(app: Routes, definition: ResourceDefinition, reader: Reader): void {
  const { name, singular, description } = definition;
  const filters = Object.fromEntries(
    Object.entries(definition.filters).map(([key, filter]) => [key, filter.schema.optional()]),
  );
  const team = z
    .union([z.literal("personal"), z.uuid()])
    .optional()
    .describe("Only this team's rows, or only personal ones");
  app.get(
    `/api/v1/${name}`,
    {
      config: { access: "user" },
      schema: {
        tags: [name],
        summary: `List ${name}, newest first`,
        description,
        querystring: z.strictObject({ source, limit, cursor, team, ...filters }),
        response: { 200: listAnswer(rowSchema(definition, "list")), ...refusals },
      },
    },
    async (request, reply) => {
      const { source: from, limit: asked, cursor: position, ...filterValues } = request.query;
      const page = clamp(asked);
      const answer = await reader.list(request.principal.userId, {
        source: from,
        resource: name,
        limit: page.limit,
        filters: filterValues as Record<string, string>,
        positions: position === undefined ? undefined : decodeCursor(position),
      });
      return sendJson(reply, 200, listJson(answer, page));
    },
  );
  app.get(
    `/api/v1/${name}/:id`,
    {
      config: { access: "user" },
      schema: {
        tags: [name],
        summary: `Get one ${singular}`,
        params: idParams,
        querystring: z.strictObject({ source }),
        response: { 200: getAnswer(rowSchema(definition, "get")), ...refusals },
      },
    },
    async (request, reply) => {
      const { rowJson, partial, sources } = await reader.get(request.principal.userId, {
        source: request.query.source,
        resource: name,
        id: request.params.id,
      });
      if (rowJson === undefined) {
        throw resourceProblem("not_found", { extensions: partial ? { partial, sources } : {} });
      }
      return sendJson(reply, 200, `{"row":${rowJson},${JSON.stringify({ partial, sources }).slice(1)}`);
    },
  );
}

function registerWrites(app: Routes, definition: ResourceDefinition, writer: Writer): void {
  const { name, singular, writing } = definition;
  if (writing === undefined) return;
  const row = writtenRow(rowSchema(definition, "get"));
  app.post(
    `/api/v1/${name}`,
    {
      config: { access: "user" },
      validatorCompiler: bodyAsSent as FastifySchemaCompiler<unknown>,
      schema: {
        tags: [name],
        summary: `Create a ${singular}`,
        headers: idempotencyHeaders,
        body: writing.create,
        response: { 200: row, 201: row, ...refusals },
      },
    },
    async (request, reply) => {
      const { userId } = request.principal;
      const created = await writer.create(definition, userId, request.body, request.headers["idempotency-key"]);
      reply.header("location", `/api/v1/${name}/${created.id}`);
      if (!created.replayed) return sendJson(reply, 201, created.json);
      return sendJson(reply.header("idempotency-replayed", "true"), 200, created.json);
    },
  );
  app.patch(
    `/api/v1/${name}/:id`,
    {
      config: { access: "user" },
      validatorCompiler: bodyAsSent as FastifySchemaCompiler<unknown>,
      schema: {
        tags: [name],
        summary: `Edit a ${singular}`,
        params: idParams,
        body: writing.update,
        response: { 200: row, ...refusals },
      },
    },
    async (request, reply) =>
      sendJson(reply, 200, await writer.update(definition, request.principal.userId, request.params.id, request.body)),
  );
  app.delete(
    `/api/v1/${name}/:id`,
    {
      config: { access: "user" },
      schema: {
        tags: [name],
        summary: `Delete a ${singular}`,
        params: idParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await writer.remove(definition, request.principal.userId, request.params.id);
      return reply.code(204).send(null);
    },
  );
}

/** Lists, gets and writes of every resource in the registry, and the one read that shows a secret. */
export function registerResources(
  app: Routes,
  { reader, writer }: { readonly reader: Reader; readonly writer: Writer },
): void {
  for (const definition of registry) {
    registerReads(app, definition, reader);
    registerWrites(app, definition, writer);
  }
  app.post(
    "/api/v1/credentials/:id/reveal",
    {
      config: { access: "user" },
      schema: {
        tags: ["credentials"],
        summary: "Show a credential's secret",
        params: idParams,
        response: { 200: z.object({ secret: z.string() }), ...refusals },
      },
    },
    async (request) => ({ secret: await writer.revealSecret(request.principal.userId, request.params.id) }),
  );
}
