/** Every package of ours that is not an application; `harness` apart, which no product code may load. */
const PACKAGES = [
  "foundation",
  "config",
  "storage",
  "coordination",
  "resources",
  "federation-protocol",
  "federation-server",
  "federation-client",
  "certificate-authority",
] as const;

/** Workspace folder → the workspace folders (by last name) that its files may import. A workspace without a row is refused. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "packages/foundation": [],
  "packages/config": ["foundation"],
  "packages/storage": ["foundation", "config"],
  "packages/coordination": ["foundation"],
  "packages/resources": ["foundation", "storage"],
  "packages/federation-protocol": ["foundation"],
  "packages/certificate-authority": ["foundation", "federation-protocol"],
  "packages/federation-server": [
    "foundation",
    "federation-protocol",
    "resources",
    "storage",
    "coordination",
    "certificate-authority",
  ],
  "packages/federation-client": ["foundation", "federation-protocol", "storage", "coordination"],
  "packages/harness": [...PACKAGES, "gateway"],
  "apps/gateway": PACKAGES,
  "apps/cli": [...PACKAGES, "gateway"],
};

/** What a workspace's tests may import on top of its row above. */
export const TESTS_MAY_ALSO_IMPORT: readonly string[] = ["harness"];

/** Workspaces that, of the folders outside the workspaces, only these may import. */
export const ONLY_IMPORTED_FROM: Readonly<Record<string, readonly string[]>> = {
  harness: ["tests/", "benchmarks/"],
};

/** Folders outside the workspaces whose tests may run a package's own suites: the same ones again, on real services. */
export const RUNS_PACKAGES_SUITES: readonly string[] = ["tests/federated/"];

/** Code that a tier without federation must never load: reached by `import()` alone, or as types. */
export const LOADED_ON_DEMAND: readonly {
  /** Files the rule holds for. */
  readonly within: string;
  /** The folder that may load the packages statically, and which the rest of `within` reaches by `import()` only. */
  readonly island: string;
  readonly packages: readonly string[];
}[] = ["apps/gateway/src/", "apps/cli/src/"].map((within) => ({
  within,
  island: `${within}federation/`,
  packages: ["federation-protocol", "federation-server", "federation-client", "certificate-authority"],
}));

/** The only product files that read `process.env`: a path, or a folder ending in `/`. */
export const ENVIRONMENT_READERS: readonly string[] = ["packages/config/", "apps/cli/src/environment.ts"];
