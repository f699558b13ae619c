import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  check,
  index,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { users } from "./auth.ts";
import { teams } from "./teams.ts";
import { tsvector } from "./tsvector.ts";

/**
 * What every resource row has. `team_id` null = personal. `space_id` is the one column access rules read: the team,
 * or the person (docs/adr: a row lives in one space). A team's row outlives its author, so `owner_id` may become null there.
 */
const owned = () => ({
  id: uuid().primaryKey(),
  ownerId: uuid("owner_id").references(() => users.id, { onDelete: "set null" }),
  teamId: uuid("team_id").references(() => teams.id, { onDelete: "restrict" }),
  spaceId: uuid("space_id").generatedAlwaysAs(sql`coalesce(team_id, owner_id)`),
  /** The caller's own name for the row, unique within its space: an issue key, a file's path. */
  key: text(),
  /** Whatever else came with the row, e.g. front matter: an object, bounded by the resource's schema. */
  properties: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  createdAt: timestamp("created_at", { withTimezone: true, precision: 3 }).notNull(),
  updatedAt: timestamp("updated_at", { withTimezone: true, precision: 3 }).notNull(),
});

type OwnedColumns = Record<"id" | "spaceId" | "updatedAt" | "key" | "searchDocument", AnyPgColumn>;

/**
 * What full-text search reads of a row: its title weighs more (A) than its text (B). The first 100,000 characters of the text, since
 * a tsvector holds a megabyte. A list of words, made by the database; never part of an answer.
 */
const searchDocument = (title: string, body?: string) =>
  tsvector("search_document").generatedAlwaysAs(
    sql.raw(
      [`setweight(to_tsvector('english', ${title}), 'A')`]
        .concat(body === undefined ? [] : [`setweight(to_tsvector('english', left(${body}, 100000)), 'B')`])
        .join(" || "),
    ),
  );

/** The indexes that lists of a space walk, its keys being unique, no row being without a space, and the one that full-text search reads. */
const spaceRules = (name: string) => (table: OwnedColumns) => [
  index(`${name}_space_id_id`).on(table.spaceId, table.id),
  index(`${name}_space_id_updated_at_id`).on(table.spaceId, table.updatedAt, table.id),
  uniqueIndex(`${name}_space_id_key_unique`).on(table.spaceId, table.key),
  index(`${name}_search_document`).using("gin", table.searchDocument),
  check(`${name}_has_a_space`, sql`space_id is not null`),
];

export const taskStatus = pgEnum("task_status", ["open", "in_progress", "done", "cancelled"]);

export const tasks = pgTable(
  "tasks",
  {
    ...owned(),
    title: text().notNull(),
    description: text().notNull().default(""),
    status: taskStatus().notNull().default("open"),
    dueAt: timestamp("due_at", { withTimezone: true, precision: 3 }),
    searchDocument: searchDocument("title", "description"),
  },
  spaceRules("tasks"),
);

export const notes = pgTable(
  "notes",
  {
    ...owned(),
    title: text().notNull(),
    body: text().notNull().default(""),
    searchDocument: searchDocument("title", "body"),
  },
  spaceRules("notes"),
);

export const memories = pgTable(
  "memories",
  {
    ...owned(),
    content: text().notNull(),
    searchDocument: searchDocument("content"),
  },
  spaceRules("memories"),
);

export const credentials = pgTable(
  "credentials",
  {
    ...owned(),
    name: text().notNull(),
    kind: text().notNull(),
    /** Sealed, bound to this row's id; never leaves the gateway by federation. */
    sealedSecret: text("sealed_secret").notNull(),
    searchDocument: searchDocument("name", "kind"),
  },
  spaceRules("credentials"),
);

/** What a creation with an Idempotency-Key answered, so that a retry gets the same and creates nothing. */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    key: text().notNull(),
    requestHash: text("request_hash").notNull(),
    resource: text().notNull(),
    resourceId: uuid("resource_id").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true, precision: 3 }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.key] }),
    index("idempotency_keys_created_at").on(table.createdAt),
  ],
);
