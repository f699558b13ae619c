import type { Clock } from "@mosaicstack/foundation";
import type { Host } from "../host.ts";

const LINE_EVERY_MS = 5000;

/** Shows how far long work has come. */
export interface Progress {
  /** @param done in the unit of the total: bytes of a file, or files of a folder */
  update(rows: number, done: number): void;
  stop(): void;
}

interface ProgressOptions {
  readonly host: Host;
  /** False with --quiet. */
  readonly wanted: boolean;
  /** How much there is; undefined where nobody knows, as with standard input. */
  readonly total: number | undefined;
}

/** A bar on a terminal, with rows, rate and time left; elsewhere a line every five seconds, so that a log stays short. */
export async function createProgress({ host, wanted, total }: ProgressOptions): Promise<Progress> {
  if (!wanted) return { update: () => undefined, stop: () => undefined };
  const meter = createMeter(host.clock, total);
  return host.stderr.isTTY === true ? await barProgress(host, meter, total) : lineProgress(host, meter);
}

interface Meter {
  /** Rows a second so far, and seconds left where the total is known. */
  read(rows: number, done: number): { readonly rate: number; readonly secondsLeft: number | undefined };
  elapsedMs(): number;
}

function createMeter(clock: Clock, total: number | undefined): Meter {
  const started = clock.now().getTime();
  const elapsedMs = (): number => clock.now().getTime() - started;
  return {
    elapsedMs,
    read(rows, done) {
      const seconds = Math.max(elapsedMs(), 1) / 1000;
      const known = total !== undefined && done > 0;
      return { rate: rows / seconds, secondsLeft: known ? (seconds * Math.max(total - done, 0)) / done : undefined };
    },
  };
}

function describe(rows: number, rate: number, secondsLeft: number | undefined): string {
  const left = secondsLeft === undefined ? "" : `, ${duration(secondsLeft)} left`;
  return `${rows} rows, ${Math.round(rate)} rows/s${left}`;
}

/** Seconds as people say them: `12 s`, `3 min`. */
function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

async function barProgress(host: Host, meter: Meter, total: number | undefined): Promise<Progress> {
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    stream: host.stderr,
    clearOnComplete: true,
    hideCursor: true,
    format: total === undefined ? "  {state}" : "  {bar} {percentage}%  {state}",
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
  });
  bar.start(total ?? 1, 0, { state: "" });
  return {
    update(rows, done) {
      const { rate, secondsLeft } = meter.read(rows, done);
      bar.update(Math.min(done, total ?? 0), { state: describe(rows, rate, secondsLeft) });
    },
    stop: () => bar.stop(),
  };
}

function lineProgress(host: Host, meter: Meter): Progress {
  let said = 0;
  return {
    update(rows, done) {
      const now = meter.elapsedMs();
      if (now - said < LINE_EVERY_MS) return;
      said = now;
      const { rate, secondsLeft } = meter.read(rows, done);
      host.stderr.write(`${describe(rows, rate, secondsLeft)}\n`);
    },
    stop: () => undefined,
  };
}
