import { problemTable } from "@mosaicstack/foundation";

/** What this process itself refuses or fails with; its packages have their own tables. docs/errors.md lists them all. */
export const gatewayProblem = problemTable({
  json_malformed: {
    status: 400,
    title: "The request body is not valid JSON.",
    remedy: "Send one JSON document in UTF-8.",
  },
  request_malformed: {
    status: 400,
    title: "The request is not valid HTTP.",
    remedy: "Correct the request line and the headers.",
  },
  cursor_invalid: {
    status: 400,
    title: "The cursor is not one this gateway made.",
    remedy: "Send `next_cursor` of the page before unchanged, or leave `cursor` out to start from the newest row.",
  },
  unauthenticated: {
    status: 401,
    title: "This needs an API key or a signed-in session.",
    remedy: "Send `Authorization: Bearer <API key>`; `mosaic login` or an administrator gives you one.",
  },
  credential_refused: {
    status: 401,
    title: "The API key or session is not valid: mistyped, expired or withdrawn.",
    remedy: "Check that the whole key was copied, or make a new one.",
  },
  sign_in_refused: {
    status: 401,
    title: "The e-mail address and the password do not belong together.",
    remedy: "Check both; an administrator can set a new password.",
  },
  not_admin: {
    status: 403,
    title: "Only an administrator may do this.",
    remedy: "Ask an administrator.",
  },
  not_team_owner: {
    status: 403,
    title: "Only an owner of the team, or an administrator, may do this.",
    remedy: "Ask an owner of the team; its members list says who they are.",
  },
  not_your_row: {
    status: 403,
    title: "Only an administrator may import rows for somebody else.",
    remedy: "Leave `owner` out to import rows of your own, or ask an administrator.",
  },
  origin_refused: {
    status: 403,
    title: "The request comes from a page of another site.",
    remedy: "Send it from this gateway's own address, or with an API key instead of a cookie.",
  },
  setup_code_wrong: {
    status: 403,
    title: "The setup code is not the one this gateway printed at its last start.",
    remedy: "Copy the code from the newest start's output, or restart the gateway to get a new one.",
  },
  audit_verification_running: {
    status: 409,
    title: "The audit log is being verified already.",
    remedy: "Wait until it is done, then ask again.",
  },
  route_unknown: {
    status: 404,
    title: "There is nothing at this address.",
    remedy: "Check the path; /openapi.json lists every address.",
  },
  unknown_user: {
    status: 404,
    title: "No such user.",
    remedy: "Check the id, name or e-mail address.",
  },
  unknown_api_key: {
    status: 404,
    title: "You have no API key of that id.",
    remedy: "List your API keys to see their ids.",
  },
  unknown_source: {
    status: 404,
    title: "There is no source of that name for you.",
    remedy: "Use `local` or `all`; GET /api/v1/capabilities?source=all lists the sources you have.",
  },
  method_not_allowed: {
    status: 405,
    title: "This address does not take that method.",
    remedy: "Use one of the methods the `allow` header lists.",
  },
  request_timeout: {
    status: 408,
    title: "The request did not arrive in time.",
    remedy: "Send it again, all of it at once.",
  },
  ambiguous_user: {
    status: 409,
    title: "More than one user has this name.",
    remedy: "Use the e-mail address instead.",
  },
  email_taken: {
    status: 409,
    title: "Another user has this e-mail address.",
    remedy: "Use another address, or edit the user who has it.",
  },
  team_name_taken: {
    status: 409,
    title: "Another team has this name.",
    remedy: "Choose another name.",
  },
  team_not_empty: {
    status: 409,
    title: "The team still has rows.",
    remedy: "Delete the team's rows first.",
  },
  last_admin: {
    status: 409,
    title: "This is the last administrator.",
    remedy: "Make somebody else an administrator first.",
  },
  last_team_owner: {
    status: 409,
    title: "This is the team's last owner.",
    remedy: "Make another member an owner first.",
  },
  too_many_api_keys: {
    status: 409,
    title: "You have as many API keys as one user may have.",
    remedy: "Delete one that is not used any more.",
  },
  setup_done: {
    status: 410,
    title: "This gateway already has its administrator.",
    remedy: "Sign in, or ask the administrator for an account.",
  },
  body_too_large: {
    status: 413,
    title: "The request body is larger than this gateway reads.",
    remedy: "Send less at a time; the setting http.maxBodyBytes is the limit.",
  },
  media_type_unsupported: {
    status: 415,
    title: "The request body must be application/json.",
    remedy: "Set `content-type: application/json`.",
  },
  rate_limited: {
    status: 429,
    title: "Too many attempts.",
    remedy: "Wait as long as `retry-after` says, in seconds.",
  },
  headers_too_large: {
    status: 431,
    title: "The request's headers are larger than this gateway reads.",
    remedy: "Send less than 16 kB of headers.",
  },
  internal: {
    status: 500,
    title: "The gateway failed to answer.",
    remedy: "Try again; if it stays, the gateway's log has the cause under `request_id`.",
  },
  listener_failed: {
    status: 500,
    title: "The listener cannot be opened.",
    remedy: "Choose another port or address, or stop what uses it.",
  },
  tls_unusable: {
    status: 500,
    title: "The listener's certificate and key cannot be used.",
    remedy: "Check that both files exist, are PEM, belong together, and can be read by this user.",
  },
  services_unavailable: {
    status: 503,
    title: "Services that this tier needs are not available.",
    remedy: 'Correct each one listed and start again. `"embedded": true` runs the tier without them, in one process.',
  },
  database_unavailable: {
    status: 503,
    title: "The gateway's database is not answering.",
    remedy: "Try again in a moment.",
  },
});
