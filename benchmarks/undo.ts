/** What a benchmark has started, to be ended in the opposite order. */
export interface Undo {
  add(step: () => Promise<unknown>): void;
  /** Remembers how to stop it, once it is there. */
  own<Started extends { stop(): Promise<unknown> }>(starting: Promise<Started>): Promise<Started>;
  /** Each step once, whichever fails. @throws the first failure, after all were tried */
  run(): Promise<void>;
}

export function createUndo(): Undo {
  const steps: (() => Promise<unknown>)[] = [];
  return {
    add: (step) => void steps.push(step),
    async own(starting) {
      const started = await starting;
      steps.push(() => started.stop());
      return started;
    },
    async run() {
      const failures: unknown[] = [];
      for (const step of steps.splice(0).toReversed()) await step().catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
  };
}
