import { removeServer, runningProcess, type Server, startServer } from "./server.ts";
import { killTree, pauseTree, resumeTree } from "./process-tree.ts";
import { type PostgresqlOptions, type PostgresqlServer, preparePostgresql } from "./postgresql.ts";
import { inNewDirectory } from "./service.ts";
import { SOFTWARE_CACHE } from "./state.ts";
import { prepareStepCa, type StepCaServer } from "./step-ca.ts";
import { prepareValkey, type ValkeyOptions, type ValkeyServer } from "./valkey.ts";

/** A service that only one test knows, which may therefore take it away. It ends with the process at the latest. */
export interface PrivateInstance {
  /** SIGKILL to all its processes. Connections break, new ones are refused. Its data stays. */
  kill(): Promise<void>;
  /** Starts it again with the same data on the same port, killing it first where it runs. */
  restart(): Promise<void>;
  /** Freezes all its processes: connections stay open, new ones are accepted by the kernel, nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it, and removes its data. */
  stop(): Promise<void>;
}

type Private<Kind extends Server> = Omit<Kind, "program" | "parameters" | "owner" | "endsOn" | "answers"> &
  PrivateInstance;

/** A PostgreSQL of one's own: a superuser's address, an empty database. @throws Error that says what to install */
export function startPrivatePostgresql(options?: PostgresqlOptions): Promise<Private<PostgresqlServer>> {
  return startPrivate("postgresql", (directory) => preparePostgresql(directory, PREPARATION, options));
}

/** A Valkey, or Redis, of one's own. @throws Error that says what to install */
export function startPrivateValkey(options?: ValkeyOptions): Promise<Private<ValkeyServer>> {
  return startPrivate("valkey", (directory) => prepareValkey(directory, options));
}

/** A step-ca of one's own, with its own root. @throws Error that says what to install */
export function startPrivateStepCa(): Promise<Private<StepCaServer>> {
  return startPrivate("step-ca", (directory) => prepareStepCa(directory, PREPARATION));
}

const PREPARATION = {
  cache: SOFTWARE_CACHE,
  report: (line: string): void => {
    process.stderr.write(`services: ${line}\n`);
  },
};

function startPrivate<Kind extends Server>(
  name: string,
  prepare: (directory: string) => Promise<Kind>,
): Promise<Private<Kind>> {
  return inNewDirectory(name, async (directory) => {
    const server = await prepare(directory);
    const start = (): Promise<void> => startServer(server, { outlives: false });
    const kill = async (): Promise<void> => {
      const running = runningProcess(directory);
      if (running !== undefined) await killTree(running);
    };
    const whileRunning = (act: typeof pauseTree): void => {
      const running = runningProcess(directory);
      if (running === undefined) throw new Error(`${name} doesn't run`);
      act(running);
    };
    await start();
    return {
      ...server,
      kill,
      restart: async () => {
        await kill();
        await start();
      },
      pause: () => whileRunning(pauseTree),
      resume: () => whileRunning(resumeTree),
      stop: () => removeServer(directory, server.endsOn),
    };
  });
}
