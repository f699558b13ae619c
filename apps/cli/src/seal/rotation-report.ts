import type { Rotation } from "@mosaicstack/storage";
import type { Output } from "../output.ts";
import { formatTable } from "../table.ts";

/** What a rotation is told of. No key is in it: a key's id is a one-way image, and stands in every value sealed with it. */
export interface ReportedRotation {
  readonly rotation: Rotation;
  readonly oldKeyId: string;
  /** Absent: only looked at. */
  readonly newKey: { readonly id: string; readonly file: string | undefined } | undefined;
  /** Whether MOSAIC_SEAL_KEY holds the old key and would go before the new file. */
  readonly isKeySet: boolean;
}

/** Prints what was sealed anew, or would be, and what is left to do. */
export function reportRotation(output: Output, { rotation, oldKeyId, newKey, isKeySet }: ReportedRotation): void {
  const { columns, idempotencyKeys } = rotation;
  const values = columns.reduce((sum, column) => sum + column.values, 0);
  const variables = newKey === undefined ? undefined : { MOSAIC_SEAL_KEY_FILE: newKey.file ?? "<a file with the key>" };
  output.result(
    {
      dry_run: newKey === undefined,
      columns,
      values,
      idempotency_keys: idempotencyKeys,
      old_key_id: oldKeyId,
      new_key_id: newKey?.id ?? null,
      next: variables === undefined ? null : { variables, unset: isKeySet ? ["MOSAIC_SEAL_KEY"] : [] },
    },
    () =>
      formatTable(
        [{ heading: "TABLE" }, { heading: "COLUMN" }, { heading: newKey === undefined ? "TO SEAL" : "SEALED" }],
        columns.map((column) => [column.table, column.column, String(column.values)]),
        output.width,
      ),
  );
  if (variables === undefined) {
    output.note(
      `Nothing was written (--dry-run). All ${values} values open with the present key; ${idempotencyKeys} idempotency keys would be removed.`,
    );
    return;
  }
  output.note(
    [
      `${values} values are sealed with the new key; ${idempotencyKeys} idempotency keys were removed.`,
      "Next:",
      ...(isKeySet ? ["  unset MOSAIC_SEAL_KEY, where the gateway gets its environment from, and set there:"] : []),
      ...(isKeySet ? [] : ["  Set, where the gateway gets its environment from:"]),
      `    MOSAIC_SEAL_KEY_FILE=${variables.MOSAIC_SEAL_KEY_FILE}`,
      "  Then: mosaic gateway doctor && mosaic start",
      "  Keep a copy of the new key: whoever loses it loses what is sealed. Keep the old one as long as its backups.",
    ].join("\n"),
  );
}
