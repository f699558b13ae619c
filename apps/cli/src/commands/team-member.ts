import { Option } from "commander";
import { isId } from "@mosaicstack/foundation";
import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import type { Gateway } from "../gateway.ts";
import { cliProblem } from "../problems.ts";
import { teamId, userId } from "../references.ts";
import { formatTable } from "../table.ts";
import { terminalLine } from "../terminal-text.ts";

interface Member {
  readonly user_id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
}

async function membersOf(gateway: Gateway, id: string): Promise<readonly Member[]> {
  return (await gateway.call<{ rows: Member[] }>("GET", `/api/v1/teams/${id}/members`)).body.rows;
}

/** `mosaic team member` */
export const defineMembers: DefineWithin = (group, run) => {
  examples(
    group,
    ["mosaic team member add Platform ada@example.org", "put somebody into a team"],
    ["mosaic team member list Platform", "who is in it"],
    ["mosaic team member rm Platform ada@example.org", "take somebody out"],
  );

  const add = group
    .command("add <team> <user>")
    .description("Put somebody into a team, by e-mail, name or id, or change their role (its owners)")
    .addOption(new Option("--role <role>", "owner or member").choices(["owner", "member"]).default("member"))
    .action(
      run(async ({ output, gateway }, team: string, user: string, { role }: { role: string }) => {
        const connection = await gateway();
        const path = `/api/v1/teams/${await teamId(connection, team)}/members`;
        // An owner may name people by e-mail address; only admins can look others up by name.
        const { body } = user.includes("@")
          ? await connection.call<Member>("PUT", path, { body: { email: user, role } })
          : await connection.call<Member>("PUT", `${path}/${await userId(connection, user)}`, { body: { role } });
        output.result(body, () => `${body.role}  ${terminalLine(`${body.name} <${body.email}>`)}`);
        output.note("In the team.");
      }),
    );
  examples(
    add,
    ["mosaic team member add Platform ada@example.org", "as a member"],
    ["mosaic team member add Platform ada@example.org --role owner", "as an owner"],
  );

  const list = group
    .command("list <team>")
    .alias("ls")
    .description("Who is in a team, by its name or id")
    .action(
      run(async ({ output, gateway }, team: string) => {
        const connection = await gateway();
        const rows = await membersOf(connection, await teamId(connection, team));
        output.result({ rows }, () =>
          formatTable(
            [
              { heading: "ID" },
              { heading: "ROLE" },
              { heading: "NAME", flexible: true },
              { heading: "E-MAIL", flexible: true },
            ],
            rows.map(({ user_id: id, role, name, email }) => [id, role, name, email]),
            output.width,
          ),
        );
      }),
    );
  examples(list, ["mosaic team member list Platform", "with their roles"]);

  const remove = group
    .command("rm <team> <user>")
    .description("Take somebody out of a team, by e-mail, name or id (its owners; or yourself)")
    .option("--dry-run", "only show who")
    .action(
      run(async (invocation, team: string, user: string, { dryRun }: { dryRun?: true }) => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const id = await teamId(gateway, team);
        const wanted = user.toLowerCase();
        const found = (await membersOf(gateway, id)).filter((each) =>
          isId(wanted) ? each.user_id === wanted : each.email.toLowerCase() === wanted || each.name === user,
        );
        const [member] = found;
        if (member === undefined)
          throw cliProblem("user_unknown", {
            detail: `"${user}" is not in the team.`,
            remedy: `Run \`mosaic team member list ${team}\`.`,
          });
        if (found.length > 1)
          throw cliProblem("reference_ambiguous", { detail: `${found.length} members are called "${user}".` });
        const who = terminalLine(`${member.name} <${member.email}>`);
        if (dryRun === true) {
          output.result({ dry_run: true, would_delete: member }, () => `${member.user_id}  ${who}`);
          output.note("Nobody was taken out (--dry-run).");
          return;
        }
        await invocation.confirm(`Take ${who} out of the team?`);
        await gateway.call("DELETE", `/api/v1/teams/${id}/members/${member.user_id}`);
        output.result({ deleted: [member.user_id] }, () => `${member.user_id}  ${who}`);
        output.note("Taken out.");
      }),
    );
  examples(remove, ["mosaic team member rm Platform ada@example.org --yes", "without asking"]);
};
