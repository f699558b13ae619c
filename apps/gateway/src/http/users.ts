import { title } from "@mosaicstack/resources";
import { z } from "zod";
import { decodeCursor, encodeCursor } from "../reading/cursor.ts";
import { LOCAL_SOURCE } from "../reading/local-reader.ts";
import { password } from "../users/password.ts";
import type { Users } from "../users/users.ts";
import { instant, noContent, pageOf, refusals } from "./answers.ts";
import { clamp, cursor, idParams, limit } from "./parameters.ts";
import type { Routes } from "./server.ts";

const role = z.enum(["admin", "user"]);

/** An address as Better Auth looks it up: in lower case. */
export const email = z.email().max(254).toLowerCase();

/** A user as administrators see them. */
export const userAnswer = z.object({
  id: z.uuid(),
  name: z.string(),
  email: z.string(),
  role,
  created_at: instant,
  updated_at: instant,
});

/** Who one is, and for administrators the people of the gateway. */
export function registerUsers(app: Routes, users: Users): void {
  app.get(
    "/api/v1/me",
    {
      config: { access: "user" },
      schema: {
        tags: ["users"],
        summary: "Who you are",
        querystring: z.strictObject({}),
        response: { 200: z.object({ id: z.uuid(), name: z.string(), email: z.string(), role }), ...refusals },
      },
    },
    (request, reply) => {
      const { userId, name, email: address, role: own } = request.principal;
      void reply.send({ id: userId, name, email: address, role: own });
    },
  );
  app.get(
    "/api/v1/users",
    {
      config: { access: "admin" },
      schema: {
        tags: ["users"],
        summary: "List users, newest first",
        querystring: z.strictObject({ limit, cursor }),
        response: { 200: pageOf(userAnswer), ...refusals },
      },
    },
    async (request) => {
      const { limit: asked, cursor: position } = request.query;
      const before = position === undefined ? undefined : (decodeCursor(position)[LOCAL_SOURCE] ?? undefined);
      const { users: page, more } = await users.list(clamp(asked).limit, before);
      const last = page.at(-1);
      return {
        rows: [...page],
        next_cursor: more && last !== undefined ? encodeCursor({ [LOCAL_SOURCE]: last.id }) : null,
      };
    },
  );
  app.post(
    "/api/v1/users",
    {
      config: { access: "admin" },
      schema: {
        tags: ["users"],
        summary: "Make a user",
        description: "Without a password the user cannot sign in until one is set.",
        body: z.strictObject({ name: title(200), email, password: password.optional(), role: role.default("user") }),
        response: { 201: userAnswer, ...refusals },
      },
    },
    async (request, reply) => {
      const user = await users.create(request.body);
      return reply.code(201).header("location", `/api/v1/users/${user.id}`).send(user);
    },
  );
  app.get(
    "/api/v1/users/:id",
    {
      config: { access: "admin" },
      schema: {
        tags: ["users"],
        summary: "Get one user",
        params: idParams,
        response: { 200: userAnswer, ...refusals },
      },
    },
    async (request) => await users.get(request.params.id),
  );
  app.patch(
    "/api/v1/users/:id",
    {
      config: { access: "admin" },
      schema: {
        tags: ["users"],
        summary: "Change a user",
        description: "A new password ends the user's sessions; their API keys go on.",
        params: idParams,
        body: z.strictObject({ name: title(200).optional(), role: role.optional(), password: password.optional() }),
        response: { 200: userAnswer, ...refusals },
      },
    },
    async (request) => await users.update(request.params.id, request.body),
  );
  app.delete(
    "/api/v1/users/:id",
    {
      config: { access: "admin" },
      schema: {
        tags: ["users"],
        summary: "Remove a user",
        description:
          "With their personal rows, sessions, API keys and every grant over their data. A team's rows stay.",
        params: idParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await users.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
}
