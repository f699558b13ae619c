import { type Clock, isId, newId } from "@mosaicstack/foundation";
import { constraintViolation, type Database, schema, type Store } from "@mosaicstack/storage";
import { and, count, desc, eq, lt } from "drizzle-orm";
import { hashPassword } from "better-auth/crypto";
import { type Role, roleOf } from "../auth/principal.ts";
import { gatewayProblem } from "../problems.ts";

/** A user as administrators see them. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface NewUser {
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  /** Absent: the user cannot sign in, but may be given API keys. */
  readonly password?: string | undefined;
}

export interface UserChanges {
  readonly name?: string | undefined;
  readonly role?: Role | undefined;
  readonly password?: string | undefined;
}

/** The people of this gateway. Who may ask is the routes' to decide. */
export interface Users {
  /** Newest first; `before` is the last id seen. One row more than `limit` is there when others follow. */
  list(limit: number, before: string | undefined): Promise<{ readonly users: readonly User[]; readonly more: boolean }>;
  /** @throws Problem `unknown_user` */
  get(id: string): Promise<User>;
  /** @throws Problem `email_taken` */
  create(user: NewUser): Promise<User>;
  /** A new password ends the user's sessions. @throws Problem `unknown_user`, `last_admin` */
  update(id: string, changes: UserChanges): Promise<User>;
  /** Removes the user, their personal rows and credentials; a team's rows stay. @throws Problem `unknown_user`, `last_admin` */
  remove(id: string): Promise<void>;
}

const { users: table, accounts, sessions } = schema;

function shown(row: typeof table.$inferSelect): User {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    role: roleOf(row.role),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** Inserts a user and, where there is one, how they sign in. @param passwordHash made before the transaction */
export async function insertUser(
  db: Database,
  user: Omit<NewUser, "password">,
  passwordHash: string | undefined,
  now: Date,
): Promise<User> {
  const id = newId(now);
  const times = { createdAt: now, updatedAt: now };
  const [row] = await db
    .insert(table)
    .values({ ...user, email: user.email.toLowerCase(), id, ...times })
    .returning();
  if (row === undefined) throw new Error("an insertion returns its row");
  if (passwordHash !== undefined) {
    await db
      .insert(accounts)
      .values({ id: newId(), accountId: id, providerId: "credential", userId: id, password: passwordHash, ...times });
  }
  return shown(row);
}

/** Locks the administrators' rows, so that two cannot demote each other at once. */
async function refuseLastAdmin(db: Database, id: string): Promise<void> {
  const admins = await db
    .select({ id: table.id })
    .from(table)
    .where(eq(table.role, "admin"))
    .orderBy(table.id)
    .for("update");
  if (admins.length === 1 && admins[0]?.id === id) throw gatewayProblem("last_admin");
}

export function createUsers(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  /** Told before a user goes, so that what others hold over their data goes first. */
  readonly onUserRemoved: (userId: string) => Promise<void>;
  /** Told after a user's name, role or credentials changed. */
  readonly onUserChanged: (userId: string) => void;
}): Users {
  const { store, clock, onUserRemoved, onUserChanged } = dependencies;

  async function get(id: string): Promise<User> {
    const [row] = isId(id) ? await store.db.select().from(table).where(eq(table.id, id)) : [];
    if (row === undefined) throw gatewayProblem("unknown_user");
    return shown(row);
  }

  async function setPassword(db: Database, userId: string, passwordHash: string, now: Date): Promise<void> {
    const credential = and(eq(accounts.userId, userId), eq(accounts.providerId, "credential"));
    const changed = await db
      .update(accounts)
      .set({ password: passwordHash, updatedAt: now })
      .where(credential)
      .returning();
    if (changed.length === 0) {
      const times = { createdAt: now, updatedAt: now };
      const row = {
        id: newId(),
        accountId: userId,
        providerId: "credential",
        userId,
        password: passwordHash,
        ...times,
      };
      await db.insert(accounts).values(row);
    }
    await db.delete(sessions).where(eq(sessions.userId, userId));
  }

  return {
    async list(limit, before) {
      const rows = await store.db
        .select()
        .from(table)
        .where(before === undefined ? undefined : lt(table.id, before))
        .orderBy(desc(table.id))
        .limit(limit + 1);
      return { users: rows.slice(0, limit).map(shown), more: rows.length > limit };
    },

    get,

    async create({ password, ...user }) {
      const passwordHash = password === undefined ? undefined : await hashPassword(password);
      try {
        return await store.transaction((db) => insertUser(db, user, passwordHash, clock.now()));
      } catch (error) {
        if (constraintViolation(error)?.kind === "unique") throw gatewayProblem("email_taken", { cause: error });
        throw error;
      }
    },

    async update(id, { name, role, password }) {
      await get(id);
      const passwordHash = password === undefined ? undefined : await hashPassword(password);
      const now = clock.now();
      await store.transaction(async (db) => {
        if (role === "user") await refuseLastAdmin(db, id);
        const changes = {
          ...(name === undefined ? {} : { name }),
          ...(role === undefined ? {} : { role }),
          updatedAt: now,
        };
        await db.update(table).set(changes).where(eq(table.id, id));
        if (passwordHash !== undefined) await setPassword(db, id, passwordHash, now);
      });
      onUserChanged(id);
      return await get(id);
    },

    async remove(id) {
      await get(id);
      await store.transaction((db) => refuseLastAdmin(db, id));
      await onUserRemoved(id);
      await store.transaction(async (db) => {
        await refuseLastAdmin(db, id);
        // A row being written for them waits for this lock, and then finds no user: none is left without an owner.
        await db.select({ id: table.id }).from(table).where(eq(table.id, id)).for("update");
        for (const rows of [schema.tasks, schema.notes, schema.memories, schema.credentials]) {
          await db.delete(rows).where(eq(rows.spaceId, id));
        }
        await db.delete(table).where(eq(table.id, id));
      });
      onUserChanged(id);
    },
  };
}

/** Whether this gateway has an administrator. */
export async function hasAdmin(db: Database): Promise<boolean> {
  const [row] = await db.select({ admins: count() }).from(table).where(eq(table.role, "admin"));
  return row !== undefined && row.admins > 0;
}
