import { expect, test } from "vitest";
import type { Authority } from "../src/commands/federation-ca.ts";
import { federationAlerts } from "../src/federation-alerts.ts";
import type { Peer } from "../src/peers.ts";
import { cliProblem } from "../src/problems.ts";

const now = new Date("2026-12-01T12:00:00.000Z");

const authority: Authority = {
  kind: "step-ca",
  url: "https://ca.example",
  root: { fingerprint: "ab", subject: "CN=root", not_after: "2036-01-01T00:00:00.000Z" },
  crl: {
    number: "7",
    this_update: "2026-12-01T00:00:00.000Z",
    next_update: "2026-12-02T00:00:00.000Z",
    entries: 2,
  },
  state: "ok",
  cause: null,
  pending_revocations: 0,
};

const peer: Peer = {
  name: "work",
  state: "active",
  source: "federated:work",
  endpoint: "https://work.example:14443",
  grant_id: null,
  not_after: "2026-12-05T12:00:00.000Z",
  generation: 3,
  degraded_since: null,
  renew_at: "2026-12-03T12:00:00.000Z",
  renew_error: null,
  warning: null,
  last_success_at: null,
  last_failure_at: null,
  last_failure: null,
  created_at: "2026-11-01T00:00:00.000Z",
};

const codes = (known: Partial<Parameters<typeof federationAlerts>[0]>): string[] =>
  federationAlerts({ peers: [], grants: [], authority: undefined, now, ...known }).map(({ code }) => code);

test("nothing is said where nothing is wrong", () => {
  expect(codes({ authority, peers: [peer, { ...peer, state: "pending" }] })).toEqual([]);
});

test("what is wrong with the authority comes before what is wrong with peers", () => {
  const down = { ...authority, state: "degraded", cause: "connection refused", pending_revocations: 2 } as const;
  const warning = { code: "peer_degraded", detail: "It can't be renewed.", remedy: "Try now." };
  const degraded = { ...peer, state: "degraded", warning };
  expect(codes({ authority: down, peers: [degraded] })).toEqual([
    "authority_degraded",
    "revocations_pending",
    "peer_degraded",
  ]);
});

test("an authority that can't even be asked about is told of", () => {
  expect(codes({ authority: cliProblem("gateway_timeout") })).toEqual(["gateway_timeout"]);
});

test("a revocation list past its time is told of", () => {
  const crl = authority.crl && { ...authority.crl, next_update: "2026-12-01T11:59:59.000Z" };
  expect(codes({ authority: { ...authority, crl } })).toEqual(["crl_stale"]);
});

test("peers that are over are told of, each with what to do", () => {
  const alerts = federationAlerts({
    peers: ["revoked", "expired"].map((state) => ({ ...peer, state })),
    grants: [],
    authority: undefined,
    now,
  });
  expect(alerts.map(({ code }) => code)).toEqual(["peer_revoked", "peer_expired"]);
  expect(alerts[0]?.remedy).toContain("mosaic federation peer remove work");
  expect(alerts[1]?.remedy).toContain("new invite");
});

test("what the gateway warns of a peer is told in its words", () => {
  const warning = { code: "peer_address_unusable", detail: "It has moved.", remedy: "Ask its administrator." };
  const moved = { ...peer, state: "degraded", warning };
  expect(federationAlerts({ peers: [moved], grants: [], authority: undefined, now })).toEqual([warning]);
});

test("peers of other users that need attention are told of in one line, by number and state, with what to do", () => {
  const told = (degraded: number, expired: number) =>
    federationAlerts({ peers: [], grants: [], authority: undefined, peersOfOthers: { degraded, expired }, now });
  expect(told(0, 0)).toEqual([]);
  expect(told(2, 1)).toMatchObject([
    { code: "peers_of_others", detail: "Peers of other users need attention: 2 degraded, 1 expired." },
  ]);
  expect(told(0, 1)[0]?.detail).toBe("Peers of other users need attention: 1 expired.");
  expect(told(1, 0)[0]?.remedy).toContain("The gateway's log");
  expect(told(1, 0)[0]?.remedy).toContain("mosaic federation status");
});
