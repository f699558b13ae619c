import { writeSync } from "node:fs";
import { createSealer, openForRotation, type RotationDatabase, rotateSeal } from "@mosaicstack/storage";

// Run by tests as a process of its own, to be killed: rotates, and stands still where it is told to until then.

const [place = "", described = "", from = "", to = ""] = process.argv.slice(2);

/** Blocks the whole process, as a machine that stops does. */
function standStill(at: string): void {
  if (at !== place) return;
  writeSync(1, `${at}\n`);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
}

const store = await openForRotation(JSON.parse(described) as RotationDatabase);
await rotateSeal({
  store,
  from: createSealer({ secret: from }),
  to: createSealer({ secret: to }),
  onProgress: (values) => {
    if (values > 600) standStill("in the middle");
  },
  beforeCommit: async () => standStill("before the commit"),
});
standStill("after the commit");
