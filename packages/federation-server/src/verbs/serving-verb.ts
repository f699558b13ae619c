import { parseRequest, type Scope } from "@mosaicstack/federation-protocol";
import type { QueryVector, ResourceDefinition } from "@mosaicstack/resources";
import type { PeerReadStore } from "@mosaicstack/storage";
import type { z } from "zod";
import type { ActiveGrant } from "../active-grant.ts";

/** What an embedding model makes of a query; undefined where it gives nothing in time. Never rejects for that. */
export type EmbedQuery = (text: string) => Promise<QueryVector | undefined>;

/** What an answer is made from, besides rows. */
export interface Granted {
  readonly grant: ActiveGrant;
  readonly scope: Scope;
  /** The most rows one answer carries, whatever a scope says. */
  readonly maxRowsPerQuery: number;
  readonly embedQuery?: EmbedQuery | undefined;
}

/** An answer's body, and how many rows it carries. */
export interface VerbAnswer {
  readonly rows: number;
  readonly json: string;
}

/** A request that was found to be within the scope. */
export type Plan =
  | { readonly kind: "without rows"; answer(): VerbAnswer }
  | {
      readonly kind: "with rows";
      /** All the read may touch. */
      readonly resources: readonly ResourceDefinition[];
      /** Whatever must be there before the read begins. */
      prepare?(): Promise<void>;
      /** Reads, and projects: the statements ask for no field that does not federate. */
      answer(read: PeerReadStore): Promise<VerbAnswer>;
    };

/** A request of the form its verb asks for. */
export interface Question {
  /** Every member, as it was asked. */
  readonly request: Readonly<Record<string, unknown>>;
  /** Whether the scope lets it be asked. @throws Problem `resource_not_in_scope`, `request_malformed` */
  plan(granted: Granted): Plan;
}

/** A verb in its two steps: what is asked, and whether and how it is answered. */
export interface ServingVerb {
  /** @throws Problem `request_malformed` */
  read(body: unknown): Question;
}

/** @param verb.plan what `Question.plan` says, of a request that has the schema's form */
export function servingVerb<Request extends Readonly<Record<string, unknown>>>(verb: {
  readonly schema: z.ZodType<Request>;
  plan(request: Request, granted: Granted): Plan;
}): ServingVerb {
  return {
    read(body) {
      const request = parseRequest(verb.schema, body);
      return { request, plan: (granted) => verb.plan(request, granted) };
    },
  };
}
