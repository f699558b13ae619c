import { newId } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import {
  enrollmentRequestSchema,
  enrollmentResponseSchema,
  formatInvite,
  hashToken,
  isLoopback,
  newToken,
  parseRequest,
  PROTOCOL_VERSION,
  readInvite,
} from "../src/index.ts";
import { problemOf } from "./refusal.ts";

const token = newToken();
const ca = "0123456789abcdef".repeat(4);
const fragment = `#token=${token}&ca=${ca}`;

describe("a token", () => {
  test("is 256 bits in base64url, new each time", () => {
    const tokens = Array.from({ length: 1000 }, newToken);
    expect(new Set(tokens).size).toBe(1000);
    for (const each of tokens) expect(each).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test("is stored as a hash that does not hold it", () => {
    expect(hashToken("token")).toBe("3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0");
    expect(hashToken(token)).not.toContain(token);
  });
});

describe("an invite", () => {
  test("is written and read back", () => {
    const invite = { enrollUrl: "https://work.example:14242/enroll", token, caFingerprint: ca };
    expect(readInvite(formatInvite(invite))).toEqual({ kind: "invite", invite });
  });

  test("keeps token and pin in the fragment, which is not part of what is sent", () => {
    const url = new URL(formatInvite({ enrollUrl: "https://work.example/enroll", token, caFingerprint: ca }));
    expect(`${url.origin}${url.pathname}${url.search}`).toBe("https://work.example/enroll");
    const reading = readInvite(url.href);
    expect(reading).toMatchObject({ invite: { enrollUrl: "https://work.example/enroll" } });
  });

  test.each([
    [
      "with blanks and a line end around it",
      ` https://work.example/enroll${fragment}\n`,
      "https://work.example/enroll",
    ],
    ["with the scheme in capitals", `HTTPS://work.example/enroll${fragment}`, "https://work.example/enroll"],
    [
      "with its parts in the other order",
      `https://work.example/enroll#ca=${ca}&token=${token}`,
      "https://work.example/enroll",
    ],
    ["with a part it does not know", `https://work.example/enroll${fragment}&name=work`, "https://work.example/enroll"],
    ["below a path", `https://work.example/mosaic/enroll${fragment}`, "https://work.example/mosaic/enroll"],
    ["over http to localhost", `http://localhost:14242/enroll${fragment}`, "http://localhost:14242/enroll"],
    ["over http to 127.0.0.1", `http://127.0.0.1:14242/enroll${fragment}`, "http://127.0.0.1:14242/enroll"],
    ["over http to ::1", `http://[::1]:14242/enroll${fragment}`, "http://[::1]:14242/enroll"],
    [
      "with a backslash, which browsers take for a slash",
      `https://work.example\\@evil.example/enroll${fragment}`,
      "https://work.example/@evil.example/enroll",
    ],
  ])("is read %s", (_, text, enrollUrl) => {
    expect(readInvite(text)).toEqual({ kind: "invite", invite: { enrollUrl, token, caFingerprint: ca } });
  });
});

const URL_REASON = "it is not a URL";
const SCHEME = "it must start with https:// (http:// is for this machine's own addresses only)";
const USER = "it has a user name or password in it";
const TOKEN = "its token is missing or cut short; copy the whole line, and quote it in a shell";
const PIN = "the fingerprint of the CA is missing or cut short; copy the whole line, and quote it in a shell";
const PATH = "it is not an enrollment link, which ends in /enroll before the #";
const at = (rest: string) => `https://work.example/enroll${rest}`;

const refused: readonly (readonly [what: string, text: string, reason: string])[] = [
  ["nothing", "", URL_REASON],
  ["a bare token", token, URL_REASON],
  ["a path", `/enroll${fragment}`, URL_REASON],
  ["no host", `https://${fragment}`, URL_REASON],
  ["an impossible port", `https://work.example:99999/${fragment}`, URL_REASON],
  ["more than 2 kB", at(`?${"x".repeat(2048)}${fragment}`), URL_REASON],
  ["plain http to another machine", `http://work.example/enroll${fragment}`, SCHEME],
  ["plain http to a name that begins like loopback", `http://localhost.evil.example/enroll${fragment}`, SCHEME],
  [
    "plain http to a name that begins like a loopback address",
    `http://127.0.0.1.evil.example/enroll${fragment}`,
    SCHEME,
  ],
  ["plain http to the unspecified address", `http://0.0.0.0/enroll${fragment}`, SCHEME],
  ["plain http to a private address", `http://192.168.1.2/enroll${fragment}`, SCHEME],
  ["plain http to loopback mapped into IPv6", `http://[::ffff:127.0.0.1]/enroll${fragment}`, SCHEME],
  ["a file", `file:///enroll${fragment}`, SCHEME],
  ["a script", `javascript:alert(1)${fragment}`, SCHEME],
  ["a web socket to this machine", `ws://127.0.0.1/enroll${fragment}`, SCHEME],
  ["a web socket", `wss://work.example/enroll${fragment}`, SCHEME],
  ["a user name", `https://ada@work.example/enroll${fragment}`, USER],
  ["a password", `https://:secret@work.example/enroll${fragment}`, USER],
  ["a host disguised as a user name", `https://work.example@evil.example/enroll${fragment}`, USER],
  ["another address of this machine", `http://127.0.0.1:9000/admin/reset${fragment}`, PATH],
  ["a query", `https://work.example/enroll?tenant=1${fragment}`, PATH],
  ["no fragment", at(""), TOKEN],
  ["token and pin in the query, which is logged", at(`?token=${token}&ca=${ca}`), TOKEN],
  ["no token", at(`#ca=${ca}`), TOKEN],
  ["an empty token", at(`#token=&ca=${ca}`), TOKEN],
  ["a token cut short", at(`#token=${token.slice(0, -1)}&ca=${ca}`), TOKEN],
  ["a token too long", at(`#token=${token}A&ca=${ca}`), TOKEN],
  ["a token of other letters", at(`#token=${"+".repeat(43)}&ca=${ca}`), TOKEN],
  ["two tokens", at(`#token=${token}&token=${newToken()}&ca=${ca}`), TOKEN],
  ["the same token twice", at(`#token=${token}&token=${token}&ca=${ca}`), TOKEN],
  ["what an unquoted & leaves of it in a shell", at(`#token=${token}`), PIN],
  ["a pin cut short", at(`#token=${token}&ca=${ca.slice(1)}`), PIN],
  ["a pin of other letters", at(`#token=${token}&ca=${"g".repeat(64)}`), PIN],
  ["two pins", at(`${fragment}&ca=${"f".repeat(64)}`), PIN],
];

describe("refused, without a word of the token", () => {
  test.each(refused)("%s", (_, text, reason) => {
    const reading = readInvite(text);
    expect(reading).toEqual({ kind: "malformed", reason });
    expect(JSON.stringify(reading)).not.toContain(token.slice(0, 8));
  });
});

describe("isLoopback", () => {
  test.each(["localhost", "127.0.0.1", "127.255.255.254", "[::1]"])("%s", (host) =>
    expect(isLoopback(host)).toBe(true),
  );
  test.each([
    "",
    "localhost.",
    "example.org",
    "128.0.0.1",
    "127.0.0.1.nip.io",
    "1127.0.0.1",
    "[::2]",
    "::1",
    "127.0.0.1\n",
  ])("not %j", (host) => expect(isLoopback(host)).toBe(false));
});

describe("an enrollment request", () => {
  const good = { protocol: PROTOCOL_VERSION, token, csr: "-----BEGIN CERTIFICATE REQUEST-----" };

  test("is read", () => {
    expect(parseRequest(enrollmentRequestSchema, good)).toEqual(good);
  });

  test.each([
    ["no body", undefined, ""],
    ["a list", [good], ""],
    ["another protocol", { ...good, protocol: 2 }, "protocol"],
    ["a protocol as text", { ...good, protocol: "1" }, "protocol"],
    ["no token", { protocol: 1, csr: "" }, "token"],
    ["a token cut short", { ...good, token: token.slice(1) }, "token"],
    ["a token with a line end", { ...good, token: `${token}\n` }, "token"],
    ["a list of tokens", { ...good, token: [token] }, "token"],
    ["no signing request", { protocol: 1, token }, "csr"],
    ["a signing request of more than 8 kB", { ...good, csr: "x".repeat(8193) }, "csr"],
    ["a member it does not know", { ...good, subject_user_id: newId() }, ""],
  ])("is refused with %s, naming where and never the token", (_, body, path) => {
    const problem = problemOf(() => parseRequest(enrollmentRequestSchema, body));
    expect(problem).toMatchObject({ code: "request_malformed", details: { status: 400, path } });
    expect(JSON.stringify(problem.details)).not.toContain(token.slice(1, 20));
  });
});

describe("an enrollment's answer", () => {
  const grant = { id: newId(), name: "home", subject_user_id: newId(), expires_at: null };
  const renew = { from: "2026-01-04T00:00:00.000Z", until: "2026-01-06T00:00:00.000Z" };
  const addresses = { endpoint: "https://work.example:14443", crl_url: "https://work.example/federation/crl" };
  const good = { certificate: "pem", chain: ["pem"], root: "pem", ...addresses, generation: 1, renew, grant };

  test("is read, and what a newer gateway adds is left out", () => {
    expect(enrollmentResponseSchema.parse({ ...good, renewal: {} })).toEqual(good);
  });

  test.each([
    ["a certificate of more than 16 kB", { ...good, certificate: "x".repeat(16_385) }],
    ["a root of more than 16 kB", { ...good, root: "x".repeat(16_385) }],
    ["an endpoint of more than 512 characters", { ...good, endpoint: `https://${"x".repeat(512)}` }],
    ["an address of the CRL of more than 512 characters", { ...good, crl_url: `https://${"x".repeat(512)}` }],
    ["generation 0", { ...good, generation: 0 }],
    ["a window that is no time", { ...good, renew: { from: "soon", until: "later" } }],
    ["no root", { ...good, root: undefined }],
    ["no chain", { ...good, chain: undefined }],
    ["a chain of four intermediates", { ...good, chain: ["pem", "pem", "pem", "pem"] }],
    ["an intermediate of more than 16 kB", { ...good, chain: ["x".repeat(16_385)] }],
    ["a grant that is no id", { ...good, grant: { ...grant, id: "grant_1" } }],
    ["a subject that is no id", { ...good, grant: { ...grant, subject_user_id: "ada" } }],
    ["a name of more than 200 characters", { ...good, grant: { ...grant, name: "x".repeat(201) } }],
  ])("is refused with %s", (_, answer) => {
    expect(enrollmentResponseSchema.safeParse(answer).success).toBe(false);
  });
});
