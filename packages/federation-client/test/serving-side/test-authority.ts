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
export interface TestAuthority {
  readonly rootPem: string;
  /** For a server at localhost, unless said otherwise. */
  server(wishes?: {
    readonly host?: string;
    readonly usages?: string[];
    readonly notAfter?: Date;
  }): Promise<KeyAndCertificate>;
  /** PEM, for the key of a signing request. */
  client(csrPem: string, wishes: ClientCertificateWishes): Promise<string>;
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

export async function createTestAuthority(name = "Test CA"): Promise<TestAuthority> {
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

  async function issue(
    publicKey: webcrypto.CryptoKey,
    usages: string[],
    san: Extension,
    from: Date,
    to: Date,
  ): Promise<string> {
    const certificate: X509Certificate = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: "",
      issuer: root.subject,
      notBefore: from,
      notAfter: to,
      signingKey,
      signingAlgorithm: SIGNING_ALGORITHM,
      publicKey,
      extensions: [new BasicConstraintsExtension(false, undefined, true), new ExtendedKeyUsageExtension(usages), san],
    });
    return `${certificate.toString("pem")}\n`;
  }

  const anHourAgo = () => new Date(Date.now() - 60 * MINUTE_MS);
  return {
    rootPem: `${root.toString("pem")}\n`,
    async server({ host = "localhost", usages = [ExtendedKeyUsage.serverAuth], notAfter } = {}) {
      const key = newKey();
      const san = new SubjectAlternativeNameExtension([{ type: "dns", value: host }], true);
      const until = notAfter ?? new Date(Date.now() + DAY_MS);
      const from = until < anHourAgo() ? new Date(until.getTime() - DAY_MS) : anHourAgo();
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
      );
    },
  };
}
