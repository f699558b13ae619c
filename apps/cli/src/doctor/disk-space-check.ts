import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { type Check, fault, ok, skipped, warning } from "./check.ts";

const NAME = "disk space";
const MEBIBYTE = 2 ** 20;
const LEAST_BYTES = 100 * MEBIBYTE;
const LOW_BYTES = 1024 * MEBIBYTE;

/** How many bytes a user who is not root may still write below a folder that is there. */
export type FreeBytes = (directory: string) => Promise<number>;

const freeBytesAt: FreeBytes = async (directory) => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

/** Whether there is room where the data is kept, or will be. */
export async function checkDiskSpace(directory: string, freeBytes: FreeBytes = freeBytesAt): Promise<Check> {
  let free: number;
  try {
    free = await freeBytes(directory);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    const above = dirname(directory);
    // Not there yet: it will be on the disk of the folder above.
    if (code === "ENOENT" && above !== directory) return await checkDiskSpace(above, freeBytes);
    return skipped(NAME, `the free space can't be told (${code})`);
  }
  const said = `${Math.floor(free / MEBIBYTE)} MiB are free at ${directory}`;
  if (free < LEAST_BYTES) return fault(NAME, "disk_full", `Only ${said}.`);
  return free < LOW_BYTES ? warning(NAME, "disk_low", `Only ${said}.`) : ok(NAME, said);
}
