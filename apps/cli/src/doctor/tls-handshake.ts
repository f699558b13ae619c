import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect } from "node:tls";

const LONGEST_CHAIN = 10;

/** What a TLS listener presented. */
export interface Presented {
  readonly certificate: X509Certificate;
  /** The self-signed end of the chain, where the listener sends it. */
  readonly root: X509Certificate | undefined;
}

/**
 * Looks at the certificate of a TLS listener, trusted or not: nothing but the handshake is sent. A listener that wants a
 * client certificate too shows its own first (TLS 1.3).
 *
 * @returns why not, as Node names it, where there is nothing to see within `timeoutMs`
 */
export async function presentedAt(url: string, timeoutMs: number): Promise<Presented | string> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/u, "$1");
  return await new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port === "" ? 443 : port),
      // Whether it is trusted is asked elsewhere; here it is only looked at.
      rejectUnauthorized: false,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const end = (found: Presented | string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(found);
    };
    const timer = setTimeout(() => end("ETIMEDOUT"), timeoutMs);
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? "no TLS"));
    socket.on("close", () => end("ECONNRESET"));
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerX509Certificate();
      end(certificate === undefined ? "no certificate" : { certificate, root: rootOf(certificate) });
    });
  });
}

/** The last of a chain as the listener sent it, where that is self-signed. */
function rootOf(leaf: X509Certificate): X509Certificate | undefined {
  let last = leaf;
  for (let depth = 0; depth < LONGEST_CHAIN; depth += 1) {
    const issuer = last.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === last.fingerprint256) break;
    last = issuer;
  }
  return last !== leaf && last.verify(last.publicKey) ? last : undefined;
}
