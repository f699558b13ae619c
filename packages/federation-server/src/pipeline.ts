import type { TLSSocket } from "node:tls";
import type { Clock } from "@mosaicstack/foundation";
import {
  covers,
  capabilitiesRequestSchema,
  federationProblem,
  getRequestSchema,
  listRequestSchema,
  parseRequest,
  type Scope,
  scopeOf,
  type Verb,
} from "@mosaicstack/federation-protocol";
import { findResource, type ResourceDefinition, resourceNames, type Visibility } from "@mosaicstack/resources";
import type { ReadStore } from "@mosaicstack/storage";
import { type ActiveGrant, findActiveGrant } from "./active-grant.ts";
import { requireIdentified } from "./peer-identity.ts";
import { answerCapabilities } from "./verbs/capabilities.ts";
import { answerGet } from "./verbs/get.ts";
import { answerList } from "./verbs/list.ts";

/**
 * All that decides what a peer may read, in the order it is decided. Each stage refuses with a Problem of the protocol's
 * table. The store it is handed cannot write.
 */
export async function serve(gate: Gate, verb: Verb, socket: TLSSocket, body: unknown): Promise<Served> {
  // 1. Who asks: the TLS socket's certificate says which grant, and as which subject.
  const certificate = requireIdentified(socket);

  // 2. What they were granted, as it stands in the database now.
  const grant = await findActiveGrant(gate.store, certificate.identity, certificate, gate.clock.now());
  const scope = scopeOf(grant.scope, resourceNames);

  // 3. What is asked, 4. whether the scope covers it, 5. answered from the rows both the scope and the subject's own rights let through.
  switch (verb) {
    case "list": {
      const request = parseRequest(listRequestSchema, body);
      const definition = coveredResource(scope, request.resource);
      const limit = Math.min(request.limit, scope.maxRowsPerQuery, gate.maxRowsPerQuery);
      return {
        grant,
        resource: definition.name,
        ...(await answerList(gate.store, definition, visibility(grant, scope), request, limit)),
      };
    }
    case "get": {
      const request = parseRequest(getRequestSchema, body);
      const definition = coveredResource(scope, request.resource);
      return {
        grant,
        resource: definition.name,
        ...(await answerGet(gate.store, definition, visibility(grant, scope), request.id)),
      };
    }
    case "capabilities": {
      parseRequest(capabilitiesRequestSchema, body);
      return { grant, resource: null, ...answerCapabilities(grant, scope, gate.maxRowsPerQuery) };
    }
  }
}

/** What the pipeline needs: a store that only reads, the time, and the gateway's own cap. */
export interface Gate {
  readonly store: ReadStore;
  readonly clock: Clock;
  /** The most rows one answer carries, whatever a scope says. */
  readonly maxRowsPerQuery: number;
}

/** An answer, and what it was answered of. */
export interface Served {
  readonly grant: ActiveGrant;
  readonly resource: string | null;
  readonly rows: number;
  readonly json: string;
}

/** A resource outside the scope and one that does not exist are refused alike. */
function coveredResource(scope: Scope, name: string): ResourceDefinition {
  const definition = findResource(name);
  if (definition === undefined || !covers(scope, name)) throw federationProblem("resource_not_in_scope");
  return definition;
}

/** The scope narrows what the subject sees; the subject's memberships are looked up by the read itself. */
function visibility(grant: ActiveGrant, scope: Scope): Visibility {
  return { userId: grant.subjectUserId, personal: scope.includePersonal, teams: scope.includeTeams };
}
