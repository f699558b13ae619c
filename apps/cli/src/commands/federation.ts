import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { defineAudit } from "./federation-audit.ts";
import { defineAuthority } from "./federation-ca.ts";
import { defineGrants } from "./federation-grant.ts";
import { definePeers } from "./federation-peer.ts";
import { defineStatus } from "./federation-status.ts";

/** `mosaic federation` */
export const define: Define = (group, run) => {
  examples(
    group,
    [
      "mosaic federation grant create --name home --subject ada --resources tasks,notes --teams all",
      "let another gateway read as Ada; prints what she runs there",
    ],
    ["mosaic federation peer add '<invite>'", "accept an invite, on the other gateway"],
    ["mosaic federation status", "is everything well"],
    ["mosaic federation grant revoke home", "end it, at once"],
  );
  defineGrants(
    group
      .command("grant")
      .description("What other gateways may read here: create, list, show, edit, token, suspend, resume, revoke"),
    run,
  );
  definePeers(group.command("peer").description("Gateways you read from: add, list, show, renew, remove"), run);
  defineStatus(group.command("status").description("What needs looking at; peers, grants and the listener"), run);
  defineAudit(
    group.command("audit").description("Who asked for what, and what was answered: list, verify, export"),
    run,
  );
  defineAuthority(group.command("ca").description("The gateway's certificate authority: status"), run);
};
