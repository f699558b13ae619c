import type { ModelData, ModelPerson, ModelRow } from "./blended-model.ts";

/** Numbers that look random and are the same each time (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const TEAMS = ["Plattform", "設計", "ops & réseau", "Docs", "one-person team", "a team without rows"];

/** Written by hand, as in real data: some are of the same instant, and some are none. */
const DATES = [
  "2019-01-28",
  "2024-2-1",
  "2023-9-18",
  "",
  "v1.29",
  "2019-01-28",
  "1969-07-20",
  "2038-01-19",
  "31.12.2020",
];

/** A date the gateway takes, if the text is one. */
export function instantOf(text: string): string | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text) ?? [];
  return year === undefined ? undefined : `${year}-${month?.padStart(2, "0")}-${day?.padStart(2, "0")}T00:00:00.000Z`;
}

/** What is imported of dates written by hand: the good ones as times, the others kept as they were written. */
export function dated(created: string, updated: string): Pick<ModelRow, "created_at" | "updated_at"> {
  const [createdAt, updatedAt] = [instantOf(created), instantOf(updated)];
  return {
    ...(createdAt === undefined ? {} : { created_at: createdAt }),
    ...(updatedAt === undefined ? {} : { updated_at: updatedAt }),
  };
}

/**
 * People, teams, tasks and notes like those of a real project: uneven teams, people in several, odd dates, scripts of the
 * world, one key in two teams; and, as everybody has, rows of one's own.
 */
export function generateData(seed: number): ModelData {
  const next = numbersFrom(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;

  const people: ModelPerson[] = Array.from({ length: 25 }, (_, index) => {
    const name = `${pick(["Ada", "Łucja", "李雷", "Zoë", "محمد"])} ${index}`;
    const email = `person-${index}@people.test`;
    if (index === 0) return { name, email, teams: ["one-person team"] };
    // Weighted to the first: real teams are of very different sizes.
    const teams = TEAMS.filter((team, place) => team !== "one-person team" && next() < 0.7 / (place + 1));
    return { name, email, teams: index === 1 ? [] : teams };
  });

  const rows = (kind: string, count: number, inputOf: (index: number) => Record<string, unknown>): ModelRow[] =>
    Array.from({ length: count }, (_, index) => {
      const { name: owner, teams } = pick(people);
      const filled = teams.filter((name) => name !== "a team without rows");
      const team = filled.length === 0 || next() < 0.25 ? undefined : pick(filled);
      const [created, updated] = [pick(DATES), pick(DATES)];
      return {
        // Each number comes twice where chance puts the pair in two spaces.
        key: `${kind}-${index % 5 === 0 ? `${index}` : `№ ${index}`}`,
        ...(team === undefined ? {} : { team }),
        owner,
        input: { ...inputOf(index), properties: { created, updated } },
        ...dated(created, updated),
      };
    });

  const withTwins = (all: readonly ModelRow[]): ModelRow[] => {
    const first = all.find(({ team }) => team === "Plattform");
    const { team: _team, ...personal } = first ?? all[0]!;
    return [...all, { ...personal, team: "Docs" }, personal];
  };

  return {
    people,
    tasks: withTwins(
      rows("task", 150, (index) => ({
        title: `${pick(["Überprüfen", "修复", "fix `code`", "a | b", '"quoted" \\ {}'])} ${index}`,
        status: pick(["open", "in_progress", "done", "cancelled"]),
      })),
    ),
    notes: withTwins(
      rows("note", 80, (index) => ({
        title: `Notiz ${index} 📝`,
        body: `# Titel\n\n\`\`\`ts\nconst a = "b";\n\`\`\`\n\n| a | b |\n|---|---|\n${"Zeile ✓\n".repeat(below(400))}`,
      })),
    ),
  };
}
