import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import { type Clock, Problem } from "@mosaicstack/foundation";
import type { Sealer, Store } from "@mosaicstack/storage";
import { createServerCertificateStore } from "./server-certificate-store.ts";
import { isServerCertificateDue, issueServerCertificate, type ServerCertificate } from "./server-certificate.ts";

const LOOK_EVERY_MS = 3_600_000;

/**
 * The certificate of a gateway's listeners, kept in the database so that a gateway starts while its authority is away.
 *
 * The stored one is used while it is good and not due. Where it is due, or there is none, the authority is asked for another, which
 * is stored. Where the authority can't give one, a stored one that is due and still good goes on. Replicas share the stored one: the
 * first that finds it due renews it for all; where two do so at once, each presents its own, and the later one's is stored.
 */
export interface ServerCertificateKeeper {
  current(): ServerCertificate;
  /** Calls `hear` with each certificate that takes the current one's place, until it is stopped. */
  onRenewed(hear: (certificate: ServerCertificate) => void): void;
  /**
   * Makes the next one now, whether or not it is due, stores it and presents it.
   *
   * @throws Problem of the authority, or of the database; the current one stays then
   */
  renew(): Promise<void>;
  /** Looks from now on, again and again, whether it is due. */
  start(): void;
  /** Looks no more, and waits for what is under way. */
  stop(): Promise<void>;
}

/**
 * Has a certificate at hand before it resolves.
 *
 * @throws Problem of the authority where it gives none, and none that is good is stored
 */
export async function openServerCertificateKeeper(dependencies: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly authority: CertificateAuthority;
  /** As URLs have them: ASCII and lower case, addresses without brackets. */
  readonly hostnames: readonly string[];
  /** Hears that the stored one can't be used, and why: another is made. */
  readonly onUnusable: (reason: string) => void;
  /** Hears that one that is due goes on until its end, since no other can be had: the authority, as a rule. */
  readonly onKept: (until: Date, error: Problem) => void;
  /** Hears why the certificate that is presented could not be renewed, with none that is good at hand. */
  readonly onFault: (error: unknown) => void;
  /** How often it looks whether it is due. Default: each hour. */
  readonly lookEveryMs?: number;
}): Promise<ServerCertificateKeeper> {
  const { store, sealer, clock, authority, hostnames, onUnusable, onKept, onFault } = dependencies;
  const { rootPem } = authority;
  const stored = createServerCertificateStore({ store, sealer, clock, rootPem, hostnames });
  const heard: ((certificate: ServerCertificate) => void)[] = [];

  async function make(): Promise<ServerCertificate> {
    const made = await issueServerCertificate(authority, clock, hostnames);
    await stored.write(made);
    return made;
  }

  async function storedOne(): Promise<ServerCertificate | undefined> {
    const reading = await stored.read();
    if (reading.kind === "unusable") onUnusable(reading.reason);
    return reading.kind === "good" ? reading.certificate : undefined;
  }

  async function obtain(): Promise<ServerCertificate> {
    const found = await storedOne();
    if (found !== undefined && !isServerCertificateDue(found, clock.now())) return found;
    try {
      return await make();
    } catch (error) {
      if (found === undefined || !(error instanceof Problem)) throw error;
      onKept(found.notAfter, error);
      return found;
    }
  }

  let current = await obtain();
  let turn: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  async function replace(before: Promise<unknown>, next: () => Promise<ServerCertificate>): Promise<void> {
    await before;
    const certificate = await next();
    if (certificate.cert === current.cert) return;
    current = certificate;
    for (const hear of heard) hear(certificate);
  }

  /** One after the other, so that what is presented is what was stored last. */
  function replaceBy(next: () => Promise<ServerCertificate>): Promise<void> {
    const replaced = replace(turn, next);
    turn = replaced.catch(() => undefined);
    return replaced;
  }

  return {
    current: () => current,
    onRenewed(hear) {
      heard.push(hear);
    },
    renew: () => replaceBy(make),
    start() {
      timer ??= setInterval(() => {
        if (isServerCertificateDue(current, clock.now())) replaceBy(obtain).catch(onFault);
      }, dependencies.lookEveryMs ?? LOOK_EVERY_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      await turn;
    },
  };
}
