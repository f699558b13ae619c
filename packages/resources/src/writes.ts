import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type Clock, isId, newId } from "@mosaicstack/foundation";
import {
  type Binding,
  constraintViolation,
  type Database,
  schema,
  type Sealer,
  type Store,
} from "@mosaicstack/storage";
import { and, eq, sql } from "drizzle-orm";
import type { z } from "zod";
import type { ResourceDefinition, WritableTable, Writing } from "./definition.ts";
import { resourceProblem } from "./problems.ts";
import { everythingOf, getRow } from "./reads.ts";

/** What a creation answered: the row as JSON, and whether it was an earlier creation's answer. */
export interface Created {
  readonly id: string;
  readonly json: string;
  readonly replayed: boolean;
}

/** What an import did with one row. */
export type Upserted = "created" | "updated" | "unchanged";

export interface ImportedRow {
  readonly ownerId: string;
  readonly teamId: string | null;
  /** Makes a second import of the same row find the first. */
  readonly key: string;
  /** A creation's members, not yet validated. */
  readonly input: unknown;
  /** The row's own times, where it has them. */
  readonly createdAt?: Date | undefined;
  readonly updatedAt?: Date | undefined;
}

/** Writes rows as a user: into their own space, or a team's they belong to. */
export interface Writer {
  /** @throws Problem `invalid_input`, `unknown_team`, `key_taken`, `idempotency_key_reused`, `read_only_resource` */
  create(definition: ResourceDefinition, userId: string, input: unknown, idempotencyKey?: string): Promise<Created>;
  /** @throws Problem `invalid_input`, `not_found`, `key_taken`, `read_only_resource` */
  update(definition: ResourceDefinition, userId: string, id: string, input: unknown): Promise<string>;
  /** @throws Problem `not_found`, `read_only_resource` */
  remove(definition: ResourceDefinition, userId: string, id: string): Promise<void>;
  /**
   * Creates the row, or brings the one with its space and key up to date. Who may import for whom is the caller's to
   * decide. `preview` says what `apply` would do, and refuses what it would, without writing.
   * @throws Problem `invalid_input`, `read_only_resource`
   */
  upsert(definition: ResourceDefinition, row: ImportedRow, mode: "apply" | "preview"): Promise<Upserted>;
  /** The secret of a credential that is visible to the user. @throws Problem `not_found` */
  revealSecret(userId: string, id: string): Promise<string>;
}

/** Validates with a definition's schema. @throws Problem `invalid_input` with the path to the fault. */
export function parseInput<Output>(inputSchema: z.ZodType<Output>, input: unknown): Output {
  const result = inputSchema.safeParse(input);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => ({
    path: [...issue.path, ...(issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [])].map(String).join("."),
    message: issue.message,
  }));
  const [first] = faults;
  throw resourceProblem("invalid_input", {
    detail: first === undefined ? "The input is not valid." : `${first.path || "body"}: ${first.message}`,
    extensions: { path: first?.path ?? "", faults: faults.slice(0, 20) },
  });
}

function writingOf(definition: ResourceDefinition): Writing {
  if (definition.writing === undefined) throw resourceProblem("read_only_resource");
  return definition.writing;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Sealed, since the hash of a request that holds a secret lets whoever has it try guesses. */
function requestBinding(userId: string, key: string): Binding {
  return { table: "idempotency_keys", column: "request_hash", rowId: `${userId} ${key}` };
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

async function reportingTakenKeys<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (constraintViolation(error)?.kind === "unique") throw resourceProblem("key_taken", { cause: error });
    throw error;
  }
}

/** A row of the space the user may write to: their own, or a team's they belong to. */
function writableBy(table: WritableTable, userId: string, id: string) {
  return and(
    eq(table.id, id),
    sql`${table.spaceId} in (select ${userId}::uuid union all
      select ${schema.teamMembers.teamId} from ${schema.teamMembers} where ${schema.teamMembers.userId} = ${userId})`,
  );
}

async function requireMembership(db: Database, userId: string, teamId: string): Promise<void> {
  const { teamMembers } = schema;
  const found = await db
    .select({ teamId: teamMembers.teamId })
    .from(teamMembers)
    .where(and(eq(teamMembers.userId, userId), eq(teamMembers.teamId, teamId)));
  if (found.length === 0) throw resourceProblem("unknown_team");
}

export function createWriter(dependencies: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Writer {
  const { store, sealer, clock } = dependencies;

  /** API members to table columns, sealing what is stored sealed. */
  function columnsOf(definition: ResourceDefinition, rowId: string, values: Record<string, unknown>) {
    const { sealed } = writingOf(definition);
    const columns: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(values)) {
      const column = sealed[name];
      if (column === undefined) columns[camelCase(name)] = value;
      else
        columns[column] = sealer.seal(String(value), { table: definition.from.table, column: "sealed_secret", rowId });
    }
    return columns;
  }

  async function rowAsJson(definition: ResourceDefinition, userId: string, id: string): Promise<string> {
    const json = await getRow(store, definition, everythingOf(userId), id, "native");
    if (json === undefined) throw resourceProblem("not_found");
    return json;
  }

  async function create(
    definition: ResourceDefinition,
    userId: string,
    input: unknown,
    idempotencyKey?: string,
  ): Promise<Created> {
    const { table, create: createSchema } = writingOf(definition);
    const { team_id: teamId, ...values } = parseInput(createSchema, input);
    const now = clock.now();
    const id = newId(now);
    const row = {
      ...columnsOf(definition, id, values),
      id,
      ownerId: userId,
      teamId: typeof teamId === "string" ? teamId : null,
      createdAt: now,
      updatedAt: now,
    };
    const earlier = await reportingTakenKeys(
      store.transaction(async (db) => {
        if (row.teamId !== null) await requireMembership(db, userId, row.teamId);
        if (idempotencyKey !== undefined) {
          const requestHash = digest([definition.name, input]);
          const claim = {
            userId,
            key: idempotencyKey,
            requestHash: sealer.seal(requestHash, requestBinding(userId, idempotencyKey)),
            resource: definition.name,
            resourceId: id,
            createdAt: now,
          };
          const claimed = await db.insert(schema.idempotencyKeys).values(claim).onConflictDoNothing().returning();
          if (claimed.length === 0) return await earlierCreation(db, userId, idempotencyKey, requestHash);
        }
        await db.insert(table).values(row as unknown as typeof table.$inferInsert);
        return undefined;
      }),
    );
    const created = earlier ?? id;
    return { id: created, json: await rowAsJson(definition, userId, created), replayed: earlier !== undefined };
  }

  async function earlierCreation(db: Database, userId: string, key: string, requestHash: string): Promise<string> {
    const { idempotencyKeys } = schema;
    const [earlier] = await db
      .select()
      .from(idempotencyKeys)
      .where(and(eq(idempotencyKeys.userId, userId), eq(idempotencyKeys.key, key)));
    const known = earlier && sealer.open(earlier.requestHash, requestBinding(userId, key));
    if (earlier === undefined || known !== requestHash) throw resourceProblem("idempotency_key_reused");
    return earlier.resourceId;
  }

  async function update(definition: ResourceDefinition, userId: string, id: string, input: unknown): Promise<string> {
    const { table, update: updateSchema } = writingOf(definition);
    const values = parseInput(updateSchema, input);
    if (!isId(id)) throw resourceProblem("not_found");
    const changes = { ...columnsOf(definition, id, values), updatedAt: clock.now() };
    const changed = await reportingTakenKeys(
      store.db
        .update(table)
        .set(changes)
        .where(writableBy(table, userId, id))
        .returning({ id: table.id })
        .execute(),
    );
    if (changed.length === 0) throw resourceProblem("not_found");
    return await rowAsJson(definition, userId, id);
  }

  async function remove(definition: ResourceDefinition, userId: string, id: string): Promise<void> {
    const { table } = writingOf(definition);
    if (!isId(id)) throw resourceProblem("not_found");
    const removed = await store.db
      .delete(table)
      .where(writableBy(table, userId, id))
      .returning({ id: table.id });
    if (removed.length === 0) throw resourceProblem("not_found");
  }

  async function upsertOnce(
    definition: ResourceDefinition,
    row: ImportedRow,
    mode: "apply" | "preview",
  ): Promise<Upserted> {
    const { table, create: createSchema } = writingOf(definition);
    // The row's space is `teamId`'s to say, which the caller has checked; a `team_id` in the input is an unknown member.
    const values = parseInput(createSchema.omit({ team_id: true }), { ...(row.input as object), key: row.key });
    const now = clock.now();
    const createdAt = row.createdAt ?? now;
    return await store.transaction(async (db) => {
      const [existing] = await db
        .select()
        .from(table)
        .where(and(eq(table.spaceId, row.teamId ?? row.ownerId), eq(table.key, row.key)));
      const id = existing?.id ?? newId(createdAt);
      const columns = columnsOf(definition, id, values);
      if (existing === undefined) {
        if (mode === "preview") return "created";
        const { ownerId, teamId } = row;
        const insertion = { ...columns, id, ownerId, teamId, createdAt, updatedAt: row.updatedAt ?? createdAt };
        await db.insert(table).values(insertion as unknown as typeof table.$inferInsert);
        return "created";
      }
      const stored: Record<string, unknown> = existing;
      const same = Object.entries(columns).every(([name, value]) => isDeepStrictEqual(stored[name], value));
      if (same) return "unchanged";
      if (mode === "preview") return "updated";
      await db
        .update(table)
        .set({ ...columns, updatedAt: row.updatedAt ?? now })
        .where(eq(table.id, id));
      return "updated";
    });
  }

  /** Of two imports that create the same row at once, the later finds the earlier's on its second look. */
  const upsert: Writer["upsert"] = async (definition, row, mode) => {
    try {
      return await upsertOnce(definition, row, mode);
    } catch (error) {
      if (constraintViolation(error)?.kind !== "unique") throw error;
      return await upsertOnce(definition, row, mode);
    }
  };

  async function revealSecret(userId: string, id: string): Promise<string> {
    const { credentials } = schema;
    const found = isId(id)
      ? await store.db
          .select({ sealed: credentials.sealedSecret })
          .from(credentials)
          .where(writableBy(credentials, userId, id))
      : [];
    const [row] = found;
    if (row === undefined) throw resourceProblem("not_found");
    return sealer.open(row.sealed, { table: "credentials", column: "sealed_secret", rowId: id });
  }

  return { create, update, remove, upsert, revealSecret };
}
