import type { Define } from "../command-groups.ts";
import { type Check, overallOf } from "../doctor/check.ts";
import { examine } from "../doctor/examine.ts";
import { examples } from "../examples.ts";
import { type ExitName, exitNameOf } from "../exit-codes.ts";
import { settingFlag } from "../gateway-config.ts";
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
        const { host, options, output } = invocation;
        const target = await invocation.target();
        const isAddressed = (options.url ?? host.environment.url ?? target.profile?.url) !== undefined;
        const { tier, checks } = await examine(host, {
          target,
          isAddressed,
          flags: { file: flags.config, settings: flags.set },
        });
        const overall = overallOf(checks);
        output.result(
          { overall, tier: tier ?? null, checks: checks.map(({ cause: _cause, ...check }) => check) },
          () => {
            const width = Math.max(...checks.map(({ name }) => name.length));
            const lines = checks.map((check) => checkLines(check, width, output));
            return `${lines.join("\n")}\n\n${output.paint(COLOURS[overall], overall)}`;
          },
        );
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
