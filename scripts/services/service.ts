import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server } from "./server.ts";

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

/** What starting any service needs. */
export interface Preparation {
  /** Where software is kept between runs. */
  readonly cache: string;
  /** Is told of each step that takes time. */
  readonly report: (line: string) => void;
}

/** A real service on loopback with throw-away data. One file a service; `running-services.ts` lists them. */
export interface Service {
  readonly name: string;
  /** The variables of its environment. Where all are given already, tests use what they name and start nothing. */
  readonly variables: readonly string[];
  readonly endsOn: NodeJS.Signals;
  /**
   * Gets the software if need be, and makes its data and configuration in this empty directory, on a free loopback port.
   *
   * @throws Error that says what is missing and what to do.
   */
  prepare(directory: string, preparation: Preparation): Promise<Server & Pick<RunningService, "environment">>;
}

/** A directory for a service's data, removed again where `make` fails. */
export async function inNewDirectory<Made>(name: string, make: (directory: string) => Promise<Made>): Promise<Made> {
  const directory = await mkdtemp(join(tmpdir(), `mosaic-${name}-`));
  try {
    return await make(directory);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
