export { type Company, type Employee, EMPLOYEE_NAMES, startCompany } from "./company.ts";
export { dumpDatabase } from "./database-dump.ts";
export { openTestStore, testSnapshotFile } from "./embedded-database.ts";
export { type EmbeddingEndpoint, startEmbeddingEndpoint, vectorOf } from "./embedding-endpoint.ts";
export { enroll, type Enrolled, GENEROUS_LIMITS, type NewPeer } from "./enroll.ts";
export { type FaultMode, faultModes, type FaultName, type FaultyPeer, startFaultyPeer } from "./fault-modes.ts";
export {
  type GatewayOptions,
  type GatewayServices,
  type StepCaFiles,
  startGateway,
  type TestGateway,
  type TestUser,
} from "./gateway.ts";
export { type MovableClock, movableClock } from "./movable-clock.ts";
export { enrollRawPeer, type RawAnswer, type RawPeer } from "./raw-peer.ts";
export { listEverything, type WholeList } from "./list-everything.ts";
export { type Relay, type RelayMode, startRelay } from "./relay.ts";
export { type Answer, type Json, type Method, type RestClient } from "./rest-client.ts";
export { emptyList, jsonHeaders, LARGE_BYTES, largeAnswers, MEGABYTE } from "./scripted-peer/large-answers.ts";
export { answerJson, listen, type Listening, readBody } from "./scripted-peer/listening.ts";
export {
  type ClientCertificateWishes,
  createScriptedAuthority,
  type KeyAndCertificate,
  type RevocationListWishes,
  type ScriptedAuthority,
} from "./scripted-peer/scripted-authority.ts";
export { type ScriptedGrant } from "./scripted-peer/scripted-grant.ts";
export {
  type Misbehaviour,
  type ReceivedQuery,
  type ReceivedRenewal,
  type ScriptedPeer,
  type ScriptedPeerOptions,
  startScriptedPeer,
} from "./scripted-peer/scripted-peer.ts";
