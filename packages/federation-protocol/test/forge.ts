import "reflect-metadata";
import { generateKeyPairSync, type KeyObject, sign, webcrypto, X509Certificate } from "node:crypto";
import { newId } from "@mosaicstack/foundation";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate, type TBSCertificate } from "@peculiar/asn1-x509";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import {
  type CertificateIdentity,
  GRANT_ID_OID,
  KEY_ALGORITHM,
  SIGNING_ALGORITHM,
  SUBJECT_USER_ID_OID,
} from "../src/index.ts";
import { otherName, pem, sequence, utf8 } from "./der.ts";

export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const DAY_MS = 86_400_000;

/** The subjectAltName of a good certificate, written by hand. */
export function goodNames({ grantId, subjectUserId }: CertificateIdentity): Buffer {
  return sequence(otherName(GRANT_ID_OID, utf8(grantId)), otherName(SUBJECT_USER_ID_OID, utf8(subjectUserId)));
}

export function newIdentity(): CertificateIdentity {
  return { grantId: newId(), subjectUserId: newId() };
}

/** What a forged certificate says. Whatever is left out is as it should be. */
export interface Forgery {
  readonly key?: KeyObject;
  /** The values of the subjectAltName extensions. */
  readonly names?: readonly Uint8Array[];
  readonly usages?: readonly string[];
  readonly ca?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Changes what is signed before it is signed. */
  readonly edit?: (tbs: TBSCertificate) => void;
  /** The same, on bytes. */
  readonly patch?: (tbs: Buffer) => Buffer;
}

/** A CA that signs whatever it is asked to. */
export interface Forge {
  readonly rootPem: string;
  readonly root: X509Certificate;
  readonly identity: CertificateIdentity;
  readonly now: Date;
  /** @returns the certificate, DER */
  issue(forgery?: Forgery): Promise<Buffer>;
}

/** What a root says. Whatever is left out is as it should be. */
export interface RootWishes {
  /** Its own name; the certificates it signs name `CN=Forge` as their issuer. */
  readonly rootName?: string;
  readonly rootIsCa?: boolean;
}

/** Makes a CA whose clock stands at noon of 1 June 2026. */
export async function openForge(wishes: RootWishes = {}): Promise<Forge> {
  const now = new Date("2026-06-01T12:00:00Z");
  const rootKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leafKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const identity = newIdentity();
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    rootKeys.privateKey.export({ type: "pkcs8", format: "der" }),
    KEY_ALGORITHM,
    false,
    ["sign"],
  );
  const issuer = "CN=Forge";
  const root = await X509CertificateGenerator.create({
    serialNumber: "01",
    subject: wishes.rootName ?? issuer,
    issuer: wishes.rootName ?? issuer,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + 365 * DAY_MS),
    signingKey,
    signingAlgorithm: SIGNING_ALGORITHM,
    publicKey: await importPublicKey(rootKeys.publicKey),
    extensions: [new BasicConstraintsExtension(wishes.rootIsCa ?? true, undefined, true)],
  });

  async function issue(forgery: Forgery = {}): Promise<Buffer> {
    const names = forgery.names ?? [goodNames(identity)];
    const issued = await X509CertificateGenerator.create({
      serialNumber: "4a5b6c",
      subject: "",
      issuer,
      notBefore: forgery.notBefore ?? new Date(now.getTime() - 60_000),
      notAfter: forgery.notAfter ?? new Date(now.getTime() + 7 * DAY_MS),
      signingKey,
      signingAlgorithm: SIGNING_ALGORITHM,
      publicKey: await importPublicKey(forgery.key ?? leafKey),
      extensions: [
        new BasicConstraintsExtension(forgery.ca ?? false, undefined, true),
        ...(forgery.usages?.length === 0
          ? []
          : [new ExtendedKeyUsageExtension([...(forgery.usages ?? [CLIENT_AUTH])])]),
        ...names.map((value) => new Extension("2.5.29.17", true, value)),
      ],
    });
    const certificate = AsnConvert.parse(issued.rawData, Certificate);
    forgery.edit?.(certificate.tbsCertificate);
    let tbs: Buffer = Buffer.from(AsnConvert.serialize(certificate.tbsCertificate));
    tbs = forgery.patch?.(tbs) ?? tbs;
    return assemble(tbs, sign("sha256", tbs, rootKeys.privateKey));
  }

  return { rootPem: root.toString("pem"), root: new X509Certificate(root.toString("pem")), identity, now, issue };
}

/** Puts a certificate together from its parts. */
export function assemble(tbs: Uint8Array, signature: Uint8Array): Buffer {
  const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");
  const bits = Buffer.concat([Buffer.from([0x03, signature.length + 1, 0]), signature]);
  return sequence(tbs, ecdsaWithSha256, bits);
}

export const certificatePem = (certificate: Uint8Array): string => pem("CERTIFICATE", certificate);

async function importPublicKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const spki = key.export({ type: "spki", format: "der" });
  if (key.asymmetricKeyType === "rsa") {
    return await webcrypto.subtle.importKey("spki", spki, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, true, [
      "verify",
    ]);
  }
  return await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]);
}
