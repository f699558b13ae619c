export { createEmbeddedAuthority, type EmbeddedAuthorityMaterial, openEmbeddedAuthority } from "./embedded.ts";
export type {
  CertificateAuthority,
  IssuedCertificate,
  IssueRequest,
  PublishedRevocationList,
  Revocation,
  RevocationReason,
} from "./port.ts";
export { revocationReasonOf } from "./port.ts";
export type { RevokedSerials } from "./revocation-list-cache.ts";
export type { RevokedSerial } from "./revocation-list.ts";
export { probeProvisioners, type ProvisionerFinding } from "./step-ca/probe-provisioners.ts";
export { probeStepCa, type StepCaFindings } from "./step-ca/probe-step-ca.ts";
export { openStepCaAuthority, type StepCaOptions } from "./step-ca/step-ca-authority.ts";
