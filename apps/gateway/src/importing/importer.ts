import type { Clock } from "@mosaicstack/foundation";
import { instant, parseInput, type ResourceDefinition, title, type Writer } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import { z } from "zod";
import type { Principal } from "../auth/principal.ts";
import { gatewayProblem } from "../problems.ts";
import { lookUpNames, type Names } from "./names.ts";
import { failed, nameOf, type RowResult } from "./outcome.ts";
import { importPeople, type PeopleImport } from "./people.ts";

/** One row of an import as it comes; `input` is judged by the resource's own schema. */
export const importedRow = z.strictObject({
  key: title(512).describe(
    "Your own name for the row; a second import of the same key in the same space brings it up to date",
  ),
  owner: title(320)
    .optional()
    .describe("A user's name or e-mail address; absent: you. Another than you: administrators"),
  team: title(200).optional().describe("A team's name; absent: a personal row of the owner"),
  created_at: instant.optional(),
  updated_at: instant.optional(),
  input: z.looseObject({}).describe("The row's members as for its creation, without `team_id` and `key`"),
});

export interface RowsImport {
  readonly rows: readonly unknown[];
  readonly dryRun: boolean;
}

/** Takes in rows and people from elsewhere, each on its own: what is wrong with one stops no other. */
export interface Importer {
  people(request: PeopleImport): Promise<readonly RowResult[]>;
  rows(definition: ResourceDefinition, caller: Principal, request: RowsImport): Promise<readonly RowResult[]>;
}

function mentioned(rows: readonly unknown[], member: string): string[] {
  return rows.map((row) => nameOf(row, member)?.trim() ?? "").filter((name) => name !== "");
}

function ownerOf(caller: Principal, names: Names, owner: string | undefined): string {
  if (owner === undefined) return caller.userId;
  if (caller.role === "admin") return names.userId(owner);
  if (owner === caller.name || owner.toLowerCase() === caller.email) return caller.userId;
  throw gatewayProblem("not_your_row");
}

export function createImporter(dependencies: {
  readonly store: Store;
  readonly writer: Writer;
  readonly clock: Clock;
}): Importer {
  const { store, writer, clock } = dependencies;
  return {
    people: (request) => importPeople(store, clock, request),

    async rows(definition, caller, { rows, dryRun }) {
      const owners = caller.role === "admin" ? mentioned(rows, "owner") : [];
      const names = await lookUpNames(store, caller, { owners, teams: mentioned(rows, "team") });
      const results: RowResult[] = [];
      for (const [index, row] of rows.entries()) {
        const key = nameOf(row, "key");
        try {
          const read = parseInput(importedRow, row);
          const imported = {
            ownerId: ownerOf(caller, names, read.owner),
            teamId: read.team === undefined ? null : names.teamId(read.team),
            key: read.key,
            input: read.input,
            createdAt: read.created_at,
            updatedAt: read.updated_at,
          };
          const outcome = await writer.upsert(definition, imported, dryRun ? "preview" : "apply");
          results.push({ index, key: read.key, outcome });
        } catch (error) {
          results.push(failed(index, key, error));
        }
      }
      return results;
    },
  };
}
