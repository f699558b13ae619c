import "reflect-metadata";
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  X509Certificate,
} from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import {
  federationProblem,
  identitySubjectAltName,
  KEY_ALGORITHM,
  readSigningRequest,
  serialOf,
  SIGNING_ALGORITHM,
} from "@mosaicstack/federation-protocol";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { CertificateAuthority, IssuedCertificate, IssueRequest } from "./port.ts";
import { createRevocationListCache, type RevokedSerials } from "./revocation-list-cache.ts";
import { serverNames, serverSubjectAltName } from "./server-names.ts";

const SUBJECT_ALT_NAME_OID = "2.5.29.17";
const ROOT_YEARS = 10;
/** Certificates begin a little in the past, so that a peer whose clock is slow can use them at once. */
const BACKDATE_MS = 60_000;

/** A new root and its key. */
export interface EmbeddedAuthorityMaterial {
  readonly rootPem: string;
  /** PKCS #8. The caller seals it before storing it. */
  readonly privateKeyPem: string;
}

/** 126 random bits, positive as RFC 5280 4.1.2.2 wants. Hex without leading zeros. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

/** Names a key to those who build a chain (RFC 5280 4.2.1.2: any unique value). By SHA-1, since no security rests on it. */
function keyIdentifier(spki: Uint8Array | ArrayBuffer): string {
  return createHash("sha1")
    .update(Buffer.from(spki as ArrayBuffer))
    .digest("hex");
}

/** Makes the root of a new trust domain: ECDSA P-256, ten years, no intermediates below it. */
export async function createEmbeddedAuthority({
  clock,
}: {
  readonly clock: Clock;
}): Promise<EmbeddedAuthorityMaterial> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const notBefore = new Date(clock.now().getTime() - BACKDATE_MS);
  const notAfter = new Date(notBefore);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + ROOT_YEARS);
  const identifier = keyIdentifier(spki);
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `CN=Mosaic gateway CA ${identifier.slice(0, 8)}`,
    notBefore,
    notAfter,
    signingAlgorithm: SIGNING_ALGORITHM,
    keys: {
      publicKey: await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]),
      privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]),
    },
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectKeyIdentifierExtension(identifier),
    ],
  });
  return {
    rootPem: root.toString("pem"),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/**
 * Opens a root made by `createEmbeddedAuthority`. It signs certificates itself: there is no intermediate.
 *
 * @param dependencies.revokedSerials where its CRL comes from. Without it `crl` rejects: a list that names nobody would be a lie
 * @throws Error when the key is not the root's
 */
export async function openEmbeddedAuthority(
  dependencies: EmbeddedAuthorityMaterial & { readonly clock: Clock; readonly revokedSerials?: RevokedSerials },
): Promise<CertificateAuthority> {
  const { rootPem, clock } = dependencies;
  const root = new Certificate(rootPem);
  const rootIdentifier = keyIdentifier(root.publicKey.rawData);
  const privateKey = createPrivateKey(dependencies.privateKeyPem);
  if (!new X509Certificate(rootPem).checkPrivateKey(privateKey)) {
    throw new Error("the certificate authority's key is not its root's");
  }
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const signingKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]);

  function subjectAltName(request: IssueRequest): Extension {
    // Critical, since the subject is empty (RFC 5280 4.2.1.6).
    if (request.kind === "client")
      return new Extension(SUBJECT_ALT_NAME_OID, true, identitySubjectAltName(request.identity));
    return serverSubjectAltName(serverNames(request));
  }

  const { revokedSerials } = dependencies;
  const list =
    revokedSerials === undefined
      ? undefined
      : createRevocationListCache({ issuer: { certificatePem: rootPem, privateKey }, revokedSerials, clock });

  return {
    rootPem,
    async issue(request): Promise<IssuedCertificate> {
      const reading = await readSigningRequest(request.csr);
      if (reading.kind === "malformed") {
        throw federationProblem("signing_request_invalid", { detail: `The signing request: ${reading.reason}.` });
      }
      const notBefore = new Date(clock.now().getTime() - BACKDATE_MS);
      const notAfter = new Date(Math.min(request.notAfter.getTime(), root.notAfter.getTime()));
      // Also false where `notAfter` is no date at all.
      if (!(notAfter > clock.now())) throw new Error("the certificate would have expired before it was issued");
      const usage = request.kind === "client" ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth;
      const spki = reading.publicKeyDer;
      const issued = await X509CertificateGenerator.create({
        serialNumber: newSerial(),
        subject: "",
        issuer: root.subject,
        notBefore,
        notAfter,
        signingKey,
        signingAlgorithm: SIGNING_ALGORITHM,
        publicKey: await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]),
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([usage], false),
          subjectAltName(request),
          new SubjectKeyIdentifierExtension(keyIdentifier(spki)),
          new AuthorityKeyIdentifierExtension(rootIdentifier),
        ],
      });
      const certificatePem = issued.toString("pem");
      const certificate = new X509Certificate(certificatePem);
      return { certificatePem, chainPem: [], serial: serialOf(certificate), notAfter: new Date(certificate.validTo) };
    },

    // The caller's record is what revokes; there is nobody else to tell.
    async revoke() {
      list?.forget();
    },

    async crl() {
      if (list === undefined) throw new Error("the certificate authority was opened without its revoked serials");
      return await list.current();
    },
  };
}
