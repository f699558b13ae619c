import type { Verb } from "@mosaicstack/federation-protocol";
import { capabilities } from "./capabilities.ts";
import { get } from "./get.ts";
import { list } from "./list.ts";
import { search } from "./search.ts";
import type { ServingVerb } from "./serving-verb.ts";

/** How each verb of the protocol is served. */
export const servingVerbs: { readonly [Asked in Verb]: ServingVerb } = { list, get, search, capabilities };
