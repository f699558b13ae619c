import { title } from "@mosaicstack/resources";
import { z } from "zod";
import type { Teams } from "../teams/teams.ts";
import { instant, noContent, refusals } from "./answers.ts";
import { id, idParams } from "./parameters.ts";
import type { Routes } from "./server.ts";
import { email } from "./users.ts";

const role = z.enum(["owner", "member"]);
const body = z.strictObject({ name: title(200) });
const memberParams = z.object({ id: z.string(), user_id: z.string() });

const teamAnswer = z.object({ id: z.uuid(), name: z.string(), created_at: instant, updated_at: instant });
const memberAnswer = z.object({ user_id: z.uuid(), name: z.string(), email: z.string(), role });

/** Changes to teams; they are listed and got through the registry. */
export function registerTeams(app: Routes, teams: Teams): void {
  const tags = ["teams"];
  app.post(
    "/api/v1/teams",
    {
      config: { access: "user" },
      schema: { tags, summary: "Make a team; you become its owner", body, response: { 201: teamAnswer, ...refusals } },
    },
    async (request, reply) => {
      const team = await teams.create(request.principal, request.body.name);
      return reply.code(201).header("location", `/api/v1/teams/${team.id}`).send(team);
    },
  );
  app.get(
    "/api/v1/teams/named",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "The team of a name (its members, administrators)",
        querystring: z.strictObject({ name: title(200) }),
        response: { 200: teamAnswer, ...refusals },
      },
    },
    async (request) => await teams.named(request.principal, request.query.name),
  );
  app.patch(
    "/api/v1/teams/:id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Rename a team (its owners)",
        params: idParams,
        body,
        response: { 200: teamAnswer, ...refusals },
      },
    },
    async (request) => await teams.rename(request.principal, request.params.id, request.body.name),
  );
  app.delete(
    "/api/v1/teams/:id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Delete a team without rows (its owners)",
        params: idParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await teams.remove(request.principal, request.params.id);
      return reply.code(204).send(null);
    },
  );
  app.get(
    "/api/v1/teams/:id/members",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Who is in a team (its members)",
        description: "All of them, by name.",
        params: idParams,
        querystring: z.strictObject({}),
        response: { 200: z.object({ rows: z.array(memberAnswer) }), ...refusals },
      },
    },
    async (request) => ({ rows: [...(await teams.members(request.principal, request.params.id))] }),
  );
  app.put(
    "/api/v1/teams/:id/members",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Add a member by e-mail address, or change their role (its owners)",
        params: idParams,
        body: z.strictObject({ email, role: role.default("member") }),
        response: { 200: memberAnswer, ...refusals },
      },
    },
    async (request) => {
      const { email: address, role: given } = request.body;
      return await teams.setMember(request.principal, request.params.id, { email: address }, given);
    },
  );
  app.put(
    "/api/v1/teams/:id/members/:user_id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Add a member, or change their role (its owners)",
        params: memberParams.extend({ user_id: id }),
        body: z.strictObject({ role: role.default("member") }),
        response: { 200: memberAnswer, ...refusals },
      },
    },
    async (request) => {
      const { id: teamId, user_id: userId } = request.params;
      return await teams.setMember(request.principal, teamId, { userId }, request.body.role);
    },
  );
  app.delete(
    "/api/v1/teams/:id/members/:user_id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Remove a member (its owners), or leave (yourself)",
        params: memberParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await teams.removeMember(request.principal, request.params.id, request.params.user_id);
      return reply.code(204).send(null);
    },
  );
}
