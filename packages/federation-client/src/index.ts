export { createBlendedReader } from "./blended-reader.ts";
export { createPeers, type Peer, type Peers } from "./peers.ts";
export { peerProblem } from "./problems.ts";
