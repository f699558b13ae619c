import "reflect-metadata";
import { generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import {
  identitySubjectAltName,
  KEY_ALGORITHM,
  readSigningRequest,
  SIGNING_ALGORITHM,
} from "@mosaicstack/federation-protocol";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface ClientCertificateWishes {
  readonly grantId: string;
  readonly subjectUserId: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly usages?: string[];
}

/** A throw-away CA that issues whatever it is asked for, also what no honest one would. */
export interface ScriptedAuthority {
  readonly rootPem: string;
  /** For a server at localhost, unless said otherwise. */
  server(wishes?: {
    readonly host?: string;
    readonly usages?: string[];
    /** Default: an hour ago. */
    readonly notBefore?: Date;
    readonly notAfter?: Date;
  }): Promise<KeyAndCertificate>;
  /** PEM, for the key of a signing request. */
  client(csrPem: string, wishes: ClientCertificateWishes): Promise<string>;
  /** What stands between a client certificate and the root, PEM. */
  readonly chainPem: readonly string[];
  /** A CRL of whoever issues client certificates, DER. */
  revocationList(wishes: RevocationListWishes): Promise<Uint8Array>;
}

export interface RevocationListWishes {
  /** Lower-case hex. */
  readonly serials: readonly string[];
  readonly number: number;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  return {
    pem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    public: () => importPublic(publicKey.export({ type: "spki", format: "der" })),
    private: () => webcrypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]),
  };
}

const importPublic = (spki: Uint8Array) => webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]);
const serial = () => `40${randomBytes(15).toString("hex")}`;

/** @param options.intermediate whether one signs the client certificates, as step-ca's does */
export async function createScriptedAuthority(
  name = "Test CA",
  options: { readonly intermediate?: boolean } = {},
): Promise<ScriptedAuthority> {
  const rootKey = newKey();
  const signingKey = await rootKey.private();
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 400 * DAY_MS),
    notAfter: new Date(Date.now() + 4000 * DAY_MS),
    signingAlgorithm: SIGNING_ALGORITHM,
    keys: { publicKey: await rootKey.public(), privateKey: signingKey },
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });

  const signer = options.intermediate === true ? await intermediate() : { certificate: root, key: signingKey };

  async function intermediate() {
    const key = newKey();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${name} intermediate`,
      issuer: root.subject,
      notBefore: root.notBefore,
      notAfter: root.notAfter,
      signingKey,
      signingAlgorithm: SIGNING_ALGORITHM,
      publicKey: await key.public(),
      extensions: [new BasicConstraintsExtension(true, 0, true)],
    });
    return { certificate, key: await key.private() };
  }

  async function issue(
    publicKey: webcrypto.CryptoKey,
    usages: string[],
    san: Extension,
    from: Date,
    to: Date,
    by = { certificate: root, key: signingKey },
  ): Promise<string> {
    const certificate: X509Certificate = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: "",
      issuer: by.certificate.subject,
      notBefore: from,
      notAfter: to,
      signingKey: by.key,
      signingAlgorithm: SIGNING_ALGORITHM,
      publicKey,
      extensions: [new BasicConstraintsExtension(false, undefined, true), new ExtendedKeyUsageExtension(usages), san],
    });
    return `${certificate.toString("pem")}\n`;
  }

  const anHourAgo = () => new Date(Date.now() - 60 * MINUTE_MS);
  return {
    rootPem: `${root.toString("pem")}\n`,
    async server({ host = "localhost", usages = [ExtendedKeyUsage.serverAuth], notBefore, notAfter } = {}) {
      const key = newKey();
      const san = new SubjectAlternativeNameExtension([{ type: "dns", value: host }], true);
      const until = notAfter ?? new Date(Date.now() + DAY_MS);
      const from = notBefore ?? (until < anHourAgo() ? new Date(until.getTime() - DAY_MS) : anHourAgo());
      return { key: key.pem, cert: await issue(await key.public(), usages, san, from, until) };
    },
    async client(csrPem, { grantId, subjectUserId, notBefore, notAfter, usages }) {
      const request = await readSigningRequest(csrPem);
      if (request.kind === "malformed") throw new Error(request.reason);
      const san = new Extension("2.5.29.17", true, identitySubjectAltName({ grantId, subjectUserId }));
      return await issue(
        await importPublic(request.publicKeyDer),
        usages ?? [ExtendedKeyUsage.clientAuth],
        san,
        notBefore ?? new Date(Date.now() - MINUTE_MS),
        notAfter ?? new Date(Date.now() + 7 * DAY_MS),
        signer,
      );
    },
    chainPem: signer.certificate === root ? [] : [`${signer.certificate.toString("pem")}\n`],
    async revocationList({ serials, number, thisUpdate, nextUpdate }) {
      const digits = number.toString(16);
      const bytes = Buffer.from(`00${digits.length % 2 === 0 ? digits : `0${digits}`}`, "hex");
      const trimmed = (bytes[1] ?? 0) < 0x80 ? bytes.subarray(1) : bytes;
      const value = Buffer.concat([Buffer.from([0x02, trimmed.length]), trimmed]);
      const list = await X509CrlGenerator.create({
        issuer: signer.certificate.subject,
        thisUpdate,
        nextUpdate,
        signingAlgorithm: SIGNING_ALGORITHM,
        signingKey: signer.key,
        entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: thisUpdate })),
        extensions: [new Extension("2.5.29.20", false, new Uint8Array(value).buffer)],
      });
      return new Uint8Array(list.rawData);
    },
  };
}
