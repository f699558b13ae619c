import { Problem } from "@mosaicstack/foundation";

/** What something gives, or the Problem it throws. Anything else that it throws fails the test. */
export function attempt<Output>(act: () => Output): { readonly output: Output } | { readonly problem: Problem } {
  try {
    return { output: act() };
  } catch (error) {
    if (error instanceof Problem) return { problem: error };
    throw error;
  }
}

/** The Problem that something must throw. */
export function problemOf(act: () => unknown): Problem {
  const outcome = attempt(act);
  if ("problem" in outcome) return outcome.problem;
  throw new Error("nothing was refused");
}
