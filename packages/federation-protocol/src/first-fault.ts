import type { z } from "zod";

const MAX_PATH_CHARACTERS = 200;
const MAX_MESSAGE_CHARACTERS = 500;

/**
 * Where an input first breaks its schema, and how. Both texts quote the input, so both are cut: a refusal stays within
 * what `problemResponseSchema` reads, however long the input was.
 *
 * @param whole what to call the input where it is wrong as a whole
 */
export function firstFault(error: z.ZodError, whole: string): { readonly path: string; readonly detail: string } {
  const [issue] = error.issues;
  const path = cut((issue?.path ?? []).map(String).join("."), MAX_PATH_CHARACTERS);
  const message = cut(issue?.message ?? "is not valid", MAX_MESSAGE_CHARACTERS);
  return { path, detail: `${path === "" ? whole : path}: ${message}` };
}

function cut(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1)}…`;
}
