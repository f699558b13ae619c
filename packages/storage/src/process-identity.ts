import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Names one process for good: a pid alone comes round again, and in a container is nearly always 1. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Within one space, and only there, pids and start times can be compared. */
  readonly space: string;
  /** In clock ticks since the machine booted; null where the platform doesn't tell. */
  readonly startedAtTicks: string | null;
}

export function thisProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    host: hostname(),
    space: processSpace(),
    startedAtTicks: statOf(process.pid)?.startedAtTicks ?? null,
  };
}

/** `unknown`: seen from here, this can't be told. It may run in another container or on another machine. */
export function processState(identity: ProcessIdentity): "alive" | "dead" | "unknown" {
  if (identity.space !== processSpace()) return "unknown";
  const stat = statOf(identity.pid);
  if (stat !== null && identity.startedAtTicks !== null) {
    return stat.startedAtTicks === identity.startedAtTicks && !stat.ended ? "alive" : "dead";
  }
  // No /proc, or one that hides other users' processes. Whoever has this pid now may be another process than the one meant.
  return exists(identity.pid) ? "unknown" : "dead";
}

/** On Linux, this boot of this kernel, and the pid namespace (so, the container) within it. Elsewhere the machine's name. */
function processSpace(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

/** proc(5): the second field is the program's name in parentheses, which may hold spaces and parentheses itself. */
function statOf(pid: number): { startedAtTicks: string; ended: boolean } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state, startedAtTicks] = [fields[0], fields[19]];
    return startedAtTicks === undefined ? null : { startedAtTicks, ended: state === "Z" || state === "X" };
  } catch {
    return null;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
