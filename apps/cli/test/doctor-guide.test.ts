import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { doctorFault, doctorWarnings, passedOn } from "../src/doctor/codes.ts";

const DOCS = join(import.meta.dirname, "../../../docs");
const GUIDE = join(DOCS, "guides/doctor.md");
/** What is above is written by hand, what is below is made here. */
const FIRST_TABLE = "## Faults\n";

type Table = Readonly<Record<string, { readonly title: string; readonly remedy: string }>>;

const rowsOf = (table: Table): string[] =>
  Object.entries(table).map(([code, { title, remedy }]) => `| \`${code}\` | ${title} | ${remedy} |`);

/** The rows of docs/errors.md for codes that come from elsewhere, without status and package. */
async function rowsOfErrors(): Promise<ReadonlyMap<string, string>> {
  const rows = (await readFile(join(DOCS, "errors.md"), "utf8")).matchAll(
    /^\| `(\w+)` \| \d+ \| (.+) \| (.+) \| [\w-]+ \|$/gmu,
  );
  return new Map([...rows].map(([, code = "", title, remedy]) => [code, `| \`${code}\` | ${title} | ${remedy} |`]));
}

function section(heading: string, text: string, rows: readonly string[]): string {
  return [heading, text, "", "| code | cause | what to do |", "| --- | --- | --- |", ...rows, ""].join("\n");
}

async function tables(): Promise<string> {
  const errors = await rowsOfErrors();
  return [
    section(FIRST_TABLE, "What the doctor itself finds that does not work.", rowsOf(doctorFault.table)),
    section("## Warnings\n", "What works, and should be looked at.", rowsOf(doctorWarnings)),
    section(
      "## Passed on\n",
      "Faults that a service, the gateway or a peer answers with keep their own code. The doctor often knows a better\n" +
        "remedy than the general one here; docs/errors.md has these and all others.",
      passedOn.map((code) => errors.get(code) ?? `| \`${code}\` | is not in docs/errors.md | |`),
    ),
  ].join("\n");
}

describe("docs/guides/doctor.md", () => {
  test("has every code with its cause and remedy, and no other (vitest run <this file> --update writes them)", async () => {
    const [byHand = ""] = (await readFile(GUIDE, "utf8")).split(FIRST_TABLE);
    const made = await tables();
    expect(made).not.toContain("is not in docs/errors.md");
    await expect(`${byHand}${made}`).toMatchFileSnapshot(GUIDE);
  });

  test("and each code is one thing: none is listed twice", () => {
    const own = [...Object.keys(doctorFault.table), ...Object.keys(doctorWarnings)];
    expect(new Set([...own, ...passedOn]).size).toBe(own.length + passedOn.length);
  });
});
