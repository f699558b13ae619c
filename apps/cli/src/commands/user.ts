import { type Command, Option } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import type { Bind, Invocation } from "../invocation.ts";
import { changesOf } from "../item-fields.ts";
import { wholeNumber } from "../listing.ts";
import { everyUser, type UserRow, userId } from "../references.ts";
import { shown } from "../rows.ts";
import { newPassword } from "../sign-in.ts";
import { formatFields, formatTable } from "../table.ts";
import { terminalLine } from "../terminal-text.ts";

interface UserFlags {
  readonly name?: string;
  readonly email?: string;
  readonly role?: string;
  readonly password?: true;
  readonly passwordFile?: string;
}

interface ListFlags {
  readonly limit?: number;
  readonly cursor?: string;
  readonly all?: true;
}

const roleOption = (): Option => new Option("--role <role>", "admin or user").choices(["admin", "user"]);

function addPasswordOptions(command: Command): Command {
  return command
    .option("--password", "ask for a password")
    .option("--password-file <file>", "the file that holds the password; - is standard input");
}

/** A password where one was asked for; without it the user can't sign in until one is set. */
async function passwordOf(invocation: Invocation, { password, passwordFile }: UserFlags): Promise<string | undefined> {
  return password === true || passwordFile !== undefined ? await newPassword(invocation, passwordFile) : undefined;
}

function usersTable(users: readonly UserRow[], width: number | undefined): string {
  return formatTable(
    [
      { heading: "ID" },
      { heading: "NAME", flexible: true },
      { heading: "E-MAIL", flexible: true },
      { heading: "ROLE" },
      { heading: "CREATED" },
    ],
    users.map(({ id, name, email, role, created_at: created }) => [id, name, email, role, shown(created)]),
    width,
  );
}

function userFields(user: UserRow): string {
  return formatFields(Object.entries(user).map(([name, value]) => [name, shown(value)]));
}

function addReads(group: Command, run: Bind): void {
  const list = group
    .command("list")
    .alias("ls")
    .description("List users, newest first")
    .option("--limit <rows>", "rows a page, at most 200", wholeNumber)
    .option("--cursor <cursor>", "go on where a page ended")
    .option("--all", "every page to the end; with --json one row a line")
    .action(
      run(async (invocation, flags: ListFlags) => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        if (flags.all === true) {
          const users: UserRow[] = [];
          let count = 0;
          for await (const row of everyUser(gateway)) {
            count += 1;
            if (output.json) output.line({ row });
            else users.push(row);
          }
          if (output.json) output.line({ end: { rows: count, partial: false } });
          else output.result(users, () => usersTable(users, output.width));
          output.note(`${count} users.`);
          return;
        }
        const { limit, cursor } = flags;
        const { body } = await gateway.call<{ rows: UserRow[]; next_cursor: string | null }>("GET", "/api/v1/users", {
          query: { limit, cursor },
        });
        output.result(body, () => usersTable(body.rows, output.width));
        if (body.next_cursor !== null) output.note(`More: mosaic user list --cursor ${body.next_cursor}`);
      }),
    );
  examples(
    list,
    ["mosaic user list", "the newest 50"],
    ["mosaic user list --all --json | jq -r .row.email", "every address"],
  );

  const get = group
    .command("get <user>")
    .description("Show a user, by id, e-mail or name")
    .action(
      run(async ({ output, gateway }, reference: string) => {
        const connection = await gateway();
        const { body } = await connection.call<UserRow>("GET", `/api/v1/users/${await userId(connection, reference)}`);
        output.result(body, () => userFields(body));
      }),
    );
  examples(get, ["mosaic user get ada@example.org", "by e-mail address"]);
}

/** `mosaic user` */
export const define: Define = (group, run) => {
  examples(
    group,
    ["mosaic user add Ada --email ada@example.org --password", "make a user; asks for the password"],
    ["mosaic user list", "everyone"],
    ["mosaic import people people.csv", "many at once"],
  );

  const add = addPasswordOptions(group.command("add <name>"))
    .description("Make a user (admins). Without a password they can't sign in until one is set")
    .requiredOption("--email <address>", "what they sign in with")
    .addOption(roleOption())
    .action(
      run(async (invocation, name: string, flags: UserFlags) => {
        const { email, role } = flags;
        const password = await passwordOf(invocation, flags);
        const { body } = await (
          await invocation.gateway()
        ).call<UserRow>("POST", "/api/v1/users", {
          body: { name, email, role, password },
        });
        invocation.output.result(body, () => body.id);
        invocation.output.note(
          password === undefined
            ? `Added, without a password. Set one with: mosaic user edit ${body.email} --password`
            : `Added. Put them into a team with: mosaic team member add <team> ${body.email}`,
        );
      }),
    );
  examples(
    add,
    ["mosaic user add Ada --email ada@example.org --password", "asks for the password"],
    ["mosaic user add Ada --email ada@example.org --role admin --password-file pw", "an admin, without a terminal"],
  );

  addReads(group, run);

  const edit = addPasswordOptions(group.command("edit <user>"))
    .description("Change a user, by id, e-mail or name (admins)")
    .option("--name <name>", "their new name")
    .addOption(roleOption())
    .action(
      run(async (invocation, reference: string, flags: UserFlags) => {
        const password = await passwordOf(invocation, flags);
        const changes = changesOf({ name: flags.name, role: flags.role, password });
        const gateway = await invocation.gateway();
        const { body } = await gateway.call<UserRow>("PATCH", `/api/v1/users/${await userId(gateway, reference)}`, {
          body: changes,
        });
        invocation.output.result(body, () => userFields(body));
        invocation.output.note("Changed.");
      }),
    );
  examples(
    edit,
    ["mosaic user edit ada@example.org --role admin", "make her an admin"],
    ["mosaic user edit ada@example.org --password", "set a password; asks for it"],
  );

  const remove = group
    .command("rm <user>")
    .description(
      "Remove a user, by id, e-mail or name (admins), with their personal rows and every grant over their data",
    )
    .option("--dry-run", "only show who")
    .action(
      run(async (invocation, reference: string, { dryRun }: { dryRun?: true }) => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const { body: user } = await gateway.call<UserRow>("GET", `/api/v1/users/${await userId(gateway, reference)}`);
        if (dryRun === true) {
          output.result({ dry_run: true, would_delete: user }, () => userFields(user));
          output.note("Nobody was removed (--dry-run).");
          return;
        }
        const who = terminalLine(`${user.name} <${user.email}>`);
        await invocation.confirm(
          `Remove ${who}, their personal rows, sessions and keys, and every grant over their data?`,
        );
        await gateway.call("DELETE", `/api/v1/users/${user.id}`);
        output.result({ deleted: [user.id] }, () => `${user.id}  ${who}`);
        output.note("Removed. What belongs to teams stays.");
      }),
    );
  examples(
    remove,
    ["mosaic user rm ada@example.org --dry-run", "who that is"],
    ["mosaic user rm ada@example.org --yes", "without asking"],
  );
};
