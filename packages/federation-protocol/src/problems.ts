import { problemTable } from "@mosaicstack/foundation";

/**
 * Every code that can cross the wire between gateways. Both sides read this table: the serving side to answer, the
 * querying side to explain. docs/errors.md lists the same codes.
 */
export const federationProblem = problemTable({
  request_malformed: {
    status: 400,
    title: "The request does not have the form this protocol asks for.",
    remedy: "Correct the value at `path`; docs/federation/PROTOCOL.md has the form.",
  },
  scope_invalid: {
    status: 400,
    title: "The scope is not valid.",
    remedy: "Correct the value at `path`; `mosaic federation grant create --help` lists what a scope may hold.",
  },
  signing_request_invalid: {
    status: 400,
    title: "The certificate signing request cannot be used.",
    remedy:
      "Send a PKCS #10 request for a new P-256 key, signed with SHA-256, with an empty subject and no extensions.",
  },
  identity_invalid: {
    status: 401,
    title: "The client certificate does not name a grant and a subject as this protocol asks.",
    remedy: "Enroll again with a new invite.",
  },
  grant_unknown: {
    status: 403,
    title: "There is no grant that this certificate belongs to.",
    remedy: "Enroll again with a new invite.",
  },
  grant_inactive: {
    status: 403,
    title: "The grant is not active.",
    remedy: "Ask the serving gateway's administrator to activate it.",
  },
  grant_suspended: {
    status: 403,
    title: "The grant is suspended.",
    remedy: "Ask the serving gateway's administrator, who can see why, to resume it. Asking again does not help.",
  },
  grant_revoked: {
    status: 403,
    title: "The grant has been revoked.",
    remedy: "Remove the peer, or ask the serving gateway's administrator for a new grant.",
  },
  grant_expired: {
    status: 403,
    title: "The grant, or this certificate of it, has expired.",
    remedy: "Ask the serving gateway's administrator for a new invite.",
  },
  certificate_not_yet_valid: {
    status: 403,
    title: "By this gateway's clock the certificate is not valid yet.",
    remedy: "Compare the clocks of both gateways; once they are right, try again.",
  },
  certificate_superseded: {
    status: 403,
    title: "A newer certificate of the grant is in use; this one no longer is.",
    remedy: "Use the newer certificate. A gateway that has lost it needs a new invite.",
  },
  resource_not_in_scope: {
    status: 403,
    title: "The grant does not cover this resource.",
    remedy: "Ask for `capabilities` to see what the grant covers.",
  },
  row_not_found: {
    status: 404,
    title: "No such row within the grant.",
    remedy: "Check the id; list the resource to see what the grant covers.",
  },
  verb_unknown: {
    status: 404,
    title: "There is no such verb.",
    remedy: "The verbs are list, get, search and capabilities. A newer gateway may know more: update this one.",
  },
  grant_changed: {
    status: 409,
    title: "The grant was changed while its certificate was being signed; the certificate is void.",
    remedy: "Ask again, for a new key.",
  },
  enrollment_refused: {
    status: 410,
    title: "This invite cannot be used: it was used already, has expired, or was withdrawn.",
    remedy: "Ask for a new invite: `mosaic federation grant token <grant>` on the serving gateway.",
  },
  body_too_large: {
    status: 413,
    title: "The request body is larger than this gateway reads.",
    remedy: "Send less than 64 kB.",
  },
  response_too_large: {
    status: 413,
    title: "The answer is larger than this gateway sends.",
    remedy: "Ask for less: another row, or a smaller `limit`. The row can be read on the gateway it belongs to.",
  },
  media_type_unsupported: {
    status: 415,
    title: "The request body must be application/json.",
    remedy: "Set `content-type: application/json`.",
  },
  rate_limited: {
    status: 429,
    title: "Too many requests of this kind.",
    remedy: "Wait as many seconds as `retry-after` says, then try again.",
  },
  concurrency_limited: {
    status: 429,
    title: "Too many requests of this grant are under way.",
    remedy: "Wait for the answer of one before asking the next, or as many seconds as `retry-after` says.",
  },
  serving_failed: {
    status: 500,
    title: "The gateway failed to answer.",
    remedy: "Try again; if it stays, the serving gateway's log has the cause under `request_id`.",
  },
  database_busy: {
    status: 503,
    title: "The gateway's database is not answering.",
    remedy: "Try again in a moment.",
  },
  audit_backlogged: {
    status: 503,
    title: "The gateway cannot record requests now, and answers none that it cannot record.",
    remedy: "Try again in a moment; if it stays, the serving gateway's log says why its audit log is not written.",
  },
  authority_unavailable: {
    status: 503,
    title: "The gateway's certificate authority is not answering as it should.",
    remedy:
      "Try again later with the same key; a certificate there is stays good. The serving gateway's log has the cause.",
  },
});
