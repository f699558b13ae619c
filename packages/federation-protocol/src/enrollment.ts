import { createHash, randomBytes } from "node:crypto";
import { isId } from "@mosaicstack/foundation";
import { z } from "zod";
import { MAX_GENERATION, renewalWindowSchema } from "./renewal.ts";
import { PROTOCOL_VERSION } from "./verbs.ts";

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const FINGERPRINT = /^[0-9a-f]{64}$/;

/** An enrollment URL with its single-use token and the pin of the serving gateway's CA. */
export interface Invite {
  /** Where the token is redeemed, without the fragment. */
  readonly enrollUrl: string;
  readonly token: string;
  /** SHA-256 of the root certificate, hex. */
  readonly caFingerprint: string;
}

/** A new enrollment token: 256 random bits, base64url. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a token. Unsalted is enough: a token has 256 random bits. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** The invite as one URL. Token and pin stand in the fragment, which no client sends to a server. */
export function formatInvite({ enrollUrl, token, caFingerprint }: Invite): string {
  return `${enrollUrl}#token=${token}&ca=${caFingerprint}`;
}

export type InviteReading =
  | { readonly kind: "invite"; readonly invite: Invite }
  | { readonly kind: "malformed"; readonly reason: string };

/** Loopback hosts, where plain HTTP does not leave the machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Reads an invite URL. The reason of a refusal never repeats the token. */
export function readInvite(text: string): InviteReading {
  const malformed = (reason: string): InviteReading => ({ kind: "malformed", reason });
  if (text.length > 2048 || !URL.canParse(text)) return malformed("it is not a URL");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return malformed("it has a user name or password in it");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    return malformed("it must start with https:// (http:// is for this machine's own addresses only)");
  }
  const fragment = new URLSearchParams(url.hash.slice(1));
  const tokens = fragment.getAll("token");
  const pins = fragment.getAll("ca");
  const [token] = tokens;
  const [caFingerprint] = pins;
  if (tokens.length !== 1 || token === undefined || !TOKEN.test(token)) {
    return malformed("its token is missing or cut short; copy the whole line, and quote it in a shell");
  }
  if (pins.length !== 1 || caFingerprint === undefined || !FINGERPRINT.test(caFingerprint)) {
    return malformed("the fingerprint of the CA is missing or cut short; copy the whole line, and quote it in a shell");
  }
  // It is posted to, on somebody's word: no other address of a machine can be named by it.
  if (!url.pathname.endsWith("/enroll") || url.search !== "") {
    return malformed("it is not an enrollment link, which ends in /enroll before the #");
  }
  url.hash = "";
  return { kind: "invite", invite: { enrollUrl: url.href, token, caFingerprint } };
}

export const enrollmentRequestSchema = z.strictObject({
  protocol: z.literal(PROTOCOL_VERSION),
  token: z.string().regex(TOKEN, "is not an enrollment token"),
  csr: z.string().max(8192),
});

/** The certificate and all that the querying side needs to use it. */
export const enrollmentResponseSchema = z.object({
  certificate: z.string().max(16_384),
  /** What stands between the certificate and the root, nearest first. To be presented with it. */
  chain: z.array(z.string().max(16_384)).max(3),
  root: z.string().max(16_384),
  /** Where the serving gateway answers peers: `https://host:port`. */
  endpoint: z.string().max(512),
  /** Which certificate of the grant it is: each that follows, by renewal or by another invite, is one more. */
  generation: z.int().min(1).max(MAX_GENERATION),
  renew: renewalWindowSchema,
  /** Where the serving gateway publishes its CRL: what a peer reads when it is refused without a word. */
  crl_url: z.string().max(512),
  grant: z.object({
    id: z.string().refine(isId),
    name: z.string().max(200),
    subject_user_id: z.string().refine(isId),
    expires_at: z.string().nullable(),
  }),
});
export type EnrollmentResponse = z.infer<typeof enrollmentResponseSchema>;
