import type { Dispatcher } from "undici";
import { peerProblem } from "./problems.ts";

type Answer = Pick<Dispatcher.ResponseData, "headers" | "body">;

/**
 * Reads a peer's answer. One that says it is larger than `maxBytes` is refused unread; one that does not say so is cut off where it
 * gets there. An encoded one is refused unread as well: nothing asked for it, and what it grows to is unknown.
 *
 * @throws Problem `peer_answer_too_large`, `peer_incompatible`; what undici throws
 */
export async function answerText({ headers, body }: Answer, maxBytes: number): Promise<string> {
  const refusal = refusalOf(headers, maxBytes);
  if (refusal === undefined) return await textOf(body, maxBytes);
  // Ends the connection: to read on to the next answer would be to read this one.
  body.on("error", () => undefined).destroy();
  throw refusal;
}

function refusalOf(headers: Answer["headers"], maxBytes: number) {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    return peerProblem("peer_incompatible", { detail: "Its answer is encoded, which this gateway does not ask for." });
  }
  return Number(headers["content-length"]) > maxBytes ? peerProblem("peer_answer_too_large") : undefined;
}

/** The agent has one bound for all answers; this has one for each. Ends the connection where it is passed. */
async function textOf(body: Answer["body"], maxBytes: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    body.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) body.destroy(peerProblem("peer_answer_too_large"));
      else chunks.push(chunk);
    });
    body.on("end", () => resolve(new TextDecoder().decode(Buffer.concat(chunks))));
    body.on("error", reject);
  });
}
