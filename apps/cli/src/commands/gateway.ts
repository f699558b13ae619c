import type { Define } from "../command-groups.ts";
import { type Check, overallOf, skipped } from "../doctor/check.ts";
import { checkFederation } from "../doctor/federation-checks.ts";
import { checkGateway } from "../doctor/gateway-checks.ts";
import { checkThisMachine, urlOfConfig } from "../doctor/local-checks.ts";
import { examples } from "../examples.ts";
import { type ExitName, exitNameOf } from "../exit-codes.ts";
import { createGateway } from "../gateway.ts";
import { settingFlag } from "../gateway-config.ts";
import type { Invocation } from "../invocation.ts";
import type { Output, Style } from "../output.ts";
import { terminalLine } from "../terminal-text.ts";

interface DoctorFlags {
  readonly config?: string;
  readonly set?: Record<string, string>;
}

const COLOURS = { green: "green", yellow: "yellow", red: "red" } as const;
const MARKS: Readonly<Record<Check["status"], readonly [string, Style]>> = {
  ok: ["ok", "green"],
  warning: ["look", "yellow"],
  fault: ["FAULT", "red"],
  skipped: ["-", "dim"],
};

async function runChecks(
  invocation: Invocation,
  { config: file, set: settings }: DoctorFlags,
): Promise<readonly Check[]> {
  const { host, options } = invocation;
  const target = await invocation.target();
  // A gateway elsewhere has its configuration elsewhere.
  const isHere = target.from === "the default" || file !== undefined || isThisMachine(target.url);
  const local = isHere ? await checkThisMachine(host, { file, settings }) : undefined;
  const checks = [...(local?.checks ?? [skipped("configuration", `${target.url} is another machine's`)])];
  const said = options.url ?? host.environment.url ?? target.profile?.url;
  const configured = local?.config === undefined ? undefined : urlOfConfig(local.config);
  const reached = said === undefined && configured !== undefined ? { ...target, url: configured } : target;
  const gateway = createGateway(reached, host.signal);
  checks.push(...(await checkGateway(host, gateway, reached)));
  const signedIn = checks.some(({ name, status }) => name === "sign-in" && status === "ok");
  if (signedIn) checks.push(...(await checkFederation(host, gateway)));
  return checks;
}

function isThisMachine(url: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(url).hostname);
}

function checkLines({ name, status, detail, code, remedy }: Check, width: number, output: Output): string {
  const [mark, style] = MARKS[status];
  const line = `${output.paint(style, mark.padEnd(5))}  ${name.padEnd(width)}  ${terminalLine(detail)}`;
  const indent = " ".repeat(9 + width);
  return code === undefined ? line : `${line}\n${indent}${terminalLine(remedy ?? "")} (${code})`;
}

/** `mosaic gateway` */
export const define: Define = (group, run) => {
  examples(
    group,
    ["mosaic gateway doctor", "what is wrong, and what to do about it"],
    ["mosaic gateway doctor --json", "for a monitor"],
  );

  const doctor = group
    .command("doctor")
    .description(
      "Look for what is wrong with a gateway, running or not. Green ends with 0, yellow with 8, red with the fault's own status",
    )
    .option("--config <file>", "this file instead of mosaic.config.json")
    .option("--set <setting=value>", "as for `mosaic start`, any number of times", settingFlag)
    .action(
      run(async (invocation, flags: DoctorFlags): Promise<ExitName> => {
        const { output } = invocation;
        const checks = await runChecks(invocation, flags);
        const overall = overallOf(checks);
        output.result({ overall, checks: checks.map(({ cause: _cause, ...check }) => check) }, () => {
          const width = Math.max(...checks.map(({ name }) => name.length));
          const lines = checks.map((check) => checkLines(check, width, output));
          return `${lines.join("\n")}\n\n${output.paint(COLOURS[overall], overall)}`;
        });
        if (overall === "green") return "ok";
        if (overall === "yellow") return "partial";
        return exitNameOf(checks.find(({ status }) => status === "fault")?.cause);
      }),
    );
  examples(
    doctor,
    ["mosaic gateway doctor", "this machine's gateway, running or not"],
    ["mosaic gateway doctor --url https://mosaic.example", "another one, from outside"],
    ["mosaic gateway doctor --json | jq .data.overall", "green, yellow or red"],
  );
};
