import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { Config } from "@mosaicstack/config";
import type { Host } from "../host.ts";
import { type Check, fault, warning } from "./check.ts";
import { judgeServerCertificate } from "./server-certificate-check.ts";

const NAME = "tls files";
/** What users who are neither the owner nor of the group may do with a file, in its mode. */
const OTHERS = 0o007;

/** Looks at the certificate and key of `http.tls`: that they are there, belong together, and are valid now. */
export async function checkTlsFiles({ clock }: Host, { http }: Config): Promise<readonly Check[]> {
  if (typeof http.tls === "string") return [];
  const { certificateFile, keyFile } = http.tls;
  const [certificate, key] = await Promise.all([
    readAs(certificateFile, "a certificate in PEM", (pem) => new X509Certificate(pem)),
    readAs(keyFile, "a private key in PEM without a passphrase", (pem) => createPrivateKey(pem)),
  ]);
  const unusable = [certificate, key].filter((each) => typeof each === "string");
  if (typeof certificate === "string" || typeof key === "string") {
    return unusable.map((why) => fault(NAME, "tls_unusable", why));
  }
  if (!isPair(certificate, key)) {
    return [fault(NAME, "tls_unusable", `${keyFile} is not the key of the certificate in ${certificateFile}.`)];
  }
  const publicName = http.publicUrl === undefined ? undefined : new URL(http.publicUrl).hostname;
  return [
    judgeServerCertificate(NAME, certificate, clock.now(), certificateFile),
    ...(publicName === undefined || hasName(certificate, publicName)
      ? []
      : [
          warning(
            NAME,
            "certificate_name_differs",
            `The certificate in ${certificateFile} does not have the name ${publicName}.`,
          ),
        ]),
    ...(await exposure(keyFile)),
  ];
}

/** @returns what the file holds, or why it can't be used: never a part of its text */
async function readAs<Read>(path: string, what: string, read: (pem: string) => Read): Promise<Read | string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    return `${path} can't be read (${error instanceof Error && "code" in error ? String(error.code) : "unknown"}).`;
  }
  try {
    return read(text);
  } catch {
    return `${path} does not hold ${what}.`;
  }
}

function isPair(certificate: X509Certificate, key: KeyObject): boolean {
  return certificate.checkPrivateKey(key);
}

function hasName(certificate: X509Certificate, hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/u, "$1");
  return certificate.checkHost(address) !== undefined || certificate.checkIP(address) !== undefined;
}

async function exposure(keyFile: string): Promise<readonly Check[]> {
  const { mode } = await stat(keyFile);
  if (process.platform === "win32" || (mode & OTHERS) === 0) return [];
  return [
    warning(
      NAME,
      "key_file_exposed",
      `Every user of this machine can read ${keyFile}.`,
      `Run: chmod 640 ${keyFile} (or 600)`,
    ),
  ];
}
