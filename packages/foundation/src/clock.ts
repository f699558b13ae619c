/** The one source of "now": injected, so that expiry and renewal can be tested without waiting. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
