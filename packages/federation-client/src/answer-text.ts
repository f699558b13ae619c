import type { Dispatcher } from "undici";
import { MAX_RESPONSE_BYTES } from "@mosaicstack/federation-protocol";
import { peerProblem } from "./problems.ts";

/**
 * Reads a peer's answer. One that says it is larger than this gateway reads is refused unread; one that does not say so is cut off
 * by the agent where it gets there. An encoded one is refused unread as well: nothing asked for it, and what it grows to is unknown.
 *
 * @throws Problem `peer_answer_too_large`, `peer_incompatible`; what undici throws
 */
export async function answerText({
  headers,
  body,
}: Pick<Dispatcher.ResponseData, "headers" | "body">): Promise<string> {
  const refusal = refusalOf(headers);
  if (refusal === undefined) return await body.text();
  // Ends the connection: to read on to the next answer would be to read this one.
  body.on("error", () => undefined).destroy();
  throw refusal;
}

function refusalOf(headers: Dispatcher.ResponseData["headers"]) {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    return peerProblem("peer_incompatible", { detail: "Its answer is encoded, which this gateway does not ask for." });
  }
  return Number(headers["content-length"]) > MAX_RESPONSE_BYTES ? peerProblem("peer_answer_too_large") : undefined;
}
