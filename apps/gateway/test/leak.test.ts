import { newId } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestGateway, type Person, type TestGateway } from "./test-gateway.ts";

/**
 * The model that answers are compared with knows rows and memberships as lists, and nothing of SQL: a row is seen by
 * its owner when it has no team, and by its team's members when it has one.
 */
interface ModelRow {
  readonly owner: number;
  readonly team: number | null;
}

interface Model {
  /** Which of the two teams each of the three people is in. */
  readonly memberships: readonly (readonly boolean[])[];
  readonly rows: readonly ModelRow[];
}

const model: fc.Arbitrary<Model> = fc.record({
  memberships: fc.array(fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }), { minLength: 3, maxLength: 3 }),
  rows: fc.array(
    fc.record({ owner: fc.integer({ min: 0, max: 2 }), team: fc.option(fc.integer({ min: 0, max: 1 })) }),
    { maxLength: 25 },
  ),
});

function sees({ memberships }: Model, person: number, { owner, team }: ModelRow): boolean {
  return team === null ? owner === person : memberships[person]![team]!;
}

let gateway: TestGateway;
let people: Person[];
let teams: string[];

beforeAll(async () => {
  gateway = await openTestGateway();
  people = [await gateway.person("P0"), await gateway.person("P1"), await gateway.person("P2")];
  teams = [newId(), newId()];
  const { store } = gateway;
  await store.db.insert(schema.teams).values(teams.map((id, index) => ({ id, name: `T${index}` })));
});
afterAll(() => gateway.stop());

const TABLES = {
  tasks: schema.tasks,
  notes: schema.notes,
  memory: schema.memories,
  credentials: schema.credentials,
} as const;
const RESOURCES = Object.keys(TABLES) as (keyof typeof TABLES)[];

async function seed({ memberships, rows }: Model): Promise<Record<keyof typeof TABLES, string[]>> {
  const { db } = gateway.store;
  const now = new Date();
  await db.delete(schema.teamMembers);
  const members = memberships.flatMap((of, person) =>
    of.flatMap((isMember, team) => (isMember ? [{ userId: people[person]!.id, teamId: teams[team]! }] : [])),
  );
  if (members.length > 0) await db.insert(schema.teamMembers).values(members);
  const made = RESOURCES.map(async (resource) => {
    const table = TABLES[resource];
    await db.delete(table);
    const values = rows.map(({ owner, team }) => ({
      id: newId(),
      ownerId: people[owner]!.id,
      teamId: team === null ? null : teams[team]!,
      createdAt: now,
      updatedAt: now,
      title: "t",
      content: "c",
      name: "n",
      kind: "k",
      sealedSecret: "s",
    }));
    if (values.length > 0) await db.insert(table).values(values as never);
    return [resource, values.map(({ id }) => id)] as const;
  });
  return Object.fromEntries(await Promise.all(made)) as Record<keyof typeof TABLES, string[]>;
}

async function everyPage(resource: string, as: Person, limit: number, query = ""): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const more: string = cursor === null ? "" : `&cursor=${cursor}`;
    const { status, text, json } = await gateway.call("GET", `/api/v1/${resource}?limit=${limit}${query}${more}`, {
      as,
    });
    expect(status, text).toBe(200);
    expect(json.rows.length).toBeLessThanOrEqual(limit);
    seen.push(...json.rows.map(({ id }: { id: string }) => id));
    cursor = json.next_cursor;
  } while (cursor !== null);
  return seen;
}

test(
  "each person's lists, paged to their end, are exactly what the model says they see",
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(model, fc.integer({ min: 1, max: 7 }), async (generated, limit) => {
        const ids = await seed(generated);
        for (const [person, as] of people.entries()) {
          for (const resource of RESOURCES) {
            const expected = (wanted: (row: ModelRow) => boolean) =>
              ids[resource]
                .filter((_, index) => sees(generated, person, generated.rows[index]!) && wanted(generated.rows[index]!))
                .toReversed();
            expect(await everyPage(resource, as, limit)).toEqual(expected(() => true));
            expect(await everyPage(resource, as, limit, "&team=personal")).toEqual(
              expected(({ team }) => team === null),
            );
            expect(await everyPage(resource, as, limit, `&team=${teams[0]}`)).toEqual(
              expected(({ team }) => team === 0),
            );
          }
          const mine = teams.filter((_, team) => generated.memberships[person]![team]);
          expect(await everyPage("teams", as, limit)).toEqual(mine.toReversed());
          // Gets agree with lists, for every row of one resource.
          for (const [index, id] of ids.tasks.entries()) {
            const { status } = await gateway.call("GET", `/api/v1/tasks/${id}`, { as });
            expect(status).toBe(sees(generated, person, generated.rows[index]!) ? 200 : 404);
          }
        }
      }),
      { numRuns: 12 },
    );
  },
);
