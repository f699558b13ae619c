import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RotationDatabase } from "@mosaicstack/storage";

/** Where a rotation can be made to stand still, to be killed there. */
export type Standstill = "in the middle" | "before the commit" | "after the commit";

/** Rotates in a process of its own, and kills that (SIGKILL) where it stands. @throws Error with its complaint, if it ends before */
export async function killWhileRotating(
  place: Standstill,
  database: RotationDatabase,
  keys: { readonly from: string; readonly to: string },
): Promise<void> {
  const file = fileURLToPath(new URL("./rotate-seal-process.ts", import.meta.url));
  const parameters = [place, JSON.stringify(database), keys.from, keys.to];
  const child = spawn(process.execPath, ["--import", "tsx", file, ...parameters], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stands = new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const said = await Promise.race([stands, ended.then(() => undefined)]);
  if (said !== place) throw new Error(`the rotation ended before it was killed: ${complaint.slice(-2_000)}`);
  child.kill("SIGKILL");
  await ended;
}
