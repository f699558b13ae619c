import { createInterface } from "node:readline";
import { Problem } from "@mosaicstack/foundation";
import { type DataDirectoryLock, lockDataDirectory } from "../../src/data-directory-lock.ts";

// Run by tests as a process of its own. On standard input: `take <directory>` or `release`; each is answered by one line.

let lock: DataDirectoryLock | undefined;

async function answer(line: string): Promise<string> {
  const [command, directory = ""] = line.split(" ");
  if (command === "release") {
    await lock?.release();
    return "released";
  }
  try {
    lock = await lockDataDirectory(directory, { staleMs: 2_000 });
    return "won";
  } catch (error) {
    return error instanceof Problem ? error.code : String(error);
  }
}

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${await answer(line)}\n`);
