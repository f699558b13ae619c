import { PGlite, type QueryOptions, type Results, type Transaction } from "@electric-sql/pglite";
import type { Problem } from "@mosaicstack/foundation";
import { problem } from "../problems.ts";
import { TransactionScope } from "../transaction-scope.ts";

/** A PGlite that refuses to be used inside its own transaction, where it would wait for itself, and once it's closed. */
export class ScopedPglite extends PGlite {
  readonly #scope = new TransactionScope();
  #refusal: Problem | undefined;
  #closing = false;

  /** For when another process may be writing to the same files. */
  refuseFromNowOn(refusal: Problem): void {
    this.#refusal = refusal;
  }

  /** Closing writes a checkpoint, which must not be when the files are another's. What was asked before is finished. */
  override async close(): Promise<void> {
    this.#scope.refuseInside();
    if (this.#refusal !== undefined) return;
    this.#closing = true;
    try {
      await super.close();
    } catch (error) {
      this.#closing = false;
      throw error;
    }
  }

  override async query<Row>(sql: string, parameters?: unknown[], options?: QueryOptions): Promise<Results<Row>> {
    this.#refuse();
    return super.query<Row>(sql, parameters, options);
  }

  override async transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    this.#refuse();
    return super.transaction((transaction) => this.#scope.run(() => work(transaction)));
  }

  #refuse(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#scope.refuseInside();
    if (this.#closing) throw problem("database_closed");
  }
}
