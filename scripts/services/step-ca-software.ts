import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";

/** The version the project is tested with. */
export const STEP_CA_VERSION = "0.30.2";
const MODULE = `github.com/smallstep/certificates/cmd/step-ca@v${STEP_CA_VERSION}`;
/** It compiles some hundred packages. */
const BUILD_TIMEOUT_MS = 20 * 60_000;

/**
 * The step-ca program, compiled from its published source on first use: its makers publish no package for every system.
 *
 * @throws Error that says to install Go, or to give a step-ca instead.
 */
export async function stepCaSoftware(cache: string, report: (line: string) => void): Promise<string> {
  const home = join(cache, `step-ca-${STEP_CA_VERSION}`);
  const program = join(home, "step-ca");
  if (existsSync(program)) return program;
  report(`Compiling step-ca ${STEP_CA_VERSION} with Go (a few minutes, once)`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "compiling-"));
  try {
    const environment = { CGO_ENABLED: "0", GOBIN: work };
    await run("go", ["install", MODULE], { cwd: work, environment, timeoutMs: BUILD_TIMEOUT_MS });
    await rename(work, home);
    return program;
  } catch (cause) {
    if (existsSync(program)) return program; // Another process was as fast.
    throw new Error(
      `step-ca can't be compiled (${cause instanceof Error ? cause.message : String(cause)}). ` +
        "It needs Go 1.25 or newer (Debian, Ubuntu: apt-get install golang-go, or go.dev/dl; macOS: brew install go) with access to its " +
        "module proxy. Or give a step-ca you have, in the variables MOSAIC_TEST_STEP_CA_*: see deploy/step-ca/README.md",
      { cause },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
