import { type Aim, table } from "./report.ts";
import { ENROLLMENT, IN_FLIGHT, LAST_SOCKET, type TrustFigures } from "./trust.ts";

/** What `--trust` measured; what `--json` prints of it. */
export interface TrustReport {
  readonly node: string;
  readonly trust: TrustFigures;
  readonly aims: readonly Aim[];
}

const ENROLLMENT_RATIO = 1.5;
const REVOKED_MS = 1000;

export function trustAims({ issuance, revocation }: TrustFigures): Aim[] {
  const enrollment = issuance.find(({ name }) => name === ENROLLMENT)?.ratio ?? Number.NaN;
  const revoked = revocation.find(({ name }) => name === LAST_SOCKET)?.maxMs ?? Number.NaN;
  return [
    {
      name: "enrollment, p50",
      aim: `<= ${ENROLLMENT_RATIO} x step-ca's raw /sign`,
      measured: enrollment.toFixed(2),
      reached: enrollment <= ENROLLMENT_RATIO,
    },
    {
      name: "revocation, the slowest, from the asking to the last connection of two replicas",
      aim: `<= ${REVOKED_MS} ms`,
      measured: `${revoked.toFixed(0)} ms`,
      reached: revoked <= REVOKED_MS,
    },
  ];
}

/** What is printed for people. */
export function trustText({ node, trust, aims }: TrustReport): string {
  const { issuance, revocation, revocations, othersServed } = trust;
  const issuanceRows = issuance.map(({ name, p50Ms, p95Ms, ratio, perSecond }) => [
    name,
    p50Ms.toFixed(2),
    p95Ms.toFixed(2),
    ratio.toFixed(2),
    perSecond.toFixed(0),
  ]);
  const revocationRows = revocation.map(({ name, p50Ms, p95Ms, maxMs }) => [
    name,
    p50Ms.toFixed(1),
    p95Ms.toFixed(1),
    maxMs.toFixed(1),
  ]);
  const aimRows = aims.map((aim) => [aim.name, aim.aim, aim.measured, aim.reached ? "reached" : "missed"]);
  return [
    `Node ${node}; two replicas of a gateway, a process each, on PostgreSQL, Valkey and step-ca; started from the sources, through tsx.`,
    `\nCertificates\n${table([["", "p50 ms", "p95 ms", "p50 / floor", `a second, ${IN_FLIGHT} in flight`], ...issuanceRows])}`,
    `\n${revocations} revocations, ${othersServed} requests of another peer meanwhile\n${table([["", "p50 ms", "p95 ms", "max ms"], ...revocationRows])}`,
    `\nAims\n${table([["", "aim", "measured", ""], ...aimRows])}`,
    "",
  ].join("\n");
}
