import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import type { Gateway } from "../gateway.ts";
import { shown } from "../rows.ts";
import { formatFields } from "../table.ts";

/** The certificate authority of a gateway, as admins see it. */
export interface Authority {
  readonly kind: "embedded" | "step-ca";
  /** Of step-ca. */
  readonly url: string | null;
  readonly root: { readonly fingerprint: string; readonly subject: string; readonly not_after: string };
  readonly crl: {
    /** Decimal, or a number. */
    readonly number: string | number;
    readonly this_update: string;
    readonly next_update: string;
    readonly entries: number;
  } | null;
  readonly state: "ok" | "degraded";
  readonly cause?: string | null;
  /** Revocations it has not been told of. They hold at the gateway all the same. */
  readonly pending_revocations: number;
}

/** Admins only. */
export async function readAuthority(gateway: Gateway): Promise<Authority> {
  return (await gateway.call<Authority>("GET", "/api/v1/federation/authority")).body;
}

/** How it is, in a few words. */
export function describeAuthority({ kind, url, state, cause }: Authority): string {
  const where = kind === "embedded" ? "the gateway's own" : `step-ca at ${url ?? "an unknown address"}`;
  return state === "ok" ? `${where}, ok` : `${where}, DEGRADED: ${cause ?? "it does not answer as it should"}`;
}

function authorityFields(authority: Authority): string {
  const { root, crl, pending_revocations: pending } = authority;
  return formatFields([
    ["authority", describeAuthority(authority)],
    ["root", root.subject],
    ["fingerprint", root.fingerprint],
    ["root until", shown(root.not_after)],
    ...(crl === null
      ? [["revocation list", "none that holds"] as const]
      : [
          [
            "revocation list",
            `number ${crl.number}, ${crl.entries} ${crl.entries === 1 ? "entry" : "entries"}`,
          ] as const,
          ["list of", shown(crl.this_update)] as const,
          ["list until", shown(crl.next_update)] as const,
        ]),
    ["not told yet", pending === 0 ? "nothing" : `${pending} ${pending === 1 ? "revocation" : "revocations"}`],
  ]);
}

/** `mosaic federation ca` */
export const defineAuthority: DefineWithin = (group, run) => {
  examples(group, ["mosaic federation ca status", "does it answer, and how old is its revocation list"]);
  const status = group
    .command("status")
    .description("The gateway's certificate authority: root, revocation list, whether it answers (admins)")
    .action(
      run(async (invocation) => {
        const { output } = invocation;
        const authority = await readAuthority(await federationGateway(invocation));
        output.result(authority, () => authorityFields(authority));
        if (authority.state === "degraded") {
          output.warn(
            "new certificates and renewals wait until it answers; certificates there are stay good, and revoking works",
          );
        }
      }),
    );
  examples(
    status,
    ["mosaic federation ca status", "for people"],
    ["mosaic federation ca status --json | jq -r .data.state", "ok or degraded, for a monitor"],
  );
};
