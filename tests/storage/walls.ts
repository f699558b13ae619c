import { GUARDED_TABLES, type PeerReadStore, type ReadStore, type Store } from "@mosaicstack/storage";

/**
 * The spaces that a read's own statement lets through, letter for letter as packages/resources/src/reads.ts has it: the first
 * wall. Where it's worded anew there, {@link withoutFirstWall} refuses, and so does whatever test uses it.
 */
const FIRST_WALL = `
  select $1::uuid as id where $2::boolean
  union all
  select m.team_id from team_members m where m.user_id = $1::uuid and ($3::uuid[] is null or m.team_id = any($3::uuid[]))`;

/** Every space there is, with the same parameters, which a statement has to mention to be given them. */
const NO_WALL = `
  select space.id from (select id from users union all select id from teams) space
  where coalesce($1::uuid::text, $2::boolean::text, $3::uuid[]::text, '') is not null`;

/**
 * A store whose peers' reads have lost the application's filter, for tests of what the second wall holds alone. The statements
 * are the real ones, but for the one fragment.
 *
 * @param isDown asked at each statement. Default: always
 * @throws Error from a read through the wall that doesn't have the filter, or whose candidates were found without: then
 *   nothing was removed, and the test would show nothing
 */
export function withoutFirstWall<Kind extends Pick<Store, "readAsPeer">>(
  store: Kind,
  isDown: () => boolean = () => true,
): Kind {
  const readAsPeer: Store["readAsPeer"] = (bounds, work) =>
    store.readAsPeer(bounds, (read) => work(isDown() ? unfiltered(read) : read));
  return new Proxy(store, {
    get: (target, name) => (name === "readAsPeer" ? readAsPeer : Reflect.get(target, name, target)),
  });
}

function unfiltered(read: PeerReadStore): PeerReadStore {
  let candidatesHadIt = false;
  let candidates = 0;
  const missing = (): Error =>
    new Error("A peer's read doesn't have the filter that tests remove: see tests/storage/walls.ts");
  const without = (reads: ReadStore): ReadStore => ({
    async query<Row extends object>(sql: string, parameters: readonly unknown[]) {
      if (!sql.includes(FIRST_WALL) || (candidates > 0 && !candidatesHadIt)) throw missing();
      return await reads.query<Row>(sql.replaceAll(FIRST_WALL, NO_WALL), parameters);
    },
  });
  return {
    ...without(read),
    last: without(read.last),
    async findCandidates<Row extends object>(sql: string, parameters: readonly unknown[]) {
      candidates += 1;
      candidatesHadIt ||= sql.includes(FIRST_WALL);
      return await read.findCandidates<Row>(sql.replaceAll(FIRST_WALL, NO_WALL), parameters);
    },
  };
}

/** Runs one statement as whoever owns the tables. */
export type RunAsOwner = (sql: string) => Promise<unknown>;

/** Removes the second wall for real: the database stops bounding what the peers' role sees. Its role and columns stay. */
export async function removePolicies(run: RunAsOwner): Promise<void> {
  for (const table of GUARDED_TABLES) await run(`alter table ${table} disable row level security`);
}

/** Undoes {@link removePolicies}. */
export async function restorePolicies(run: RunAsOwner): Promise<void> {
  for (const table of GUARDED_TABLES) await run(`alter table ${table} enable row level security`);
}
