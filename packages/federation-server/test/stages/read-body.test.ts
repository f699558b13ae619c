import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { Problem } from "@mosaicstack/foundation";
import { MAX_REQUEST_BYTES } from "@mosaicstack/federation-protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBody } from "../../src/stages/read-body.ts";

const JSON_TYPE = "content-type: application/json\r\n";
const results: Promise<string>[] = [];
let delayMs = 0;
/** Answers with what came of the body, read late. */
const server = createServer((incoming: IncomingMessage, outgoing) => {
  const work = setTimeout(delayMs)
    .then(() => readBody(incoming))
    .then(
      (body) => body.toString(),
      (error: unknown) => (error instanceof Problem ? error.code : String(error)),
    );
  results.push(work);
  void work.then((text) => outgoing.end(text));
});
let port: number;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** What came of a request with these headers, sent piece by piece; `cut` ends the connection after them. */
async function post(headers: string, pieces: readonly string[], cut = false): Promise<string | undefined> {
  const before = results.length;
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${headers}\r\n`);
  for (const piece of pieces) {
    await setTimeout(5);
    socket.write(piece);
  }
  if (cut) {
    await setTimeout(5);
    socket.destroy();
  }
  await expect.poll(() => results.length).toBe(before + 1);
  const result = await results[before];
  socket.destroy();
  return result;
}

test.each(["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"])(
  "%s is read",
  async (type) => {
    expect(await post(`content-type: ${type}\r\ncontent-length: 4\r\n`, ["{}", "  "])).toBe("{}  ");
  },
);

test.each(["text/json", "application/jsonp", "application/json-seq", "multipart/form-data; boundary=application/json"])(
  "media_type_unsupported: %s",
  async (type) => {
    expect(await post(`content-type: ${type}\r\ncontent-length: 2\r\n`, ["{}"])).toBe("media_type_unsupported");
  },
);

test("media_type_unsupported: none", async () => {
  expect(await post("content-length: 2\r\n", ["{}"])).toBe("media_type_unsupported");
});

test("body_too_large: by its announced length, before a byte of it", async () => {
  expect(await post(`${JSON_TYPE}content-length: ${MAX_REQUEST_BYTES + 1}\r\n`, [])).toBe("body_too_large");
});

test("body_too_large: by what comes, where no length is announced; what just fits is read", async () => {
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  const chunked = `${JSON_TYPE}transfer-encoding: chunked\r\n`;
  const half = "x".repeat(MAX_REQUEST_BYTES / 2);
  expect(await post(chunked, [chunk(half), chunk(half), chunk("x")])).toBe("body_too_large");
  expect(await post(chunked, [chunk(half), chunk(half), "0\r\n\r\n"])).toHaveLength(MAX_REQUEST_BYTES);
});

test.each([
  ["while it is read", 0],
  ["before it is read", 50],
])("request_malformed: the connection ends in the middle, %s", async (_when, delay) => {
  delayMs = delay;
  expect(await post(`${JSON_TYPE}content-length: 10\r\n`, ["{"], true)).toBe("request_malformed");
  delayMs = 0;
});
