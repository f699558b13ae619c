import { z } from "zod";
import { readProvisionerKey } from "./provisioner-key.ts";
import { refusalOf } from "./refusal.ts";
import { connectStepCa } from "./step-ca-connection.ts";

const MAX_PAGES = 20;
const PAGE = 100;
const MAX_ANSWER_BYTES = 1024 * 1024;

const pageSchema = z.object({
  provisioners: z.array(
    z.looseObject({
      type: z.string(),
      name: z.string(),
      key: z.looseObject({ kid: z.string() }).optional(),
      claims: z.looseObject({ disableRenewal: z.boolean().optional() }).nullish(),
    }),
  ),
  nextCursor: z.string().optional(),
});
type Provisioner = z.infer<typeof pageSchema>["provisioners"][number];

/** What step-ca has of a provisioner that a gateway asks by. */
export interface ProvisionerFinding {
  readonly name: string;
  readonly kind: "good" | "missing" | "another key" | "renews by itself";
}

/**
 * Whether step-ca has the provisioners that a gateway asks by, with its key: what step-ca publishes of each. No token is made.
 *
 * @param names of the JWK provisioners
 * @param options.timeoutMs of each call
 * @throws Problem `ca_unreachable`, `ca_refused`, `ca_answer_invalid`, `ca_key_unusable`
 */
export async function probeProvisioners(
  access: {
    readonly url: string;
    readonly rootPem: string;
    readonly provisionerKey: string;
    readonly provisionerPassword?: string;
  },
  names: readonly string[],
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<readonly ProvisionerFinding[]> {
  const { keyId } = await readProvisionerKey(access.provisionerKey, access.provisionerPassword);
  const found = await listProvisioners(access, timeoutMs);
  return names.map((name) => ({
    name,
    kind: judge(
      found.filter((one) => one.name === name),
      keyId,
    ),
  }));
}

function judge(found: readonly Provisioner[], keyId: string): ProvisionerFinding["kind"] {
  const ofType = found.filter(({ type }) => type === "JWK");
  if (ofType.length === 0) return "missing";
  const own = ofType.find(({ key }) => key?.kid === keyId);
  if (own === undefined) return "another key";
  return own.claims?.disableRenewal === true ? "good" : "renews by itself";
}

async function listProvisioners(
  { url, rootPem }: { readonly url: string; readonly rootPem: string },
  timeoutMs: number,
): Promise<readonly Provisioner[]> {
  const connection = connectStepCa(url, rootPem, timeoutMs);
  const found: Provisioner[] = [];
  let cursor = "";
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const path = `/provisioners?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await connection.ask({ method: "GET", path, maxAnswerBytes: MAX_ANSWER_BYTES });
    if (status !== 200) throw refusalOf("provisioners", status, connection);
    const { data } = pageSchema.safeParse(jsonOf(body));
    if (data === undefined) {
      const detail = "The certificate authority's answer doesn't have the form of step-ca's.";
      throw connection.problem("ca_answer_invalid", "unusable answer", { detail });
    }
    found.push(...data.provisioners);
    cursor = data.nextCursor ?? "";
    if (cursor === "") break;
  }
  return found;
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
