import type { SourceReport } from "@mosaicstack/federation-protocol";
import { InvalidArgumentError, Option } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import type { ExitName } from "../exit-codes.ts";
import { addSourceOption, wholeNumber } from "../listing.ts";
import { teamId } from "../references.ts";
import { nameOf, type Row, textOf } from "../rows.ts";
import { exitOfSources, reportSources, reportWordsOnly } from "../sources.ts";
import { formatTable } from "../table.ts";

interface Found {
  readonly resource: string;
  readonly row: Row;
  readonly snippet: string;
}

interface SearchBody {
  readonly rows: readonly Found[];
  readonly more: boolean;
  readonly limit: number;
  readonly limit_clamped?: true;
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

interface SearchFlags {
  readonly resource?: readonly string[];
  readonly source: string;
  readonly limit?: number;
  readonly team?: string;
}

const RESOURCES = ["tasks", "notes", "memory", "credentials"] as const;

function collectResource(name: string, before: readonly string[] = []): readonly string[] {
  if (!RESOURCES.some((one) => one === name))
    throw new InvalidArgumentError(`Allowed choices are ${RESOURCES.join(", ")}.`);
  return [...before, name];
}

function foundTable(rows: readonly Found[], isBlended: boolean, width: number | undefined): string {
  const columns = [
    ...(isBlended ? [{ heading: "SOURCE" }] : []),
    { heading: "RESOURCE" },
    { heading: "ID" },
    { heading: "TITLE", flexible: true },
    { heading: "FOUND IN", flexible: true },
  ];
  const cells = rows.map(({ resource, row, snippet }) => [
    ...(isBlended ? [textOf(row, "_source")] : []),
    resource,
    textOf(row, "id"),
    nameOf(row).slice(0, 80),
    snippet,
  ]);
  return formatTable(columns, cells, width);
}

/** `mosaic search` */
export const define: Define = (command, run) => {
  addSourceOption(command.argument("<words...>", "what to look for"))
    .addOption(
      new Option("--resource <name>", "only tasks, notes, memory or credentials; may be given several times")
        .choices(RESOURCES)
        .argParser(collectResource),
    )
    .option("--team <name>", "only the rows of this team, by name or id; personal: only your own")
    .option("--limit <rows>", "rows wanted, at most 100", wholeNumber)
    .action(
      run(async (invocation, words: string[], { resource, source, limit, team }: SearchFlags): Promise<ExitName> => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const of = team === undefined || team === "personal" ? team : await teamId(gateway, team, source);
        const { body } = await gateway.call<SearchBody>("GET", "/api/v1/search", {
          query: { q: words.join(" "), resource, source, limit, team: of },
        });
        const { rows, more, partial, sources } = body;
        output.result(body, () => (rows.length === 0 ? "" : foundTable(rows, source !== "local", output.width)));
        reportSources(output, sources);
        reportWordsOnly(output, sources);
        const exit = exitOfSources(sources, partial);
        if (rows.length === 0 && exit === "ok") output.note("Nothing found.");
        if (body.limit_clamped === true) output.note(`A search shows at most ${body.limit} rows.`);
        else if (more) output.note(`There is more: --limit shows more than ${body.limit}, up to 100.`);
        return exit;
      }),
    );
  examples(
    command,
    ["mosaic search sidecar containers", "what has these words, best first; misspelt ones are found too"],
    ["mosaic search milk --resource tasks --source all", "tasks only, here and where you may read"],
    ["mosaic search '\"rolling update\" -windows'", "words that stand together, without another"],
  );
};
