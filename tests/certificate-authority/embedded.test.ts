import { createEmbeddedAuthority, openEmbeddedAuthority, type RevokedSerial } from "@mosaicstack/certificate-authority";
import { systemClock } from "@mosaicstack/foundation";
import { describe } from "vitest";
import { certificateAuthorityContract } from "./certificate-authority-contract.ts";

describe("the embedded authority", () => {
  certificateAuthorityContract(async () => {
    const material = await createEmbeddedAuthority({ clock: systemClock });
    const revoked = new Map<string, RevokedSerial>();
    const revokedSerials = { list: async () => [...revoked.values()] };
    return {
      authority: await openEmbeddedAuthority({ ...material, clock: systemClock, revokedSerials }),
      record: ({ serial, reason, at: revokedAt }) => revoked.set(serial, { serial, reason, revokedAt }),
    };
  });
});
