import { z } from "zod";
import type { ResourceDefinition } from "../definition.ts";
import { field, instantField, text } from "../field.ts";

/** A team is its own space, so the teams a person sees are those they belong to. */
export const teams: ResourceDefinition = {
  name: "teams",
  singular: "team",
  description: "The teams you belong to.",
  from: { table: "teams", space: "id" },
  fields: {
    id: field("r.id", z.uuid(), { federates: true }),
    name: field("r.name", z.string(), { federates: true }),
    members: field("(select count(*)::int from team_members m where m.team_id = r.id)", z.int(), { federates: true }),
    created_at: instantField("created_at", { federates: true }),
    updated_at: instantField("updated_at", { federates: true }),
  },
  filters: { name: { column: "name", schema: text(200) } },
};
