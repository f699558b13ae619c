import { runningServices, startServices, stopServices } from "./services/running-services.ts";

const USAGE = `Real services with throw-away data on free loopback ports, without a container engine.

  npm run services -- start    start what doesn't run yet, and print the environment to use it
  npm run services -- status   say what runs, and print the environment to use it
  npm run services -- stop     stop them and remove their data
`;

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

/** On standard output alone, so that `eval "$(npm run -s services -- start)"` works. */
function print(services: Awaited<ReturnType<typeof runningServices>>): void {
  for (const { name, description, host, port } of services) say(`${name}: ${description}, at ${host}:${port}`);
  for (const { environment } of services) {
    for (const [variable, value] of Object.entries(environment))
      process.stdout.write(`export ${variable}='${value}'\n`);
  }
}

switch (process.argv[2]) {
  case "start":
    print([...(await startServices(say)).running]);
    break;
  case "status": {
    const running = await runningServices();
    if (running.length === 0) say("Nothing runs. Start with: npm run services -- start");
    print(running);
    process.exitCode = running.length === 0 ? 1 : 0;
    break;
  }
  case "stop":
    for (const { name } of await stopServices()) say(`${name}: stopped`);
    break;
  default:
    say(USAGE);
    process.exitCode = 2;
}
