import { startServices, stopServices } from "../../scripts/services/running-services.ts";

let started: readonly string[] = [];

const say = (line: string): boolean => process.stderr.write(`services: ${line}\n`);

/**
 * Before all federated tests: uses the services named by the environment, else those `npm run services -- start` left
 * running, else starts its own. A service that can't be had fails the run: these tests are never skipped.
 */
export async function setup(): Promise<void> {
  const services = await startServices(say, process.env);
  started = services.started;
  for (const { name, description, host, port, environment } of services.running) {
    const given = Object.keys(environment).every((variable) => process.env[variable]);
    if (given) continue;
    Object.assign(process.env, environment);
    say(`${name}: ${started.includes(name) ? "started" : "already running"}, ${description}, at ${host}:${port}`);
  }
  const url = process.env["MOSAIC_TEST_DATABASE_URL"];
  if (!services.running.some(({ environment }) => environment["MOSAIC_TEST_DATABASE_URL"] === url)) {
    say(`postgresql: the one in MOSAIC_TEST_DATABASE_URL, at ${new URL(url ?? "").host}`);
  }
}

/** Stops what {@link setup} started, and nothing else. */
export async function teardown(): Promise<void> {
  if (started.length > 0) await stopServices(started);
}
