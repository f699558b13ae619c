import { format, inspect } from "node:util";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Problem } from "@mosaicstack/foundation";
import { ensureSecrets, type LoadedConfig, Secret } from "../src/index.ts";
import { AUTH_SECRET, emptyDirectory, type Given, load, write } from "./workplace.ts";

/** Everything that a log, a terminal or an answer could show of what came out. */
function shown(outcome: unknown): string {
  const parts = [
    inspect(outcome, { depth: 20, showHidden: true }),
    format("%s %o %O %j", outcome, outcome, outcome, outcome),
  ];
  if (outcome instanceof Error) parts.push(outcome.message, outcome.stack ?? "", inspect(outcome.cause, { depth: 20 }));
  if (outcome instanceof Problem) parts.push(JSON.stringify(outcome.details));
  return [...parts, String(outcome), JSON.stringify(outcome)].join("\n");
}

async function outcomeOf(given: Given): Promise<unknown> {
  try {
    return await load(given);
  } catch (error) {
    return error;
  }
}

const PASSWORD = "hunter2-hunter2-hunter2-hunter2-hunter2";
const SPECIAL = [
  "#",
  "/",
  "?",
  "@",
  ":",
  "%",
  "&",
  "=",
  "[",
  "]",
  "\\",
  "+",
  " ",
  '"',
  "'",
  "$",
  "^",
  "~",
  "é",
  "?host=/",
];
const base = { BETTER_AUTH_SECRET: AUTH_SECRET, DATABASE_URL: "postgresql://db", VALKEY_URL: "redis://valkey" };
const federated = { tier: "federated" };

test("a Secret shows itself in no way but reveal", () => {
  const secret = new Secret(PASSWORD);
  expect(secret.reveal()).toBe(PASSWORD);
  expect(shown({ deep: [{ secret }], secret })).not.toContain("hunter2");
  expect(`${secret} ${JSON.stringify({ secret })} ${inspect(secret)}`).toBe('[secret] {"secret":"[secret]"} [secret]');
  expect(Object.keys(secret)).toEqual([]);
  expect(shown(structuredClone(secret))).not.toContain("hunter2");
});

const accepted: readonly (readonly [string, NodeJS.ProcessEnv])[] = [
  ["BETTER_AUTH_SECRET", { BETTER_AUTH_SECRET: PASSWORD }],
  ["MOSAIC_SEAL_KEY", { MOSAIC_SEAL_KEY: PASSWORD }],
  ["DATABASE_URL", { DATABASE_URL: `postgresql://ada:${PASSWORD}@db/work` }],
  ["POSTGRES_PASSWORD", { POSTGRES_PASSWORD: PASSWORD }],
  ["VALKEY_URL", { VALKEY_URL: `rediss://:${PASSWORD}@valkey` }],
  ["VALKEY_PASSWORD", { VALKEY_PASSWORD: PASSWORD }],
];

describe("nothing of a loaded configuration shows", () => {
  test.each(accepted)("%s", async (_, variables) => {
    const loaded = (await outcomeOf({ file: federated, environment: { ...base, ...variables } })) as LoadedConfig;
    expect(Object.values(loaded.secrets).map((secret: Secret) => secret.reveal())).toContain(PASSWORD);
    expect(shown(loaded)).not.toContain("hunter2");
    expect(shown(await ensureSecrets(loaded))).not.toContain("hunter2");
  });
});

// Each path by which a configuration is refused, with a password where one could stand.
const refused: readonly (readonly [string, Given])[] = [
  ["a file cut short", { file: `{"database": {"password": "${PASSWORD}` }],
  ["a file with the password unquoted", { file: `{"password": ${PASSWORD}}` }],
  ["a file with the password as the whole", { file: PASSWORD }],
  ["a file with a bad escape", { file: `{"password": "${PASSWORD}\\x"}` }],
  ["an unknown setting's value", { file: { passwrd: PASSWORD } }],
  ["a section that is the password", { file: { database: PASSWORD } }],
  ["a list of passwords", { file: { http: { host: [PASSWORD] } } }],
  ["a tier", { file: { tier: PASSWORD } }],
  ["a misplaced URL", { file: { database: { url: `postgresql://ada:${PASSWORD}@db` } } }],
  [
    "a database URL in the file",
    { file: { ...federated, database: { url: `postgresql://ada:${PASSWORD}@db` } }, environment: base },
  ],
  [
    "a queue URL in the file",
    { file: { ...federated, queue: { url: `redis://:${PASSWORD}@valkey` } }, environment: base },
  ],
  [
    "a database URL as a flag",
    { file: federated, environment: base, flags: { "database.url": `postgresql://ada:${PASSWORD}@db` } },
  ],
  [
    "a password parameter",
    { file: federated, environment: { ...base, DATABASE_URL: `postgresql://db/work?password=${PASSWORD}` } },
  ],
  [
    "a parameter that is the password",
    { file: federated, environment: { ...base, DATABASE_URL: `postgresql://db/work?${PASSWORD}` } },
  ],
  ["libpq's keywords", { file: federated, environment: { ...base, DATABASE_URL: `host=db password=${PASSWORD}` } }],
  ["a URL without host", { file: federated, environment: { ...base, DATABASE_URL: `postgresql://ada:${PASSWORD}@` } }],
  [
    "a URL with a bad port",
    { file: federated, environment: { ...base, DATABASE_URL: `postgresql://ada:${PASSWORD}@db:0` } },
  ],
  [
    "a URL with a bad percent",
    { file: federated, environment: { ...base, DATABASE_URL: `postgresql://ada:${PASSWORD}%zz@db` } },
  ],
  ["a URL of another scheme", { file: federated, environment: { ...base, VALKEY_URL: `http://:${PASSWORD}@valkey` } }],
  [
    "Valkey's password as its user",
    { file: federated, environment: { ...base, VALKEY_URL: `redis://${PASSWORD}@valkey` } },
  ],
  [
    "Valkey's password as its database",
    { file: federated, environment: { ...base, VALKEY_URL: `redis://valkey/${PASSWORD}` } },
  ],
  [
    "two passwords",
    {
      file: federated,
      environment: { ...base, DATABASE_URL: `postgresql://ada:${PASSWORD}@db`, POSTGRES_PASSWORD: "hunter2" },
    },
  ],
  ["a short secret", { file: federated, environment: { ...base, BETTER_AUTH_SECRET: "hunter2" } }],
  [
    "a secret given twice",
    {
      file: federated,
      environment: { ...base, BETTER_AUTH_SECRET: PASSWORD, BETTER_AUTH_SECRET_FILE: `/${PASSWORD}` },
    },
  ],
  [
    "the secret itself where its file should be named",
    { file: federated, environment: { ...base, BETTER_AUTH_SECRET: "", BETTER_AUTH_SECRET_FILE: PASSWORD } },
  ],
  ["an unknown variable's value", { environment: { MOSAIC_DATABASE_PASSWORD: PASSWORD } }],
  ["a public address", { file: { http: { publicUrl: `https://ada:${PASSWORD}@a.example` } } }],
  [
    "a host",
    { file: { ...federated, database: { host: `ada:${PASSWORD}@db` } }, environment: { ...base, DATABASE_URL: "" } },
  ],
  ["a port", { environment: { MOSAIC_HTTP_PORT: PASSWORD } }],
];

describe("a refusal never shows a password:", () => {
  test.each(refused)("%s", async (_, given) => {
    const outcome = await outcomeOf(given);
    expect(outcome).toMatchObject({ code: "config_invalid" });
    expect(shown(outcome)).not.toContain("hunter2");
  });
});

test("a password that nobody percent-encoded is taken whole or refused, and shown in neither case", async () => {
  const mark = fc.constantFrom("hunter2", "4711", "hunter2:4711");
  const special = fc.string({ unit: fc.constantFrom(...SPECIAL), minLength: 1, maxLength: 4 });
  const path = fc.constantFrom("", "/9");
  const directory = await emptyDirectory();
  await fc.assert(
    fc.asyncProperty(mark, special, mark, fc.boolean(), path, async (left, middle, right, isDatabase, end) => {
      const variable = isDatabase ? "DATABASE_URL" : "VALKEY_URL";
      const url = `${isDatabase ? "postgresql" : "redis"}://ada:${left}${middle}${right}@host.example:5999${end}`;
      const outcome = await outcomeOf({ directory, file: federated, environment: { ...base, [variable]: url } });
      expect(shown(outcome)).not.toMatch(/hunter2|4711/);
    }),
    { numRuns: 500 },
  );
});

describe("a secret given by a file", () => {
  test("is the file's content, trimmed, the path starting at the working directory", async () => {
    const directory = await emptyDirectory();
    await write(join(directory, "run/auth"), `  ${PASSWORD}\n`);
    await write(join(directory, "run/url"), "postgresql://ada:pw@db/work\n");
    const environment = { BETTER_AUTH_SECRET_FILE: "run/auth", DATABASE_URL_FILE: join(directory, "run/url") };
    const loaded = await load({ directory, file: { tier: "standalone" }, environment });
    expect(loaded.secrets.authSecret?.reveal()).toBe(PASSWORD);
    expect(loaded.secrets.databasePassword?.reveal()).toBe("pw");
    expect(loaded.settings).toContainEqual({
      path: "BETTER_AUTH_SECRET",
      value: "[secret]",
      origin: { kind: "environment", variable: "BETTER_AUTH_SECRET_FILE" },
    });
  });

  test.each([
    ["missing", "nowhere", /can't be read \(ENOENT\)/],
    ["empty", "empty", /empty file/],
    ["a folder", ".", /no file/],
    ["endless", "/dev/zero", /no file/],
    ["far too large", "large", /larger than 64 KiB/],
    ["too short", "short", /fewer than 32 characters/],
  ])("that is %s is refused, naming the variable", async (_, path, says) => {
    const directory = await emptyDirectory();
    await write(join(directory, "empty"), " \n");
    await write(join(directory, "large"), PASSWORD.repeat(2000));
    await write(join(directory, "short"), "hunter2");
    const outcome = await outcomeOf({ directory, environment: { BETTER_AUTH_SECRET_FILE: path } });
    expect(outcome).toMatchObject({
      code: "config_invalid",
      details: { faults: [{ path: "BETTER_AUTH_SECRET_FILE", message: expect.stringMatching(says) }] },
    });
  });

  test("beside the variable itself is refused", async () => {
    const environment = { MOSAIC_SEAL_KEY: PASSWORD, MOSAIC_SEAL_KEY_FILE: "/run/key" };
    expect(await outcomeOf({ environment })).toMatchObject({
      details: { faults: [{ path: "MOSAIC_SEAL_KEY", message: "is set, and so is MOSAIC_SEAL_KEY_FILE" }] },
    });
  });
});

test("the same password alone and in the URL is accepted, as compose files give both", async () => {
  const environment = { ...base, DATABASE_URL: "postgresql://ada:pw@db", POSTGRES_PASSWORD: "pw" };
  const loaded = await load({ file: { tier: "standalone" }, environment });
  expect(loaded.secrets.databasePassword?.reveal()).toBe("pw");
});

test("a secret that the tier does not use is a warning, and its file is not opened", async () => {
  const { warnings, secrets } = await load({
    environment: { DATABASE_URL: "anything", VALKEY_PASSWORD_FILE: "/nowhere" },
  });
  expect(warnings.map(({ path }) => path)).toEqual(["DATABASE_URL", "VALKEY_PASSWORD_FILE"]);
  expect(secrets).toEqual({});
});
