import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { wholeNumber } from "../listing.ts";
import { cliProblem } from "../problems.ts";
import { shown } from "../rows.ts";
import { formatTable } from "../table.ts";

interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  readonly start: string;
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** `mosaic api-key` */
export const define: Define = (group, run) => {
  examples(
    group,
    ["mosaic api-key create agent", "a key for an agent; shown this once"],
    ["mosaic api-key list", "the keys you have"],
  );

  const create = group
    .command("create <name>")
    .description("Make an API key of your own; it is shown this once")
    .option("--expires-in-days <days>", "how long it works, 1 to 3650 days; for ever when not given", wholeNumber)
    .action(
      run(async ({ output, gateway }, name: string, { expiresInDays }: { expiresInDays?: number }) => {
        const { body } = await (
          await gateway()
        ).call<ApiKeyRow & { key: string }>("POST", "/api/v1/api-keys", {
          body: { name, expires_in_days: expiresInDays },
        });
        output.raw(body, body.key);
        output.note(
          `${output.width === undefined ? "\n" : ""}Keep it now: it is not shown again. Withdraw it with: mosaic api-key rm ${body.id}`,
        );
      }),
    );
  examples(
    create,
    ["mosaic api-key create agent", "prints the key"],
    ["mosaic api-key create ci --expires-in-days 90 > key", "one that ends, into a file"],
  );

  const list = group
    .command("list")
    .alias("ls")
    .description("List your API keys")
    .action(
      run(async ({ output, gateway }) => {
        const { body } = await (await gateway()).call<{ rows: ApiKeyRow[] }>("GET", "/api/v1/api-keys");
        output.result(body, () =>
          formatTable(
            [
              { heading: "ID" },
              { heading: "NAME", flexible: true },
              { heading: "STARTS WITH" },
              { heading: "CREATED" },
              { heading: "EXPIRES" },
            ],
            body.rows.map(({ id, name, start, created_at: created, expires_at: expires }) => [
              id,
              name,
              start,
              shown(created),
              expires === null ? "never" : shown(expires),
            ]),
            output.width,
          ),
        );
      }),
    );
  examples(list, ["mosaic api-key list", "never the keys themselves"]);

  const remove = group
    .command("rm <id>")
    .description("Withdraw an API key, by its id or its name")
    .option("--dry-run", "only show which")
    .action(
      run(async (invocation, reference: string, { dryRun }: { dryRun?: true }) => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const { body } = await gateway.call<{ rows: ApiKeyRow[] }>("GET", "/api/v1/api-keys");
        const found = body.rows.filter(({ id, name }) => id === reference || name === reference);
        const [key] = found;
        if (key === undefined)
          throw cliProblem("row_unknown", {
            detail: `You have no API key "${reference}".`,
            remedy: "Run `mosaic api-key list`.",
          });
        if (found.length > 1)
          throw cliProblem("reference_ambiguous", {
            detail: `${found.length} of your keys are called "${reference}".`,
          });
        if (dryRun === true) {
          output.result({ dry_run: true, would_delete: key }, () => `${key.id}  ${key.name}`);
          output.note("Nothing was withdrawn (--dry-run).");
          return;
        }
        await invocation.confirm(`Withdraw the API key "${key.name}"? Whatever uses it stops working.`);
        await gateway.call("DELETE", `/api/v1/api-keys/${key.id}`);
        output.result({ deleted: [key.id] }, () => `${key.id}  ${key.name}`);
        output.note("Withdrawn.");
      }),
    );
  examples(
    remove,
    ["mosaic api-key rm agent", "by its name, after asking"],
    ["mosaic api-key rm 0198c0de-… --yes", "by its id, without asking"],
  );
};
