import type { Command } from "commander";
import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { readExpiry, readScope, type ScopeFlags } from "../grant-input.ts";
import { describeScope, type Grant, grantId, type IssuedInvite, listGrants } from "../grants.ts";
import type { Bind } from "../invocation.ts";
import { wholeNumber } from "../listing.ts";
import { shown } from "../rows.ts";
import { formatFields, formatTable } from "../table.ts";

interface CreateFlags extends ScopeFlags {
  readonly name: string;
  readonly subject: string;
  readonly expires?: string;
}

const PATH = "/api/v1/federation/grants";

function grantFields(grant: Grant): string {
  return formatFields([
    ["id", grant.id],
    ["name", grant.name],
    ["status", grant.status],
    ["subject", `${grant.subject.name ?? "(removed)"} (${grant.subject.id})`],
    ["may read", describeScope(grant.scope)],
    ["created", shown(grant.created_at)],
    ["activated", shown(grant.activated_at)],
    ["revoked", shown(grant.revoked_at)],
    ["expires", grant.expires_at === null ? "never" : shown(grant.expires_at)],
    ...grant.certificates.map(({ serial, not_after: end, revoked_at: revoked }): [string, string] => [
      "certificate",
      `${serial}, until ${shown(end)}${revoked === null ? "" : `, revoked ${shown(revoked)}`}`,
    ]),
  ]);
}

const NEXT = "Give this line to the user of the other gateway. It works once, until";

function addCreate(group: Command, run: Bind): void {
  const create = group
    .command("create")
    .description("Let another gateway read as one of your users; prints the line its user runs there (admins)")
    .requiredOption("--name <name>", "your name for the grant: whose gateway it is for")
    .requiredOption("--subject <user>", "as whom the other gateway reads: name, e-mail or id")
    .option("--resources <names>", "what may be read, with commas: tasks,notes,memory,credentials,teams")
    .option("--exclude <names>", "what may not, whatever --resources says")
    .option("--teams <names>", "rows of these teams of the subject, by name or id, with commas; all: of every one")
    .option("--personal", "the subject's personal rows too")
    .option("--max-rows <rows>", "the most rows one query answers with, at most 1000", wholeNumber)
    .option("--expires <when>", "when the grant ends: 90d, 12h, 8w, 2026-12-03; never when not given")
    .option("--scope-file <file>", "the whole scope as JSON, instead of flags; - is standard input")
    .action(
      run(async (invocation, flags: CreateFlags) => {
        const { host, output } = invocation;
        const connection = await federationGateway(invocation);
        const { name, subject, expires } = flags;
        const expiresAt = readExpiry(expires, host.clock);
        const scope = await readScope(host, connection, flags);
        const { body } = await connection.call<IssuedInvite & { grant: Grant }>("POST", PATH, {
          body: { name, subject, scope, expires_at: expiresAt },
        });
        output.note(`${grantFields(body.grant)}\n\n${NEXT} ${shown(body.invite_expires_at)} UTC:`);
        output.result(body, () => body.join_command);
      }),
    );
  examples(
    create,
    [
      "mosaic federation grant create --name home --subject ada --resources tasks,notes --teams all --personal",
      "all of Ada's tasks and notes",
    ],
    [
      "mosaic federation grant create --name home --subject ada --resources tasks --teams Platform --expires 90d",
      "one team's tasks, for 90 days",
    ],
    ["mosaic federation grant create --name home --subject ada --scope-file scope.json", "a scope from a file"],
  );

  const token = group
    .command("token <grant>")
    .description("Make a new invite for a grant, by its id or name: the last one was lost or ran out (admins)")
    .action(
      run(async (invocation, reference: string) => {
        const { output } = invocation;
        const connection = await federationGateway(invocation);
        const { body } = await connection.call<IssuedInvite>(
          "POST",
          `${PATH}/${await grantId(connection, reference)}/token`,
        );
        output.note(`${NEXT} ${shown(body.invite_expires_at)} UTC:`);
        output.result(body, () => body.join_command);
      }),
    );
  examples(token, ["mosaic federation grant token home", "prints the line to run on the other gateway"]);
}

/** `mosaic federation grant` */
export const defineGrants: DefineWithin = (group, run) => {
  examples(
    group,
    [
      "mosaic federation grant create --name home --subject ada --resources tasks --teams all",
      "make one; prints the line to run on the other gateway",
    ],
    ["mosaic federation grant list", "every grant, or those over your own data"],
    ["mosaic federation grant revoke home", "end one, at once"],
  );
  addCreate(group, run);

  const list = group
    .command("list")
    .alias("ls")
    .description("List grants: every one for admins, else those over your own data")
    .action(
      run(async (invocation) => {
        const { output } = invocation;
        const grants = await listGrants(await federationGateway(invocation));
        output.result({ grants }, () =>
          grants.length === 0
            ? ""
            : formatTable(
                [
                  { heading: "ID" },
                  { heading: "NAME", flexible: true },
                  { heading: "STATUS" },
                  { heading: "SUBJECT", flexible: true },
                  { heading: "MAY READ", flexible: true },
                  { heading: "EXPIRES" },
                ],
                grants.map(({ id, name, status, subject, scope, expires_at: end }) => [
                  id,
                  name,
                  status,
                  subject.name ?? subject.id,
                  describeScope(scope),
                  end === null ? "never" : shown(end),
                ]),
                output.width,
              ),
        );
        if (grants.length === 0) output.note("No grants.");
      }),
    );
  examples(list, ["mosaic federation grant list", "with their states"]);

  const show = group
    .command("show <grant>")
    .alias("get")
    .description("Show a grant, by its id or name")
    .action(
      run(async (invocation, reference: string) => {
        const { output } = invocation;
        const connection = await federationGateway(invocation);
        const { body } = await connection.call<Grant>("GET", `${PATH}/${await grantId(connection, reference)}`);
        output.result(body, () => grantFields(body));
      }),
    );
  examples(show, ["mosaic federation grant show home", "its scope and certificates"]);

  const revoke = group
    .command("revoke <grant>")
    .description("End a grant, by its id or name: its certificates, invites and open connections with it")
    .option("--dry-run", "only show which")
    .action(
      run(async (invocation, reference: string, { dryRun }: { dryRun?: true }) => {
        const { output, ask } = invocation;
        const gateway = await federationGateway(invocation);
        const id = await grantId(gateway, reference);
        const { body: grant } = await gateway.call<Grant>("GET", `${PATH}/${id}`);
        if (dryRun === true) {
          output.result({ dry_run: true, would_revoke: grant }, () => grantFields(grant));
          output.note("Nothing was revoked (--dry-run).");
          return;
        }
        // Cutting access off must not fail for want of a flag; where somebody can be asked, they are.
        if (ask.possible) await invocation.confirm(`Revoke the grant "${grant.name}"? It can't be made valid again.`);
        const { body } = await gateway.call<Grant>("POST", `${PATH}/${id}/revoke`);
        output.result(body, () => grantFields(body));
        output.note("Revoked: its next request is refused, and its open connections are cut.");
      }),
    );
  examples(
    revoke,
    ["mosaic federation grant revoke home", "at once; asks on a terminal"],
    ["mosaic federation grant revoke home --yes", "without asking"],
  );
};
