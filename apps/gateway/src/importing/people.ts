import { type Clock, newId } from "@mosaicstack/foundation";
import { parseInput, title } from "@mosaicstack/resources";
import { type Database, schema, type Store } from "@mosaicstack/storage";
import { inArray } from "drizzle-orm";
import { z } from "zod";
import { failed, nameOf, type RowResult } from "./outcome.ts";

const { users, teams, teamMembers } = schema;

/** One person as they come. */
export const importedPerson = z.strictObject({
  name: title(200),
  email: z.email().max(254).toLowerCase().optional().describe("Absent: the name at `email_domain`"),
  teams: z.array(title(200)).max(100).default([]).describe("Teams by name; those that are missing are made"),
});

export interface PeopleImport {
  readonly people: readonly unknown[];
  /** The domain of those who come without an address. */
  readonly emailDomain: string | undefined;
  readonly dryRun: boolean;
}

interface Person {
  readonly index: number;
  readonly name: string;
  readonly email: string;
  readonly teams: readonly string[];
}

const address = z.object({
  email: z.email("cannot be made from the name; give the person an `email`").max(254).toLowerCase(),
});

function readPeople({ people, emailDomain }: PeopleImport): { readonly read: Person[]; readonly refused: RowResult[] } {
  const read: Person[] = [];
  const refused: RowResult[] = [];
  for (const [index, person] of people.entries()) {
    try {
      const { name, email, teams: names } = parseInput(importedPerson, person);
      const made =
        email ?? parseInput(address, { email: emailDomain === undefined ? name : `${name}@${emailDomain}` }).email;
      read.push({ index, name, email: made, teams: [...new Set(names)] });
    } catch (error) {
      refused.push(failed(index, nameOf(person, "name"), error));
    }
  }
  return { read, refused };
}

/** Ids by a unique name. Rows that others insert at the same moment are found, not fought over. */
async function idsOfTeams(db: Database, names: readonly string[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const chunk of chunksOf(names)) {
    const found = await db.select({ id: teams.id, name: teams.name }).from(teams).where(inArray(teams.name, chunk));
    for (const { id, name } of found) ids.set(name, id);
  }
  return ids;
}

async function idsOfUsers(db: Database, emails: readonly string[]): Promise<Map<string, string>> {
  if (emails.length === 0) return new Map();
  const found = await db
    .select({ id: users.id, email: users.email })
    .from(users)
    .where(inArray(users.email, [...emails]));
  return new Map(found.map(({ id, email }) => [email, id]));
}

async function makeMissing(db: Database, people: readonly Person[], now: Date) {
  const times = { createdAt: now, updatedAt: now };
  const emails = [...new Set(people.map(({ email }) => email))];
  const teamNames = [...new Set(people.flatMap((person) => person.teams))];
  const before = { users: await idsOfUsers(db, emails), teams: await idsOfTeams(db, teamNames) };
  const newTeams = teamNames
    .filter((name) => !before.teams.has(name))
    .map((name) => ({ id: newId(now), name, ...times }));
  const newUsers = [...new Map(people.map((person) => [person.email, person])).values()]
    .filter(({ email }) => !before.users.has(email))
    .map(({ name, email }) => ({ id: newId(now), name, email, role: "user", ...times }));
  for (const chunk of chunksOf(newTeams)) await db.insert(teams).values(chunk).onConflictDoNothing();
  const inserted =
    newUsers.length > 0
      ? await db.insert(users).values(newUsers).onConflictDoNothing().returning({ email: users.email })
      : [];
  return {
    created: new Set(inserted.map(({ email }) => email)),
    userIds: await idsOfUsers(db, emails),
    teamIds: await idsOfTeams(db, teamNames),
  };
}

/** PostgreSQL takes 65,535 parameters a statement; these rows have at most six. */
const ROWS_A_STATEMENT = 5000;

function chunksOf<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / ROWS_A_STATEMENT);
  return Array.from({ length: count }, (_, chunk) =>
    items.slice(chunk * ROWS_A_STATEMENT, (chunk + 1) * ROWS_A_STATEMENT),
  );
}

class DryRun extends Error {}

/**
 * Makes the people who are missing, and puts all into their teams, in a handful of statements whatever their number.
 * Existing people keep their name, role and other teams. Nobody gets a password: they cannot sign in until one is set.
 */
export async function importPeople(store: Store, clock: Clock, request: PeopleImport): Promise<readonly RowResult[]> {
  const now = clock.now();
  const { read, refused } = readPeople(request);
  const results: RowResult[] = [...refused];
  const work = store.transaction(async (db) => {
    const { created, userIds, teamIds } = await makeMissing(db, read, now);
    const wanted = read.flatMap(({ email, teams: names }) =>
      names.flatMap((name) => {
        const userId = userIds.get(email);
        const teamId = teamIds.get(name);
        return userId === undefined || teamId === undefined
          ? []
          : [{ userId, teamId, role: "member" as const, createdAt: now }];
      }),
    );
    const changed = new Set<string>();
    for (const chunk of chunksOf(wanted)) {
      const { userId } = teamMembers;
      const joined = await db.insert(teamMembers).values(chunk).onConflictDoNothing().returning({ userId });
      for (const member of joined) changed.add(member.userId);
    }
    const seen = new Set<string>();
    for (const { index, email } of read) {
      const first = !seen.has(email);
      seen.add(email);
      const outcome =
        created.has(email) && first
          ? "created"
          : first && changed.has(userIds.get(email) ?? "")
            ? "updated"
            : "unchanged";
      results.push({ index, key: email, outcome });
    }
    // What a dry run says is what happened, and then did not.
    if (request.dryRun) throw new DryRun();
  });
  await work.catch((error: unknown) => {
    if (!(error instanceof DryRun)) throw error;
  });
  return results.toSorted((left, right) => left.index - right.index);
}
