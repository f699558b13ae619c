import { describe, expect, test } from "vitest";
import {
  parseRequest,
  RENEWAL_PATH,
  renewalRequestSchema,
  type RenewalResponse,
  renewalResponseSchema,
  renewalWindow,
} from "../src/index.ts";
import { problemOf } from "./refusal.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test("the address holds the version", () => {
  expect(RENEWAL_PATH).toBe("/federation/v1/renew");
});

test.each([
  ["90 days", 90 * DAY_MS, HOUR_MS],
  ["6 days", 6 * DAY_MS, HOUR_MS],
  ["a day", DAY_MS, HOUR_MS],
  ["12 hours, since its grant ends then", 12 * HOUR_MS, HOUR_MS / 2],
])(
  "the window of %s is from half to two thirds of them, less the pause between two attempts",
  (_life, lifeMs, pauseMs) => {
    const start = Date.UTC(2026, 0, 1);
    expect(renewalWindow(new Date(start), new Date(start + lifeMs))).toEqual({
      from: new Date(start + lifeMs / 2),
      until: new Date(start + (lifeMs * 2) / 3 - pauseMs),
    });
  },
);

describe("a request", () => {
  test("holds a signing request and nothing else", () => {
    expect(parseRequest(renewalRequestSchema, { csr: "x" })).toEqual({ csr: "x" });
  });

  test.each([
    ["nothing", undefined],
    ["no signing request", {}],
    ["a token", { csr: "x", token: "y" }],
    ["a number", { csr: 7 }],
    ["more than 8 kB", { csr: "x".repeat(8193) }],
  ])("is refused with %s", (_name, body) => {
    expect(problemOf(() => parseRequest(renewalRequestSchema, body)).code).toBe("request_malformed");
  });
});

describe("an answer", () => {
  const good: RenewalResponse = {
    certificate: "-----BEGIN CERTIFICATE-----",
    chain: [],
    generation: 2,
    renew: { from: "2026-01-04T00:00:00.000Z", until: "2026-01-06T00:00:00.000Z" },
    endpoint: "https://work.example:8443",
  };

  test("is read, and what a newer gateway adds is left out", () => {
    expect(renewalResponseSchema.parse({ ...good, more: 1 })).toEqual(good);
  });

  test.each([
    ["generation 0", { generation: 0 }],
    ["half a generation", { generation: 1.5 }],
    ["a chain of four", { chain: ["a", "b", "c", "d"] }],
    ["a window that is no time", { renew: { from: "soon", until: "later" } }],
    ["no window", { renew: undefined }],
    ["a certificate of 20 kB", { certificate: "x".repeat(20_000) }],
  ])("is refused with %s", (_name, change) => {
    expect(renewalResponseSchema.safeParse({ ...good, ...change }).success).toBe(false);
  });
});
