import { appendFileSync } from "node:fs";

/** Runs in Node's loader thread, which shares nothing with the program but files. */
let traceFile = "";

export function initialize(data) {
  traceFile = data.traceFile;
}

export async function load(url, context, nextLoad) {
  appendFileSync(traceFile, `${url}\n`);
  return nextLoad(url, context);
}
