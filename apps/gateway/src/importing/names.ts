import { resourceProblem } from "@mosaicstack/resources";
import { schema, type Store } from "@mosaicstack/storage";
import { and, eq, inArray, or } from "drizzle-orm";
import type { Principal } from "../auth/principal.ts";
import { gatewayProblem } from "../problems.ts";

const { users, teams, teamMembers } = schema;

/** Turns the names an import uses into ids, all of a request's at once. */
export interface Names {
  /** By e-mail address, else by name. @throws Problem `unknown_user`, `ambiguous_user` */
  userId(nameOrEmail: string): string;
  /** Only the caller's own teams, but for administrators. @throws Problem `unknown_team` */
  teamId(name: string): string;
}

export async function lookUpNames(
  store: Store,
  caller: Principal,
  mentioned: { readonly owners: readonly string[]; readonly teams: readonly string[] },
): Promise<Names> {
  const owners = [...new Set(mentioned.owners)];
  const emails = owners.map((owner) => owner.toLowerCase());
  const named =
    owners.length === 0
      ? []
      : await store.db
          .select({ id: users.id, name: users.name, email: users.email })
          .from(users)
          .where(or(inArray(users.name, owners), inArray(users.email, emails)));
  const teamNames = [...new Set(mentioned.teams)];
  const ownTeams = and(eq(teamMembers.teamId, teams.id), eq(teamMembers.userId, caller.userId));
  const visible = store.db.select({ id: teams.id, name: teams.name }).from(teams);
  const found =
    teamNames.length === 0
      ? []
      : caller.role === "admin"
        ? await visible.where(inArray(teams.name, teamNames))
        : await visible.innerJoin(teamMembers, ownTeams).where(inArray(teams.name, teamNames));
  const teamIds = new Map(found.map(({ id, name }) => [name, id]));
  return {
    userId(nameOrEmail) {
      const byEmail = named.find(({ email }) => email === nameOrEmail.toLowerCase());
      const byName = named.filter(({ name }) => name === nameOrEmail);
      const [user] = byEmail === undefined ? byName : [byEmail];
      if (user === undefined)
        throw gatewayProblem("unknown_user", { detail: `There is no user ${JSON.stringify(nameOrEmail)}.` });
      if (byEmail === undefined && byName.length > 1) throw gatewayProblem("ambiguous_user");
      return user.id;
    },
    teamId(name) {
      const id = teamIds.get(name);
      if (id === undefined)
        throw resourceProblem("unknown_team", {
          detail: `There is no team ${JSON.stringify(name)} that you may write to.`,
        });
      return id;
    },
  };
}
