import type { IncomingMessage } from "node:http";
import { federationProblem, MAX_REQUEST_BYTES } from "@mosaicstack/federation-protocol";

/**
 * Reads a request's body, which nobody has begun to read. No more of it is kept than a request may have.
 *
 * @throws Problem `media_type_unsupported`, `body_too_large`, `request_malformed` where it ends early
 */
export async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  requireJson(incoming.headers["content-type"]);
  if (Number(incoming.headers["content-length"]) > MAX_REQUEST_BYTES) throw federationProblem("body_too_large");
  return await new Promise<Buffer>((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const settle = (result: () => void): void => {
      incoming.off("data", take).off("end", end).off("error", cutOff).off("close", cutOff);
      result();
    };
    const refuse = (error: Error): void => settle(() => reject(error));
    const take = (part: Buffer): void => {
      bytes += part.length;
      if (bytes > MAX_REQUEST_BYTES) refuse(federationProblem("body_too_large"));
      else parts.push(part);
    };
    const end = (): void =>
      settle(() => resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, bytes)));
    const cutOff = (): void => refuse(malformed("The body was cut off."));
    if (incoming.destroyed && !incoming.readableEnded) return cutOff();
    incoming.on("data", take).once("end", end).once("error", cutOff).once("close", cutOff);
  });
}

/** `application/json`, with whatever parameters. */
function requireJson(contentType: string | undefined): void {
  if (contentType === undefined || !/^application\/json\s*(?:;|$)/i.test(contentType)) {
    throw federationProblem("media_type_unsupported");
  }
}

function malformed(detail: string): Error {
  return federationProblem("request_malformed", { detail, extensions: { path: "" } });
}
