import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { type Clock, systemClock } from "@mosaicstack/foundation";

/** What a server presents, and what those who trust it know: all PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly root: string;
}

/** Makes server certificates of one new authority. */
export interface ServerAuthority {
  readonly root: string;
  /** @param clock when it's issued, for an hour. Default: now. */
  issue(
    names: { dnsNames?: readonly string[]; ipAddresses?: readonly string[] },
    clock?: Clock,
  ): Promise<ServerCertificate>;
}

export async function newServerAuthority(clock: Clock = systemClock): Promise<ServerAuthority> {
  const material = await createEmbeddedAuthority({ clock });
  const root = material.rootPem;
  return {
    root,
    async issue({ dnsNames = [], ipAddresses = [] }, at = clock) {
      const authority = await openEmbeddedAuthority({ ...material, clock: at });
      const { csrPem, privateKeyPem: key } = await createSigningRequest();
      const csr = Buffer.from(csrPem.replace(/-----[^-]+-----/g, ""), "base64");
      const notAfter = new Date(at.now().getTime() + 3_600_000);
      const issued = await authority.issue({ kind: "server", csr, dnsNames, ipAddresses, notAfter });
      return { certificate: issued.certificatePem, key, root };
    },
  };
}

/** As the packages of many distributions make one for the server they install. Needs the program `openssl`. */
export async function selfSignedCertificate(address: string): Promise<ServerCertificate> {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-certificate-"));
  try {
    const [keyFile, certificateFile] = [join(directory, "key"), join(directory, "certificate")];
    const subject = ["-subj", "/CN=snakeoil", "-addext", `subjectAltName=IP:${address}`];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
    await promisify(execFile)("openssl", ["req", "-x509", ...key, ...subject, "-days", "1", "-out", certificateFile]);
    const certificate = await readFile(certificateFile, "utf8");
    return { certificate, key: await readFile(keyFile, "utf8"), root: certificate };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
