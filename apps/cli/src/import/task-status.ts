/** The words a gateway has for where a task stands. */
export type TaskStatus = "open" | "in_progress" | "done" | "cancelled";

const WORDS: Readonly<Record<TaskStatus, readonly string[]>> = {
  open: ["open", "todo", "to do", "backlog", "new", "provisional", "not started", "planned", "pending", "proposed"],
  in_progress: ["in progress", "doing", "started", "implementable", "active", "ongoing", "wip", "in review", "review"],
  done: ["done", "implemented", "completed", "complete", "closed", "finished", "resolved", "fixed", "merged"],
  cancelled: [
    "cancelled",
    "canceled",
    "rejected",
    "withdrawn",
    "replaced",
    "superseded",
    "removed",
    "deferred",
    "wontfix",
    "wont fix",
    "won't fix",
    "wont do",
    "won't do",
    "abandoned",
    "duplicate",
    "obsolete",
  ],
};

const STATUS_OF = new Map(
  Object.entries(WORDS).flatMap(([status, words]) => words.map((word) => [word, status as TaskStatus] as const)),
);

/** The status a word of somebody else's means; undefined: no known one. Case, hyphens and underscores don't matter. */
export function readTaskStatus(word: string): TaskStatus | undefined {
  return STATUS_OF.get(
    word
      .trim()
      .toLowerCase()
      .replaceAll("’", "'")
      .replaceAll(/[\s_-]+/gu, " "),
  );
}
