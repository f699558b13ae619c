import { startServices, stopServices } from "../../scripts/services/running-services.ts";

let started: readonly string[] = [];

const say = (line: string): boolean => process.stderr.write(`services: ${line}\n`);

/**
 * Before all federated tests: uses the services named by the environment, else those `npm run services -- start` left
 * running, else starts its own. A service that can't be had fails the run: these tests are never skipped.
 *
 * @throws Error that says, of each service that can't be had, why and what to do
 */
export async function setup(): Promise<void> {
  const services = await startServices(say, process.env);
  started = services.started;
  for (const { name, variable, host } of services.given) say(`${name}: the one in ${variable}, at ${host}`);
  for (const { name, description, host, port, environment } of services.running) {
    Object.assign(process.env, environment);
    say(`${name}: ${started.includes(name) ? "started" : "already running"}, ${description}, at ${host}:${port}`);
  }
  if (services.failed.length > 0) {
    await teardown();
    throw new Error(services.failed.map(({ name, reason }) => `${name}: not started. ${reason}`).join("\n"));
  }
}

/** Stops what {@link setup} started, and nothing else. */
export async function teardown(): Promise<void> {
  if (started.length > 0) await stopServices(say, started);
}
