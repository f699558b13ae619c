import type { Announcement } from "@mosaicstack/gateway";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { configOptions, settingFlag } from "../gateway-config.ts";
import type { Inlet } from "../host.ts";

interface StartFlags {
  readonly config?: string;
  readonly set?: Record<string, string>;
  readonly untilInputEnds?: true;
}

/**
 * Has this process stopped, as by SIGTERM, when its standard input ends: a pipe ends with the program that holds it, also
 * when that is killed. Answers what lets go of the input.
 */
function stopWithInput(stdin: Inlet): () => void {
  stdin.once("end", () => process.kill(process.pid, "SIGTERM"));
  stdin.resume();
  return () => stdin.pause();
}

function greeting({ people, federation, setupCode }: Announcement): string {
  const lines = ["Mosaic gateway is ready.", `  people and agents  ${people}`];
  if (federation !== undefined) lines.push(`  peers              ${federation}`);
  if (setupCode !== undefined) {
    lines.push(
      "",
      "It has no administrator yet. Whoever has this code becomes it; it works once.",
      `  setup code  ${setupCode}`,
      `  next        mosaic setup --url ${people}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** `mosaic start` */
export const define: Define = (command, run) => {
  command
    .option("--config <file>", "this file instead of mosaic.config.json")
    .option("--set <setting=value>", "a setting, any number of times; wins over file and environment", settingFlag)
    .option("--until-input-ends", "stop when standard input ends, and so with the program that holds it open")
    .action(
      run(async ({ host, output }, flags: StartFlags) => {
        // Before the gateway is loaded: a signal that comes meanwhile ends this process.
        host.releaseSignals();
        const letGo = flags.untilInputEnds === true ? stopWithInput(host.stdin) : undefined;
        const { runGateway } = await import("@mosaicstack/gateway");
        try {
          await runGateway({
            ...configOptions(host, { file: flags.config, settings: flags.set }),
            onReady: (announcement) => {
              const { people, federation, setupCode } = announcement;
              if (output.json) output.line({ ready: { people, federation, setup_code: setupCode } });
              else host.stdout.write(greeting(announcement));
            },
          });
        } finally {
          letGo?.();
        }
      }),
    );
  examples(
    command,
    ["mosaic start", "with mosaic.config.json of this folder, or on tier local without one"],
    ["mosaic start --set http.port=8080", "on another port"],
    ["mosaic start --config /etc/mosaic/mosaic.config.json", "with another file"],
  );
};
