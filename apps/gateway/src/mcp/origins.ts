import { isIP } from "node:net";

/** The name or address in a `host` header, without brackets. Undefined: the header names none. */
function hostnameOf(host: string): string | undefined {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, "$1") : undefined;
}

/**
 * Whether a page of this origin is this gateway's own, as MCP wants it checked of every request that has an `origin`
 * (revision 2025-11-25, Streamable HTTP, Security Warning). Own is the configured address, and the address that was asked
 * where that is an IP address or `localhost`. Any other name proves nothing: whoever owns it can point it at this machine
 * after their page was loaded (DNS rebinding), and `origin` and `host` then agree.
 */
export function isOwnOrigin(origin: string, host: string | undefined, publicOrigin: string | undefined): boolean {
  if (publicOrigin !== undefined && origin === new URL(publicOrigin).origin) return true;
  if (host === undefined || ![`http://${host}`, `https://${host}`].includes(origin)) return false;
  const name = hostnameOf(host);
  return name !== undefined && (name === "localhost" || isIP(name) !== 0);
}
