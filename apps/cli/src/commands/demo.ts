import { once } from "node:events";
import { join } from "node:path";
import type { Define } from "../command-groups.ts";
import { makeDemoFolder } from "../demo/demo-folder.ts";
import type { CommandLine, GatewayProcess } from "../demo/gateway-process.ts";
import { createNarration, type Narration } from "../demo/narration.ts";
import { type ProvenDemo, runDemo } from "../demo/run-demo.ts";
import { examples } from "../examples.ts";
import { cliProblem } from "../problems.ts";

interface DemoFlags {
  readonly once?: true;
}

/** This very command: from a checkout and from an installed bundle alike. */
function thisCommand(): CommandLine {
  return { program: process.execPath, words: [...process.execArgv, process.argv[1] ?? ""] };
}

/** A word as a POSIX shell takes it for itself. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function nextCommands(narration: Narration, demo: ProvenDemo, configFolder: string): void {
  const { program, words } = thisCommand();
  const command = [program, ...words].map(shellWord).join(" ");
  const { home, work } = demo.proof.gateways;
  narration.step("Your turn. Paste the first line into another terminal: it signs you in to both gateways.");
  narration.say(`alias mosaic=${shellWord(`XDG_CONFIG_HOME=${shellWord(configFolder)} ${command}`)}`);
  narration.say('mosaic task add "Try it out"                       # at home, as Ada');
  narration.say("mosaic task list --source all                      # home and work");
  narration.say("mosaic note list --source federated:work           # Ada's notes at work");
  narration.say("mosaic task list --profile demo-work               # at work, as Grace: another view");
  narration.say("mosaic federation grant list --profile demo-work   # who may read what");
  narration.say("mosaic federation grant revoke ada-at-home --profile demo-work   # and then list again");
  narration.say("");
  narration.say(`home  ${home.url}  peers ${home.peers_url}  ${demo.home.email}  password ${demo.home.password}`);
  narration.say(`work  ${work.url}  peers ${work.peers_url}  ${demo.work.email}  password ${demo.work.password}`);
  narration.say("");
  narration.say("Both run until Ctrl-C; then everything of this demo is removed.");
}

/** Resolves on Ctrl-C. @throws Problem `demo_gateway_failed` when a gateway ends before */
async function untilInterrupted(signal: AbortSignal, running: ReadonlySet<GatewayProcess>): Promise<void> {
  if (signal.aborted) return;
  const failures = [...running].map(async ({ name, ended }) => {
    throw cliProblem("demo_gateway_failed", { detail: `The gateway "${name}" stopped: ${await ended}.` });
  });
  await Promise.race([once(signal, "abort"), ...failures]);
}

/** `mosaic demo` */
export const define: Define = (command, run) => {
  command.option("--once", "end after the proof: status 0 only if everything was as it should be").action(
    run(async ({ host, output, options }, flags: DemoFlags) => {
      const narration = createNarration(host, output, options.quiet === true);
      const running = new Set<GatewayProcess>();
      const folder = await makeDemoFolder();
      try {
        const demo = await runDemo({ host, narration, command: thisCommand(), folder: folder.path, running });
        if (flags.once !== true) await demo.restartWork();
        const configFolder = join(folder.path, "cli");
        output.result(
          flags.once === true ? demo.proof : { ...demo.proof, environment: { XDG_CONFIG_HOME: configFolder } },
          () => "",
        );
        if (flags.once === true) return;
        nextCommands(narration, demo, configFolder);
        await untilInterrupted(host.signal, running);
        narration.progress("stopping");
      } finally {
        await Promise.all([...running].map(async (gateway) => await gateway.stop()));
        await folder.remove();
      }
    }),
  );
  examples(
    command,
    ["mosaic demo", "two gateways on this machine, federated; runs until Ctrl-C"],
    ["mosaic demo --once", "the same as a test: ends by itself, with status 0 if all went well"],
    ["mosaic demo --once --json", "what was seen, as JSON"],
  );
};
