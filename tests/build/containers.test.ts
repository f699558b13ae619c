import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { loadConfig } from "@mosaicstack/config";
import { openTestStore } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { interpolate, readCompose, referencesIn } from "./compose-file.ts";
import { type ComposeSpecification, composeSpecification } from "./compose-specification.ts";
import { COMPOSE, containerFiles, type ContainerTexts, GUIDE, readTexts, STACK } from "./container-files.ts";
import {
  brokenPaths,
  literalSecrets,
  looseContainers,
  missingHealthChecks,
  standIns,
  undocumentedVariables,
  unfixedImages,
  unknownVariables,
  wrongPorts,
} from "./container-rules.ts";
import { environmentOf, finalStage, inContext } from "./dockerfile.ts";

const ROOT = join(import.meta.dirname, "../..");
const texts = readTexts(ROOT);
const files = containerFiles(texts);

type Path = keyof ContainerTexts;
type ComposePath = typeof COMPOSE | typeof STACK;

/** The files with one of them changed; the text to replace must be there. */
function planted(path: Path, from: string, to: string): ReturnType<typeof containerFiles> {
  expect(texts[path]).toContain(from);
  return containerFiles({ ...texts, [path]: texts[path].replace(from, () => to) });
}

/** Goes away with the test. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mosaic-containers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("as Docker Compose reads them", () => {
  let compose: ComposeSpecification;
  beforeAll(() => {
    compose = composeSpecification();
  });
  afterAll(() => compose.close());

  const model = (path: ComposePath, text = texts[path]) => {
    const read = readCompose(text);
    return interpolate(read, standIns(read, {}));
  };

  const read = (path: ComposePath, text: string, variables?: Readonly<Record<string, string>>) => {
    const file = join(temporaryFolder(), basename(path));
    writeFileSync(file, text);
    return compose.read(file, variables ?? standIns(readCompose(text), {}));
  };

  test.each([COMPOSE, STACK] as const)("%s is valid by the specification's schema", (path) => {
    expect(compose.schemaFaults(model(path))).toEqual([]);
  });

  test.each([
    ["an unknown key", "    shm_size: 256m\n", "    shm_sise: 256m\n", "/services/postgresql"],
    ["a condition that there is not", "service_healthy", "service_well", "/services/gateway/depends_on"],
  ])("%s is not valid by the schema", (_, from, to, where) => {
    for (const path of [COMPOSE, STACK] as const) {
      expect(texts[path]).toContain(from);
      expect(compose.schemaFaults(model(path, texts[path].replace(from, to))).join("\n")).toContain(where);
    }
  });

  test.each([COMPOSE, STACK] as const)("%s is read, with the values these tests find in it", (path) => {
    const reading = read(path, texts[path]);
    expect(reading.fault).toBeUndefined();
    if (reading.fault !== undefined) return;
    const { name, services } = model(path);
    expect(reading.project.name).toBe(name);
    expect(Object.keys(reading.project.services).toSorted()).toEqual(Object.keys(services).toSorted());
    for (const [each, service] of Object.entries(services)) {
      expect([each, reading.project.services[each]?.environment ?? {}]).toEqual([each, service.environment ?? {}]);
      expect([each, reading.project.services[each]?.command ?? []]).toEqual([each, service.command ?? []]);
    }
  });

  test.each([
    ["a duration that is none", "interval: 5s", "interval: often", "duration"],
    ["a dollar that is no variable", "valkey-server - <<END", "valkey-server - <<END $ ${", "interpolation"],
    ["a volume that is not declared", "gateway-data:/data", "data:/data", "undefined volume data"],
    ["a service that is not there", "      valkey: {", "      valkie: {", "valkie"],
  ])("%s is refused", (_, from, to, said) => {
    for (const path of [COMPOSE, STACK] as const) {
      expect(texts[path]).toContain(from);
      const variables = standIns(readCompose(texts[path]), {});
      expect(
        read(
          path,
          texts[path].replace(from, () => to),
          variables,
        ).fault,
      ).toContain(said);
    }
  });

  test("a variable that is missing is refused, with what to do", () => {
    for (const path of [COMPOSE, STACK] as const) {
      const given = standIns(readCompose(texts[path]), {});
      for (const name of Object.keys(given)) {
        const { [name]: _missing, ...others } = given;
        expect(read(path, texts[path], others).fault).toMatch(new RegExp(`variable ${name} is missing.*: .{8,}`));
      }
    }
  });
});

const RULES = {
  unknownVariables,
  literalSecrets,
  wrongPorts,
  missingHealthChecks,
  unfixedImages,
  undocumentedVariables,
  looseContainers,
};
type Rule = keyof typeof RULES;

/** What no change may bring: the rule, its place, the change, and what the rule says of it. */
const OFFENDERS: readonly (readonly [Rule, Path, string, string, string])[] = [
  ["unknownVariables", COMPOSE, "MOSAIC_TIER", "MOSAIC_TEIR", "gateway: MOSAIC_TEIR"],
  ["unknownVariables", STACK, "POSTGRES_PASSWORD:", "POSTGRESS_PASSWORD:", "gateway: POSTGRESS_PASSWORD"],
  ["unknownVariables", "Dockerfile", "MOSAIC_HTTP_PORT=", "MOSAIC_PORT=", "MOSAIC_PORT"],
  ["literalSecrets", STACK, "VALKEY_PASSWORD: $", "VALKEY_PASSWORD: hunter2 $", "VALKEY_PASSWORD is written out"],
  ["literalSecrets", STACK, "SEAL_KEY:-}", "SEAL_KEY:-hunter2}", "SEAL_KEY has a default"],
  ["literalSecrets", STACK, "redis://valkey", "redis://:hunter2@valkey", "a URL holds"],
  ["literalSecrets", COMPOSE, "/run/secrets/seal-key", "/data/seal-key", "MOSAIC_SEAL_KEY_FILE names a file"],
  ["literalSecrets", COMPOSE, "[auth-secret, seal-key, ", "[seal-key, ", "BETTER_AUTH_SECRET_FILE names a file"],
  ["literalSecrets", COMPOSE, 'requirepass "$$password"', "requirepass hunter2", "requirepass is written out"],
  ["literalSecrets", COMPOSE, "valkey-server -", "valkey-server --requirepass $$password -", "a password in"],
  ["literalSecrets", "Dockerfile", "ENV NODE_ENV", "ENV BETTER_AUTH_SECRET=x NODE_ENV", "BETTER_AUTH_SECRET"],
  ["wrongPorts", COMPOSE, '"127.0.0.1:14443:14443"', '"127.0.0.1:14443:4443"', "publishes 14242 4443"],
  ["wrongPorts", COMPOSE, "127.0.0.1:5433:5432", "5433:5432", "publishes 5433:5432 instead of"],
  ["wrongPorts", COMPOSE, "6380:6379", "6379:6379", "publishes 127.0.0.1:6379:6379 instead of"],
  ["wrongPorts", STACK, "    networks: [backend]", '    ports: ["5432:5432"]', "is reached from outside"],
  ["wrongPorts", "Dockerfile", "EXPOSE 14242 14443", "EXPOSE 14242", "exposes 14242"],
  ["missingHealthChecks", COMPOSE, "service_healthy", "service_started", "waits until postgresql is service_started"],
  ["missingHealthChecks", STACK, "service_completed_successfully", "service_started", "waits until"],
  ["missingHealthChecks", STACK, "      valkey: {", "      valkie: {", "waits for valkie"],
  ["missingHealthChecks", COMPOSE, "test: [CMD, pg_isready", "tset: [CMD, pg_isready", "has no health check"],
  ["missingHealthChecks", "Dockerfile", 'health-check.mjs"]', 'health.mjs"]', "HEALTHCHECK runs nothing"],
  ["unfixedImages", STACK, ":?the gateway's image by digest, name@sha256:...", ":-mosaic:latest", "ask for a digest"],
  ["unfixedImages", STACK, "valkey/valkey:8.1", "valkey/valkey:latest", "is not a variable with a fixed tag"],
  ["unfixedImages", COMPOSE, "pgvector:pg17", "pgvector:pg16", "in the other file"],
  ["unfixedImages", "Dockerfile", "node:24-", "node:23-", "a Node that .ci/run does not test"],
  ["undocumentedVariables", STACK, "{HTTP_PORT:-", "{PEOPLE_PORT:-", "PEOPLE_PORT is not explained"],
  ["undocumentedVariables", GUIDE, "| `HTTP_PORT` |", "| `HTTP` |", "HTTP_PORT is not explained"],
  ["undocumentedVariables", "Dockerfile", "ARG REVISION", "ARG COMMIT", "COMMIT is not explained"],
  ["looseContainers", COMPOSE, "cap_drop: [ALL]", "cap_drop: [NET_RAW]", "gateway: keeps capabilities"],
  ["looseContainers", STACK, "no-new-privileges:true", "no-new-privileges:false", "gateway: may gain privileges"],
  ["looseContainers", COMPOSE, "read_only: true", "read_only: false", "gateway: can write to its root"],
  ["looseContainers", COMPOSE, "profiles: [federated]", "profiles: [other]", "not in the profile federated"],
  ["looseContainers", STACK, "user: postgres", "hostname: postgres", "postgresql: starts as root"],
  ["looseContainers", "Dockerfile", "USER 10001:10001", "USER node", 'runs as "node"'],
  [
    "looseContainers",
    "Dockerfile",
    'ENTRYPOINT ["node", "/opt/mosaic/app/mosaic.js"]',
    "ENTRYPOINT node x",
    "exec form",
  ],
];

describe("by the code", () => {
  test.each(Object.keys(RULES) as Rule[])("%s: none, and an offender is planted below", (rule) => {
    expect(RULES[rule](files)).toEqual([]);
    expect(OFFENDERS.map(([each]) => each)).toContain(rule);
  });

  test.each(OFFENDERS)("%s of %s sees %s become %s", (rule, path, from, to, said) => {
    expect(RULES[rule](planted(path, from, to)).join("\n")).toContain(said);
  });
});

describe("brokenPaths", () => {
  test("none", () => {
    expect(brokenPaths(files, ROOT)).toEqual([]);
  });

  test.each([
    [
      COMPOSE,
      "./deploy/postgresql/create-roles.sh",
      "./deploy/create-roles.sh",
      "./deploy/create-roles.sh does not exist",
    ],
    [COMPOSE, "gateway-data:/data", "data:/data", "no volume data"],
    [COMPOSE, "  auth-secret:\n", "  secret-of-auth:\n", "no secret auth-secret"],
    [STACK, "networks: [edge, backend]", "networks: [front, backend]", "no network front"],
    [STACK, "/opt/mosaic-image/postgresql/", "/opt/mosaic-image/roles/", "no /opt/mosaic-image/roles/create-roles.sh"],
    [
      "Dockerfile",
      "deploy/postgresql/create-roles.sh",
      "deploy/roles.sh",
      "deploy/roles.sh is not in the build context",
    ],
    [
      COMPOSE,
      "create-authority-command.mjs",
      "create-authority.mjs",
      "no /opt/mosaic-image/step-ca/create-authority.mjs",
    ],
    ["Dockerfile", '"/opt/mosaic/app/mosaic.js"', '"/opt/mosaik/app/mosaic.js"', "no /opt/mosaik/app/mosaic.js"],
    [".dockerignore", "!deploy\n", "", "create-roles.sh is not in the build context"],
  ] as const)("sees %s say %s as %s", (path, from, to, said) => {
    expect(brokenPaths(planted(path, from, to), ROOT).join("\n")).toContain(said);
  });

  test("sees a first-boot script that can't be run", () => {
    const root = temporaryFolder();
    const script = "deploy/postgresql/create-roles.sh";
    mkdirSync(dirname(join(root, script)), { recursive: true });
    cpSync(join(ROOT, script), join(root, script));
    chmodSync(join(root, script), 0o644);
    expect(brokenPaths(files, root).join("\n")).toContain("create-roles.sh is not executable");
  });
});

test("the build context holds sources and no tests, builds, secrets or history", () => {
  const ignore = texts[".dockerignore"];
  const within = ["package.json", "packages/config/src/index.ts", "apps/cli/bin/mosaic.js", "deploy/step-ca/ca.json"];
  const without = [
    ".git/HEAD",
    ".secrets/auth-secret",
    ".env",
    "node_modules/pg/package.json",
    "packages/config/node_modules/zod/package.json",
    "packages/config/test/load-config.test.ts",
    "tests/build/containers.test.ts",
    "dist/mosaic/app/mosaic.js",
  ];
  expect([...within, ...without].filter((path) => inContext(ignore, path))).toEqual(within);
});

describe("the gateway's configuration", () => {
  /** What the gateway of a file would load, with every variable given and every secret in a folder of this test. */
  async function load(path: ComposePath, variables: Readonly<Record<string, string>> = {}) {
    const folder = temporaryFolder();
    execFileSync(join(ROOT, "deploy/image/make-secrets.sh"), [folder]);
    const { model } = files.composed.find((each) => each.path === path) ?? files.composed[0]!;
    const given = standIns(model, {
      HOST_FQDN: "a.example",
      BETTER_AUTH_URL: "https://a.example:14242",
      BETTER_AUTH_SECRET: "a secret of a test, longer than thirty-two characters",
      ...variables,
    });
    const environment = Object.entries(interpolate(model.services["gateway"]!.environment ?? {}, given)).map(
      ([name, value]) => [name, value.replace("/run/secrets", folder)],
    );
    const loaded = await loadConfig({
      directory: folder,
      environment: { ...environmentOf(finalStage(files.dockerfile)), ...Object.fromEntries(environment) },
    });
    return { loaded, model };
  }

  test.each([COMPOSE, STACK] as const)(
    "of %s is valid, warns of nothing, and finds the services beside it",
    async (path) => {
      const { loaded, model } = await load(path);
      expect(loaded.warnings).toEqual([]);
      expect(loaded.config).toMatchObject({
        tier: "federated",
        embedded: false,
        database: { host: "postgresql", port: 5432, name: "mosaic", user: "mosaic", migrationUser: "mosaic_owner" },
        queue: { kind: "bullmq", host: "valkey", port: 6379, tls: false },
        certificateAuthority: { kind: "embedded" },
        http: { host: "0.0.0.0", port: 14_242, tls: "auto" },
        federation: { host: "0.0.0.0", port: 14_443 },
      });
      expect(Object.keys(model.services)).toEqual(expect.arrayContaining(["postgresql", "valkey"]));
      expect(Object.keys(loaded.secrets).toSorted()).toEqual(
        ["authSecret", "databaseMigrationPassword", "databasePassword", "queuePassword"]
          .concat(path === COMPOSE ? ["sealKey"] : [])
          .toSorted(),
      );
    },
  );

  test("of two stacks on one host differs by name and ports, and needs nothing else", async () => {
    const second = { STACK_NAME: "mosaic-test-b", HTTP_PORT: "24242", FEDERATION_PORT: "24443" };
    const { loaded, model } = await load(STACK, { ...second, BETTER_AUTH_URL: "https://a.example:24242" });
    expect(loaded.config).toMatchObject({
      http: { publicUrl: "https://a.example:24242" },
      federation: { publicUrl: "https://a.example:24443" },
    });
    const composed = interpolate(model, standIns(model, second));
    expect(composed.name).toBe("mosaic-test-b");
    expect(composed.services["gateway"]?.ports).toEqual(["24242:14242", "24443:14443"]);
  });

  test("takes every secret of its own that the roles script gives the database", () => {
    for (const { path, model } of files.composed) {
      const { gateway, postgresql } = model.services;
      const of = (service: typeof gateway, name: string) =>
        service?.environment?.[name] ?? service?.environment?.[`${name}_FILE`];
      expect([path, of(gateway, "POSTGRES_PASSWORD")]).toEqual([path, of(postgresql, "CREATE_ROLES_RUNTIME_PASSWORD")]);
      expect([path, of(gateway, "POSTGRES_MIGRATION_PASSWORD")]).toEqual([
        path,
        of(postgresql, "CREATE_ROLES_OWNER_PASSWORD"),
      ]);
      expect(of(postgresql, "POSTGRES_PASSWORD")).not.toBe(of(postgresql, "CREATE_ROLES_OWNER_PASSWORD"));
      expect(of(postgresql, "CREATE_ROLES_RUNTIME_PASSWORD")).not.toBe(of(postgresql, "CREATE_ROLES_OWNER_PASSWORD"));
    }
  });
});

test("a variable that is required is asked for by what to do, and an empty one is none", () => {
  const model = readCompose(texts[STACK]);
  const required = new Set(
    referencesIn(model)
      .filter(({ operator }) => operator === ":?")
      .map(({ name }) => name),
  );
  expect([...required]).toEqual(
    expect.arrayContaining(["STACK_NAME", "HOST_FQDN", "POSTGRES_PASSWORD", "BETTER_AUTH_SECRET", "BETTER_AUTH_URL"]),
  );
  for (const name of required) {
    const others = standIns(model, { [name]: "" });
    expect(() => interpolate(model, others)).toThrow(new RegExp(`^${name}: .{8,}`));
  }
  expect(() => interpolate("$PASSWORD", {})).toThrow("write $$");
});

test("make-secrets.sh makes each secret of the compose file once, in a folder that is its owner's alone", () => {
  const folder = join(temporaryFolder(), "a folder");
  const make = () => execFileSync(join(ROOT, "deploy/image/make-secrets.sh"), [folder]);
  const declared = Object.keys((parse(texts[COMPOSE]) as { secrets: object }).secrets).toSorted();
  make();
  const first = declared.map((name) => readFileSync(join(folder, name), "utf8"));
  expect(new Set(first).size).toBe(declared.length);
  for (const secret of first) expect(secret).toMatch(/^[0-9a-f]{64}\n$/);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of declared) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o444);

  make();
  expect(declared.map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(first);
});

test("the guide's vector round trip is what pgvector answers", async () => {
  const [, statement = ""] = /--command="(select [^"]*vector\(3\))"/.exec(texts[GUIDE]) ?? [];
  const [, answer = ""] = /\| `vector\(3\)` round trip \| it prints `([^`]+)` \|/.exec(texts[GUIDE]) ?? [];
  const store = await openTestStore({ vector: true });
  onTestFinished(async () => await store.close());
  expect((await store.query(statement, [])).map((row) => Object.values(row))).toEqual([[answer]]);
});
