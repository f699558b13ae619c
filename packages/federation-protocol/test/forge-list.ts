import "reflect-metadata";
import { generateKeyPairSync, type KeyObject, sign, webcrypto, X509Certificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { KEY_ALGORITHM, SIGNING_ALGORITHM } from "../src/index.ts";
import { readCertificateFields } from "../src/certificate-fields.ts";
import { der, integer, oid, sequence } from "./der.ts";

export const DAY_MS = 86_400_000;
export const NOW = new Date("2026-06-01T12:00:00Z");

/** A CA with its key, as a link of a chain. */
export interface ForgedCa {
  readonly pem: string;
  readonly x509: X509Certificate;
  readonly privateKey: KeyObject;
}

/** What a CA's certificate says. Whatever is left out is as it should be. */
export interface CaWishes {
  /** Who signs it; default: itself. */
  readonly by?: ForgedCa;
  readonly name?: string;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  readonly usages?: KeyUsageFlags;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

export async function forgeCa(wishes: CaWishes = {}): Promise<ForgedCa> {
  const { publicKey, privateKey } = wishes.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = wishes.name ?? `CN=${crypto.randomUUID()}`;
  const signer = wishes.by?.privateKey ?? privateKey;
  const made = await X509CertificateGenerator.create({
    serialNumber: "01",
    subject: name,
    issuer: wishes.by === undefined ? name : wishes.by.x509.subject.replaceAll("\n", ", "),
    notBefore: wishes.notBefore ?? new Date(NOW.getTime() - DAY_MS),
    notAfter: wishes.notAfter ?? new Date(NOW.getTime() + 365 * DAY_MS),
    signingKey: await importKey(signer, "pkcs8", "sign"),
    signingAlgorithm: SIGNING_ALGORITHM,
    publicKey: await importKey(publicKey, "spki", "verify"),
    extensions: [
      new BasicConstraintsExtension(wishes.isCa ?? true, wishes.pathLength, true),
      ...(wishes.usages === undefined ? [] : [new KeyUsagesExtension(wishes.usages, true)]),
      ...(wishes.by === undefined
        ? []
        : [await AuthorityKeyIdentifierExtension.create(await importKey(wishes.by.x509.publicKey, "spki", "verify"))]),
    ],
  });
  return { pem: made.toString("pem"), x509: new X509Certificate(made.toString("pem")), privateKey };
}

async function importKey(
  key: KeyObject,
  format: "pkcs8" | "spki",
  usage: "sign" | "verify",
): Promise<webcrypto.CryptoKey> {
  const exported =
    format === "pkcs8" ? key.export({ type: "pkcs8", format: "der" }) : key.export({ type: "spki", format: "der" });
  return await webcrypto.subtle.importKey(format, exported, KEY_ALGORITHM, true, [usage]);
}

/** What a CRL says, each part as DER. Whatever is left out is as it should be; `undefined` leaves the part out of the list too. */
export interface ListWishes {
  readonly version?: Buffer | undefined;
  readonly algorithm?: Buffer;
  readonly outerAlgorithm?: Buffer;
  readonly issuer?: Buffer;
  readonly thisUpdate?: Buffer;
  readonly nextUpdate?: Buffer | undefined;
  readonly entries?: readonly Buffer[];
  readonly extensions?: readonly Buffer[] | undefined;
  readonly digest?: string;
  readonly signature?: (signature: Buffer) => Buffer;
  readonly after?: Buffer;
}

export const ECDSA_WITH_SHA256: Buffer = sequence(oid("1.2.840.10045.4.3.2"));
export const utcTime = (at: Date): Buffer =>
  der(
    0x17,
    Buffer.from(
      at
        .toISOString()
        .replace(/[-:T]|\.\d+/g, "")
        .slice(2),
    ),
  );
export const extension = (id: string, value: Uint8Array, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [Buffer.from([1, 1, 0xff])] : []), der(0x04, value));
export const listNumber = (value: bigint): Buffer => extension("2.5.29.20", integer(value));
export const listEntry = (serial: Buffer, ...extensions: readonly Buffer[]): Buffer =>
  sequence(serial, utcTime(NOW), ...(extensions.length === 0 ? [] : [sequence(...extensions)]));

/** Writes a CRL by hand and has a CA sign it, whatever it says. */
export function forgeList(ca: ForgedCa, wishes: ListWishes = {}): Buffer {
  const part = (key: keyof ListWishes, otherwise: Buffer): Buffer[] => {
    if (!(key in wishes)) return [otherwise];
    const wished = wishes[key];
    return Buffer.isBuffer(wished) ? [wished] : [];
  };
  const extensions = "extensions" in wishes ? wishes.extensions : [listNumber(7n)];
  const entries = wishes.entries ?? [];
  const signed = sequence(
    ...part("version", Buffer.from([2, 1, 1])),
    ...part("algorithm", ECDSA_WITH_SHA256),
    ...part("issuer", readCertificateFields(ca.x509.raw).subject),
    ...part("thisUpdate", utcTime(new Date(NOW.getTime() - 3_600_000))),
    ...part("nextUpdate", utcTime(new Date(NOW.getTime() + 23 * 3_600_000))),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(extensions === undefined ? [] : [der(0xa0, sequence(...extensions))]),
    ...part("after", Buffer.alloc(0)),
  );
  const signature = sign(wishes.digest ?? "sha256", signed, ca.privateKey);
  const bits = der(0x03, Buffer.from([0]), wishes.signature?.(signature) ?? signature);
  return sequence(signed, wishes.outerAlgorithm ?? wishes.algorithm ?? ECDSA_WITH_SHA256, bits);
}
