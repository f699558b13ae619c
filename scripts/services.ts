import { runningServices, startServices, stopServices } from "./services/running-services.ts";
import type { RunningService } from "./services/service.ts";

const USAGE = `Real services with throw-away data on free loopback ports, without a container engine.

  npm run services -- start [name...]   start what doesn't run yet, and print the environment to use it
  npm run services -- status            say what runs, and print the environment to use it
  npm run services -- stop [name...]    stop them and remove their data

The names: postgresql, valkey, step-ca. The first start fetches PostgreSQL and compiles step-ca, which takes minutes;
the software is kept in .services/software, and later starts take a second or two.
`;

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

/** On standard output alone, so that `eval "$(npm run -s services -- start)"` works. */
function print(services: readonly RunningService[]): void {
  for (const { name, description, host, port } of services) say(`${name}: ${description}, at ${host}:${port}`);
  for (const { environment } of services) {
    for (const [variable, value] of Object.entries(environment))
      process.stdout.write(`export ${variable}='${value}'\n`);
  }
}

async function main([command, ...named]: readonly string[]): Promise<number> {
  const names = named.length === 0 ? undefined : named;
  switch (command) {
    case "start": {
      const { running, failed } = await startServices(say, {}, names);
      print(running);
      for (const { name, reason } of failed) say(`${name}: not started. ${reason}`);
      return failed.length === 0 ? 0 : 1;
    }
    case "status": {
      const running = runningServices();
      if (running.length === 0) say("Nothing runs. Start with: npm run services -- start");
      print(running);
      return running.length === 0 ? 1 : 0;
    }
    case "stop":
      for (const { name } of await stopServices(say, names)) say(`${name}: stopped`);
      return 0;
    default:
      say(USAGE);
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
