import { isId } from "@mosaicstack/foundation";
import { z } from "zod";

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 200;

/** A row's id in a path. Anything that is no id names no row, so it is answered as one that isn't there. */
export const idParams = z.object({ id: z.string() });

/** An id in a body. */
export const id = z.string().refine(isId, "must be a UUID in lower case");

/** `?limit`: a whole number from 1; what is above the highest is clamped, and the answer says so. */
export const limit = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "must be a whole number from 1")
  .transform(Number)
  .optional()
  .describe(`Rows wanted, ${DEFAULT_LIMIT} by default, at most ${MAX_LIMIT}`);

export const cursor = z.string().min(1).optional().describe("`next_cursor` of the page before");

/** `?source`: where to read. */
export const source = z.string().max(80).default("local").describe("`local`, `all`, or `federated:<peer>`");

/** How many rows a page has, and whether that is less than asked for. */
export function clamp(asked: number | undefined): { readonly limit: number; readonly clamped: boolean } {
  const wanted = asked ?? DEFAULT_LIMIT;
  return { limit: Math.min(wanted, MAX_LIMIT), clamped: wanted > MAX_LIMIT };
}
