import type { TestGateway } from "@mosaicstack/harness";

/** What a serving gateway writes in its log of a peer's request, or of a connection it refused. */
export interface ServingRecord {
  readonly verb: string;
  readonly resource: string | null;
  readonly serial: string | null;
  readonly grantId: string | null;
  readonly subjectUserId: string | null;
  readonly outcome: string;
  readonly rows: number;
}

/** The requests of peers a gateway served or refused, in order. */
export function servingRecords({ log }: TestGateway): ServingRecord[] {
  return log.flatMap((line) => {
    const { federation } = JSON.parse(line) as { federation?: ServingRecord };
    return federation === undefined ? [] : [federation];
  });
}

/** Those of one grant. */
export function recordsOf(gateway: TestGateway, grant: { readonly id: string }): ServingRecord[] {
  return servingRecords(gateway).filter(({ grantId }) => grantId === grant.id);
}
