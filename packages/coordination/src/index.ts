export type { Coordination, CoordinationState, OnFault, ScheduledJob } from "./coordination.ts";
export { createInProcessCoordination } from "./in-process.ts";
export { createInProcessLimits } from "./in-process-limits.ts";
export { problem as coordinationProblem } from "./problems.ts";
export { connectValkey, probeValkey, type ValkeyOptions } from "./connect-valkey.ts";
export type { ValkeyAddress } from "./valkey/address.ts";
export type { ValkeyFindings } from "./valkey/probe.ts";
export { burstOf, type RateLimit, type RateLimits, type Take } from "./rate-limits.ts";
