import { customType } from "drizzle-orm/pg-core";

/**
 * A pgvector column of no fixed dimension, so that rows of several embedding models share it (docs/adr/0005). In code a
 * list of numbers; the extension keeps each as a 4-byte float, so what comes back is rounded to about 7 digits.
 *
 * A distance (`<=>`) between vectors of different dimensions is an error: compare within one `vector_dims`.
 */
export const vector = customType<{ data: readonly number[]; driverData: string }>({
  dataType: () => "vector",
  toDriver: (numbers) => `[${numbers.join(",")}]`,
  fromDriver: (text) => JSON.parse(text) as number[],
});
