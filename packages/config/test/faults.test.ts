import { describe, expect, test } from "vitest";
import { AUTH_SECRET, faultsOf, type Given, load, refusal } from "./workplace.ts";

const services = { BETTER_AUTH_SECRET: AUTH_SECRET, DATABASE_URL: "postgresql://db", VALKEY_URL: "redis://valkey" };
const federated = (more: object = {}): Given => ({ file: { tier: "federated", ...more }, environment: services });
const embedded = (more: object = {}): Given => ({ file: { tier: "federated", embedded: true, ...more } });
const standalone = (more: object = {}): Given => ({
  file: { tier: "standalone", ...more },
  environment: { BETTER_AUTH_SECRET: AUTH_SECRET },
});

interface Vector {
  readonly name: string;
  readonly given: Given;
  /** The one fault's path. */
  readonly path: string;
  /** What message and remedy must say. */
  readonly says: RegExp;
}

const vectors: readonly Vector[] = [
  { name: "a misspelt section", given: { file: { htp: {} } }, path: "htp", says: /not a setting.*mean http\?/ },
  { name: "a misspelt setting", given: { file: { http: { prot: 1 } } }, path: "http.prot", says: /mean http\.port\?/ },
  {
    name: "another spelling",
    given: { file: { http: { public_url: "x" } } },
    path: "http.public_url",
    says: /mean http\.publicUrl\?/,
  },
  {
    name: "a setting outside its section",
    given: { file: { deadlineMs: 1 } },
    path: "deadlineMs",
    says: /mean federation\.deadlineMs\?/,
  },
  { name: "a setting with dots", given: { file: { "http.port": 1 } }, path: "http.port", says: /not a setting/ },
  {
    name: "a key of tls",
    given: { file: { http: { tls: { keyfile: "/k" } } } },
    path: "http.tls.keyfile",
    says: /mean http\.tls\.keyFile\?/,
  },
  { name: "a name like nothing", given: { file: { zzzzzzzzzz: 1 } }, path: "zzzzzzzzzz", says: /Take it out/ },
  {
    name: "a key of every object's prototype",
    given: { file: '{"__proto__": {"tier": "x"}}' },
    path: "__proto__",
    says: /not a setting/,
  },
  {
    name: "a secret in the file",
    given: { file: { betterAuthSecret: "x" } },
    path: "betterAuthSecret",
    says: /BETTER_AUTH_SECRET/,
  },
  {
    name: "a password in the file",
    given: standalone({ database: { host: "db", password: "x" } }),
    path: "database.password",
    says: /POSTGRES_PASSWORD/,
  },
  {
    name: "an unknown variable",
    given: { environment: { MOSAIC_HTP_PORT: "1" } },
    path: "MOSAIC_HTP_PORT",
    says: /mean MOSAIC_HTTP_PORT\?/,
  },
  { name: "an unknown flag", given: { flags: { "http.prt": 1 } }, path: "http.prt", says: /mean http\.port\?/ },
  {
    name: "an unknown tier",
    given: { file: { tier: "loacl" } },
    path: "tier",
    says: /"local", "standalone".*mean "local"\?/,
  },
  { name: "a tier that is no text", given: { file: { tier: 3 } }, path: "tier", says: /must be one of/ },
  {
    name: "embedded as text",
    given: { file: { tier: "federated", embedded: "yes" } },
    path: "embedded",
    says: /true or false/,
  },
  { name: "a section that is no object", given: { file: { log: "info" } }, path: "log", says: /object in braces/ },
  { name: "null", given: { file: { http: { publicUrl: null } } }, path: "http.publicUrl", says: /must be an address/ },
  {
    name: "a port past the last",
    given: { file: { http: { port: 65_536 } } },
    path: "http.port",
    says: /whole number from 0 to 65535/,
  },
  { name: "a fraction", given: { file: { http: { port: 1.5 } } }, path: "http.port", says: /whole number/ },
  { name: "a number in a text", given: { file: { http: { port: "80" } } }, path: "http.port", says: /whole number/ },
  {
    name: "a variable that is no number",
    given: { environment: { MOSAIC_HTTP_PORT: "1e3" } },
    path: "http.port",
    says: /whole number.*MOSAIC_HTTP_PORT/,
  },
  {
    name: "a host with a port",
    given: { file: { http: { host: "localhost:1" } } },
    path: "http.host",
    says: /host name or an IP address/,
  },
  {
    name: "an address with a path",
    given: { file: { http: { publicUrl: "https://a.example/b" } } },
    path: "http.publicUrl",
    says: /without a path/,
  },
  {
    name: "an address with a password",
    given: { file: { http: { publicUrl: "https://a:b@a.example" } } },
    path: "http.publicUrl",
    says: /without a path/,
  },
  {
    name: "peers over plain http",
    given: embedded({ federation: { publicUrl: "http://a.example" } }),
    path: "federation.publicUrl",
    says: /https:/,
  },
  {
    name: "a certificate of 91 days",
    given: embedded({ federation: { certificateLifetimeDays: 91 } }),
    path: "federation.certificateLifetimeDays",
    says: /1 to 90/,
  },
  {
    name: "an invite of 16 minutes",
    given: embedded({ federation: { inviteLifetimeMinutes: 16 } }),
    path: "federation.inviteLifetimeMinutes",
    says: /1 to 15/,
  },
  {
    name: "a step-ca without its root",
    given: {
      ...embedded({ certificateAuthority: { url: "https://ca.test" } }),
      environment: { STEP_CA_PROVISIONER_KEY: "{}" },
    },
    path: "certificateAuthority.rootFile",
    says: /certificateAuthority\.url is.*neither/,
  },
  {
    name: "a step-ca without its provisioner's key",
    given: embedded({ certificateAuthority: { url: "https://ca.test", rootFile: "root.pem" } }),
    path: "STEP_CA_PROVISIONER_KEY",
    says: /certificateAuthority\.url is.*neither/,
  },
  {
    name: "auto TLS without an authority",
    given: { file: { http: { tls: "auto" } } },
    path: "http.tls",
    says: /only tier federated/,
  },
  {
    name: "a certificate without its key",
    given: { file: { http: { tls: { certificateFile: "/c" } } } },
    path: "http.tls.keyFile",
    says: /Set both/,
  },
  {
    name: "two listeners on one port",
    given: embedded({ http: { port: 9 }, federation: { port: 9 } }),
    path: "federation.port",
    says: /can't share/,
  },
  {
    name: "a word and its parts at once",
    given: {
      environment: { MOSAIC_HTTP_TLS: "off", MOSAIC_HTTP_TLS_KEY_FILE: "/k", MOSAIC_HTTP_TLS_CERTIFICATE_FILE: "/c" },
    },
    path: "http.tls",
    says: /one of the two/,
  },

  {
    name: "a database on local",
    given: { file: { database: { host: "db" } } },
    path: "database",
    says: /tier standalone or federated.*is local/,
  },
  {
    name: "federation on standalone",
    given: standalone({ database: { host: "db" }, federation: { port: 1 } }),
    path: "federation",
    says: /belongs to tier federated; .* standalone/,
  },
  {
    name: "a folder on standalone",
    given: standalone({ database: { host: "db" }, dataDirectory: "d" }),
    path: "dataDirectory",
    says: /local or federated with "embedded": true/,
  },
  {
    name: "embedded on local",
    given: { file: { embedded: true } },
    path: "embedded",
    says: /belongs to tier federated/,
  },
  {
    name: "a database on embedded",
    given: embedded({ database: { host: "db" } }),
    path: "database",
    says: /without "embedded"/,
  },
  {
    name: "Valkey on embedded",
    given: embedded({ queue: { url: "redis://valkey" } }),
    path: "queue.url",
    says: /without "embedded"/,
  },
  {
    name: "a variable of another tier",
    given: { environment: { MOSAIC_DATABASE_HOST: "db" } },
    path: "database",
    says: /standalone or federated/,
  },

  {
    name: "federated with a queue that is not BullMQ",
    given: federated({ queue: { kind: "in-process" } }),
    path: "queue.kind",
    says: /"bullmq".*"embedded": true/,
  },
  {
    name: "embedded with BullMQ",
    given: embedded({ queue: { kind: "bullmq" } }),
    path: "queue.kind",
    says: /"in-process"/,
  },
  {
    name: "federated without Valkey",
    given: { file: { tier: "federated" }, environment: { ...services, VALKEY_URL: "" } },
    path: "queue.url",
    says: /needs Valkey.*VALKEY_URL/,
  },
  {
    name: "standalone without PostgreSQL",
    given: standalone(),
    path: "database.host",
    says: /needs PostgreSQL.*DATABASE_URL/,
  },
  {
    name: "an authority for a database connection without TLS",
    given: standalone({ database: { host: "db", caFile: "ca.pem" } }),
    path: "database.caFile",
    says: /database\.tls is off.*verify/,
  },
  {
    name: "a migration password without its role",
    given: {
      file: { tier: "standalone", database: { host: "db" } },
      environment: { BETTER_AUTH_SECRET: AUTH_SECRET, POSTGRES_MIGRATION_PASSWORD: "hunter2" },
    },
    path: "POSTGRES_MIGRATION_PASSWORD",
    says: /migrationUser is not.*MOSAIC_DATABASE_MIGRATION_USER/,
  },
  {
    name: "standalone without a secret",
    given: { file: { tier: "standalone", database: { host: "db" } } },
    path: "BETTER_AUTH_SECRET",
    says: /not set.*BETTER_AUTH_SECRET_FILE/,
  },
  {
    name: "federated without a secret",
    given: { file: { tier: "federated" }, environment: { ...services, BETTER_AUTH_SECRET: "" } },
    path: "BETTER_AUTH_SECRET",
    says: /not set/,
  },
  {
    name: "a Valkey user without a password",
    given: { file: { tier: "federated" }, environment: { ...services, VALKEY_URL: "redis://hunter2@valkey" } },
    path: "queue.url",
    says: /no password/,
  },
  {
    name: "a URL of another kind",
    given: standalone({ database: { url: "mysql://db" } }),
    path: "database.url",
    says: /postgresql:\/\//,
  },
  {
    name: "an sslmode that may fall back",
    given: standalone({ database: { url: "postgresql://db/x?sslmode=prefer" } }),
    path: "database.url",
    says: /sslmode other than disable/,
  },
  {
    name: "an unknown URL parameter",
    given: standalone({ database: { url: "postgresql://db/x?schema=public" } }),
    path: "database.url",
    says: /parameter/,
  },
  {
    name: "a URL beside its parts",
    given: standalone({ database: { url: "postgresql://db", port: 1 } }),
    path: "database.port",
    says: /the URL, or its parts/,
  },
  { name: "a file that holds a list", given: { file: "[]" }, path: "mosaic.config.json", says: /one object/ },
];

describe("refused, with its path and what to do:", () => {
  test.each(vectors)("$name", async ({ given, path, says }) => {
    const faults = await faultsOf(given);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.path.endsWith(path)).toBe(true);
    expect(`${faults[0]?.message} ${faults[0]?.remedy}`).toMatch(says);
  });
});

test("all faults of all sources come at once, each with the one who said it", async () => {
  const { code, message, details } = await refusal({
    file: { tier: "federated", http: { port: -1 }, lgo: {} },
    environment: { MOSAIC_LOG_LEVEL: "inf", MOSAIC_NOPE: "1" },
    flags: { "federation.deadlineMs": 1 },
  });
  expect(code).toBe("config_invalid");
  const faults = details["faults"] as { path: string; origin?: { kind: string } }[];
  expect(faults.map(({ path, origin }) => [path, origin?.kind])).toEqual([
    ["lgo", "file"],
    ["http.port", "file"],
    ["MOSAIC_NOPE", "environment"],
    ["log.level", "environment"],
    ["federation.deadlineMs", "flag"],
    ["queue.url", undefined],
    ["database.host", undefined],
    ["BETTER_AUTH_SECRET", undefined],
  ]);
  for (const { path } of faults) expect(message).toContain(path);
});

test("an unknown tier still gets its other faults, and none that only a known tier could show", async () => {
  const faults = await faultsOf({ file: { tier: "cloud", database: { port: 0 } } });
  expect(faults.map(({ path }) => path)).toEqual(["tier", "database.port"]);
});

test("malformed JSON is refused with line and column", async () => {
  const { message } = await refusal({ file: '{\n  "tier": "local",\n  "http": {"port": 1,}\n}' });
  expect(message).toContain("line 3, column 22");
});

test("a byte order mark and $schema are no faults", async () => {
  const file = `\uFEFF${JSON.stringify({ $schema: "./mosaic.config.schema.json", tier: "local" })}`;
  await expect(load({ file })).resolves.toMatchObject({ config: { tier: "local" } });
});
