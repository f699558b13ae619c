import { problemTable } from "@mosaicstack/foundation";

/** Refusals of grant administration and of the published CRL. What peers are answered is in the protocol's table. docs/errors.md lists both. */
export const grantProblem = problemTable({
  grant_not_found: {
    status: 404,
    title: "No such grant, or none that you may see.",
    remedy: "List the grants to see those over your data; an administrator sees all.",
  },
  grant_input_invalid: {
    status: 400,
    title: "The grant cannot be made like this.",
    remedy: "Correct the value at `path` and try again.",
  },
  grant_subject_unknown: {
    status: 404,
    title: "There is no user to be the grant's subject.",
    remedy: "Name the subject by e-mail, name or id; list the users to see them.",
  },
  grant_transition_refused: {
    status: 409,
    title: "The grant's state does not allow this.",
    remedy: "Show the grant to see its state; a revoked or expired grant needs a new one.",
  },
  crl_unavailable: {
    status: 503,
    title: "The certificate revocation list can't be had now.",
    remedy:
      "Try again in some seconds; if it stays, check the gateway's log for what is wrong with its certificate authority.",
  },
});
