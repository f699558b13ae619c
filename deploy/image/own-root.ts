// Prints the root certificate of the gateway in this container, where its listener has `http.tls` = `auto`: what
// --ca-file of `mosaic` and --cacert of curl want. It asks on the container's own loopback, which nobody else can answer.
import { connect, type DetailedPeerCertificate } from "node:tls";

const WAIT_MS = 5000;
const port = Number(process.env["MOSAIC_HTTP_PORT"] ?? 14_242);
const socket = connect({ host: "127.0.0.1", port, servername: "localhost", rejectUnauthorized: false });

function fail(message: string): void {
  process.stderr.write(`port ${port}: ${message}\n`);
  process.exitCode = 1;
  socket.destroy();
}

/** The last of the chain; undefined where that is not a root. Node says of a self-signed one that it is its own issuer. */
function rootOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate | undefined {
  const issuer = certificate.issuerCertificate as DetailedPeerCertificate | undefined;
  if (issuer === undefined || issuer === certificate) return issuer;
  return rootOf(issuer);
}

socket.setTimeout(WAIT_MS, () => fail(`no answer in ${WAIT_MS} ms`));
socket.on("error", (error: Error) => fail(error.message));
socket.on("secureConnect", () => {
  const root = rootOf(socket.getPeerCertificate(true));
  if (root === undefined) {
    fail("the listener does not present its root");
    return;
  }
  const lines = root.raw.toString("base64").match(/.{1,64}/g) ?? [];
  process.stdout.write(`-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`);
  socket.end();
});
