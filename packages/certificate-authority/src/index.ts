export { createEmbeddedAuthority, type EmbeddedAuthorityMaterial, openEmbeddedAuthority } from "./embedded.ts";
export type { CertificateAuthority, IssuedCertificate, IssueRequest } from "./port.ts";
