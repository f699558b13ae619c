/** So many at once; who finds none free waits, first come first served. */
export interface Turns {
  /**
   * Resolves when there is one free. The caller gives it back, once.
   * @throws the signal's reason where it was aborted before there was one
   */
  take(signal: AbortSignal): Promise<() => void>;
  /** How many there are from now on, at least 1. Those taken are taken. */
  resize(most: number): void;
}

export function createTurns(atFirst: number): Turns {
  let most = atFirst;
  const waiting: (() => void)[] = [];
  let taken = 0;

  function next(): void {
    while (taken < most && waiting.length > 0) {
      taken += 1;
      waiting.shift()?.();
    }
  }

  function giveBack(): void {
    taken -= 1;
    next();
  }

  return {
    async take(signal) {
      signal.throwIfAborted();
      if (taken < most && waiting.length === 0) {
        taken += 1;
        return giveBack;
      }
      await new Promise<void>((resolve, reject) => {
        const begin = (): void => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
        const stop = (): void => {
          waiting.splice(waiting.indexOf(begin), 1);
          // As it was given: the signal's reason is an Error wherever a caller of ours gives one.
          reject(signal.reason as Error);
        };
        signal.addEventListener("abort", stop, { once: true });
        waiting.push(begin);
      });
      return giveBack;
    },
    resize(size) {
      most = Math.max(1, size);
      next();
    },
  };
}
