import { federationProblem } from "@mosaicstack/federation-protocol";

/**
 * An answer as the bytes that are sent. What is too large is measured as it is, and not copied first.
 *
 * @throws Problem `response_too_large`
 */
export function requireFits({ json }: { readonly json: string }, maxBytes: number): Buffer {
  // A character takes at least one byte: where there are too many of them nothing needs to be counted.
  if (json.length > maxBytes || Buffer.byteLength(json) > maxBytes) throw federationProblem("response_too_large");
  return Buffer.from(json);
}
