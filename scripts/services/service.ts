/** One service that runs, as the state file keeps it between commands. */
export interface RunningService {
  readonly name: string;
  /** What it is, with its version: for people. */
  readonly description: string;
  /** Holds its data, and what stopping it needs; removed when it stops. */
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  /** What a program needs in its environment to use the service. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A real service on loopback with throw-away data. One file a service; `services.ts` lists them. */
export interface Service {
  readonly name: string;
  /** The variables of its `environment`. Where all are given already, tests use what they name and start nothing. */
  readonly variables: readonly string[];
  /**
   * Gets the software if need be, and starts it on a free loopback port.
   *
   * @param cache where software is kept between runs.
   * @param report is told of each step that takes time.
   * @throws Error that says what is missing and what to do.
   */
  start(cache: string, report: (line: string) => void): Promise<RunningService>;
  isRunning(running: RunningService): Promise<boolean>;
  /** Also removes its data. Nothing happens where it doesn't run. */
  stop(running: RunningService): Promise<void>;
}
