import { sqlState } from "../database-faults.ts";
import { problem } from "../problems.ts";
import type { PeerBounds, PeerReadStore, ReadStore } from "../store.ts";
import { boundsStatement } from "./bounds-statement.ts";

/** The connection of one transaction, as an engine gives it. What is asked of it is done in the order it was asked. */
export interface PeerTransaction extends ReadStore {
  /** As `query`, with plans of its own where the engine keeps any: the two roles' plans aren't the same. */
  readonly queryBehindWall: ReadStore["query"];
  /** Begins the transaction, or makes the one that has begun, READ ONLY. */
  readonly begin: string;
  /** Several statements in one message, without parameters. Where one fails the rest isn't run. */
  run(sql: string): Promise<unknown>;
  /** Sends the transaction's end, which isn't waited for. Absent: whoever began it ends it. */
  sendEnd?(): void;
}

/** A peer's read while it goes on. */
export interface PeerRead extends PeerReadStore {
  /** Whether anything was sent, so that there's a transaction to end. */
  readonly hasBegun: boolean;
  /** From now on it refuses. */
  end(): void;
}

/**
 * The second wall around one transaction. BEGIN, role and bounds are sent together with the first statement and not waited
 * for: nothing that a statement answers is handed on before they are known to have succeeded, so a statement that ran in front
 * of the wall because of a failed BEGIN answers nobody.
 */
export function peerRead(transaction: PeerTransaction, bounds: PeerBounds): PeerRead {
  const raise = boundsStatement(bounds);
  let begun: Promise<unknown> | undefined;
  let wall: Promise<unknown> | undefined;
  let wasRaised = false;
  let isOver = false;
  const refuseOver = (): void => {
    if (isOver) throw new Error("A peer's read was used after its end.");
  };
  const query = async <Row extends object>(sql: string, parameters: readonly unknown[], isLast = false) => {
    refuseOver();
    wasRaised = true;
    if (wall === undefined) {
      wall = transaction.run(begun === undefined ? `${transaction.begin}; ${raise}` : raise).catch(refused);
      begun ??= wall;
    }
    const answered = onceKnown(wall, transaction.queryBehindWall<Row>(sql, parameters));
    if (isLast && transaction.sendEnd !== undefined) {
      transaction.sendEnd();
      begun = wall = undefined;
    }
    return await answered;
  };
  return {
    get hasBegun() {
      return begun !== undefined;
    },
    end() {
      isOver = true;
    },
    query: (sql, parameters) => query(sql, parameters),
    last: { query: (sql, parameters) => query(sql, parameters, true) },
    findCandidates: async <Row extends object>(sql: string, parameters: readonly unknown[]) => {
      refuseOver();
      if (wasRaised) throw new Error("Candidates are found before the wall is up: call findCandidates first.");
      begun ??= transaction.run(transaction.begin);
      return await onceKnown(begun, transaction.query<Row>(sql, parameters));
    },
  };
}

/** An answer that was asked for before it was known whether it may be had. Where it may not, nobody gets it. */
async function onceKnown<Row>(permission: Promise<unknown>, answer: Promise<Row[]>): Promise<Row[]> {
  // Why there's no permission is what counts, also where the statement's own failure is heard of first.
  answer.catch(() => undefined);
  await permission;
  return await answer;
}

/** Why a wall isn't raised: no such role, no right to become it, no such function. */
const ABSENT = new Set(["22023", "42501", "42704", "42883", "3F000"]);

function refused(error: unknown): never {
  if (ABSENT.has(sqlState(error) ?? "")) throw problem("peer_reader_unavailable", { cause: error });
  throw error;
}
