export { createBlendedReader } from "./blended-reader.ts";
export type { CheckedInvite } from "./check-invite.ts";
export type { Peer, PeerAlert } from "./peer.ts";
export { createPeers, type Peers } from "./peers.ts";
export { peerProblem } from "./problems.ts";
export type { RenewalRun } from "./renew-due-peers.ts";
export type { Random } from "./renewal-schedule.ts";
