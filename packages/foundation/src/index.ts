export { type Clock, systemClock } from "./clock.ts";
export { isId, LAST_ID, newId } from "./ids.ts";
export { Problem, type ProblemDefinition, type ProblemDetails, type ProblemOptions, problemTable } from "./problem.ts";
export { redact } from "./redaction.ts";
