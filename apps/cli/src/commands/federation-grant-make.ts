import { type Command, Option } from "commander";
import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { changeScope, PRESET_NAMES, presets, readExpiry, readScope, type ScopeFlags } from "../grant-input.ts";
import {
  describeLimits,
  describeScope,
  findGrant,
  type Grant,
  grantFields,
  GRANTS_PATH,
  type GrantScope,
  type IssuedInvite,
  shownEnd,
} from "../grants.ts";
import { wholeNumber } from "../listing.ts";
import { cliProblem } from "../problems.ts";
import { shown } from "../rows.ts";
import { formatFields } from "../table.ts";

interface LimitFlags {
  readonly requestsPerMinute?: number;
  readonly concurrentRequests?: number;
}

interface CreateFlags extends ScopeFlags, LimitFlags {
  readonly name: string;
  readonly subject: string;
  readonly expires?: string;
}

interface EditFlags extends ScopeFlags, LimitFlags {
  readonly name?: string;
  readonly expires?: string;
  readonly dryRun?: true;
}

const NEXT = "Give this line to the user of the other gateway. It works once, until";

/** The flags of {@link ScopeFlags}. */
export function scopeOptions(command: Command): Command {
  const choices = PRESET_NAMES.map((name) => `${name}: ${presets[name].what}`).join("; ");
  return command
    .addOption(new Option("--preset <name>", `a scope that is wanted often. ${choices}`).choices(PRESET_NAMES))
    .option("--resources <names>", "what may be read, with commas: tasks,notes,memory,credentials,teams")
    .option("--exclude <names>", "what may not, whatever --resources or --preset says")
    .option("--teams <names>", "rows of these teams of the subject, by name or id, with commas; all: of every one")
    .option("--personal", "the subject's personal rows too")
    .option("--no-personal", "no personal rows")
    .option("--max-rows <rows>", "the most rows one query answers with, at most 1000", wholeNumber)
    .option("--scope-file <file>", "the whole scope as JSON, instead of flags; - is standard input");
}

function limitOptions(command: Command): Command {
  return command
    .option("--requests-per-minute <times>", "how often the peer may ask; 1200 when never given", wholeNumber)
    .option(
      "--concurrent-requests <times>",
      "how many of its requests may be under way; 16 when never given",
      wholeNumber,
    );
}

/** As they are sent; what is left out stays as it is, or is the gateway's default. */
function limitsOf({ requestsPerMinute, concurrentRequests }: LimitFlags) {
  return {
    ...(requestsPerMinute === undefined ? {} : { requests_per_minute: requestsPerMinute }),
    ...(concurrentRequests === undefined ? {} : { concurrent_requests: concurrentRequests }),
  };
}

/** `mosaic federation grant create` */
export const defineCreate: DefineWithin = (group, run) => {
  const create = group
    .command("create")
    .description("Let another gateway read as one of your users; prints the line its user runs there (admins)")
    .requiredOption("--name <name>", "your name for the grant: whose gateway it is for")
    .requiredOption("--subject <user>", "as whom the other gateway reads: name, e-mail or id");
  limitOptions(scopeOptions(create))
    .option("--expires <when>", "when the grant ends: 90d, 12h, 8w, 2026-12-03; never when not given")
    .action(
      run(async (invocation, flags: CreateFlags) => {
        const { host, output } = invocation;
        const connection = await federationGateway(invocation);
        const { name, subject, expires } = flags;
        const expiresAt = readExpiry(expires, host.clock);
        const scope = await readScope(host, connection, flags);
        const { body } = await connection.call<IssuedInvite & { grant: Grant }>("POST", GRANTS_PATH, {
          body: { name, subject, scope, expires_at: expiresAt, ...limitsOf(flags) },
        });
        output.note(`${grantFields(body.grant)}\n\n${NEXT} ${shown(body.invite_expires_at)} UTC:`);
        output.result(body, () => body.join_command);
      }),
    );
  examples(
    create,
    [
      "mosaic federation grant create --name home --subject ada --preset tasks-only",
      "all of Ada's tasks; prints the line to run on the other gateway",
    ],
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
};

/** `mosaic federation grant edit` */
export const defineEdit: DefineWithin = (group, run) => {
  const edit = group
    .command("edit <grant>")
    .description("Change a grant, by its id or name; what is not named stays. Holds from the next request on (admins)")
    .option("--name <name>", "another name");
  limitOptions(scopeOptions(edit))
    .option("--expires <when>", "when the grant ends: 90d, 12h, 8w, 2026-12-03; never")
    .option("--dry-run", "only show the difference")
    .action(
      run(async (invocation, reference: string, flags: EditFlags) => {
        const { host, output } = invocation;
        const { name, expires } = flags;
        const expiresAt = expires === "never" ? null : readExpiry(expires, host.clock);
        const connection = await federationGateway(invocation);
        const { grant, path } = await findGrant(connection, reference);
        const scope = await changeScope(host, connection, grant.scope, flags);
        const changes = {
          ...(name === undefined ? {} : { name }),
          ...(scope === undefined ? {} : { scope }),
          ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
          ...limitsOf(flags),
        };
        if (Object.keys(changes).length === 0) {
          throw cliProblem("usage_invalid", { detail: "Nothing to change was given." });
        }
        if (flags.dryRun === true) {
          output.result({ dry_run: true, before: grant, changes }, () => difference(grant, { ...grant, ...changes }));
          output.note("Nothing was changed (--dry-run).");
          return;
        }
        const { body } = await connection.call<Grant>("PATCH", path, { body: changes });
        output.result(body, () => difference(grant, body));
        output.note("Changed: it holds from the peer's next request on.");
      }),
    );
  examples(
    edit,
    ["mosaic federation grant edit home --resources tasks --dry-run", "what would be different"],
    ["mosaic federation grant edit home --teams Platform --no-personal", "one team's rows from now on"],
    ["mosaic federation grant edit home --requests-per-minute 60", "its peer may ask once a second, in the long run"],
    ["mosaic federation grant edit home --expires 30d", "ends in 30 days; --expires never takes the end away"],
  );
};

/** What of a grant is different, before and now; the whole of it where nothing is. */
function difference(before: Grant, now: Omit<Grant, "scope"> & { readonly scope?: unknown }): string {
  const rows = [
    ["name", before.name, now.name],
    ["may read", describeScope(before.scope), describeScope({ ...before.scope, ...(now.scope as GrantScope) })],
    ["may ask", describeLimits(before), describeLimits(now)],
    ["expires", shownEnd(before), shownEnd(now)],
  ].filter(([, was, is]) => was !== is);
  if (rows.length === 0) return grantFields(before);
  return formatFields(
    rows.flatMap(([what, was, is]) => [[`${what}, was`, was ?? ""] as const, [`${what}, now`, is ?? ""] as const]),
  );
}

/** `mosaic federation grant token` */
export const defineToken: DefineWithin = (group, run) => {
  const token = group
    .command("token <grant>")
    .description("Make a new invite for a grant, by its id or name; an earlier one stops working (admins)")
    .action(
      run(async (invocation, reference: string) => {
        const { output } = invocation;
        const connection = await federationGateway(invocation);
        const { path } = await findGrant(connection, reference);
        const { body } = await connection.call<IssuedInvite>("POST", `${path}/token`);
        output.note(`${NEXT} ${shown(body.invite_expires_at)} UTC:`);
        output.result(body, () => body.join_command);
      }),
    );
  examples(token, ["mosaic federation grant token home", "prints the line to run on the other gateway"]);
};
