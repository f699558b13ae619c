const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]+/gi;
const INVITE_TOKEN = /([#&?]token=)[^&\s"']+/gi;
const PEM_KEY = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/g;

/** Takes what must never be logged out of a text: passwords in URLs, bearer tokens, invite tokens, private keys. */
export function redact(text: string): string {
  return text
    .replace(URL_PASSWORD, "$1:[redacted]@")
    .replace(BEARER, "$1 [redacted]")
    .replace(INVITE_TOKEN, "$1[redacted]")
    .replace(PEM_KEY, "[redacted $1]");
}
