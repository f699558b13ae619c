import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for one demo. It is gone when the demo is, however that ends. */
export interface DemoFolder {
  readonly path: string;
  /** Removes the folder. Call it once nothing writes there any more. */
  remove(): Promise<void>;
}

/**
 * What the keeper runs: a process that outlives a killed demo. Its input ends with the demo; then it removes the folder,
 * again until it stays away, since gateways that are ending too may still write.
 */
const KEEPER = `
const { existsSync, rmSync } = require("node:fs");
const folder = process.argv[1];
process.stdin.on("end", () => {
  let away = 0;
  let left = 60;
  setInterval(() => {
    try { rmSync(folder, { recursive: true, force: true }); } catch {}
    away = existsSync(folder) ? 0 : away + 1;
    if (away > 10 || --left === 0) process.exit();
  }, 500);
}).resume();
`;

/** Makes the folder, and sets a keeper on it for the case that this process is killed. */
export async function makeDemoFolder(): Promise<DemoFolder> {
  const path = await mkdtemp(join(tmpdir(), "mosaic-demo-"));
  const keeper = spawn(process.execPath, ["-e", KEEPER, path], {
    cwd: tmpdir(),
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
    // A session of its own: Ctrl-C and a closed terminal are not meant for it.
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  // Without a keeper the demo runs as well; only a hard kill would leave the folder.
  keeper.on("error", () => undefined);
  keeper.stdin.on("error", () => undefined);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      await dismiss(keeper);
    },
  };
}

async function dismiss(keeper: ChildProcess): Promise<void> {
  if (keeper.pid === undefined || keeper.exitCode !== null || keeper.signalCode !== null) return;
  const ended = once(keeper, "exit");
  keeper.kill("SIGKILL");
  await ended;
}
