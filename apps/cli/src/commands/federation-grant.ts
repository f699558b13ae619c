import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import {
  certificatesTable,
  describeScope,
  findGrant,
  grantFields,
  listGrants,
  type ScopeChange,
  shownEnd,
} from "../grants.ts";
import { shown } from "../rows.ts";
import { formatTable } from "../table.ts";
import { definePause, defineRevoke } from "./federation-grant-end.ts";
import { defineCreate, defineEdit, defineToken } from "./federation-grant-make.ts";
import { definePreview } from "./federation-grant-preview.ts";

/** `mosaic federation grant` */
export const defineGrants: DefineWithin = (group, run) => {
  examples(
    group,
    [
      "mosaic federation grant create --name home --subject ada --preset tasks-only",
      "make one; prints the line to run on the other gateway",
    ],
    [
      "mosaic federation grant preview --subject ada --preset tasks-only",
      "how much that would show, before it is made",
    ],
    ["mosaic federation grant list", "every grant, or those over your own data"],
    ["mosaic federation grant revoke home", "end one, at once"],
  );
  defineCreate(group, run);

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
                  { heading: "A MINUTE" },
                  { heading: "AT ONCE" },
                  { heading: "EXPIRES" },
                ],
                grants.map((grant) => [
                  grant.id,
                  grant.name,
                  grant.status,
                  grant.subject.name ?? grant.subject.id,
                  describeScope(grant.scope),
                  String(grant.requests_per_minute),
                  String(grant.concurrent_requests),
                  shownEnd(grant),
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
    .description("Show a grant, by its id or name, and its certificates")
    .option("--history", "every scope it has had, too")
    .action(
      run(async (invocation, reference: string, { history }: { history?: true }) => {
        const { output } = invocation;
        const connection = await federationGateway(invocation);
        const { grant, path } = await findGrant(connection, reference);
        const scopes =
          history === true
            ? (await connection.call<{ scopes: ScopeChange[] }>("GET", `${path}/scopes`)).body.scopes
            : undefined;
        output.result(scopes === undefined ? grant : { ...grant, scopes }, () =>
          [grantFields(grant), certificatesTable(grant.certificates, output.width), historyTable(scopes, output.width)]
            .filter((part) => part !== "")
            .join("\n\n"),
        );
      }),
    );
  examples(
    show,
    ["mosaic federation grant show home", "its scope, end and certificates"],
    ["mosaic federation grant show home --history", "and what it could read before, and who changed that"],
  );

  definePreview(group, run);
  defineEdit(group, run);
  defineToken(group, run);
  definePause(group, run);
  defineRevoke(group, run);
};

function historyTable(scopes: readonly ScopeChange[] | undefined, width: number | undefined): string {
  if (scopes === undefined) return "";
  return formatTable(
    [{ heading: "SINCE" }, { heading: "BY" }, { heading: "MAY READ", flexible: true }],
    scopes.map(({ changed_at: at, changed_by: by, scope }) => [shown(at), by, describeScope(scope)]),
    width,
  );
}
