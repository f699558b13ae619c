import { isUtf8 } from "node:buffer";
import { federationProblem } from "@mosaicstack/federation-protocol";

/**
 * A body as JSON. Where a member comes twice the last one counts, here and so in everything that follows. A member named
 * `__proto__` is refused: schemas pass over it, and nothing may be passed over.
 *
 * @throws Problem `request_malformed`
 */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw malformed("The body is not UTF-8.");
  try {
    return JSON.parse(body.toString(), refusePrototype);
  } catch (cause) {
    throw malformed("The body is not JSON.", cause);
  }
}

function refusePrototype(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new SyntaxError("a member is named __proto__");
  return value;
}

function malformed(detail: string, cause?: unknown): Error {
  return federationProblem("request_malformed", { detail, extensions: { path: "" }, cause });
}
