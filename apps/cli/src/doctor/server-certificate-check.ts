import type { X509Certificate } from "node:crypto";
import type { Host } from "../host.ts";
import { LIMIT_MS } from "./bounded.ts";
import { certificateTime, lifeOf } from "./certificate-life.ts";
import { type Check, fault, ok, warning } from "./check.ts";
import { presentedAt } from "./tls-handshake.ts";

/** @param where it was seen: a file, or a listener's address */
export function judgeServerCertificate(name: string, certificate: X509Certificate, now: Date, where: string): Check {
  const [begin, end] = [certificateTime(certificate.validFrom), certificateTime(certificate.validTo)];
  switch (lifeOf(certificate, now)) {
    case "early":
      return fault(name, "certificate_early", `The certificate at ${where} is valid from ${begin} UTC only.`);
    case "expired":
      return fault(name, "certificate_expired", `The certificate at ${where} ended ${end} UTC.`);
    case "ending":
      return warning(name, "certificate_ending", `The certificate at ${where} ends ${end} UTC.`);
    case "good":
      return ok(name, `${where}, valid until ${end}`);
  }
}

/** The certificate of the listener for people, as it presents it. */
export async function checkPeopleCertificate({ clock }: Host, url: string): Promise<readonly Check[]> {
  if (!url.startsWith("https:")) return [];
  const presented = await presentedAt(url, LIMIT_MS);
  // That it does not answer has been said.
  if (typeof presented === "string") return [];
  return [judgeServerCertificate("certificate", presented.certificate, clock.now(), url)];
}

/** What the listener for peers showed. */
export interface FederationListenerFindings {
  readonly checks: readonly Check[];
  /** The root of this gateway's authority, which the listener sends along. */
  readonly root: X509Certificate | undefined;
}

/** The listener for peers: whether it answers, and its certificate. */
export async function checkFederationListener({ clock }: Host, url: string): Promise<FederationListenerFindings> {
  const presented = await presentedAt(url, LIMIT_MS);
  if (typeof presented === "string") {
    const detail = `The listener for peers at ${url} does not answer (${presented}).`;
    return { checks: [warning("federation listener", "federation_listener_unreachable", detail)], root: undefined };
  }
  const { certificate, root } = presented;
  return { checks: [judgeServerCertificate("federation listener", certificate, clock.now(), url)], root };
}
