import { findResource } from "@mosaicstack/resources";
import type { ServingRecord } from "../serving-record.ts";

/** What has become known of a request on its way through the pipeline. */
export interface Trail {
  resource: string | null;
  queryHash: string | undefined;
  /** Gives its turn back; called once the answer has left, or the peer has. */
  release: (() => void) | undefined;
  /** Writes it down, with what is known so far. */
  record(result: Pick<ServingRecord, "outcome" | "rows" | "bytes" | "reason" | "cause">): "queued" | "full";
}

/** The resource a request names, where there is such a one: of any other name nothing is recorded, it is the peer's own text. */
export function knownResource({ resource }: Readonly<Record<string, unknown>>): string | null {
  return typeof resource === "string" ? (findResource(resource)?.name ?? null) : null;
}
