import { Problem } from "@mosaicstack/foundation";

/** The code of the problem `work` is refused with; undefined: it is not. */
export function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}
