import type { Clock } from "@mosaicstack/foundation";

/** The machine's clock, moved by a test: what takes days is shown in milliseconds. */
export interface MovableClock extends Clock {
  /** Forward; backward where it is negative. From then on it goes as fast as ever. */
  readonly advance: (ms: number) => void;
  /** To the machine's own time. */
  readonly reset: () => void;
}

/** @param aheadMs of the machine's clock, to begin with */
export function movableClock(aheadMs = 0): MovableClock {
  let ahead = aheadMs;
  return {
    now: () => new Date(Date.now() + ahead),
    advance: (ms) => {
      ahead += ms;
    },
    reset: () => {
      ahead = 0;
    },
  };
}
