import { readFile } from "node:fs/promises";
import { createSecureContext, Server as TlsServer } from "node:tls";
import type { TlsConfig } from "@mosaicstack/config";
import { gatewayProblem } from "../problems.ts";

/** A certificate with its chain, and its key: PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * The certificate of the people listener; undefined: it speaks plain HTTP.
 * @param own the gateway's own, which `auto` takes; undefined where the tier has no authority
 * @throws Problem `tls_unusable`, never falling back to plain HTTP
 */
export async function certificateOf(
  tls: TlsConfig,
  own: (() => Certificate) | undefined,
): Promise<Certificate | undefined> {
  if (tls === "off") return undefined;
  if (tls === "auto") {
    if (own === undefined)
      throw gatewayProblem("tls_unusable", { detail: "This tier has no authority to take a certificate from." });
    return own();
  }
  try {
    const [cert, key] = await Promise.all([readFile(tls.certificateFile, "utf8"), readFile(tls.keyFile, "utf8")]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw gatewayProblem("tls_unusable", { cause });
  }
}

const FOLLOW_MS = 3_600_000;

/**
 * Presents the gateway's own certificate as it is renewed, to connections that are made from then on.
 * @returns how to end it
 */
export function followCertificate(server: unknown, own: () => Certificate): () => Promise<void> {
  let presented = own().cert;
  const timer = setInterval(() => {
    const current = own();
    if (current.cert === presented || !(server instanceof TlsServer)) return;
    server.setSecureContext(current);
    presented = current.cert;
  }, FOLLOW_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}
