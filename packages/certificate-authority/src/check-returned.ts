import {
  checkIssuedCertificate,
  checkIssuedServerCertificate,
  type ReturnedCertificate,
} from "@mosaicstack/federation-protocol";
import type { IssuedCertificate, IssueRequest } from "./port.ts";
import { problem } from "./problems.ts";
import { serverNames } from "./server-names.ts";

/**
 * What an authority that is another program returned, once it says exactly what was asked for: the step before anyone gets it.
 *
 * @throws Problem `ca_answer_invalid`
 */
export function checkReturned(
  returned: ReturnedCertificate,
  asked: { readonly request: IssueRequest; readonly spkiSha256: string; readonly rootPem: string; readonly now: Date },
): IssuedCertificate {
  const { request, spkiSha256, rootPem, now } = asked;
  const expected = { rootPem, spkiSha256, now, notAfter: request.notAfter };
  const reading =
    request.kind === "client"
      ? checkIssuedCertificate(returned, { ...expected, identity: request.identity })
      : checkIssuedServerCertificate(returned, { ...expected, ...serverNames(request) });
  if (reading.kind === "bad") {
    throw problem("ca_answer_invalid", {
      detail: `The certificate authority returned an unusable certificate: ${reading.reason}.`,
    });
  }
  const { certificatePem, chainPem } = returned;
  return { certificatePem, chainPem, serial: reading.serial, notAfter: reading.notAfter };
}
