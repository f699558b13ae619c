export { openStoredAuthority } from "./authority-store.ts";
export { type Certificates, createCertificates } from "./certificates.ts";
export { createEnrollmentLimits, type EnrollmentLimits } from "./enrollment-limits.ts";
export { createEnrollment, type Enrollment, type RequestOrigin } from "./enrollment.ts";
export { createCrlCopy, type CrlCopy, type SignedList } from "./crl-copy.ts";
export {
  createCrlPublication,
  type CrlAlarm,
  type CrlPublication,
  type CrlStatus,
  type PublishedCrl,
} from "./crl-publication.ts";
export { createGrantExpiry, EXPIRE_GRANTS_MS, type GrantExpiry } from "./expiry.ts";
export { GRANT_LIMITS } from "./grant-input.ts";
export type { GrantPreview, ResourcePreview } from "./grant-preview.ts";
export { createLastUses, type LastUses } from "./grant-last-uses.ts";
export type { Actor, Grant, GrantCertificate, GrantStatus, ScopeChange } from "./grant-reading.ts";
export { serialOfGrant } from "./grant-serial.ts";
export { createGrantWatch, type GrantWatch } from "./grant-watch.ts";
export { createGrants, type Grants, type IssuedInvite, type RevocationPreview } from "./grants.ts";
export { createListener, type Listener } from "./listener.ts";
export { createLiveSockets, type LiveSockets } from "./live-sockets.ts";
export { grantProblem } from "./problems.ts";
export { createRenewal, type Renewal, type RenewalOutcome } from "./renewal.ts";
export { createRevocationOutbox, type RevocationOutbox, TELL_AUTHORITY_MS, type Telling } from "./revocation-outbox.ts";
export {
  createRevocationReconciliation,
  RECONCILE_MS,
  type Reconciliation,
  type RevocationReconciliation,
} from "./revocation-reconciliation.ts";
export { createGrantAnnouncer, GRANT_CHANGED, type GrantAnnouncer } from "./revocation.ts";
export { revokedSerialsOf } from "./revoked-serials.ts";
export { openServerCertificateKeeper, type ServerCertificateKeeper } from "./server-certificate-keeper.ts";
export { createServingAudit, type ServingAudit } from "./serving-audit.ts";
export { auditEntryOf, type ServingRecord } from "./serving-record.ts";
export { isServerCertificateDue, issueServerCertificate, type ServerCertificate } from "./server-certificate.ts";
export { toProblem } from "./to-problem.ts";
