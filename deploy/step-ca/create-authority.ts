import "reflect-metadata";
import { generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from "node:crypto";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { calculateJwkThumbprint, CompactEncrypt, type JWK } from "jose";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;
const ROOT_YEARS = 20;
const INTERMEDIATE_YEARS = 10;
/** OWASP's floor for PBKDF2 with SHA-256, and what `step crypto jwk create` uses. */
const PASSWORD_ROUNDS = 600_000;

export interface AuthorityRequest {
  /** Made if it isn't there. Must not hold an authority yet. */
  readonly directory: string;
  /** The names and addresses that gateways reach step-ca by; the first is the one its tokens are for. */
  readonly hosts: readonly string[];
  /** What step-ca listens on: `host:port`, or `:port` for every interface. */
  readonly address: string;
  /** Where gateways find the CRL, as the CRL says of itself (RFC 5280 5.2.5). */
  readonly crlUrl: string;
}

/** Where the files are that step-ca, and the gateway, need. */
export interface AuthorityFiles {
  /** step-ca's working directory: every path in its configuration is relative to it. */
  readonly directory: string;
  readonly configuration: string;
  /** Unlocks the intermediate's key. */
  readonly passwordFile: string;
  /** What the gateway gets, and nothing else of this directory. */
  readonly gateway: {
    readonly rootFile: string;
    /** The provisioner's name, for peers' certificates. */
    readonly provisioner: string;
    /** Private JWK, encrypted: compact JWE, PBES2-HS256+A128KW and A256GCM (RFC 7516, RFC 7518 4.8). */
    readonly provisionerKeyFile: string;
    readonly provisionerPasswordFile: string;
  };
}

/**
 * Makes what step-ca needs to serve the `ca.json` and templates beside this file: a root, an intermediate that signs, both
 * keys encrypted, and the key by which the gateway asks for certificates.
 *
 * @throws Error where the directory already holds an authority: it's never written over
 */
export async function createAuthority(request: AuthorityRequest): Promise<AuthorityFiles> {
  const { directory, hosts, address, crlUrl } = request;
  const at = (...path: string[]): string => join(directory, ...path);
  const password = randomBytes(24).toString("base64url");
  const gatewayPassword = randomBytes(24).toString("base64url");
  const { root, rootKey, intermediate, intermediateKey } = await createChain();
  const provisionerKey = await createProvisionerKey(gatewayPassword);

  for (const folder of ["config", "certs", "secrets", "db", "gateway"]) {
    await mkdir(at(folder), { recursive: true, mode: 0o700 });
  }
  const configuration = JSON.parse(await readFile(join(import.meta.dirname, "ca.json"), "utf8")) as Configuration;
  configuration.dnsNames = hosts;
  configuration.address = address;
  configuration.crl.idpURL = crlUrl;
  for (const provisioner of configuration.authority.provisioners) provisioner.key = provisionerKey.public;
  // First, and refusing what is there: nothing of an authority in use is lost.
  await writeSecret(at("config/ca.json"), `${JSON.stringify(configuration, null, 2)}\n`);
  for (const template of ["peer-certificate.tpl", "listener-certificate.tpl"]) {
    await copyFile(join(import.meta.dirname, template), at("config", template));
  }
  await writeSecret(at("certs/root_ca.crt"), root);
  await writeSecret(at("certs/intermediate_ca.crt"), intermediate);
  await writeSecret(at("secrets/root_ca_key"), encrypted(rootKey, password));
  await writeSecret(at("secrets/intermediate_ca_key"), encrypted(intermediateKey, password));
  await writeSecret(at("secrets/password"), password);
  await writeSecret(at("gateway/root_ca.crt"), root);
  await writeSecret(at("gateway/provisioner_key.jwe"), provisionerKey.encrypted);
  await writeSecret(at("gateway/provisioner_password"), gatewayPassword);
  const [peers] = configuration.authority.provisioners;
  return {
    directory,
    configuration: at("config/ca.json"),
    passwordFile: at("secrets/password"),
    gateway: {
      rootFile: at("gateway/root_ca.crt"),
      provisioner: peers?.name ?? "",
      provisionerKeyFile: at("gateway/provisioner_key.jwe"),
      provisionerPasswordFile: at("gateway/provisioner_password"),
    },
  };
}

/** The part of `ca.json` that differs between installations. */
interface Configuration {
  dnsNames: readonly string[];
  address: string;
  crl: { idpURL: string };
  authority: { provisioners: { readonly name: string; key: JWK }[] };
}

async function createChain(): Promise<{
  readonly root: string;
  readonly rootKey: KeyObject;
  readonly intermediate: string;
  readonly intermediateKey: KeyObject;
}> {
  const rootKeys = await newKeys();
  const intermediateKeys = await newKeys();
  const rootName = `CN=Mosaic root CA ${randomBytes(4).toString("hex")}`;
  // A minute in the past, for peers whose clocks are slow.
  const notBefore = new Date(Date.now() - 60_000);
  const yearsLater = (years: number): Date => {
    const end = new Date(notBefore);
    end.setUTCFullYear(end.getUTCFullYear() + years);
    return end;
  };
  const usage = new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true);
  const root = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: rootName,
    issuer: rootName,
    notBefore,
    notAfter: yearsLater(ROOT_YEARS),
    signingAlgorithm: SIGNING_ALGORITHM,
    signingKey: rootKeys.signing,
    publicKey: rootKeys.verifying,
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      usage,
      await SubjectKeyIdentifierExtension.create(rootKeys.verifying),
    ],
  });
  const intermediate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: rootName.replace("root", "intermediate"),
    issuer: rootName,
    notBefore,
    notAfter: yearsLater(INTERMEDIATE_YEARS),
    signingAlgorithm: SIGNING_ALGORITHM,
    signingKey: rootKeys.signing,
    publicKey: intermediateKeys.verifying,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      usage,
      await SubjectKeyIdentifierExtension.create(intermediateKeys.verifying),
      await AuthorityKeyIdentifierExtension.create(rootKeys.verifying),
    ],
  });
  return {
    root: `${root.toString("pem")}\n`,
    rootKey: rootKeys.privateKey,
    intermediate: `${intermediate.toString("pem")}\n`,
    intermediateKey: intermediateKeys.privateKey,
  };
}

async function newKeys(): Promise<{
  readonly privateKey: KeyObject;
  readonly signing: webcrypto.CryptoKey;
  readonly verifying: webcrypto.CryptoKey;
}> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  return {
    privateKey,
    signing: await webcrypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]),
    verifying: await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]),
  };
}

/** 126 random bits, positive as RFC 5280 4.1.2.2 wants. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

/**
 * The key that signs one-time tokens. step-ca knows its public half alone: an `encryptedKey` in `ca.json` would be
 * published to everyone, on /provisioners, to try passwords on.
 */
async function createProvisionerKey(password: string): Promise<{ readonly public: JWK; readonly encrypted: string }> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const exported = publicKey.export({ format: "jwk" }) as JWK;
  const named = { use: "sig", alg: "ES256", kid: await calculateJwkThumbprint(exported) };
  const secret = JSON.stringify({ ...privateKey.export({ format: "jwk" }), ...named });
  const sealed = await new CompactEncrypt(Buffer.from(secret))
    .setProtectedHeader({ alg: "PBES2-HS256+A128KW", enc: "A256GCM", cty: "jwk+json" })
    .setKeyManagementParameters({ p2c: PASSWORD_ROUNDS })
    .encrypt(Buffer.from(password));
  return { public: { ...exported, ...named }, encrypted: sealed };
}

/** PKCS #8, encrypted by a password (RFC 5958, PBES2). */
function encrypted(key: KeyObject, passphrase: string): string {
  return key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }) as string;
}

/** For its owner's eyes, and never over a file that is there. */
async function writeSecret(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
}
