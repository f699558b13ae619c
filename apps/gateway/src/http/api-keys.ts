import { title } from "@mosaicstack/resources";
import { z } from "zod";
import type { ApiKeys } from "../auth/api-keys.ts";
import type { Users } from "../users/users.ts";
import { instant, noContent, pageOf, refusals } from "./answers.ts";
import { idParams } from "./parameters.ts";
import type { Routes } from "./server.ts";

const apiKeyAnswer = z.object({
  id: z.uuid(),
  name: z.string(),
  start: z.string().describe("The key's first characters, to tell it by"),
  created_at: instant,
  expires_at: instant.nullable(),
});

const newApiKey = z.strictObject({ name: title(200), expires_in_days: z.int().min(1).max(3650).optional() });
const madeApiKey = apiKeyAnswer.extend({ key: z.string().describe("Shown this once") });

/** One's own API keys; and for administrators, a first one for somebody who has no other way in. */
export function registerApiKeys(
  app: Routes,
  { apiKeys, users }: { readonly apiKeys: ApiKeys; readonly users: Users },
): void {
  app.get(
    "/api/v1/api-keys",
    {
      config: { access: "user" },
      schema: {
        tags: ["api keys"],
        summary: "List your API keys",
        description: "All of them; one user has at most 100.",
        querystring: z.strictObject({}),
        response: { 200: pageOf(apiKeyAnswer), ...refusals },
      },
    },
    async (request) => ({ rows: [...(await apiKeys.list(request.principal.userId))], next_cursor: null }),
  );
  app.post(
    "/api/v1/api-keys",
    {
      config: { access: "user" },
      schema: {
        tags: ["api keys"],
        summary: "Make an API key",
        body: newApiKey,
        response: { 201: madeApiKey, ...refusals },
      },
    },
    async (request, reply) => {
      const { name, expires_in_days: days } = request.body;
      return reply.code(201).send(await apiKeys.create(request.principal.userId, name, days));
    },
  );
  app.delete(
    "/api/v1/api-keys/:id",
    {
      config: { access: "user" },
      schema: {
        tags: ["api keys"],
        summary: "Withdraw an API key",
        params: idParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await apiKeys.remove(request.principal.userId, request.params.id);
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/api/v1/users/:id/api-keys",
    {
      config: { access: "admin" },
      schema: {
        tags: ["users"],
        summary: "Make an API key for a user",
        params: idParams,
        body: newApiKey,
        response: { 201: madeApiKey, ...refusals },
      },
    },
    async (request, reply) => {
      const { id } = await users.get(request.params.id);
      const { name, expires_in_days: days } = request.body;
      return reply.code(201).send(await apiKeys.create(id, name, days));
    },
  );
}
