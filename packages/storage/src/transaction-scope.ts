import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Knows whether the calling code runs inside one of a store's transactions, and refuses the store itself there.
 *
 * On PGlite, which has one connection, a statement of the store inside a transaction would wait for the transaction,
 * which waits for the statement: forever. On PostgreSQL the same waits only when the pool is used up, which is worse to
 * find, and otherwise reads without the transaction's own writes. So both refuse, at once and by name.
 */
export class TransactionScope {
  readonly #running = new AsyncLocalStorage<{ over: boolean }>();

  /** @throws Error, misuse: the caller must use the `db` its transaction was handed. */
  refuseInside(): void {
    if (this.#running.getStore()?.over === false) {
      throw new Error("The store was used inside its own transaction. Use the db the transaction was handed.");
    }
  }

  /** Runs a transaction's work. Once it's over, what it left running may use the store. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const transaction = { over: false };
    try {
      return await this.#running.run(transaction, work);
    } finally {
      transaction.over = true;
    }
  }
}
