import type { LogConfig } from "@mosaicstack/config";
import { redact } from "@mosaicstack/foundation";
import { type DestinationStream, type Logger, pino } from "pino";

/** Headers and members whose value is never written, wherever they turn up. */
const SECRET_NAMES = ["authorization", "cookie", "x-api-key", "set-cookie", "password", "secret", "token"];

/** An error as it is logged. A failed statement's parameters may be anybody's data, so they are left out. */
interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

function loggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: redact(String(error)) };
  // To the message's end: a parameter may itself look like the stack that follows it.
  const withoutParameters = (text: string) => text.replace(/\nparams: [\s\S]*$/, "");
  const shown = withoutParameters(error.message);
  return {
    type: error.name,
    message: redact(shown),
    ...("code" in error && typeof error.code === "string" ? { code: error.code } : {}),
    ...(error.stack === undefined
      ? {}
      : { stack: redact(withoutParameters(error.stack.replace(error.message, () => shown))) }),
    ...(error.cause === undefined || depth > 3 ? {} : { cause: loggedError(error.cause, depth + 1) }),
  };
}

/** Lines for people: time, level, message, then what else there is. */
function forPeople(destination: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const name = typeof level === "number" ? (pino.levels.labels[level] ?? String(level)) : String(level);
      const more = Object.entries(rest)
        .filter(([key]) => key !== "pid" && key !== "hostname")
        .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
      destination.write(
        `${[new Date(Number(time)).toISOString(), name.toUpperCase(), String(msg), ...more].join(" ")}\n`,
      );
    },
  };
}

/**
 * The process's log.
 * @param destination where lines go. Default: stderr, so that what a command prints on stdout stays apart.
 */
export function createLog(config: LogConfig, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level: config.level,
      base: null,
      serializers: { err: (error: unknown) => loggedError(error) },
      redact: {
        paths: SECRET_NAMES.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
        censor: "[redacted]",
      },
    },
    config.format === "pretty" ? forPeople(destination) : destination,
  );
}
