import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/;
const LIST = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/;

/** A CRL with the CA's certificate that its signature is checked by. */
export interface SignedList {
  readonly der: Uint8Array;
  readonly issuerPem: string;
}

/**
 * The newest CRL, kept outside the database: what a database restored from a backup is compared with where the CA can't be asked,
 * or has no other record than that database. Public and signed, so it needs no protection: a changed one is not believed.
 */
export interface CrlCopy {
  /** Undefined where none was kept, or it can't be read. Not yet verified. */
  read(): Promise<SignedList | undefined>;
  /** Replaces it, whole or not at all, and in the order of the calls: one that takes long never undoes a later one. */
  write(list: SignedList): Promise<void>;
}

/** A copy in a file, as PEM. One a replica is enough: each has what it published itself. */
export function createCrlCopy(path: string): CrlCopy {
  let lastWrite: Promise<unknown> = Promise.resolve();

  async function replace({ der, issuerPem }: SignedList): Promise<void> {
    const temporary = `${path}.${randomUUID()}`;
    const lines = Buffer.from(der)
      .toString("base64")
      .replace(/.{64}(?=.)/g, "$&\n");
    try {
      await writeFile(temporary, `${issuerPem.trim()}\n-----BEGIN X509 CRL-----\n${lines}\n-----END X509 CRL-----\n`);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  return {
    async read() {
      const text = await readFile(path, "latin1").catch(() => "");
      const [issuerPem] = CERTIFICATE.exec(text) ?? [];
      const [, base64] = LIST.exec(text) ?? [];
      return issuerPem === undefined || base64 === undefined
        ? undefined
        : { issuerPem, der: Buffer.from(base64, "base64") };
    },
    write(list) {
      const written = lastWrite.then(() => replace(list));
      lastWrite = written.catch(() => undefined);
      return written;
    },
  };
}
