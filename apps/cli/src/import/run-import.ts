import { Problem } from "@mosaicstack/foundation";
import type { Parsed } from "./parsed-row.ts";
import type { Progress } from "./progress.ts";

const MAX_ROWS = 200;
const MAX_BYTES = 4 * 1024 * 1024;

/** What the gateway did with one row, as it answers an import. */
export interface RowResult {
  readonly index: number;
  readonly outcome: "created" | "updated" | "unchanged" | "failed";
  readonly error?: { readonly code: string; readonly detail: string; readonly remedy: string };
}

/** A row that did not get in, and why. */
export interface ImportFailure {
  /** Where it stands: `line 12`, a file's path. */
  readonly place: string;
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
}

export interface ImportSummary {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly warnings: readonly { readonly place: string; readonly detail: string }[];
  readonly failures: readonly ImportFailure[];
}

/** How an import ended: at the end of its input, or before, for the reason given. */
export interface ImportEnd {
  readonly summary: ImportSummary;
  readonly stopped: Error | undefined;
}

interface Pending<Row> {
  readonly place: string;
  readonly row: Row;
}

/**
 * Sends rows in batches, bounded by rows and by bytes. A row that fails stops no other; a gateway that stops answering
 * ends the import, and running it again goes on from there: what is in is `unchanged` then.
 *
 * @param send answers with a result for each row, by its place in the batch
 */
export async function runImport<Row>(
  rows: AsyncIterable<Parsed<Row>>,
  send: (batch: readonly Row[]) => Promise<readonly RowResult[]>,
  progress: Progress,
): Promise<ImportEnd> {
  const counts = { created: 0, updated: 0, unchanged: 0 };
  const warnings: { place: string; detail: string }[] = [];
  const failures: ImportFailure[] = [];
  let batch: Pending<Row>[] = [];
  let bytes = 0;
  let seen = 0;

  async function flush(pending: readonly Pending<Row>[]): Promise<void> {
    if (pending.length === 0) return;
    for (const { place, result } of await sendAll(pending, send)) {
      if (result.outcome !== "failed") counts[result.outcome] += 1;
      else failures.push({ place, ...(result.error ?? UNEXPLAINED) });
    }
  }

  const summary = (): ImportSummary => ({ ...counts, failed: failures.length, warnings, failures });
  try {
    for await (const parsed of rows) {
      seen += 1;
      if (parsed.kind === "fault") {
        failures.push({ place: parsed.place, code: "row_unreadable", detail: parsed.detail, remedy: CORRECT });
      } else {
        const { place, row } = parsed;
        warnings.push(...parsed.warnings.map((detail) => ({ place, detail })));
        const size = Buffer.byteLength(JSON.stringify(row));
        if (batch.length >= MAX_ROWS || (batch.length > 0 && bytes + size > MAX_BYTES)) {
          const full = batch;
          [batch, bytes] = [[], 0];
          await flush(full);
        }
        batch.push({ place, row });
        bytes += size;
      }
      progress.update(seen, parsed.progress);
    }
    await flush(batch);
    return { summary: summary(), stopped: undefined };
  } catch (error) {
    return { summary: summary(), stopped: error instanceof Error ? error : new Error(String(error)) };
  } finally {
    progress.stop();
  }
}

const CORRECT = "Correct it in the file and import the file again.";
const UNEXPLAINED = { code: "row_failed", detail: "The gateway gave no reason.", remedy: CORRECT };

interface Sent {
  readonly place: string;
  readonly result: RowResult;
}

/** A refusal of the whole batch is some row's doing: halves are tried, down to the row alone. */
async function sendAll<Row>(
  pending: readonly Pending<Row>[],
  send: (batch: readonly Row[]) => Promise<readonly RowResult[]>,
): Promise<readonly Sent[]> {
  try {
    const results = await send(pending.map(({ row }) => row));
    const byIndex = new Map(results.map((result) => [result.index, result]));
    return pending.map(({ place }, index) => ({ place, result: byIndex.get(index) ?? { index, outcome: "failed" } }));
  } catch (error) {
    if (!isRefusalOfContent(error)) throw error;
    if (pending.length === 1) {
      const { code, detail, remedy } = error.details;
      return pending.map(({ place }) => ({
        place,
        result: { index: 0, outcome: "failed", error: { code, detail, remedy } },
      }));
    }
    const half = Math.ceil(pending.length / 2);
    return [...(await sendAll(pending.slice(0, half), send)), ...(await sendAll(pending.slice(half), send))];
  }
}

function isRefusalOfContent(error: unknown): error is Problem {
  return error instanceof Problem && (error.status === 400 || error.status === 413 || error.status === 422);
}
