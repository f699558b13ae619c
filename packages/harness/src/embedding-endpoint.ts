import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** An embedding endpoint as OpenAI's, on a real socket. Whoever starts it stops it. */
export interface EmbeddingEndpoint {
  /** As EMBEDDINGS_URL takes it. */
  readonly url: string;
  /** The texts of each request, in order. */
  readonly requests: { readonly texts: readonly string[]; readonly authorization: string | undefined }[];
  /** Answers with this status in place of vectors, as often as it says; then honestly. */
  failures: number[];
  /** Before each answer. */
  delayMs: number;
  /** Changes an honest answer. */
  alter: (answer: unknown) => unknown;
  stop(): Promise<void>;
}

const DIMENSIONS = 384;

/** Words of one meaning to this model. */
const SYNONYMS: Readonly<Record<string, string>> = { automobile: "car", vehicle: "car", physician: "doctor" };

/**
 * A model made of arithmetic: each word is a direction that its hash says, a text the sum of its words'. Texts that share
 * words, or words of one meaning, are near; the same text gives the same vector always.
 */
export function vectorOf(text: string): number[] {
  const vector: number[] = Array.from({ length: DIMENSIONS }, () => 0);
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
    const bytes = createHash("sha512")
      .update(SYNONYMS[word] ?? word)
      .digest();
    for (let place = 0; place < 16; place += 1) {
      const at = bytes.readUInt16BE(place * 4) % DIMENSIONS;
      vector[at] = (vector[at] ?? 0) + (bytes.readUInt8(place * 4 + 2) % 2 === 0 ? 1 : -1);
    }
  }
  return vector.every((number) => number === 0) ? vector.map(() => 0.01) : vector;
}

export async function startEmbeddingEndpoint(): Promise<EmbeddingEndpoint> {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { input, model } = (await json(request)) as { input: string[]; model: string };
    endpoint.requests.push({ texts: input, authorization: request.headers.authorization });
    await new Promise((resolve) => setTimeout(resolve, endpoint.delayMs));
    const failure = endpoint.failures.shift();
    const isAsked = request.method === "POST" && request.url === "/v1/embeddings" && model === "test-model";
    response.writeHead(failure ?? (isAsked ? 200 : 404), { "content-type": "application/json" });
    const data = input.map((text, index) => ({ index, embedding: vectorOf(text) })).toReversed();
    response.end(JSON.stringify(failure === undefined ? endpoint.alter({ data, model }) : { error: "no" }));
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const endpoint: EmbeddingEndpoint = {
    url: `http://:a-key@127.0.0.1:${port}/v1?model=test-model`,
    requests: [],
    failures: [],
    delayMs: 0,
    alter: (honest) => honest,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return endpoint;
}
