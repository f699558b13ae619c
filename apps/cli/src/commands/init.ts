import { access, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Option } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import {
  draftOf,
  type InitAnswers,
  isEmbedded,
  isFederated,
  judgeDraft,
  nextSteps,
  type Plan,
  plans,
} from "../init-plan.ts";
import type { Invocation } from "../invocation.ts";
import { wholeNumber } from "../listing.ts";
import { cliProblem } from "../problems.ts";

interface InitFlags extends Partial<InitAnswers> {
  readonly file: string;
  readonly force?: true;
  readonly dryRun?: true;
}

/** Asks for what no flag said. An empty answer keeps the default. */
async function answerRest({ ask, options }: Invocation, flags: InitFlags): Promise<InitAnswers> {
  if (options.yes === true || !ask.possible) return { plan: "local", ...flags };
  const text = async (known: string | undefined, message: string): Promise<string | undefined> => {
    const answered = known ?? (await ask.text({ message: `${message} (empty: the default)` })).trim();
    return answered === "" ? undefined : answered;
  };
  const choices = Object.entries(plans).map(([value, { label, hint }]) => ({ value, label, hint }));
  const plan = flags.plan ?? ((await ask.choose("What kind of gateway?", choices)) as Plan);
  return {
    ...flags,
    plan,
    dataDirectory: isEmbedded(plan) ? await text(flags.dataDirectory, "Folder for its data") : undefined,
    databaseUrl: isEmbedded(plan)
      ? undefined
      : await text(flags.databaseUrl, "PostgreSQL, without a password: postgresql://user@host:5432/name"),
    queueUrl:
      plan === "federated" ? await text(flags.queueUrl, "Valkey, without a password: redis://host:6379") : undefined,
    publicUrl: await text(
      flags.publicUrl,
      "Address people open, where it is not this machine's own: https://mosaic.example",
    ),
    federationUrl: isFederated(plan)
      ? await text(
          flags.federationUrl,
          "Address peers dial, where it is not this machine's own: https://mosaic.example:14443",
        )
      : undefined,
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** `mosaic init` */
export const define: Define = (command, run) => {
  command
    .addOption(
      new Option("--plan <plan>", "what kind of gateway; local when nobody is asked").choices(Object.keys(plans)),
    )
    .option("--file <file>", "the file to write", "mosaic.config.json")
    .option("--data-directory <folder>", "where an embedded gateway keeps its data")
    .option("--host <address>", "the address to listen on; 0.0.0.0 for every one of the machine")
    .option("--port <port>", "the port for people and agents", wholeNumber)
    .option("--public-url <address>", "the address people open, where it differs")
    .option("--federation-port <port>", "the port for peers", wholeNumber)
    .option("--federation-url <address>", "the address peers dial, where it differs")
    .option("--database-url <url>", "PostgreSQL, without a password")
    .option("--queue-url <url>", "Valkey, without a password")
    .option("--force", "replace a file that is there")
    .option("--dry-run", "print the file, and write nothing")
    .action(
      run(async (invocation, flags: InitFlags) => {
        const { host, output } = invocation;
        const path = resolve(host.directory, flags.file);
        // Before the questions: nobody should answer them for nothing.
        if (flags.dryRun !== true && flags.force !== true && (await exists(path))) {
          throw cliProblem("file_exists", { detail: `${path} exists already.` });
        }
        const answers = await answerRest(invocation, flags);
        const draft = draftOf(answers);
        await judgeDraft(draft, host.directory);
        const text = `${JSON.stringify(draft, null, 2)}\n`;
        if (flags.dryRun === true) {
          output.result({ dry_run: true, file: path, config: draft }, () => text.trimEnd());
          output.note(`Nothing was written (--dry-run). It would be ${path}.`);
          return;
        }
        try {
          await writeFile(path, text, { flag: flags.force === true ? "w" : "wx" });
        } catch (error) {
          throw cliProblem("file_unwritable", { detail: `${path} can't be written.`, cause: error });
        }
        const steps = nextSteps(answers.plan);
        output.result({ file: path, config: draft, next: steps }, () => `Wrote ${path}`);
        output.note(`Next:\n${steps.map((step, index) => `  ${index + 1}. ${step}`).join("\n")}`);
      }),
    );
  examples(
    command,
    ["mosaic init", "asks a few questions and writes mosaic.config.json"],
    ["mosaic init --yes", "the plainest gateway, nothing asked"],
    [
      "mosaic init --plan federated-embedded --public-url https://home.example --federation-url https://home.example:14443 --host 0.0.0.0",
      "one that other gateways reach",
    ],
    ["mosaic init --plan standalone --database-url postgresql://mosaic@db/mosaic --dry-run", "only print the file"],
  );
};
