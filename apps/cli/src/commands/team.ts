import type { Command } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import type { ExitName } from "../exit-codes.ts";
import type { Bind } from "../invocation.ts";
import { addPagingOptions, listResource, type PagingOptions } from "../listing.ts";
import { exitOfSources } from "../sources.ts";
import { teamId } from "../references.ts";
import { type GetBody, type Row, shown, textOf } from "../rows.ts";
import { formatFields, formatTable } from "../table.ts";
import { defineMembers } from "./team-member.ts";

const columns = [
  { heading: "ID", member: "id" },
  { heading: "NAME", member: "name", flexible: true },
  { heading: "MEMBERS", member: "members" },
  { heading: "CREATED", member: "created_at" },
];

function addReads(group: Command, run: Bind): void {
  const list = addPagingOptions(group.command("list"))
    .alias("ls")
    .description("List the teams you belong to")
    .option("--name <name>", "only the one of this name")
    .action(
      run(async (invocation, options: PagingOptions & { name?: string }): Promise<ExitName> => {
        const filters = { name: options.name };
        return await listResource(invocation, await invocation.gateway(), {
          resource: "teams",
          columns,
          options,
          filters,
          again: "mosaic team list",
        });
      }),
    );
  examples(
    list,
    ["mosaic team list", "your teams"],
    ["mosaic team list --source all", "with those of gateways you may read"],
  );

  const get = group
    .command("get <team>")
    .description("Show a team and who is in it, by its name or id")
    .action(
      run(async (invocation, reference: string): Promise<ExitName> => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const id = await teamId(gateway, reference);
        const { body } = await gateway.call<GetBody>("GET", `/api/v1/teams/${id}`);
        const { body: members } = await gateway.call<{ rows: Row[] }>("GET", `/api/v1/teams/${id}/members`);
        output.result({ ...body.row, members: members.rows }, () => {
          const fields = formatFields(
            Object.entries(body.row).map(([name, value]) => [name === "_source" ? "source" : name, shown(value)]),
          );
          const rows = members.rows.map((row) => [textOf(row, "role"), textOf(row, "name"), textOf(row, "email")]);
          return `${fields}\n\n${formatTable([{ heading: "ROLE" }, { heading: "NAME", flexible: true }, { heading: "E-MAIL", flexible: true }], rows, output.width)}`;
        });
        return exitOfSources(body.sources, body.partial);
      }),
    );
  examples(get, ["mosaic team get Platform", "its members too"]);
}

/** `mosaic team` */
export const define: Define = (group, run) => {
  examples(
    group,
    ["mosaic team add Platform", "make a team; you become its owner"],
    ["mosaic team member add Platform ada@example.org", "put somebody into it"],
    ["mosaic team list", "the teams you belong to"],
  );

  const add = group
    .command("add <name>")
    .description("Make a team; you become its owner")
    .action(
      run(async ({ output, gateway }, name: string) => {
        const { body } = await (await gateway()).call<Row>("POST", "/api/v1/teams", { body: { name } });
        output.result(body, () => textOf(body, "id"));
        output.note(`Added. Put somebody into it with: mosaic team member add ${JSON.stringify(name)} <e-mail>`);
      }),
    );
  examples(add, ["mosaic team add Platform", "prints its id"]);

  addReads(group, run);

  const edit = group
    .command("edit <team>")
    .description("Rename a team, by its name or id (its owners)")
    .requiredOption("--name <name>", "its new name")
    .action(
      run(async (invocation, reference: string, { name }: { name: string }) => {
        const gateway = await invocation.gateway();
        const { body } = await gateway.call<Row>("PATCH", `/api/v1/teams/${await teamId(gateway, reference)}`, {
          body: { name },
        });
        invocation.output.result(body, () => `${textOf(body, "id")}  ${textOf(body, "name")}`);
        invocation.output.note("Renamed.");
      }),
    );
  examples(edit, ['mosaic team edit Platform --name "Platform team"', "another name"]);

  const remove = group
    .command("rm <team>")
    .description("Delete a team that has no rows, by its name or id (its owners)")
    .option("--dry-run", "only show which")
    .action(
      run(async (invocation, reference: string, { dryRun }: { dryRun?: true }) => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const id = await teamId(gateway, reference);
        const { body } = await gateway.call<GetBody>("GET", `/api/v1/teams/${id}`);
        const name = textOf(body.row, "name");
        if (dryRun === true) {
          output.result({ dry_run: true, would_delete: body.row }, () => `${id}  ${name}`);
          output.note("Nothing was deleted (--dry-run).");
          return;
        }
        await invocation.confirm(`Delete the team "${name}"?`);
        await gateway.call("DELETE", `/api/v1/teams/${id}`);
        output.result({ deleted: [id] }, () => `${id}  ${name}`);
        output.note("Deleted.");
      }),
    );
  examples(remove, ["mosaic team rm Platform --yes", "without asking"]);

  defineMembers(group.command("member").description("Who is in a team: add, list, rm"), run);
};
