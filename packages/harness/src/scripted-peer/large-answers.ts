import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";

export const MEGABYTE = 1024 * 1024;
export const LARGE_BYTES = 11 * MEGABYTE;
export const jsonHeaders = { "content-type": "application/json" };
export const emptyList = '{"rows":[],"more":false,"limit":10}';

/** One for all, so that what grows is the reader's. */
const blanks = Buffer.alloc(MEGABYTE, " ");

/** Blanks before an answer of the right form: only its length is wrong. */
async function pour(response: ServerResponse, pauseMs = 0): Promise<void> {
  for (let count = 0; count < LARGE_BYTES / MEGABYTE && !response.destroyed; count += 1) {
    response.write(blanks);
    while (response.writableNeedDrain && !response.destroyed) await wait(1);
    if (pauseMs > 0) await wait(pauseMs);
  }
  if (!response.destroyed) response.end(emptyList);
}

/** The ways in which a peer may send 11 MB. */
export const largeAnswers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
  "that says how long it is": (response) => {
    response.writeHead(200, { ...jsonHeaders, "content-length": LARGE_BYTES + emptyList.length });
    return pour(response);
  },
  "in chunks": (response) => {
    response.writeHead(200, jsonHeaders);
    return pour(response);
  },
  "in chunks, slowly": (response) => {
    response.writeHead(200, jsonHeaders);
    return pour(response, 20);
  },
  async "until the connection ends"({ socket }) {
    socket?.on("error", () => undefined);
    socket?.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n");
    for (let count = 0; count < LARGE_BYTES / MEGABYTE; count += 1) socket?.write(blanks);
    socket?.end(emptyList);
  },
  "of an error": (response) => {
    response.writeHead(500, jsonHeaders);
    return pour(response);
  },
};
