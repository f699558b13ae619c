export { accounts, apiKeys, sessions, users, verifications } from "./auth.ts";
export {
  auditSide,
  certificateAuthorities,
  federationAuditChain,
  federationAuditLog,
  federationCertificates,
  federationEnrollmentTokens,
  federationGrants,
  federationGrantScopes,
  federationPeers,
  federationRevocations,
  federationServerCertificates,
  grantStatus,
  peerState,
  tokenStatus,
} from "./federation.ts";
export { credentials, idempotencyKeys, memories, notes, tasks, taskStatus } from "./resources.ts";
export { searchWords } from "./search-words.ts";
export { teamMembers, teamRole, teams } from "./teams.ts";
