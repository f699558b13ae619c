import { setTimeout as wait } from "node:timers/promises";
import type { EmbeddingsAccess } from "@mosaicstack/config";
import { z } from "zod";

/** Makes vectors of texts: any endpoint that answers `POST /embeddings` as OpenAI's does. */
export interface EmbeddingProvider {
  readonly model: string;
  /**
   * One vector a text, in their order, all of one length.
   * @throws EmbeddingFailure where no usable answer came; nothing of the texts or the key is in it
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]>;
  /** The same, tried again up to three times where that may help, longer apart each time. */
  embedPatiently(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]>;
}

/** Why there are no vectors. */
export class EmbeddingFailure extends Error {
  override readonly name = "EmbeddingFailure";
  /** Whether the same request may do better later. */
  readonly passing: boolean;
  /** How long the endpoint asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { passing: boolean; retryAfterMs?: number | undefined; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.passing = options.passing;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** pgvector's own limit of a vector's length. */
const MAX_DIMENSIONS = 16_000;
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const RETRIES = 3;
const MOST_PATIENCE_MS = 30_000;

const answerSchema = z.object({
  data: z.array(z.object({ index: z.int(), embedding: z.array(z.number()).min(1).max(MAX_DIMENSIONS) })),
});

/** @param options.firstWaitMs before the first retry; doubled before each further. Default 500 */
export function createEmbeddingProvider(
  { url, model, apiKey }: EmbeddingsAccess,
  { firstWaitMs = 500 }: { readonly firstWaitMs?: number } = {},
): EmbeddingProvider {
  async function embed(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]> {
    let response: Response;
    let body: string;
    try {
      response = await fetch(`${url}/embeddings`, {
        method: "POST",
        redirect: "error",
        headers: {
          "content-type": "application/json",
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
        body: JSON.stringify({ model, input: texts, encoding_format: "float" }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      body = await boundedText(response);
    } catch (cause) {
      if (cause instanceof EmbeddingFailure) throw cause;
      throw new EmbeddingFailure("The embedding endpoint did not answer.", { passing: !signal.aborted, cause });
    }
    if (!response.ok) {
      const seconds = Number(response.headers.get("retry-after"));
      throw new EmbeddingFailure(`The embedding endpoint answered HTTP ${response.status}.`, {
        passing: response.status === 408 || response.status === 429 || response.status >= 500,
        retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
      });
    }
    return vectorsIn(body, texts.length);
  }

  return {
    model,
    embed,
    async embedPatiently(texts, signal) {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await embed(texts, signal);
        } catch (error) {
          if (!(error instanceof EmbeddingFailure) || !error.passing || attempt === RETRIES) throw error;
          const patience = Math.min(error.retryAfterMs ?? firstWaitMs * 2 ** attempt, MOST_PATIENCE_MS);
          await wait(patience, undefined, { signal });
        }
      }
    },
  };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> = response.body ?? ReadableStream.from([]);
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new EmbeddingFailure("The embedding endpoint's answer is too large.", { passing: false });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The vectors by `index`: the order of the answer is not promised. */
function vectorsIn(body: string, wanted: number): readonly (readonly number[])[] {
  const unusable = (cause?: unknown) =>
    new EmbeddingFailure("The embedding endpoint's answer is not one to this request.", { passing: false, cause });
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw unusable(cause);
  }
  const { data } = answerSchema.safeParse(json);
  if (data === undefined) throw unusable();
  const byIndex = new Map(data.data.map(({ index, embedding }) => [index, embedding]));
  const vectors = Array.from({ length: wanted }, (_, index) => byIndex.get(index));
  const length = vectors[0]?.length;
  const whole = vectors.filter((vector): vector is number[] => vector !== undefined && vector.length === length);
  if (whole.length !== wanted) throw unusable();
  return whole;
}
