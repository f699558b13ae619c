import type { FastifyInstance, FastifyRequest } from "fastify";
import { gatewayProblem } from "../problems.ts";

/** Deeper than any input of ours, and far from what ends a recursive function's stack. */
const DEEPEST = 64;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

const [QUOTE, BACKSLASH, OPEN_LIST, OPEN_OBJECT, CLOSE_LIST, CLOSE_OBJECT] = Buffer.from('"\\[{]}') as unknown as [
  number,
  number,
  number,
  number,
  number,
  number,
];

/** Whether a JSON text nests deeper than allowed. Reads bytes: in UTF-8 these six stand for nothing else. */
export function isTooDeep(json: Buffer): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < json.length; index += 1) {
    const byte = json[index];
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > DEEPEST) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth -= 1;
    }
  }
  return false;
}

/** @throws Problem `json_malformed` */
function textOf(body: Buffer): string {
  if (isTooDeep(body)) {
    throw gatewayProblem("json_malformed", { detail: `The request body nests deeper than ${DEEPEST} levels.` });
  }
  try {
    return UTF8.decode(body);
  } catch (cause) {
    throw gatewayProblem("json_malformed", { detail: "The request body is not UTF-8.", cause });
  }
}

/** Bodies are JSON in UTF-8 and nothing else. An empty one is no body: clients set the content type on a DELETE too. */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request: FastifyRequest, body: Buffer, done) => {
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    let text: string;
    try {
      text = textOf(body);
    } catch (problem) {
      done(problem as Error);
      return;
    }
    void parse(request, text, done);
  });
}
