import { readdirSync } from "node:fs";
import { resolve } from "node:path";

/**
 * The folder that a build script was asked to make, absolute: its only argument. npm runs scripts in the repository, so a
 * relative path starts where npm was called.
 *
 * @param mark a file that an earlier run leaves there; a folder that holds something else is not replaced.
 * @throws when there is not exactly one argument, or the folder holds something else.
 */
export function targetFolder(script: string, mark: string): string {
  const [folder, ...rest] = process.argv.slice(2);
  if (folder === undefined || rest.length > 0) throw new Error(`usage: npm run ${script} -- <folder>`);
  const path = resolve(process.env["INIT_CWD"] ?? ".", folder);
  const names = namesIn(path);
  if (names.length > 0 && !names.includes(mark)) {
    throw new Error(`${path} holds something else. Name a folder that is empty or not there yet.`);
  }
  return path;
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
