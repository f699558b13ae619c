import { X509Certificate } from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import {
  certificateOf,
  federationProblem,
  followChain,
  MAX_REVOCATION_LIST_BYTES,
  readCertificateRevocationList,
  readSigningRequest,
} from "@mosaicstack/federation-protocol";
import { z } from "zod";
import { checkReturned } from "../check-returned.ts";
import {
  type CertificateAuthority,
  type IssueRequest,
  type PublishedRevocationList,
  REVOCATION_REASONS,
} from "../port.ts";
import { serverNames } from "../server-names.ts";
import { boundTo, createOneTimeToken, newTokenId, type TokenPurpose } from "./one-time-token.ts";
import { readProvisionerKey } from "./provisioner-key.ts";
import { refusalOf } from "./refusal.ts";
import { connectStepCa, type StepCaAnswer } from "./step-ca-connection.ts";

const MAX_ANSWER_BYTES = 256 * 1024;
/** The longest life that the shipped configuration gives, less what its clock may be behind. */
const MAX_LIFETIME_MS = 90 * 86_400_000 - 5 * 60_000;
/** An intermediate is replaced every some years; a new one must be known before its first CRL is served. */
const ISSUERS_HOLD_MS = 10 * 60_000;
/** step-ca isn't asked for its list more often than this: anyone may fetch it from us. */
const LIST_HOLDS_MS = 5_000;

const pem = z.string().max(16_384);
const signedSchema = z.object({ crt: pem, certChain: z.array(pem).min(1).max(5) });
const issuersSchema = z.object({ crts: z.array(pem).min(1).max(10) });

/** Where step-ca is, and what a gateway needs to ask it. */
export interface StepCaOptions {
  /** `https://host[:port]`, with a host that stands in the `dnsNames` of its `ca.json`. */
  readonly url: string;
  /** The pinned root: of what it issues, and of its own server certificate. */
  readonly rootPem: string;
  /** The provisioner for peers' certificates. */
  readonly provisioner: string;
  /** The provisioner for our listeners' certificates. Default: the other's name with `-listener` after it, as deploy/step-ca has it. */
  readonly listenerProvisioner?: string;
  /** The private key of both: a JWK, or a JWE that `provisionerPassword` opens. */
  readonly provisionerKey: string;
  readonly provisionerPassword?: string;
  readonly clock: Clock;
  /** Default: random. */
  readonly newTokenId?: () => string;
}

interface CertificateIssuer {
  readonly pem: string;
  readonly notAfter: Date;
}

/**
 * A step-ca (v0.29.0 or newer) as the authority. Its key stays there; what it returns is believed only once it says what was asked for.
 * Opens no connection yet.
 *
 * @throws Problem `ca_key_unusable`
 * @throws Error where the URL or the root can't be read
 */
export async function openStepCaAuthority(options: StepCaOptions): Promise<CertificateAuthority> {
  const { url, clock, provisioner, listenerProvisioner = `${provisioner}-listener` } = options;
  const rootPem = new X509Certificate(options.rootPem).toString();
  const key = await readProvisionerKey(options.provisionerKey, options.provisionerPassword);
  const connection = connectStepCa(url, rootPem);
  let issuers: { readonly known: readonly CertificateIssuer[]; readonly until: number } | undefined;
  let list: { readonly published: PublishedRevocationList; readonly until: number } | undefined;

  function token(path: string, purpose: Omit<TokenPurpose, "audience">): string {
    const audience = `https://${new URL(url).hostname}${path}`;
    return createOneTimeToken({ ...purpose, audience }, key, clock.now(), options.newTokenId?.() ?? newTokenId());
  }

  function answerInvalid(detail: string): Error {
    return connection.problem("ca_answer_invalid", "unusable answer", { detail });
  }

  function read<Content>(schema: z.ZodType<Content>, { body }: StepCaAnswer): Content {
    try {
      return schema.parse(JSON.parse(body.toString("utf8")));
    } catch {
      // The cause would quote the answer.
      throw answerInvalid("The certificate authority's answer doesn't have the form of step-ca's.");
    }
  }

  /** The certificates that step-ca may sign with. Of what it names, only those that the pinned root signed count. */
  async function knownIssuers(): Promise<readonly CertificateIssuer[]> {
    const now = clock.now();
    if (issuers !== undefined && now.getTime() < issuers.until) return issuers.known;
    const call = { method: "GET", path: "/intermediates", maxAnswerBytes: MAX_ANSWER_BYTES } as const;
    const answer = await connection.ask(call);
    if (answer.status !== 200 && answer.status !== 201) throw refusalOf("intermediates", answer.status, connection);
    const readings = read(issuersSchema, answer).crts.map((text) => readIssuer(text, rootPem, now));
    const known = readings.flatMap((reading) => (reading.kind === "issuer" ? [reading.issuer] : []));
    if (known.length === 0) {
      const [first] = readings;
      const reason = first?.kind === "unusable" ? first.reason : "there is none";
      throw answerInvalid(`None of the certificate authority's intermediates can be used: ${reason}.`);
    }
    issuers = { known, until: now.getTime() + ISSUERS_HOLD_MS };
    return known;
  }

  /** The end to ask for: no certificate outlives who signs it, whatever is wished. */
  async function latestEnd(wished: Date): Promise<Date> {
    const now = clock.now();
    // Also false where it is no date at all.
    if (!(wished > now)) throw new Error("the certificate would have expired before it was issued");
    const ends = (await knownIssuers()).map(({ notAfter }) => notAfter.getTime());
    const end = Math.min(wished.getTime(), now.getTime() + MAX_LIFETIME_MS, ...ends);
    return new Date(Math.floor(end / 1000) * 1000);
  }

  async function sign(
    request: IssueRequest,
  ): Promise<{ readonly certificatePem: string; readonly chainPem: string[] }> {
    const purpose = purposeOf(request);
    const csr = certificateRequestPem(request.csr);
    const answer = await connection.ask({
      method: "POST",
      path: "/1.0/sign",
      body: () => ({ csr, ott: token("/1.0/sign", purpose), notAfter: request.notAfter.toISOString() }),
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    if (answer.status !== 201) throw refusalOf("sign", answer.status, connection);
    const { crt, certChain } = read(signedSchema, answer);
    try {
      const [certificatePem = "", ...chainPem] = [crt, ...certChain.slice(1)].map((text) =>
        certificateOf(text).toString(),
      );
      return { certificatePem, chainPem };
    } catch {
      throw answerInvalid("The certificate authority returned what is no certificate.");
    }
  }

  function purposeOf(request: IssueRequest): Omit<TokenPurpose, "audience"> {
    if (request.kind === "client") {
      const { grantId, subjectUserId } = request.identity;
      return { provisioner, subject: grantId, claims: { grantId, subjectUserId, ...boundTo(request.csr) } };
    }
    const { dnsNames, ipAddresses } = serverNames(request);
    const sans = [...dnsNames, ...ipAddresses];
    return { provisioner: listenerProvisioner, subject: sans[0] ?? "", claims: { sans, ...boundTo(request.csr) } };
  }

  async function fetchList(): Promise<PublishedRevocationList> {
    const trusted = await knownIssuers();
    const call = { method: "GET", path: "/1.0/crl", maxAnswerBytes: MAX_REVOCATION_LIST_BYTES } as const;
    const { status, body } = await connection.ask(call);
    if (status !== 200) throw refusalOf("crl", status, connection);
    let reason = "";
    for (const { pem: issuerPem } of trusted) {
      const reading = readCertificateRevocationList(body, { issuerPem, now: clock.now() });
      if (reading.kind !== "invalid") {
        const { number, thisUpdate, nextUpdate } = reading;
        return { der: body, issuerPem, number, thisUpdate, nextUpdate };
      }
      reason = reading.reason;
    }
    // Perhaps of an intermediate that is new.
    issuers = undefined;
    throw answerInvalid(`The certificate authority's CRL can't be used: ${reason}.`);
  }

  return {
    rootPem,

    async issue(wished) {
      const reading = await readSigningRequest(wished.csr);
      if (reading.kind === "malformed") {
        throw federationProblem("signing_request_invalid", { detail: `The signing request: ${reading.reason}.` });
      }
      if (wished.kind === "server") serverNames(wished);
      const request = { ...wished, notAfter: await latestEnd(wished.notAfter) };
      const returned = await sign(request);
      return checkReturned(returned, { request, spkiSha256: reading.spkiSha256, rootPem, now: clock.now() });
    },

    async revoke({ serial, reason }) {
      const decimal = BigInt(`0x${serial}`).toString();
      const { status, body } = await connection.ask({
        method: "POST",
        path: "/1.0/revoke",
        body: () => ({
          serial: decimal,
          ott: token("/1.0/revoke", { provisioner, subject: decimal }),
          reasonCode: REVOCATION_REASONS[reason],
          reason,
          passive: true,
        }),
        maxAnswerBytes: MAX_ANSWER_BYTES,
      });
      list = undefined;
      if (status !== 200 && !isRevokedAlready(status, body)) throw refusalOf("revoke", status, connection);
    },

    async crl() {
      const now = clock.now().getTime();
      if (list !== undefined && now < list.until) return list.published;
      const published = await fetchList();
      list = { published, until: now + LIST_HOLDS_MS };
      return published;
    },
  };
}

type IssuerReading =
  | { readonly kind: "issuer"; readonly issuer: CertificateIssuer }
  | { readonly kind: "unusable"; readonly reason: string };

function readIssuer(text: string, rootPem: string, now: Date): IssuerReading {
  const unusable = (reason: string): IssuerReading => ({ kind: "unusable", reason });
  try {
    const certificate = new X509Certificate(text);
    const chain = followChain(certificate, { chainPem: [], rootPem, now });
    if (chain.kind === "broken") return unusable(chain.reason);
    const notAfter = new Date(Math.min(Date.parse(certificate.validTo), chain.notAfter.getTime()));
    if (!certificate.ca) return unusable("it is no CA's");
    if (!(notAfter > now)) return unusable("it has expired");
    return { kind: "issuer", issuer: { pem: certificate.toString(), notAfter } };
  } catch {
    return unusable("it is not a certificate");
  }
}

/** step-ca says so by a 400, which it also says of a call that has no form: ours have one. */
function isRevokedAlready(status: number, body: Buffer): boolean {
  return status === 400 && body.toString("utf8").includes("already revoked");
}

function certificateRequestPem(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}
