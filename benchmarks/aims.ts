import type { BootFigures } from "./boot.ts";
import type { LoadFigures } from "./figures.ts";
import type { MigrationFigures } from "./migration.ts";
import type { Aim } from "./report.ts";

const SERVING_THROUGHPUT = 0.6;
const BLENDED_P50 = 2.5;
const WARM_BOOT_MS = 2000;
const MIGRATION = 0.3;

/** Holds the figures beside what is asked of them. */
export function aimsOf(
  load: readonly LoadFigures[],
  boots: readonly BootFigures[],
  migration: MigrationFigures | undefined,
): Aim[] {
  const aims: Aim[] = [];
  for (const { name, connections, ratio } of load) {
    if (name.startsWith("serving side") && connections === 10) {
      aims.push({
        name: `${name}, throughput at 10 connections`,
        aim: `>= ${SERVING_THROUGHPUT} of the floor`,
        measured: ratio.throughput.toFixed(2),
        reached: ratio.throughput >= SERVING_THROUGHPUT,
      });
    }
    if (name.startsWith("home -> work")) {
      aims.push({
        name: `${name}, p50 at ${connections} connection${connections === 1 ? "" : "s"}`,
        aim: `<= ${BLENDED_P50} x the floor`,
        measured: ratio.p50.toFixed(2),
        reached: ratio.p50 <= BLENDED_P50,
      });
    }
  }
  for (const { name, warmMs } of boots) {
    if (name !== "local") continue;
    aims.push({
      name: "warm boot of a local gateway",
      aim: `<= ${WARM_BOOT_MS} ms`,
      measured: `${warmMs.toFixed(0)} ms`,
      reached: warmMs <= WARM_BOOT_MS,
    });
  }
  if (migration !== undefined) {
    aims.push({
      name: "migrate-tier, rows/s",
      aim: `>= ${MIGRATION} of a plain COPY`,
      measured: migration.ratio.toFixed(2),
      reached: migration.ratio >= MIGRATION,
    });
  }
  return aims;
}
