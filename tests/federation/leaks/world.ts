import fc from "fast-check";

/** What rows of the world are about, so that a search for one finds those and no others. */
export const TOPICS = ["walrus", "quince", "obsidian", "turbine", "fjord"] as const;

export const PEOPLE = 5;
export const TEAMS = 3;
export const OWNED = ["tasks", "notes", "memory", "credentials"] as const;
export type OwnedResource = (typeof OWNED)[number];
export type ResourceName = OwnedResource | "teams";
export const RESOURCES: readonly ResourceName[] = [...OWNED, "teams"];

/** A row by numbers: who wrote it, and the team it lives in; null: it is personal. An author may have left the team. */
export interface WorldRow {
  readonly resource: OwnedResource;
  readonly owner: number;
  readonly team: number | null;
  /** Searches that find it. */
  readonly topics: readonly string[];
}

/** A grant's scope, teams by number. */
export interface WorldScope {
  readonly resources: readonly ResourceName[];
  readonly excluded: readonly ResourceName[];
  readonly teams: "all" | readonly number[];
  readonly personal: boolean;
  readonly maxRows: number;
}

/**
 * What the peer of one person asks. `row` counts the world's rows; past their end: an id that nothing has. A loose search may
 * find whatever the person sees: what it looks for is no topic.
 */
export type WorldRequest = { readonly person: number; readonly resource: ResourceName } & (
  | { readonly verb: "list"; readonly limit: number; readonly team: number | "personal" | null }
  | { readonly verb: "get"; readonly row: number }
  | { readonly verb: "search"; readonly topic: string; readonly everywhere: boolean; readonly isLoose?: boolean }
);

/** Everybody's rows, memberships and scopes at one moment, and what is asked at it. */
export interface World {
  /** By person, then by team. */
  readonly members: readonly (readonly boolean[])[];
  readonly rows: readonly WorldRow[];
  /** By person, of each who asks. */
  readonly scopes: Readonly<Record<number, WorldScope>>;
  readonly requests: readonly WorldRequest[];
}

const person = fc.nat(PEOPLE - 1);
const team = fc.nat(TEAMS - 1);
const resource = fc.constantFrom(...RESOURCES);
const topic = fc.constantFrom(...TOPICS);

const row: fc.Arbitrary<WorldRow> = fc.record({
  resource: fc.constantFrom(...OWNED),
  owner: person,
  team: fc.option(team, { freq: 2 }),
  topics: topic.map((one) => [one]),
});

/**
 * @param parts.teams some teams, whether the subject is in them or not
 * @param parts.maxRows a cap that cuts answers short
 * @param parts.wide how many scopes there are of all resources to each one of some. Default 0
 */
export function scopes(parts: {
  readonly teams: fc.Arbitrary<readonly number[]>;
  readonly maxRows: fc.Arbitrary<number>;
  readonly wide?: number;
}): fc.Arbitrary<WorldScope> {
  return (
    fc
      .record({
        resources: fc.subarray([...RESOURCES], { minLength: 1 }),
        excluded: fc.oneof(
          { weight: 3, arbitrary: fc.constant<ResourceName[]>([]) },
          { weight: 1, arbitrary: fc.subarray([...RESOURCES]) },
        ),
        teams: fc.oneof(fc.constant("all" as const), parts.teams),
        personal: fc.boolean(),
        maxRows: fc.oneof(parts.maxRows, fc.constant(200)),
      })
      // A scope that shows nothing cannot be made.
      .filter(({ personal, teams }) => personal || teams === "all" || teams.length > 0)
      .filter(({ resources, excluded }) => resources.some((name) => !excluded.includes(name)))
  );
}

const scope = scopes({
  teams: fc.subarray(Array.from({ length: TEAMS }, (_, index) => index)),
  maxRows: fc.integer({ min: 1, max: 5 }),
});

const request: fc.Arbitrary<WorldRequest> = fc.oneof(
  fc.record({
    person,
    resource,
    verb: fc.constant("list" as const),
    limit: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(100)),
    team: fc.oneof(fc.constant(null), team, fc.constant("personal" as const)),
  }),
  fc.record({ person, resource, verb: fc.constant("get" as const), row: fc.nat(44) }),
  fc.record({ person, resource, verb: fc.constant("search" as const), topic, everywhere: fc.boolean() }),
);

/** @param requests how many a world has */
export function worlds(requests: number): fc.Arbitrary<World> {
  return fc.record({
    members: fc.array(fc.array(fc.boolean(), { minLength: TEAMS, maxLength: TEAMS }), {
      minLength: PEOPLE,
      maxLength: PEOPLE,
    }),
    rows: fc.array(row, { minLength: 1, maxLength: 40 }),
    scopes: fc.array(scope, { minLength: PEOPLE, maxLength: PEOPLE }),
    requests: fc.array(request, { minLength: requests, maxLength: requests }),
  });
}
