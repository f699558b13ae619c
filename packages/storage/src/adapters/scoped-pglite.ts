import { PGlite, type QueryOptions, type Results, type Transaction } from "@electric-sql/pglite";
import type { Problem } from "@mosaicstack/foundation";
import { TransactionScope } from "../transaction-scope.ts";

/** A PGlite that refuses to be used inside its own transaction, where it would wait for itself. */
export class ScopedPglite extends PGlite {
  readonly #scope = new TransactionScope();
  #refusal: Problem | undefined;

  /** For when another process may be writing to the same files. */
  refuseFromNowOn(refusal: Problem): void {
    this.#refusal = refusal;
  }

  /** Closing writes a checkpoint, which must not be when the files are another's. */
  override async close(): Promise<void> {
    this.#scope.refuseInside();
    if (this.#refusal === undefined) await super.close();
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
  }
}
