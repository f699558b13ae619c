import type { SourceStatus } from "@mosaicstack/federation-protocol";
import { type Relay, startRelay } from "./relay.ts";
import { largeAnswers } from "./scripted-peer/large-answers.ts";
import { createScriptedAuthority, type KeyAndCertificate } from "./scripted-peer/scripted-authority.ts";
import { type ScriptedPeer, startScriptedPeer } from "./scripted-peer/scripted-peer.ts";

export type FaultName =
  | "black hole"
  | "RST"
  | "slow drip"
  | "TLS stall"
  | "5xx"
  | "oversized body"
  | "wrong certificate"
  | "clock skew";

/** A way in which a peer, or the network on the way to it, fails. */
export interface FaultMode {
  readonly name: FaultName;
  /** How a blended answer reports the source, and why. */
  readonly status: SourceStatus;
  readonly code: string;
}

/** Every way, for tests and benchmarks alike. */
export const faultModes: readonly FaultMode[] = [
  { name: "black hole", status: "timeout", code: "peer_timeout" },
  { name: "RST", status: "offline", code: "peer_unreachable" },
  { name: "slow drip", status: "timeout", code: "peer_timeout" },
  { name: "TLS stall", status: "timeout", code: "peer_timeout" },
  { name: "5xx", status: "offline", code: "peer_failing" },
  { name: "oversized body", status: "incompatible", code: "peer_answer_too_large" },
  { name: "wrong certificate", status: "offline", code: "ca_pin_mismatch" },
  { name: "clock skew", status: "offline", code: "clock_skew" },
];

/** A scripted peer behind a network, both of which can be made to fail. Whoever starts it stops it. */
export interface FaultyPeer {
  readonly peer: ScriptedPeer;
  readonly relay: Relay;
  /** From now on, until it recovers; at once for connections there are. One fault takes the place of another. */
  suffer(name: FaultName): void;
  /** An honest peer on a working network. What the fault broke stays broken: connections are made anew by whoever needs one. */
  recover(): void;
  stop(): Promise<void>;
}

const SKEW_MS = 2 * 86_400_000;
const HOUR_MS = 3_600_000;

/** @param options.enrollmentServer `plain`: invites are redeemed over HTTP */
export async function startFaultyPeer(options: { readonly enrollmentServer?: "plain" } = {}): Promise<FaultyPeer> {
  const relay = await startRelay();
  const peer = await startScriptedPeer({ ...options, relay });
  const stranger = await (await createScriptedAuthority("Somebody else's CA")).server();
  const ahead = () => new Date(Date.now() + SKEW_MS);
  // As a peer makes it whose clock is ahead, and as nobody else takes it.
  const early = await peer.authority.server({
    notBefore: new Date(ahead().getTime() - HOUR_MS),
    notAfter: new Date(ahead().getTime() + SKEW_MS),
  });
  const present = (certificate: KeyAndCertificate): void => {
    peer.presentCertificate(certificate);
    peer.resetQuerySockets();
  };

  function recover(): void {
    relay.behave("pass");
    peer.onQuery = undefined;
    peer.now = () => new Date();
    peer.presentCertificate();
  }

  const begin: Readonly<Record<FaultName, () => void>> = {
    "black hole": () => relay.behave("hang"),
    RST: () => relay.behave("reset"),
    "slow drip": () => relay.behave("drip"),
    "TLS stall": () => relay.behave("stall handshake"),
    "5xx": () => {
      peer.onQuery = (_request, response) => void response.writeHead(503).end("not today");
    },
    "oversized body": () => {
      peer.onQuery = (_request, response) => void largeAnswers["in chunks"]?.(response);
    },
    "wrong certificate": () => present(stranger),
    "clock skew": () => {
      peer.now = ahead;
      present(early);
    },
  };

  return {
    peer,
    relay,
    suffer(name) {
      recover();
      begin[name]();
    },
    recover,
    async stop() {
      await Promise.all([peer.stop(), relay.stop()]);
    },
  };
}
