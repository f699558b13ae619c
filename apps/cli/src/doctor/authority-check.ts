import { X509Certificate } from "node:crypto";
import { certificateTime, lifeOf } from "./certificate-life.ts";
import { type Check, fault, ok, skipped, warning } from "./check.ts";

const NAME = "certificate authority";

/** Looks at the root certificate of this gateway's own authority. Its key is nobody's business here. */
export function judgeAuthority(root: X509Certificate, now: Date): Check {
  const end = certificateTime(root.validTo);
  const who = root.subject.replaceAll("\n", ", ").replace(/^CN=/u, "");
  switch (lifeOf(root, now)) {
    case "early":
      return fault(NAME, "certificate_early", `The root certificate of ${who} is not valid yet.`);
    case "expired":
      return fault(NAME, "authority_expired", `The root certificate of ${who} ended ${end} UTC.`);
    case "ending":
      return warning(NAME, "authority_ending", `The root certificate of ${who} ends ${end} UTC.`);
    case "good":
      return ok(NAME, `${who}, valid until ${end}`);
  }
}

/** @param pem of the database; undefined: it has none yet */
export function checkStoredAuthority(pem: string | undefined, now: Date): Check {
  return pem === undefined
    ? skipped(NAME, "there is none yet; the first start makes it")
    : judgeAuthority(new X509Certificate(pem), now);
}
