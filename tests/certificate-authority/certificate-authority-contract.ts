import { execFile } from "node:child_process";
import { webcrypto, X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type CertificateIdentity,
  checkIssuedCertificate,
  checkIssuedServerCertificate,
  createSigningRequest,
  fingerprintOf,
  followChain,
  GRANT_ID_OID,
  identitySubjectAltName,
  KEY_ALGORITHM,
  type OwnSigningRequest,
  readCertificateIdentity,
  readCertificateRevocationList,
  readSigningRequest,
  serialOf,
  SIGNING_ALGORITHM,
  signingRequestFor,
  spkiOf,
  SUBJECT_USER_ID_OID,
} from "@mosaicstack/federation-protocol";
import { newId } from "@mosaicstack/foundation";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  CertificateAuthority,
  IssuedCertificate,
  IssueRequest,
  Revocation,
} from "@mosaicstack/certificate-authority";
import { shakeHands } from "./handshake.ts";

const DAY_MS = 86_400_000;
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const PEM_FRAME = /-----[^-]+-----|\s/g;

/** An authority to be tested, and how to end it. */
export interface OpenAuthority {
  readonly authority: CertificateAuthority;
  /** Records a revocation where the authority looks for it: what its caller's database does. */
  record?(revocation: Revocation): void;
  close?(): Promise<void>;
}

/** A certificate with the key it is for. */
interface Party {
  readonly own: OwnSigningRequest;
  readonly issued: IssuedCertificate;
  readonly x509: X509Certificate;
}

/**
 * What every authority does, whatever signs behind it. It runs by the machine's own clock, since TLS does.
 *
 * @param open gives an authority of its own trust domain each time
 */
export function certificateAuthorityContract(open: () => Promise<OpenAuthority>): void {
  const opened: OpenAuthority[] = [];
  let authority: CertificateAuthority;
  let directory: string;
  let identity: CertificateIdentity;
  let client: Party;
  let server: Party;

  async function openAnother(): Promise<CertificateAuthority> {
    const another = await open();
    opened.push(another);
    return another.authority;
  }

  async function issueClient(
    differences: Partial<IssueRequest & { kind: "client" }> = {},
    from = authority,
  ): Promise<Party> {
    const own = await createSigningRequest();
    const notAfter = new Date(Date.now() + DAY_MS);
    const issued = await from.issue({ kind: "client", csr: derOf(own.csrPem), identity, notAfter, ...differences });
    return { own, issued, x509: new X509Certificate(issued.certificatePem) };
  }

  async function issueServer(
    differences: Partial<IssueRequest & { kind: "server" }> = {},
    from = authority,
  ): Promise<Party> {
    const own = await createSigningRequest();
    const notAfter = new Date(Date.now() + DAY_MS);
    const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1", "::1"] };
    const issued = await from.issue({ kind: "server", csr: derOf(own.csrPem), ...names, notAfter, ...differences });
    return { own, issued, x509: new X509Certificate(issued.certificatePem) };
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mosaic-authority-"));
    identity = { grantId: newId(), subjectUserId: newId() };
    authority = await openAnother();
    client = await issueClient();
    server = await issueServer();
  });
  afterAll(async () => {
    for (const each of opened) await each.close?.();
    await rm(directory, { recursive: true, force: true });
  });

  describe("a client certificate", () => {
    test("passes the check that both gateways make of it", () => {
      const { issued, own } = client;
      const { rootPem } = authority;
      const expected = { rootPem, spkiSha256: own.spkiSha256, identity, now: new Date(), notAfter: issued.notAfter };
      const { serial, notAfter } = issued;
      expect(checkIssuedCertificate(issued, expected)).toEqual({
        kind: "good",
        serial,
        notAfter,
        identity,
      });
    });

    test("names its grant and its subject by the two OIDs, in a critical subjectAltName, and has no subject", async () => {
      expect(readCertificateIdentity(client.x509.raw)).toEqual({ kind: "identified", ...identity });
      expect(client.x509.subject ?? "").toBe("");
      const text = await textOf(client);
      expect(text).toMatch(/Subject Alternative Name: critical/);
      expect(text).toMatch(/Subject: *\n/);
    });

    test("is shown by openssl with both OIDs, and no other name", async () => {
      const [, names] = /Subject Alternative Name:.*\n\s*(.*)\n/.exec(await textOf(client)) ?? [];
      expect(names?.split(", ").toSorted()).toEqual([
        `othername: ${GRANT_ID_OID}::${identity.grantId}`,
        `othername: ${SUBJECT_USER_ID_OID}::${identity.subjectUserId}`,
      ]);
    });

    test("is for client authentication and nothing else, and signs nothing", async () => {
      expect(client.x509.keyUsage).toEqual([CLIENT_AUTH]);
      expect(client.x509.ca).toBe(false);
      const text = await textOf(client);
      expect(text).not.toMatch(/CA:TRUE|Certificate Sign/);
      expect(text).toMatch(/Key Usage: critical\n\s*Digital Signature\n/);
    });

    test("is accepted by openssl for a client, strictly, and not for a server", async () => {
      expect(await verifyWithOpenssl(client, "sslclient")).toEqual({ ok: true });
      expect(await verifyWithOpenssl(client, "sslserver")).toMatchObject({
        ok: false,
        says: expect.stringContaining("unsuitable certificate purpose"),
      });
    });

    test("is not accepted by openssl under another authority's root", async () => {
      const { rootPem } = await openAnother();
      expect(await verifyWithOpenssl(client, "sslclient", rootPem)).toMatchObject({ ok: false });
    });

    test("says what was asked at the time: another grant, another certificate", async () => {
      const another = { grantId: newId(), subjectUserId: newId() };
      const { x509 } = await issueClient({ identity: another });
      expect(readCertificateIdentity(x509.raw)).toEqual({ kind: "identified", ...another });
    });
  });

  describe("a server certificate", () => {
    test("names the hosts and addresses asked for, and no others", async () => {
      const { x509 } = await issueServer({
        dnsNames: ["gateway.example", "localhost"],
        ipAddresses: ["192.0.2.7", "2001:db8::1"],
      });
      for (const name of ["gateway.example", "localhost"]) expect(x509.checkHost(name)).toBe(name);
      for (const address of ["192.0.2.7", "2001:db8::1"]) expect(x509.checkIP(address)).toBe(address);
      for (const name of ["example", "evil.example", "a.gateway.example"]) expect(x509.checkHost(name)).toBeUndefined();
      expect(x509.checkIP("127.0.0.1")).toBeUndefined();
    });

    test("passes the check that is made of it, and names each host once", async () => {
      const names = { dnsNames: ["localhost", "LOCALHOST", "bücher.example"], ipAddresses: ["::1", "0:0::1"] };
      const { own, issued } = await issueServer(names);
      const expected = {
        rootPem: authority.rootPem,
        spkiSha256: own.spkiSha256,
        dnsNames: ["localhost", "xn--bcher-kva.example"],
        ipAddresses: ["::1"],
        now: new Date(),
        notAfter: issued.notAfter,
      };
      const { serial, notAfter } = issued;
      expect(checkIssuedServerCertificate(issued, expected)).toEqual({ kind: "good", serial, notAfter });
    });

    test("is for server authentication and nothing else, and signs nothing", () => {
      expect(server.x509.keyUsage).toEqual([SERVER_AUTH]);
      expect(server.x509.ca).toBe(false);
    });

    test("is accepted by openssl for a server, strictly, and not for a client", async () => {
      expect(await verifyWithOpenssl(server, "sslserver")).toEqual({ ok: true });
      expect(await verifyWithOpenssl(server, "sslclient")).toMatchObject({
        ok: false,
        says: expect.stringContaining("unsuitable certificate purpose"),
      });
    });

    test("names no grant", () => {
      expect(readCertificateIdentity(server.x509.raw)).toMatchObject({ kind: "malformed" });
    });
  });

  describe("of a signing request, nothing but its key is taken over", () => {
    test("and that is in the certificate", () => {
      for (const { own, x509 } of [client, server]) {
        expect(spkiOf(x509)).toBe(own.spkiSha256);
      }
    });

    test("so that two requests for a key get the same, but for serial and times", async () => {
      const again = await signingRequestFor(client.own.privateKeyPem);
      expect(again.csrPem).not.toBe(client.own.csrPem);
      const { x509, issued } = await issueClient({ csr: derOf(again.csrPem) });
      expect(spkiOf(x509)).toBe(client.own.spkiSha256);
      expect(readCertificateIdentity(x509.raw)).toEqual(readCertificateIdentity(client.x509.raw));
      expect(issued.serial).not.toBe(client.issued.serial);
    });

    const foreignIdentity = { grantId: newId(), subjectUserId: newId() };
    test.each([
      ["a subject", { name: "CN=gateway.example" }],
      ["an e-mail address as subject", { name: "E=ada@example.org" }],
      [
        "a grant and a subject of its own choice",
        { extensions: [new Extension("2.5.29.17", true, identitySubjectAltName(foreignIdentity))] },
      ],
      [
        "a DNS name",
        { extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "gateway.example" }])] },
      ],
      ["to be a CA", { extensions: [new BasicConstraintsExtension(true, 3, true)] }],
      ["to be a server's", { extensions: [new ExtendedKeyUsageExtension([SERVER_AUTH])] }],
    ])("and a request for %s is refused", async (_, wishes) => {
      await expectRefusal(await requestWith(wishes));
    });
  });

  describe("a signing request is refused", () => {
    test.each([
      ["of no bytes", () => Buffer.alloc(0)],
      ["of random bytes", () => Buffer.from("signing request")],
      ["as PEM, where DER is asked for", async () => Buffer.from((await createSigningRequest()).csrPem)],
      ["that is cut short", async () => derOf((await createSigningRequest()).csrPem).subarray(0, -1)],
      [
        "with bytes after it",
        async () => Buffer.concat([derOf((await createSigningRequest()).csrPem), Buffer.from([0])]),
      ],
      [
        "of which a bit of the key is changed",
        async () => withBitChanged(derOf((await createSigningRequest()).csrPem), 60),
      ],
      [
        "of which a bit of the signature is changed",
        async () => withBitChanged(derOf((await createSigningRequest()).csrPem), 140),
      ],
      ["that is larger than 8 kB", () => Buffer.alloc(9000, 0x30)],
      [
        "for an RSA key",
        () =>
          requestFor({
            name: "RSASSA-PKCS1-v1_5",
            hash: "SHA-256",
            publicExponent: new Uint8Array([1, 0, 1]),
            modulusLength: 2048,
          }),
      ],
      ["for a key on P-384", () => requestFor({ name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" })],
      ["for an Ed25519 key", () => requestFor({ name: "Ed25519" })],
    ])("%s", async (_, csr) => {
      await expectRefusal(await csr());
    });

    test("by a problem that does not quote it", async () => {
      const secret = "correct horse battery staple";
      const csr = await requestWith({ name: `CN=${secret}` });
      await expect(issueClient({ csr })).rejects.toSatisfy(
        (error: Error) => !JSON.stringify([error, error.message]).includes(secret),
      );
    });
  });

  async function expectRefusal(csr: Uint8Array): Promise<void> {
    const refusal = { name: "Problem", code: "signing_request_invalid", status: 400 };
    await expect(issueClient({ csr })).rejects.toMatchObject(refusal);
    await expect(issueServer({ csr })).rejects.toMatchObject(refusal);
  }

  describe("a certificate's life", () => {
    test("ends when asked, to the second, and never later", async () => {
      const asked = new Date(Date.now() + 3_600_999);
      const { issued, x509 } = await issueClient({ notAfter: asked });
      expect(new Date(x509.validTo)).toEqual(issued.notAfter);
      expect(issued.notAfter.getTime()).toBeLessThanOrEqual(asked.getTime());
      expect(issued.notAfter.getTime()).toBeGreaterThan(asked.getTime() - 1000);
    });

    test("begins before now, for clocks that are slow, and not long before", async () => {
      const { x509 } = await issueClient();
      const age = Date.now() - new Date(x509.validFrom).getTime();
      expect(age).toBeGreaterThanOrEqual(30_000);
      expect(age).toBeLessThan(300_000);
    });

    test("ends with the root's at the latest", async () => {
      const root = new X509Certificate(authority.rootPem);
      for (const party of [
        await issueClient({ notAfter: beyond(root) }),
        await issueServer({ notAfter: beyond(root) }),
      ]) {
        expect(party.issued.notAfter.getTime()).toBeLessThanOrEqual(new Date(root.validTo).getTime());
        expect(party.issued.notAfter.getTime()).toBeGreaterThan(Date.now());
        expect(new Date(party.x509.validTo)).toEqual(party.issued.notAfter);
      }
    });

    test.each([
      ["in the past", () => new Date(Date.now() - DAY_MS)],
      ["now", () => new Date()],
      ["at no time at all", () => new Date(Number.NaN)],
    ])("does not begin when it would end %s", async (_, notAfter) => {
      await expect(issueClient({ notAfter: notAfter() })).rejects.toBeInstanceOf(Error);
      await expect(issueServer({ notAfter: notAfter() })).rejects.toBeInstanceOf(Error);
    });
  });

  describe("a serial number", () => {
    test("is positive, hard to guess, of at most 20 bytes, and written as it stands in the certificate", () => {
      for (const { issued, x509 } of [client, server]) {
        expect(issued.serial).toMatch(/^[1-9a-f][0-9a-f]{15,39}$/);
        expect(issued.serial).toBe(serialOf(x509));
        expect(firstByteOfSerial(x509)).toBeLessThan(0x80);
      }
    });

    test("is a certificate's own, also of many issued at once", async () => {
      const parties = await Promise.all(Array.from({ length: 50 }, () => issueClient()));
      expect(new Set(parties.map(({ issued }) => issued.serial)).size).toBe(50);
    });
  });

  describe("what is asked for in vain", () => {
    test.each([
      ["a grant that is no id", { grantId: "grant_1", subjectUserId: newId() }],
      ["a subject with a NUL", { grantId: newId(), subjectUserId: `${newId().slice(1)}\u0000` }],
      ["two names in one", { grantId: newId(), subjectUserId: `${newId()},${newId()}` }],
    ])("is a certificate for %s: refused, or nobody can be named by it", async (_, bad) => {
      const outcome = await issueClient({ identity: bad }).then(
        ({ x509 }) => readCertificateIdentity(x509.raw).kind,
        () => "refused",
      );
      expect(["refused", "malformed"]).toContain(outcome);
    });

    test.each([
      ["nowhere", [], []],
      ["a host without a name", [""], []],
      ["a host with a NUL", ["gateway.example\u0000.evil.example"], []],
      ["two hosts in one", ["gateway.example,DNS:evil.example"], []],
      ["a host with a port", ["gateway.example:443"], []],
      ["a host with a path", ["gateway.example/enroll"], []],
      ["a host with a user", ["ada@gateway.example"], []],
      ["an address that is none", [], ["gateway.example"]],
      ["an address of one interface", [], ["fe80::1%eth0"]],
    ])("is a server certificate for %s", async (_, dnsNames, ipAddresses) => {
      await expect(issueServer({ dnsNames, ipAddresses })).rejects.toBeInstanceOf(Error);
    });
  });

  describe("a chain", () => {
    test("leads from each certificate to the root, without the root and the certificate in it", () => {
      const { rootPem } = authority;
      for (const { issued, x509 } of [client, server]) {
        expect(followChain(x509, { chainPem: issued.chainPem, rootPem, now: new Date() }).kind).toBe("chained");
        for (const pem of issued.chainPem) {
          const between = new X509Certificate(pem);
          expect(between.ca).toBe(true);
          expect(between.checkIssued(between)).toBe(false);
          expect(between.raw.equals(x509.raw)).toBe(false);
        }
      }
    });
  });

  describe("the CRL", () => {
    async function readList() {
      const list = await authority.crl();
      const reading = readCertificateRevocationList(list.der, { issuerPem: list.issuerPem, now: new Date() });
      if (reading.kind !== "valid") throw new Error(JSON.stringify(reading));
      return { list, reading };
    }

    async function revoke({ issued }: Party, reason: Revocation["reason"] = "privilegeWithdrawn"): Promise<void> {
      const revocation = { serial: issued.serial, reason, at: new Date() };
      opened[0]?.record?.(revocation);
      await authority.revoke(revocation);
    }

    test("is signed by a CA of the root, which issues the certificates, and holds for a day", async () => {
      const { list, reading } = await readList();
      const { number, thisUpdate, nextUpdate } = reading;
      expect({ number, thisUpdate, nextUpdate }).toEqual({
        number: list.number,
        thisUpdate: list.thisUpdate,
        nextUpdate: list.nextUpdate,
      });
      expect(nextUpdate.getTime() - thisUpdate.getTime()).toBe(DAY_MS);
      expect(Date.now() - thisUpdate.getTime()).toBeLessThan(DAY_MS / 2);
      expect([...client.issued.chainPem, authority.rootPem].map(fingerprintOf)).toContain(
        fingerprintOf(list.issuerPem),
      );
      const foreign = (await openAnother()).rootPem;
      expect(readCertificateRevocationList(list.der, { issuerPem: foreign, now: new Date() }).kind).toBe("invalid");
    });

    test("has a certificate as soon as it is revoked, and no other; its number grows", async () => {
      const [revoked, kept] = [await issueClient(), await issueClient()];
      const before = await readList();
      expect(before.reading.has(revoked.issued.serial)).toBe(false);
      await revoke(revoked);
      const after = await readList();
      expect(after.reading.has(revoked.issued.serial)).toBe(true);
      expect(after.reading.has(kept.issued.serial)).toBe(false);
      expect(after.reading.number).toBeGreaterThan(before.reading.number);
    });

    test("has it still when it is revoked a second time, which is a success", async () => {
      const party = await issueClient();
      await revoke(party);
      await revoke(party, "keyCompromise");
      expect((await readList()).reading.has(party.issued.serial)).toBe(true);
    });

    test("has those that are revoked at once, of servers too", async () => {
      const parties = [await issueServer(), ...(await Promise.all(Array.from({ length: 8 }, () => issueClient())))];
      await Promise.all(parties.map((party) => revoke(party)));
      const { reading } = await readList();
      expect(parties.filter(({ issued }) => !reading.has(issued.serial))).toEqual([]);
    });

    test("is verified and understood by openssl, with the reason", async () => {
      const [revoked, kept] = [await issueClient(), await issueClient()];
      await revoke(revoked);
      const { list } = await readList();
      const path = join(directory, "list.der");
      await writeFile(path, list.der);
      const { stdout } = await promisify(execFile)("openssl", [
        "crl",
        "-inform",
        "DER",
        "-in",
        path,
        "-noout",
        "-text",
      ]);
      const entry = stdout.slice(stdout.indexOf(revoked.issued.serial.toUpperCase()));
      expect(entry.split("Serial Number")[0]).toMatch(/Reason Code: *\n\s*Privilege Withdrawn/);
      const issuer = join(directory, "list-issuer.pem");
      await writeFile(issuer, list.issuerPem);
      const verification = ["crl", "-inform", "DER", "-in", path, "-noout", "-CAfile", issuer];
      expect((await promisify(execFile)("openssl", verification)).stderr).toMatch(/^verify OK/);
      // OpenSSL applies a list that names its address only to certificates that name it too.
      if (stdout.includes("Issuing Distribution Point")) return;
      const crlPem = `-----BEGIN X509 CRL-----\n${Buffer.from(list.der).toString("base64")}\n-----END X509 CRL-----\n`;
      expect(await verifyWithOpenssl(kept, "sslclient", authority.rootPem, crlPem)).toEqual({ ok: true });
      expect(await verifyWithOpenssl(revoked, "sslclient", authority.rootPem, crlPem)).toMatchObject({
        ok: false,
        says: expect.stringContaining("certificate revoked"),
      });
    });
  });

  describe("in a TLS 1.3 handshake", () => {
    const ends = ({ issued, own }: Party) => ({
      cert: [issued.certificatePem, ...issued.chainPem].join("\n"),
      key: own.privateKeyPem,
    });

    test("both sides know each other, and the server knows whose certificate came", async () => {
      const outcome = await shakeHands({ server: ends(server), client: ends(client), rootPem: authority.rootPem });
      expect(outcome.client).toEqual({ protocol: "TLSv1.3", authorized: true });
      expect(outcome.server).toMatchObject({ protocol: "TLSv1.3", authorized: true });
      const arrived = new X509Certificate(outcome.server.peerCertificate!);
      expect(serialOf(arrived)).toBe(client.issued.serial);
      expect(readCertificateIdentity(arrived.raw)).toEqual({ kind: "identified", ...identity });
    });

    test("a client certificate is none for a server", async () => {
      const outcome = await shakeHands({ server: ends(client), client: ends(client), rootPem: authority.rootPem });
      expect(outcome.client).toEqual({ refusal: "INVALID_PURPOSE" });
    });

    test("a server certificate is none for a client", async () => {
      const outcome = await shakeHands({ server: ends(server), client: ends(server), rootPem: authority.rootPem });
      expect(outcome.server).toMatchObject({ authorized: false, refusal: "INVALID_PURPOSE" });
    });

    test("a client certificate of another authority is none here", async () => {
      const foreign = await issueClient({}, await openAnother());
      const outcome = await shakeHands({ server: ends(server), client: ends(foreign), rootPem: authority.rootPem });
      expect(outcome.server).toMatchObject({
        authorized: false,
        refusal: expect.stringMatching(/UNABLE_TO|SIGNATURE/),
      });
    });

    test("a server certificate is none for a host it does not name", async () => {
      const elsewhere = await issueServer({ dnsNames: ["gateway.example"], ipAddresses: ["192.0.2.7"] });
      const outcome = await shakeHands({ server: ends(elsewhere), client: ends(client), rootPem: authority.rootPem });
      expect(outcome.client).toEqual({ refusal: "ERR_TLS_CERT_ALTNAME_INVALID" });
    });
  });

  test("two authorities have roots of their own", async () => {
    const another = await openAnother();
    const [one, two] = [authority.rootPem, another.rootPem].map((rootPem) => new X509Certificate(rootPem));
    expect(one!.fingerprint256).not.toBe(two!.fingerprint256);
    expect(spkiOf(one!)).not.toBe(spkiOf(two!));
    for (const root of [one!, two!]) expect(root.ca).toBe(true);
  });

  async function textOf({ issued }: Party): Promise<string> {
    const path = join(directory, `${issued.serial}.pem`);
    await writeFile(path, issued.certificatePem);
    return (await promisify(execFile)("openssl", ["x509", "-in", path, "-noout", "-text"])).stdout;
  }

  async function verifyWithOpenssl({ issued }: Party, purpose: string, rootPem = authority.rootPem, crlPem?: string) {
    const write = async (name: string, text: string) => {
      const path = join(directory, name);
      await writeFile(path, text);
      return path;
    };
    const leaf = await write("leaf.pem", issued.certificatePem);
    const root = await write("root.pem", rootPem);
    const chain = await write("chain.pem", issued.chainPem.join("\n"));
    const untrusted = issued.chainPem.length === 0 ? [] : ["-untrusted", chain];
    const list = crlPem === undefined ? [] : ["-crl_check", "-CRLfile", await write("list.pem", crlPem)];
    const trust = ["-no-CApath", "-no-CAstore", "-CAfile", root, ...untrusted, ...list];
    try {
      await promisify(execFile)("openssl", ["verify", "-x509_strict", "-purpose", purpose, ...trust, leaf]);
      return { ok: true };
    } catch (error) {
      return { ok: false, says: (error as { stderr: string }).stderr };
    }
  }
}

function derOf(csrPem: string): Buffer {
  return Buffer.from(csrPem.replaceAll(PEM_FRAME, ""), "base64");
}

function withBitChanged(bytes: Buffer, at: number): Buffer {
  bytes[at]! ^= 1;
  return bytes;
}

function beyond(root: X509Certificate): Date {
  return new Date(new Date(root.validTo).getTime() + DAY_MS);
}

/** The first byte of the serial as it is encoded: from 0x80 up, the number would be below zero (X.690 8.3.3). */
function firstByteOfSerial({ raw }: X509Certificate): number {
  const version = raw.indexOf(Buffer.from([0xa0, 0x03, 0x02, 0x01, 0x02, 0x02]));
  return raw[version + 7]!;
}

async function requestWith(wishes: { readonly name?: string; readonly extensions?: Extension[] }): Promise<Buffer> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    ...wishes,
  });
  expect((await readSigningRequest(Buffer.from(request.rawData))).kind).toBe("malformed");
  return Buffer.from(request.rawData);
}

async function requestFor(algorithm: {
  readonly name: string;
  readonly [parameter: string]: unknown;
}): Promise<Buffer> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm as never });
  return Buffer.from(request.rawData);
}
