import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { SubjectAlternativeNameExtension } from "@peculiar/x509";

/** The names of a server certificate, each once and as the certificate holds it. */
export interface ServerNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** @throws Error when there is no name, or one that is no host name or no IP address */
export function serverNames(asked: ServerNames): ServerNames {
  const dnsNames = [...new Set(asked.dnsNames.map(nameInCertificate))];
  const ipAddresses = [...new Set(asked.ipAddresses.map(addressInCertificate))];
  if (dnsNames.length + ipAddresses.length === 0) throw new Error("a server certificate needs a name or an address");
  return { dnsNames, ipAddresses };
}

/** The subjectAltName extension of a server certificate. Critical, since the subject is empty (RFC 5280 4.2.1.6). */
export function serverSubjectAltName({ dnsNames, ipAddresses }: ServerNames): SubjectAlternativeNameExtension {
  const names = [
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...ipAddresses.map((value) => ({ type: "ip" as const, value })),
  ];
  return new SubjectAlternativeNameExtension(names, true);
}

/** As a certificate holds it and a client compares it: lower case, non-ASCII as IDNA has it. */
function nameInCertificate(name: string): string {
  const ascii = /[/?#\\@:]/.test(name) ? "" : domainToASCII(name);
  if (ascii === "" || ascii.length > 253) throw new Error(`not a host name: ${JSON.stringify(name)}`);
  return ascii;
}

/** An IPv6 address in hex groups alone: one that ends in dotted numbers would be encoded as another address. */
function addressInCertificate(address: string): string {
  if (isIP(address) === 4) return address;
  if (isIP(address) !== 6) throw new Error(`not an IP address: ${JSON.stringify(address)}`);
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
