import { problem } from "../problems.ts";

/**
 * Of a pool's connections, peers' reads get half: whatever peers ask, people and agents of this gateway find a connection. Who
 * finds none free waits, first come first served, and no longer than for a connection.
 *
 * @throws Problem database_timeout where none became free
 */
export class PeerTurns {
  readonly #most: number;
  readonly #waitMs: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(poolSize: number, waitMs: number) {
    this.#most = Math.max(1, Math.floor(poolSize / 2));
    this.#waitMs = waitMs;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#taken < this.#most) this.#taken += 1;
    else await this.#turn();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      // The turn is handed on, and stays taken.
      else next();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(late);
        resolve();
      };
      const late = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(problem("database_timeout"));
      }, this.#waitMs);
      this.#waiting.push(begin);
    });
  }
}
