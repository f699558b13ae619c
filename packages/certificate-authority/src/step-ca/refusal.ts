import type { Problem } from "@mosaicstack/foundation";
import type { StepCaConnection } from "./step-ca-connection.ts";

/** What was asked of step-ca. */
export type StepCaOperation = "sign" | "revoke" | "crl" | "intermediates" | "provisioners" | "health";

const ASKED: Readonly<Record<StepCaOperation, string>> = {
  sign: "to sign a certificate",
  revoke: "to revoke a certificate",
  crl: "for its CRL",
  intermediates: "for its intermediates",
  provisioners: "for its provisioners",
  health: "for its health",
};
const LOG = "step-ca tells the cause to nobody but its own log: look there.";

/** A refusal of step-ca, as far as its status tells: what it says is deliberately blank. */
export function refusalOf(operation: StepCaOperation, status: number, connection: StepCaConnection): Problem {
  const asked = `It was asked ${ASKED[operation]}`;
  const refused = (detail: string, remedy: string) =>
    connection.problem("ca_refused", `status ${status}`, {
      detail: `The certificate authority ${detail}`,
      remedy: `${remedy} ${LOG}`,
    });
  if (status === 401) {
    return refused(
      `does not accept this gateway's token (401). ${asked}.`,
      "Check that the provisioner's name and key are the ones in its ca.json, that its dnsNames hold the host of its URL, and that both clocks are right.",
    );
  }
  // A template that fails is a 400.
  if (status === 403 || (status === 400 && operation === "sign")) {
    return refused(
      `accepts this gateway's token, and forbids what it asks for (${status}). ${asked}.`,
      "Compare its template, its policy and the durations of its provisioner with those in deploy/step-ca.",
    );
  }
  if (status === 404 || status === 501) {
    return refused(
      `does not offer this (${status}). ${asked}.`,
      "Check that its ca.json has a database and enables the CRL, and that it is v0.29.0 or newer.",
    );
  }
  if (status >= 500) return refused(`failed (${status}). ${asked}.`, "Check its disk and its template.");
  return refused(`refused (${status}). ${asked}.`, "Check its version and configuration.");
}
