import { type Clock, isId, newId } from "@mosaicstack/foundation";
import { resourceProblem } from "@mosaicstack/resources";
import { constraintViolation, type Database, schema, type Store } from "@mosaicstack/storage";
import { and, asc, eq } from "drizzle-orm";
import type { Principal } from "../auth/principal.ts";
import { gatewayProblem } from "../problems.ts";

const { teams: table, teamMembers: memberships, users } = schema;

export type TeamRole = "owner" | "member";

export interface Team {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface Member {
  readonly user_id: string;
  readonly name: string;
  readonly email: string;
  readonly role: TeamRole;
}

/** Who is meant: an id, or the address an owner knows somebody by. */
export type Newcomer = { readonly userId: string } | { readonly email: string };

/**
 * Changes to teams and who is in them. A team that the caller neither belongs to nor administers is answered as one that
 * isn't there (`not_found`); a member who is no owner gets `not_team_owner`.
 */
export interface Teams {
  /** The creator becomes its owner. @throws Problem `team_name_taken` */
  create(caller: Principal, name: string): Promise<Team>;
  /** The team of that name, if the caller belongs to it or is an administrator. @throws Problem `not_found` */
  named(caller: Principal, name: string): Promise<Team>;
  /** @throws Problem `not_found`, `not_team_owner`, `team_name_taken` */
  rename(caller: Principal, teamId: string, name: string): Promise<Team>;
  /** @throws Problem `not_found`, `not_team_owner`, `team_not_empty` */
  remove(caller: Principal, teamId: string): Promise<void>;
  /** @throws Problem `not_found` */
  members(caller: Principal, teamId: string): Promise<readonly Member[]>;
  /** Adds a member, or changes their role. @throws Problem `not_found`, `not_team_owner`, `unknown_user`, `last_team_owner` */
  setMember(caller: Principal, teamId: string, newcomer: Newcomer, role: TeamRole): Promise<Member>;
  /** Owners and administrators remove anybody; a member may leave. @throws Problem as `setMember` */
  removeMember(caller: Principal, teamId: string, userId: string): Promise<void>;
}

function shown(row: typeof table.$inferSelect): Team {
  return {
    id: row.id,
    name: row.name,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

async function withNameFree<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (constraintViolation(error)?.kind === "unique") throw gatewayProblem("team_name_taken", { cause: error });
    throw error;
  }
}

/** The caller's role in the team; administrators act as its owner. Locks the team, so that its last owner is certain. */
async function roleIn(db: Database, caller: Principal, teamId: string): Promise<TeamRole> {
  const [team] = isId(teamId)
    ? await db.select({ id: table.id }).from(table).where(eq(table.id, teamId)).for("update")
    : [];
  const own = and(eq(memberships.teamId, teamId), eq(memberships.userId, caller.userId));
  const [membership] = team === undefined ? [] : await db.select().from(memberships).where(own);
  if (team !== undefined && caller.role === "admin") return "owner";
  if (membership === undefined) throw resourceProblem("not_found");
  return membership.role;
}

async function requireOwner(db: Database, caller: Principal, teamId: string): Promise<void> {
  if ((await roleIn(db, caller, teamId)) !== "owner") throw gatewayProblem("not_team_owner");
}

/** @throws Problem `last_team_owner` when the team has no owner but this one */
async function refuseLastOwner(db: Database, teamId: string, userId: string): Promise<void> {
  const owners = await db
    .select({ userId: memberships.userId })
    .from(memberships)
    .where(and(eq(memberships.teamId, teamId), eq(memberships.role, "owner")));
  if (owners.length === 1 && owners[0]?.userId === userId) throw gatewayProblem("last_team_owner");
}

async function userOf(db: Database, newcomer: Newcomer) {
  const whom = "email" in newcomer ? eq(users.email, newcomer.email) : eq(users.id, newcomer.userId);
  const sought = "email" in newcomer || isId(newcomer.userId);
  const [user] = sought ? await db.select().from(users).where(whom) : [];
  if (user === undefined) throw gatewayProblem("unknown_user");
  return user;
}

export function createTeams({ store, clock }: { readonly store: Store; readonly clock: Clock }): Teams {
  return {
    async create(caller, name) {
      const now = clock.now();
      const row = { id: newId(now), name, createdAt: now, updatedAt: now };
      const owner = { teamId: row.id, userId: caller.userId, role: "owner" as const, createdAt: now };
      await withNameFree(
        store.transaction(async (db) => {
          await db.insert(table).values(row);
          await db.insert(memberships).values(owner);
        }),
      );
      return shown(row);
    },

    async named(caller, name) {
      const [row] = await store.db.select().from(table).where(eq(table.name, name));
      if (row === undefined) throw resourceProblem("not_found");
      if (caller.role !== "admin") {
        const own = and(eq(memberships.teamId, row.id), eq(memberships.userId, caller.userId));
        if ((await store.db.select().from(memberships).where(own)).length === 0) throw resourceProblem("not_found");
      }
      return shown(row);
    },

    async rename(caller, teamId, name) {
      return await withNameFree(
        store.transaction(async (db) => {
          await requireOwner(db, caller, teamId);
          const changes = { name, updatedAt: clock.now() };
          const [row] = await db.update(table).set(changes).where(eq(table.id, teamId)).returning();
          if (row === undefined) throw resourceProblem("not_found");
          return shown(row);
        }),
      );
    },

    async remove(caller, teamId) {
      try {
        await store.transaction(async (db) => {
          await requireOwner(db, caller, teamId);
          await db.delete(table).where(eq(table.id, teamId));
        });
      } catch (error) {
        // Every table of rows refers to teams with `on delete restrict`: the database itself knows of every row.
        if (constraintViolation(error)?.kind === "foreign_key")
          throw gatewayProblem("team_not_empty", { cause: error });
        throw error;
      }
    },

    async members(caller, teamId) {
      return await store.transaction(async (db) => {
        await roleIn(db, caller, teamId);
        return await db
          .select({ user_id: users.id, name: users.name, email: users.email, role: memberships.role })
          .from(memberships)
          .innerJoin(users, eq(users.id, memberships.userId))
          .where(eq(memberships.teamId, teamId))
          .orderBy(asc(users.name), asc(users.id));
      });
    },

    async setMember(caller, teamId, newcomer, role) {
      return await store.transaction(async (db) => {
        await requireOwner(db, caller, teamId);
        const user = await userOf(db, newcomer);
        if (role === "member") await refuseLastOwner(db, teamId, user.id);
        await db
          .insert(memberships)
          .values({ teamId, userId: user.id, role, createdAt: clock.now() })
          .onConflictDoUpdate({ target: [memberships.userId, memberships.teamId], set: { role } });
        return { user_id: user.id, name: user.name, email: user.email, role };
      });
    },

    async removeMember(caller, teamId, userId) {
      await store.transaction(async (db) => {
        const role = await roleIn(db, caller, teamId);
        if (role !== "owner" && userId !== caller.userId) throw gatewayProblem("not_team_owner");
        await refuseLastOwner(db, teamId, userId);
        const member = and(eq(memberships.teamId, teamId), eq(memberships.userId, userId));
        const removed = isId(userId) ? await db.delete(memberships).where(member).returning() : [];
        if (removed.length === 0) throw gatewayProblem("unknown_user");
      });
    },
  };
}
