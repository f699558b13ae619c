/** A map that keeps the `maxEntries` used last. `dispose` is handed each value that leaves, for whatever reason. */
export class LeastRecentlyUsed<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #maxEntries: number;
  readonly #dispose: (value: Value) => void;

  constructor(maxEntries: number, dispose: (value: Value) => void = () => undefined) {
    this.#maxEntries = maxEntries;
    this.#dispose = dispose;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // A Map keeps the order of insertion: the first entry is the one longest unused.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.delete(oldest);
  }

  delete(key: string): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#dispose(value);
  }

  /** All of them, the one longest unused first. */
  list(): readonly (readonly [string, Value])[] {
    return [...this.#entries];
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.delete(key);
  }
}
