import { problemTable } from "@mosaicstack/foundation";

/** What an authority that is another program fails with. Neither detail nor cause ever holds a key, a token or a password. */
export const problem = problemTable({
  ca_unreachable: {
    status: 503,
    title: "The certificate authority can't be reached.",
    remedy: "Check that step-ca runs, and that its URL and root certificate are right.",
  },
  ca_refused: {
    status: 502,
    title: "The certificate authority refused.",
    remedy: "step-ca tells the cause to nobody but its own log: look there.",
  },
  ca_answer_invalid: {
    status: 502,
    title: "The certificate authority's answer can't be used.",
    remedy: "Compare step-ca's configuration and templates with those in deploy/step-ca, then restart it.",
  },
  ca_key_unusable: {
    status: 500,
    title: "The key by which certificates are asked for can't be used.",
    remedy:
      "Give the private JWK (P-256) of step-ca's provisioner, or the encrypted key (JWE) together with its password.",
  },
});
