import { execFile } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CertificateAuthority, IssueRequest } from "@mosaicstack/certificate-authority";
import { GRANT_ID_OID, serialOf, SUBJECT_USER_ID_OID } from "@mosaicstack/federation-protocol";

export interface ChainedAuthority extends CertificateAuthority {
  readonly intermediatePem: string;
  close(): Promise<void>;
}

/**
 * An authority with an intermediate between its root and what it issues, as step-ca has: made and signed by openssl. Whatever it
 * issues lives a day.
 *
 * @param alter changes the names of a client certificate, as a CA gone wrong would
 */
export async function openChainedAuthority(
  alter: (names: string[]) => string[] = (names) => names,
): Promise<ChainedAuthority> {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-chained-authority-"));
  const at = (name: string) => join(directory, name);
  const openssl = async (...args: string[]) => await promisify(execFile)("openssl", args);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
  const subject = (name: string) => ["-subj", `/CN=${name}`];
  await writeFile(at("ca.conf"), ca);
  const rootFiles = ["-keyout", at("root.key"), "-out", at("root.csr")];
  await openssl("req", "-new", ...newKey, ...subject("Chained root"), ...rootFiles);
  const days = ["-days", "30", "-extfile", at("ca.conf")];
  await openssl("x509", "-req", "-in", at("root.csr"), "-signkey", at("root.key"), "-out", at("root.pem"), ...days);
  const between = ["-keyout", at("intermediate.key"), "-out", at("intermediate.csr")];
  await openssl("req", "-new", ...newKey, ...subject("Chained intermediate"), ...between);
  const byRoot = ["-CA", at("root.pem"), "-CAkey", at("root.key"), "-set_serial", "2"];
  const made = ["-in", at("intermediate.csr"), "-out", at("intermediate.pem")];
  await openssl("x509", "-req", ...made, ...byRoot, ...days);
  const rootPem = await readFile(at("root.pem"), "utf8");
  const intermediatePem = await readFile(at("intermediate.pem"), "utf8");

  function namesOf(request: IssueRequest): string[] {
    if (request.kind === "client") {
      const { grantId, subjectUserId } = request.identity;
      return alter([
        `otherName:${GRANT_ID_OID};UTF8:${grantId}`,
        `otherName:${SUBJECT_USER_ID_OID};UTF8:${subjectUserId}`,
      ]);
    }
    return [...request.dnsNames.map((name) => `DNS:${name}`), ...request.ipAddresses.map((name) => `IP:${name}`)];
  }

  return {
    rootPem,
    intermediatePem,
    async issue(request) {
      const file = randomBytes(8).toString("hex");
      const usage = request.kind === "client" ? "clientAuth" : "serverAuth";
      const names = namesOf(request).map((name, index) => name.replace(":", `.${index} = `));
      await writeFile(at(file), request.csr);
      const extensions = `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=${usage}\nsubjectAltName=critical,@names\n`;
      await writeFile(at(`${file}.conf`), `${extensions}[names]\n${names.join("\n")}\n`);
      const asked = ["-req", "-inform", "DER", "-in", at(file), "-extfile", at(`${file}.conf`), "-days", "1"];
      const signer = ["-CA", at("intermediate.pem"), "-CAkey", at("intermediate.key")];
      const serial = ["-set_serial", `0x40${randomBytes(15).toString("hex")}`];
      const { stdout: certificatePem } = await openssl("x509", ...asked, ...signer, ...serial);
      const x509 = new X509Certificate(certificatePem);
      const notAfter = new Date(x509.validTo);
      return { certificatePem, chainPem: [intermediatePem], serial: serialOf(x509), notAfter };
    },
    revoke: () => Promise.resolve(),
    crl: () => Promise.reject(new Error("this authority publishes no list")),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}
