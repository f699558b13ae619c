import { problemTable } from "@mosaicstack/foundation";

/** The error table of the querying side. docs/errors.md lists the same codes. No detail ever holds an invite's token. */
export const peerProblem = problemTable({
  invite_malformed: {
    status: 400,
    title: "This is not an invite.",
    remedy: "Copy the whole invite as the serving gateway printed it, and put it in quotes in a shell.",
  },
  peer_name_invalid: {
    status: 400,
    title: "This cannot be the name of a peer.",
    remedy: "Use up to 63 lower-case letters, digits and hyphens, with no hyphen at either end.",
  },
  unknown_source: {
    status: 404,
    title: "There is no such source.",
    remedy: "Use `local`, `all`, or `federated:<peer>` with a peer of yours: `mosaic federation peer list` shows them.",
  },
  peer_not_found: {
    status: 404,
    title: "You have no peer of that name.",
    remedy: "`mosaic federation peer list` shows your peers.",
  },
  peer_name_taken: {
    status: 409,
    title: "You have a peer of that name already.",
    remedy: "Choose another name, or remove the other peer first: `mosaic federation peer remove <name>`.",
  },
  peer_not_confirmed: {
    status: 409,
    title: "This peer is not connected yet.",
    remedy: "Run `mosaic federation peer add` again with the same invite: it goes on where it stopped.",
  },
  too_many_peers: {
    status: 409,
    title: "You have as many peers as one user may have.",
    remedy: "Remove a peer that is no longer needed: `mosaic federation peer remove <name>`.",
  },
  source_gone: {
    status: 410,
    title: "This list began with a source that it does not read any more: what it still owed is missing.",
    remedy:
      "If its peer was removed, the rest of the list is all there is; to read a peer that was added since, or another `source`, start again without a cursor.",
  },
  invite_not_usable: {
    status: 410,
    title: "This invite cannot be used: it was used already, has expired, or was withdrawn.",
    remedy: "Ask for a new invite: `mosaic federation grant token <grant>` on the serving gateway.",
  },
  invite_expired: {
    status: 410,
    title: "This invite has expired.",
    remedy: "Ask for a new invite: `mosaic federation grant token <grant>` on the serving gateway.",
  },
  invite_used: {
    status: 410,
    title: "This invite was used already.",
    remedy:
      "An invite is for one gateway, once. Ask for a new one: `mosaic federation grant token <grant>` on the serving gateway.",
  },
  invite_revoked: {
    status: 410,
    title: "This invite was withdrawn, or its grant was revoked.",
    remedy: "Ask the serving gateway's administrator for a new grant.",
  },
  invite_suspended: {
    status: 410,
    title: "The grant of this invite is suspended.",
    remedy: "Ask the serving gateway's administrator to resume it, then run the same command again.",
  },
  peer_expired: {
    status: 403,
    title: "The certificate for this peer has expired.",
    remedy:
      "Ask for a new invite (`mosaic federation grant token <grant>` on the serving gateway) and add it: the peer keeps its name.",
  },
  peer_revoked: {
    status: 403,
    title: "The peer has revoked its grant.",
    remedy: "Remove the peer, or ask the peer's administrator for a new grant.",
  },
  peer_denied: {
    status: 403,
    title: "The peer refused the request.",
    remedy: "Ask the peer's administrator for the state of the grant.",
  },
  peer_rate_limited: {
    status: 429,
    title: "The peer asks for fewer requests.",
    remedy: "Wait a moment, then try again.",
  },
  ca_pin_mismatch: {
    status: 502,
    title: "The server's certificate does not come from the gateway that this invite names.",
    remedy: "Ask for a new invite over a channel you trust. If it stays, somebody may be between the two gateways.",
  },
  clock_skew: {
    status: 502,
    title: "The clocks of the two gateways differ too much for their certificates.",
    remedy: "Set both clocks right (NTP), then run the same command again.",
  },
  peer_incompatible: {
    status: 502,
    title: "The peer's answer does not have the form this gateway understands.",
    remedy: "Check that the address is a Mosaic gateway's, and update the older of the two gateways.",
  },
  peer_answer_too_large: {
    status: 502,
    title: "The peer's answer is larger than this gateway reads.",
    remedy: "Ask for less: a smaller `limit`. If one row alone is so large, read it on the gateway it belongs to.",
  },
  peer_unreachable: {
    status: 502,
    title: "The peer cannot be reached.",
    remedy: "Check the address and that the peer is running, then try again.",
  },
  peer_address_unusable: {
    status: 502,
    title: "The peer says that it has moved, and cannot be reached where it says it is.",
    remedy:
      "It is read at its previous address meanwhile, and the new one is tried again by itself. Ask the peer's administrator to check `federation.publicUrl`.",
  },
  peer_failing: {
    status: 502,
    title: "The peer failed to answer.",
    remedy: "Try again in a moment; if it stays, tell the peer's administrator.",
  },
  peer_timeout: {
    status: 504,
    title: "The source did not answer in time.",
    remedy: "Try again; `mosaic federation status` shows the state of each peer.",
  },
});
