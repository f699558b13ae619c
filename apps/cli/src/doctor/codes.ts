import { problemTable } from "@mosaicstack/foundation";

/**
 * Faults that the doctor itself finds; docs/guides/doctor.md lists them. Those it meets on the way (a database that refuses
 * the password, say) keep the code of the package they come from: {@link passedOn}.
 */
export const doctorFault = problemTable({
  check_timeout: {
    status: 504,
    title: "A check did not end in time.",
    remedy: "Run it again; if it stays, what the check asks hangs: look at that service and the network between.",
  },
  tls_unusable: {
    status: 500,
    title: "The certificate or the key of `http.tls` can't be used: missing, unreadable, not PEM, or not a pair.",
    remedy: "Name a PEM certificate and its own PEM key, without a passphrase, both readable by the gateway's user.",
  },
  certificate_expired: {
    status: 502,
    title: "A server certificate has ended.",
    remedy: "Renew it. The gateway renews its own by itself; where it does not, look at its log.",
  },
  certificate_early: {
    status: 502,
    title: "A certificate is not valid yet.",
    remedy: "Set this machine's clock right (NTP), or wait until the certificate begins.",
  },
  authority_expired: {
    status: 502,
    title: "The root certificate of this gateway's certificate authority has ended: no peer trusts it any more.",
    remedy: "Make a new authority, and invite every peer anew.",
  },
  authority_root_differs: {
    status: 502,
    title: "The step-ca that answers is not of the root certificate that is configured.",
    remedy:
      "Set certificateAuthority.rootFile to the root_ca.crt of that step-ca's folder `gateway`, or correct certificateAuthority.url. Where step-ca was made anew, every peer has to be invited anew.",
  },
  provisioner_missing: {
    status: 502,
    title: "step-ca has no provisioner of the name that the gateway asks by.",
    remedy: "Compare the provisioners of its ca.json with those in deploy/step-ca, then restart step-ca.",
  },
  provisioner_key_differs: {
    status: 502,
    title: "step-ca knows the gateway's provisioner by another key than the gateway has.",
    remedy:
      "Set STEP_CA_PROVISIONER_KEY_FILE to the provisioner_key.jwe that was made together with that step-ca's ca.json.",
  },
  data_directory_unusable: {
    status: 503,
    title: "The data directory is no folder, or may not be written to.",
    remedy: "Check that dataDirectory is a folder and that the gateway's user may write to it.",
  },
  data_directory_locked: {
    status: 503,
    title: "A running process has the data directory open, and the gateway does not answer.",
    remedy: "Stop that process if it hangs, or give the gateway's address with --url if it listens elsewhere.",
  },
  secret_lost: {
    status: 500,
    title: "The data directory has a database, and the secret generated for it is gone.",
    remedy:
      "Restore <dataDirectory>/secrets/auth-secret from a backup: what was sealed with it can't be opened without it.",
  },
  disk_full: {
    status: 503,
    title: "Less than 100 MiB are free where the data is kept.",
    remedy: "Free space on that disk.",
  },
  seal_key_differs: {
    status: 500,
    title: "The database has values sealed with another key than the one configured: they can't be opened.",
    remedy: "Set MOSAIC_SEAL_KEY (or BETTER_AUTH_SECRET, where that is not set) to what it was when they were sealed.",
  },
  port_in_use: {
    status: 409,
    title: "Another program has the port that the gateway is to listen on.",
    remedy: "Stop that program, or set another port.",
  },
  port_forbidden: {
    status: 403,
    title: "This user may not listen on the port.",
    remedy: "Set a port above 1023, or let the gateway's user bind lower ones.",
  },
  address_unavailable: {
    status: 500,
    title: "The address to listen on is not this machine's.",
    remedy: "Set the host to an address of this machine, or to 0.0.0.0 for all of them.",
  },
  public_url_unreachable: {
    status: 503,
    title: "The gateway answers at its own address, and not at `http.publicUrl`.",
    remedy: "Look at what stands between (proxy, firewall, DNS), or correct http.publicUrl.",
  },
  peer_certificate_expired: {
    status: 403,
    title: "The certificate for a peer has ended.",
    remedy:
      "Ask its admin for a new invite (`mosaic federation grant token <grant>` there), remove the peer, and add it again.",
  },
});

/** What works and should be looked at. */
export const doctorWarnings = {
  config_warning: {
    title: "A setting is deprecated, or has no effect.",
    remedy: "Correct the setting.",
  },
  key_file_exposed: {
    title: "Every user of this machine can read the private key of `http.tls`.",
    remedy: "Run chmod 640 on it, or 600.",
  },
  certificate_ending: {
    title: "A server certificate is in the last third of its life, and ends within 30 days.",
    remedy: "Renew it. The gateway renews its own by itself; where it does not, look at its log.",
  },
  certificate_name_differs: {
    title: "The certificate of `http.tls` does not have the name of `http.publicUrl`.",
    remedy: "Get a certificate for that name, or correct http.publicUrl.",
  },
  authority_ending: {
    title: "The root certificate of this gateway's certificate authority ends within 30 days.",
    remedy: "Plan a new authority: every peer has to be invited anew.",
  },
  provisioner_renews: {
    title: "step-ca renews peers' certificates by itself: nobody asks whether the grant still stands.",
    remedy: "Set `disableRenewal` in the provisioner's claims, as deploy/step-ca does, then restart step-ca.",
  },
  disk_low: {
    title: "Less than 1 GiB is free where the data is kept.",
    remedy: "Free space on that disk.",
  },
  database_empty: {
    title: "The database has none of the tables yet.",
    remedy:
      "Start the gateway: the first start makes them. If it has run before, check database.name: this is another database.",
  },
  database_behind: {
    title: "The database lacks migrations of this version.",
    remedy: "Back the database up, then start the gateway of this version: the start applies them.",
  },
  database_superuser: {
    title: "The gateway's database role is a superuser: row-level security does not hold for it.",
    remedy: "Run the gateway as a role of its own; deploy/postgresql/create-roles.sh makes it.",
  },
  database_bypasses_row_security: {
    title: "The gateway's database role has BYPASSRLS: row-level security does not hold for it.",
    remedy: "Have a superuser run ALTER ROLE … NOBYPASSRLS, or use the role of deploy/postgresql/create-roles.sh.",
  },
  database_clock_skew: {
    title: "PostgreSQL's clock and this machine's differ by more than five seconds.",
    remedy: "Set both clocks right (NTP): ends of grants and certificates are judged by them.",
  },
  valkey_evicts: {
    title: "Valkey's maxmemory-policy is not noeviction: when it is full it forgets jobs.",
    remedy: "Set maxmemory-policy noeviction in Valkey's configuration.",
  },
  clock_skew: {
    title: "The gateway's clock and this machine's differ by more than a minute.",
    remedy: "Set both clocks right (NTP): certificates are judged by them.",
  },
  version_differs: {
    title: "The gateway speaks another version of the API than this command.",
    remedy: "Update the older of the two.",
  },
  coordination_degraded: {
    title: "The gateway serves without Valkey: jobs and messages between replicas wait for it.",
    remedy: "Bring Valkey back; the gateway connects by itself.",
  },
  audit_degraded: {
    title: "The audit log can't be written, or has no room: requests of peers are refused once it is full.",
    remedy: "Look at the gateway's log and at the database; what waits is written once it can be.",
  },
  federation_listener_unreachable: {
    title: "The listener for peers does not answer from here, so peers may not reach this gateway.",
    remedy: "Look at federation.publicUrl, the firewall, and what forwards the port. A proxy must pass TLS through.",
  },
  peer_not_confirmed: {
    title: "The enrollment at a peer was not finished: it is not asked.",
    remedy: "Run `mosaic federation peer add` again with the same invite.",
  },
  peer_degraded: {
    title: "The certificate for a peer can't be renewed; it is good until it ends.",
    remedy: "Run mosaic federation status: it says why, until when, and what helps.",
  },
  peer_moved: {
    title: "A peer says that it has moved, and cannot be reached where it says it is.",
    remedy: "Ask its admin to check federation.publicUrl. It is read at its previous address meanwhile.",
  },
  peer_certificate_ending: {
    title: "The certificate for a peer ends in less than a day.",
    remedy: "Ask its admin for a new invite: `mosaic federation grant token <grant>` there.",
  },
  grant_certificate_ending: {
    title: "A grant is active, and its peer's certificate ends in less than a day.",
    remedy: "Send its user a new invite: mosaic federation grant token <grant>",
  },
  grant_certificate_expired: {
    title: "A grant is active, and its peer's certificate has ended: the peer can't read any more.",
    remedy:
      "Send its user a new invite: mosaic federation grant token <grant>. Or end it: mosaic federation grant revoke <grant>",
  },
} as const;

/** A code of something that does not work. */
export type FaultCode = keyof typeof doctorFault.table;
/** A code of something to be looked at. */
export type WarningCode = keyof typeof doctorWarnings;

/** Codes of other packages that are likely to be met here; docs/errors.md has their causes and remedies. */
export const passedOn: readonly string[] = [
  "config_invalid",
  "secret_missing",
  "secret_file_exposed",
  "secret_file_damaged",
  "secret_conflict",
  "database_unreachable",
  "database_forbidden",
  "database_outdated",
  "database_newer",
  "vector_unavailable",
  "peer_reader_unavailable",
  "trigrams_unavailable",
  "valkey_unreachable",
  "valkey_unusable",
  "ca_unreachable",
  "ca_refused",
  "ca_answer_invalid",
  "ca_key_unusable",
  "gateway_unreachable",
  "gateway_untrusted",
  "gateway_timeout",
  "answer_unreadable",
  "database_unavailable",
  "credential_refused",
  "peer_unreachable",
  "peer_expired",
  "peer_revoked",
  "peer_denied",
  "peer_incompatible",
  "peer_rate_limited",
];
