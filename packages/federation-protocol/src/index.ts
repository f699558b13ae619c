export type {
  CapabilitiesAnswer,
  GetAnswer,
  ListAnswer,
  ListRead,
  LocalCapabilities,
  Positions,
  Reader,
  Source,
} from "./answers.ts";
export { type ChainReading, followChain, splitCertificates } from "./certificate-chain.ts";
export {
  type CertificateIdentity,
  fingerprintOf,
  GRANT_ID_OID,
  type IdentityReading,
  identitySubjectAltName,
  readCertificateIdentity,
  SUBJECT_USER_ID_OID,
  serialOf,
  spkiOf,
} from "./certificate-identity.ts";
export {
  type InvalidRevocationList,
  MAX_REVOCATION_LIST_BYTES,
  REVOCATION_LIST_PATH,
  readCertificateRevocationList,
  type RevocationList,
  type RevocationListReading,
} from "./certificate-revocation-list.ts";
export {
  createSigningRequest,
  KEY_ALGORITHM,
  type OwnSigningRequest,
  readSigningRequest,
  SIGNING_ALGORITHM,
  type SigningRequestReading,
  signingRequestFor,
} from "./certificate-signing-request.ts";
export {
  type EnrollmentResponse,
  enrollmentRequestSchema,
  enrollmentResponseSchema,
  formatInvite,
  hashToken,
  type Invite,
  type InviteReading,
  isLoopback,
  newToken,
  readInvite,
} from "./enrollment.ts";
export {
  checkIssuedCertificate,
  checkIssuedServerCertificate,
  type IssuedCertificateReading,
  type IssuedServerCertificateReading,
  type ReturnedCertificate,
} from "./issued-certificate.ts";
export { federationProblem } from "./problems.ts";
export { covers, MAX_ROWS, parseScope, type Scope, type ScopeJson, scopeInputSchema, scopeOf } from "./scope.ts";
export {
  isPeerName,
  peerSource,
  readSourceSelector,
  type SourceReport,
  type SourceSelector,
  type SourceStatus,
  sourceStatuses,
} from "./sources.ts";
export {
  type CapabilitiesResponse,
  capabilitiesRequestSchema,
  capabilitiesResponseSchema,
  type GetRequest,
  type GetResponse,
  getRequestSchema,
  getResponseSchema,
  type ListRequest,
  type ListResponse,
  listRequestSchema,
  listResponseSchema,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
  PROTOCOL_VERSION,
  parseRequest,
  problemResponseSchema,
  type Row,
  type Verb,
  verbPath,
  verbs,
} from "./verbs.ts";
export {
  MOST_LATE_RENEWALS,
  RENEWAL_GRACE_MS,
  RENEWAL_PATH,
  renewalRequestSchema,
  type RenewalResponse,
  renewalResponseSchema,
  type RenewalWindow,
  renewalWindow,
  renewalWindowSchema,
} from "./renewal.ts";
