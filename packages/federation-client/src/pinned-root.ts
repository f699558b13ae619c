import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type DetailedPeerCertificate } from "node:tls";

/** More certificates than any honest chain has. */
const MAX_CHAIN_LENGTH = 10;

/**
 * Looks for the root that an invite pins among the certificates a server presents. Only looks: this connection trusts
 * nobody and carries no request. The root found is then the sole trust anchor of a second, fully verified connection.
 *
 * @param url an https URL
 * @param caFingerprint SHA-256 of the root's DER, lower-case hex
 * @returns the root as PEM; undefined: the server did not present it
 */
export async function findPinnedRoot(
  url: URL,
  caFingerprint: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return await new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: url.port === "" ? 443 : Number(url.port),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: false,
    });
    const stop = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
    socket.once("secureConnect", () => {
      const presented = chainOf(socket.getPeerCertificate(true));
      socket.destroy();
      const root = presented.find((der) => createHash("sha256").update(der).digest("hex") === caFingerprint);
      resolve(root === undefined ? undefined : new X509Certificate(root).toString());
    });
    socket.once("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", stop);
      // After an outcome this changes nothing.
      reject(Object.assign(new Error("the connection ended during the handshake"), { code: "ECONNRESET" }));
    });
  });
}

function chainOf(leaf: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  let certificate: DetailedPeerCertificate | undefined = leaf;
  // A self-signed certificate is its own issuer.
  while (certificate?.raw !== undefined && chain.length < MAX_CHAIN_LENGTH) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate === certificate ? undefined : certificate.issuerCertificate;
  }
  return chain;
}
