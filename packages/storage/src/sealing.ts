import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { problem } from "./problems.ts";

/** Where a sealed value lives. It opens there and nowhere else: a value copied to another row or column stays shut. */
export interface Binding {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
}

/** Authenticated encryption at rest. Both directions take microseconds and do no I/O. */
export interface Sealer {
  /** Which key this sealer seals with, as the sealed text names it. Not secret. */
  readonly keyId: string;
  /** The same text sealed twice gives two different results. */
  seal(text: string, binding: Binding): string;
  /** @throws Problem unsealing_failed: tampered with, moved, sealed with another key, or no sealed text at all. */
  open(sealed: string, binding: Binding): string;
}

const VERSION = "v1";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^v1\.([\w-]{8})\.([\w-]{16})\.([\w-]{22,})$/;

/**
 * AES-256-GCM (NIST SP 800-38D) under a key drawn from `secret` by HKDF-SHA256 (RFC 5869), so that the same secret may
 * serve other purposes under other info strings. The sealed text is `v1.<key id>.<nonce>.<ciphertext and tag>`, each part
 * base64url. Nonces are random: one key is good for 2^32 values, which no gateway stores.
 *
 * @param options.secret at least 32 characters of key material; its strength is the sealing's.
 */
export function createSealer(options: { readonly secret: string }): Sealer {
  const key = derive(options.secret, "mosaic sealing v1 key", 32);
  // A one-way image of the secret, so that rotation can tell the old key's values from the new one's without trying.
  const keyId = derive(options.secret, "mosaic sealing v1 key id", 6).toString("base64url");

  return {
    keyId,
    seal(text, binding) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(additionalData(keyId, binding));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return [VERSION, keyId, nonce.toString("base64url"), body.toString("base64url")].join(".");
    },
    open(sealed, binding) {
      const [, sealedWith, nonce, encodedBody] = SEALED.exec(sealed) ?? [];
      if (sealedWith === undefined || nonce === undefined || encodedBody === undefined || sealedWith !== keyId) {
        throw problem("unsealing_failed");
      }
      const body = Buffer.from(encodedBody, "base64url");
      // Spare bits of the last character decode to the same bytes: one value, one text (RFC 4648, section 3.5).
      if (body.toString("base64url") !== encodedBody) throw problem("unsealing_failed");
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64url"), {
          authTagLength: TAG_BYTES,
        })
          .setAAD(additionalData(keyId, binding))
          .setAuthTag(body.subarray(body.length - TAG_BYTES));
        return decipher.update(body.subarray(0, body.length - TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
      } catch {
        // Which of the checks failed would only help whoever tampers.
        throw problem("unsealing_failed");
      }
    },
  };
}

function derive(secret: string, info: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", info, bytes));
}

/** JSON keeps the parts apart: no table and column can be shifted to read as another pair. */
function additionalData(keyId: string, binding: Binding): Buffer {
  return Buffer.from(JSON.stringify([VERSION, keyId, binding.table, binding.column, binding.rowId]), "utf8");
}
