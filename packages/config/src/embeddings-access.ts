import type { GivenSecrets } from "./secret.ts";

/** An OpenAI-compatible endpoint, and what to ask it for. */
export interface EmbeddingsAccess {
  /** Without the key: `https://api.example.com/v1`; `POST {url}/embeddings` embeds. */
  readonly url: string;
  readonly model: string;
  /** A secret. Absent: the endpoint asks for none. */
  readonly apiKey?: string;
}

/** What EMBEDDINGS_URL says, or what is wrong with it; no part of it is repeated then. */
export type EmbeddingsReading =
  | { readonly kind: "read"; readonly access: EmbeddingsAccess }
  | { readonly kind: "malformed"; readonly reason: string };

/** Takes `https://:key@host/v1?model=name` apart. */
export function readEmbeddingsUrl(text: string): EmbeddingsReading {
  const malformed = (reason: string): EmbeddingsReading => ({ kind: "malformed", reason });
  if (!URL.canParse(text)) return malformed("is no URL");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return malformed("is no http or https URL");
  if (url.username !== "") return malformed("names a user, and a key comes alone");
  const model = url.searchParams.get("model") ?? "";
  if (model === "" || model.length > 200) return malformed("names no model");
  if (url.searchParams.size > 1 || url.hash !== "") return malformed("has more than a model after the question mark");
  let apiKey: string;
  try {
    apiKey = decodeURIComponent(url.password);
  } catch {
    return malformed("has a key that is not percent-encoded as a URL asks");
  }
  if (!/^[\x21-\x7e]*$/.test(apiKey)) return malformed("has a key that no header can carry");
  const place = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  return { kind: "read", access: { url: place, model, ...(apiKey === "" ? {} : { apiKey }) } };
}

/** Undefined: nothing embeds. What is malformed was refused when the configuration was loaded. */
export function embeddingsAccess({ embeddings }: GivenSecrets): EmbeddingsAccess | undefined {
  const reading = embeddings === undefined ? undefined : readEmbeddingsUrl(embeddings.reveal());
  return reading?.kind === "read" ? reading.access : undefined;
}
