import type { Problem } from "@mosaicstack/foundation";
import {
  type ListRequest,
  type ListResponse,
  peerPlace,
  peerSource,
  type Row,
  type SearchRequest,
  type SearchResponse,
  type Source,
} from "@mosaicstack/federation-protocol";
import type { PeerConnection } from "./peer-connection.ts";
import { searchedByWordsOnly } from "./peer-warning.ts";
import { peerProblem } from "./problems.ts";

/**
 * A peer as one source among others. A peer may be hostile: an answer that is not one to the question asked is refused as a
 * whole, and every row carries this peer's tag, whatever the peer wrote there.
 *
 * @param peer.id of this gateway, and no later peer's
 * @param peer.name the name its user gave it
 * @param peer.grantId the grant its certificate was issued for
 */
export function createPeerSource(
  peer: { readonly id: string; readonly name: string; readonly grantId: string },
  connection: Pick<PeerConnection, "call">,
): Source {
  const name = peerSource(peer.name);
  // In place: nobody else has the row that was just read, and a copy of each took longer than all else here.
  const tag = (row: Row): Row => Object.assign(row, { _source: name });
  return {
    name,
    place: peerPlace(peer.name, peer.id),
    async list(request, signal) {
      const response = await connection.call("list", request, signal, (answer) => assertAnswers(request, answer));
      return { ...response, rows: response.rows.map(tag) };
    },
    async get(request, signal) {
      const { row } = await connection.call("get", request, signal, (answer) => {
        if (answer.row.id !== request.id) throw incompatible("It answered with another row than the one asked for.");
      });
      return { row: tag(row) };
    },
    async search(request, signal) {
      const response = await connection.call("search", request, signal, (answer) => assertFinds(request, answer));
      const rows = response.rows.map((found) => ({ ...found, row: tag(found.row) }));
      return { ...response, rows, ...(response.words_only === true ? { warning: searchedByWordsOnly } : {}) };
    },
    async capabilities(signal) {
      return await connection.call("capabilities", {}, signal, (answer) => {
        if (answer.grant.id !== peer.grantId) throw incompatible("It answered for another grant.");
      });
    },
  };
}

/** A source that is known not to answer, without asking it. */
export function createClosedSource(
  { id, name }: { readonly id: string; readonly name: string },
  problem: () => Problem,
): Source {
  const refuse = () => Promise.reject(problem());
  return {
    name: peerSource(name),
    place: peerPlace(name, id),
    list: refuse,
    get: refuse,
    search: refuse,
    capabilities: refuse,
  };
}

/** Ids descending below the position asked from, so that a list ends and no row comes twice. */
function assertAnswers(request: ListRequest, { rows, more }: ListResponse): void {
  if (rows.length > request.limit) throw incompatible("It answered with more rows than asked for.");
  if (more && rows.length === 0) throw incompatible("It says that rows follow, and gives none.");
  let previous = request.before;
  for (const { id } of rows) {
    if (previous !== undefined && id >= previous) throw incompatible("Its rows are not in the list's order.");
    previous = id;
  }
}

/** Only resources asked for, and no row twice: of a peer's ranking, the places are all that counts. */
function assertFinds({ limit, resources }: SearchRequest, { rows }: SearchResponse): void {
  if (rows.length > limit) throw incompatible("It answered with more rows than asked for.");
  const seen = new Set<string>();
  for (const { resource, row } of rows) {
    if (resources?.includes(resource) === false)
      throw incompatible("It answered with a resource that was not asked for.");
    const key = `${resource} ${row.id}`;
    if (seen.has(key)) throw incompatible("It answered with a row twice.");
    seen.add(key);
  }
}

function incompatible(detail: string): Problem {
  return peerProblem("peer_incompatible", { detail });
}
