import { newId } from "@mosaicstack/foundation";
import type { Store } from "@mosaicstack/storage";

const WORDS = 20_000;
const TITLE_WORDS = 5;
const BODY_WORDS = 40;
const CHUNK = 5_000;
/** Teams of others, who have half of all rows. */
const OTHERS = 200;

const ONSETS = [
  "b",
  "br",
  "ch",
  "d",
  "dr",
  "f",
  "g",
  "gl",
  "h",
  "k",
  "kr",
  "l",
  "m",
  "n",
  "p",
  "pl",
  "r",
  "s",
  "st",
  "t",
  "tr",
  "v",
  "w",
  "z",
];
const VOWELS = ["a", "e", "i", "o", "u", "ai", "ou"];
const CODAS = ["", "n", "r", "l", "m", "rt", "nd", "x"];

/** The same numbers each time, from 0 to below 1: multiplicative congruential, modulus 2^31 - 1 (Park and Miller). */
function numbers(): () => number {
  let state = 42;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** The same 20,000 made-up words each time, the commonest first. */
export function vocabulary(): readonly string[] {
  const words = new Set<string>();
  const next = numbers();
  const pick = (from: readonly string[]): string => from[Math.floor(next() * from.length)] ?? "";
  while (words.size < WORDS) {
    const syllables = words.size < 500 ? 2 : 3;
    words.add(Array.from({ length: syllables }, () => pick(ONSETS) + pick(VOWELS) + pick(CODAS)).join(""));
  }
  return [...words];
}

/** Who searches, and what there is to find. */
export interface TextRows {
  /** Half of all rows are of a team they belong to. */
  readonly userId: string;
  readonly sample: readonly { readonly id: string; readonly title: string; readonly body: string }[];
}

/**
 * Fills `notes` with made-up text: a word's frequency falls with its place in the vocabulary (Zipf), so some stand in every
 * third row. Half are of one team, half of 200 others.
 *
 * @param rows at least 1,000
 * @param samples rows of the team, for queries
 */
export async function fillWithText(store: Store, rows: number, samples: number): Promise<TextRows> {
  const userId = newId();
  const teams = Array.from({ length: 1 + OTHERS }, () => newId());
  await store.query("insert into users (id, name, email) values ($1, 'Reader', 'reader@example.org')", [userId]);
  await store.query(
    "insert into teams (id, name, created_at, updated_at) select id, id::text, now(), now() from unnest($1::uuid[]) as id",
    [teams],
  );
  await store.query("insert into team_members (team_id, user_id, role, created_at) values ($1, $2, 'member', now())", [
    teams[0],
    userId,
  ]);
  const indexes = await store.query<{ name: string; definition: string }>(
    "select indexname as name, indexdef as definition from pg_indexes where tablename = 'notes' and indexdef like '%USING gin%'",
    [],
  );
  for (const { name } of indexes) await store.query(`drop index ${name}`, []);
  const words = vocabulary();
  const next = numbers();
  const made = (count: number): string =>
    Array.from({ length: count }, () => words[Math.floor(WORDS ** next()) - 1] ?? "").join(" ");
  const sample: { id: string; title: string; body: string }[] = [];
  const sampledEach = Math.max(1, Math.floor(rows / 2 / samples));
  for (let from = 1; from <= rows; from += CHUNK) {
    const chunk = Array.from({ length: Math.min(CHUNK, rows - from + 1) }, (_, index) => ({
      id: `${(from + index).toString(16).padStart(8, "0")}-0000-7000-8000-000000000000`,
      team: teams[(from + index) % 2 === 0 ? 0 : 1 + (((from + index) >> 1) % OTHERS)],
      title: made(TITLE_WORDS),
      body: made(BODY_WORDS),
    }));
    sample.push(...chunk.filter(({ team }) => team === teams[0]).filter((_, index) => index % sampledEach === 0));
    await store.query(
      `insert into notes (id, team_id, title, body, created_at, updated_at)
       select id, team, title, body, now(), now()
       from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as made (id, team, title, body)`,
      [
        chunk.map(({ id }) => id),
        chunk.map(({ team }) => team),
        chunk.map(({ title }) => title),
        chunk.map(({ body }) => body),
      ],
    );
  }
  for (const { definition } of indexes) await store.query(definition, []);
  await store.query("vacuum analyze notes", []);
  await store.query("vacuum analyze search_words", []);
  return { userId, sample: sample.slice(0, samples) };
}
