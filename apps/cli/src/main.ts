import { systemClock } from "@mosaicstack/foundation";
import { readEnvironment } from "./environment.ts";
import { runCommand } from "./program.ts";

const interrupted = new AbortController();
const stop = (): void => {
  // A second Ctrl-C does not wait.
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort();
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);

// `mosaic task list | head` closes the pipe early: that is no failure of anybody's.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

process.exitCode = await runCommand(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: readEnvironment(),
  directory: process.cwd(),
  clock: systemClock,
  signal: interrupted.signal,
  releaseSignals: () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  },
});
