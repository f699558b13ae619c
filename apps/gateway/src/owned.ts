/** What a composition opened and has to close again: last first, and each of it, whatever another throws. */
export class Owned {
  readonly #disposals: (() => Promise<void>)[] = [];

  add(dispose: () => Promise<void>): void {
    this.#disposals.push(dispose);
  }

  /** @throws AggregateError of what the disposals threw, once all have run */
  async dispose(): Promise<void> {
    const faults: unknown[] = [];
    for (const dispose of this.#disposals.splice(0).toReversed()) {
      await dispose().catch((error: unknown) => faults.push(error));
    }
    if (faults.length > 0) throw new AggregateError(faults, "the gateway did not stop cleanly");
  }
}
