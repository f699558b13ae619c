import { z } from "zod";

/**
 * One field of a resource's rows.
 * `sql` is an expression over the row alias `r`; `schema` describes the JSON that comes out.
 */
export interface Field {
  readonly sql: string;
  readonly schema: z.ZodType;
  /** Which answers carry it. Long text is only in `get`, its excerpt only in `list`. Default: both. */
  readonly in: "both" | "list" | "get";
  /** Whether it may leave this gateway by federation. Said for each field: nothing federates by default. */
  readonly federates: boolean;
}

interface FieldOptions {
  readonly in?: Field["in"];
  readonly federates: boolean;
}

/** A field as a row carries it. */
export function field(sql: string, schema: z.ZodType, options: FieldOptions): Field {
  return { sql, schema, in: options.in ?? "both", federates: options.federates };
}

/** A timestamp column, as ISO 8601 UTC with milliseconds. */
export function instantField(column: string, options: FieldOptions & { readonly nullable?: boolean }): Field {
  const instant = z.iso.datetime().describe("ISO 8601, UTC");
  return field(
    `to_char(r.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    options.nullable === true ? instant.nullable() : instant,
    options,
  );
}

/** PostgreSQL stores neither NUL nor half of a surrogate pair; both are refused at the door instead of failing inside. */
function storable(value: string): boolean {
  return !value.includes("\0") && value.isWellFormed();
}

/** Text from outside, at most `maxLength` UTF-16 units, storable. */
export function text(maxLength: number): z.ZodString {
  return z.string().max(maxLength).refine(storable, "has a character that cannot be stored (NUL or a lone surrogate)");
}

/** One line that must not be blank. */
export function title(maxLength: number): z.ZodType<string> {
  return text(maxLength).trim().min(1, "must not be blank");
}

/** Any JSON. Registered, so that documents describe it once. */
export const json = z.json().register(z.globalRegistry, { id: "Json", description: "Any JSON value" });

const maxPropertyBytes = 16_384;

/** Whatever else belongs to a row: a JSON object of at most 16 kB. */
export const properties = z
  .record(z.string(), json)
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= maxPropertyBytes, "is larger than 16 kB")
  .refine(
    (value) => !/\\u0000|\\u[dD][89a-fA-F]/.test(JSON.stringify(value)),
    "has a character that cannot be stored (NUL or a lone surrogate)",
  )
  .describe("Any further data that belongs to the row: an object of at most 16 kB");

/** The caller's own name for a row. */
export const key = title(512).describe("Your own name for the row, unique within its space: an issue key, a file path");

/** An instant from outside, kept to the years that both JavaScript and PostgreSQL write in four digits. */
export const instant = z.iso
  .datetime({ offset: true })
  .transform((value) => new Date(value))
  // Judged in UTC, as it is stored: an offset can carry it over the year's end.
  .refine((value) => value.getUTCFullYear() >= 1000 && value.getUTCFullYear() <= 9999, {
    message: "must be in the years 1000 to 9999",
  });
