export { openStoredAuthority } from "./authority-store.ts";
export { createEnrollment, type Enrollment } from "./enrollment.ts";
export { type Actor, createGrants, type Grant, type Grants, type GrantStatus, type IssuedInvite } from "./grants.ts";
export { createListener, type Listener, type ServingRecord, toProblem } from "./listener.ts";
export { createLiveSockets, type LiveSockets } from "./live-sockets.ts";
export { grantProblem } from "./problems.ts";
export { issueServerCertificate, type ServerCertificate } from "./server-certificate.ts";
