/** Where a gateway keeps its data, and whether it talks to other gateways. The file's `team` is read as `standalone`. */
export type Tier = "local" | "standalone" | "federated";

/** `auto` takes a certificate from the gateway's own authority, which only tier `federated` has. Paths are absolute. */
export type TlsConfig = "off" | "auto" | { readonly certificateFile: string; readonly keyFile: string };

/** The listener for people and agents: dashboard, REST, MCP, enrollment. */
export interface HttpConfig {
  readonly host: string;
  /** 0 lets the operating system choose a free one. */
  readonly port: number;
  /** The origin people open, `https://host[:port]` without a path. Absent: the listener's own address. */
  readonly publicUrl?: string;
  readonly tls: TlsConfig;
  /** The largest request body accepted. */
  readonly maxBodyBytes: number;
}

/** The levels pino knows, most silent first. */
export type LogLevel = "silent" | "fatal" | "error" | "warn" | "info" | "debug" | "trace";

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
}

/**
 * How to reach PostgreSQL; the password is in {@link Secrets}. A database URL, wherever it was given, arrives as these parts.
 */
export interface DatabaseConfig {
  /** A host name, an IP address (IPv6 without brackets), or the absolute path of a socket's directory. */
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  /** `require` encrypts without checking the server's certificate, `verify` checks chain and name. */
  readonly tls: "off" | "require" | "verify";
  /** The PEM file of the authority that signed the server's certificate, absolute. Absent: those Node trusts. */
  readonly caFile?: string;
  /** The most connections this process holds open. */
  readonly poolSize: number;
  /** The role that owns the schema and migrates it. Absent: `user` does. */
  readonly migrationUser?: string;
}

/** BullMQ on Valkey; the password is in {@link Secrets}. */
export interface BullmqQueueConfig {
  readonly kind: "bullmq";
  readonly host: string;
  readonly port: number;
  /** The numbered database, 0 unless the URL's path says otherwise. */
  readonly database: number;
  readonly username?: string;
  readonly tls: boolean;
}

/** The gateway's own authority, its key sealed in the database. */
export interface EmbeddedAuthorityConfig {
  readonly kind: "embedded";
}

/** A step-ca with the provisioners of deploy/step-ca; their key and its password are in {@link Secrets}. */
export interface StepCaConfig {
  readonly kind: "step-ca";
  /** `https://host[:port]`. */
  readonly url: string;
  /** The PEM file of its root, absolute. */
  readonly rootFile: string;
}

export type CertificateAuthorityConfig = EmbeddedAuthorityConfig | StepCaConfig;

/** The listener for peers, and what this gateway grants and waits for. */
export interface FederationConfig {
  readonly host: string;
  /** 0 lets the operating system choose a free one. */
  readonly port: number;
  /** What peers dial, `https://host[:port]` without a path. Absent: the listener's own address. */
  readonly publicUrl?: string;
  /** How long a client certificate made here lives; the grant's own expiry may shorten it. */
  readonly certificateLifetimeDays: number;
  /** How long an invite may be redeemed. */
  readonly inviteLifetimeMinutes: number;
  /** How long a blended query waits for all its peers together. */
  readonly deadlineMs: number;
  /** The most rows one answer to a peer carries, whatever its grant says. */
  readonly maxRowsPerQuery: number;
}

interface CommonConfig {
  readonly http: HttpConfig;
  readonly log: LogConfig;
}

/** Everything in one process and one directory; no other gateway. */
export interface LocalConfig extends CommonConfig {
  readonly tier: "local";
  /** Absolute. */
  readonly dataDirectory: string;
}

/** PostgreSQL; no other gateway. */
export interface StandaloneConfig extends CommonConfig {
  readonly tier: "standalone";
  readonly database: DatabaseConfig;
}

/** PostgreSQL with pgvector, and Valkey. */
export interface FederatedConfig extends CommonConfig {
  readonly tier: "federated";
  readonly embedded: false;
  readonly database: DatabaseConfig;
  readonly queue: BullmqQueueConfig;
  readonly certificateAuthority: CertificateAuthorityConfig;
  readonly federation: FederationConfig;
}

/** Federation with everything in one process and one directory. */
export interface EmbeddedFederatedConfig extends CommonConfig {
  readonly tier: "federated";
  readonly embedded: true;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly queue: { readonly kind: "in-process" };
  readonly certificateAuthority: CertificateAuthorityConfig;
  readonly federation: FederationConfig;
}

/**
 * What a gateway is told, with every default filled in and every path absolute. Holds no secret: safe to print.
 * Narrow by `tier`, then by `embedded`; `"dataDirectory" in config` finds the two that keep one.
 */
export type Config = LocalConfig | StandaloneConfig | FederatedConfig | EmbeddedFederatedConfig;

/** Who said so. The last of default, file, environment, flag wins. */
export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "flag" };

/** One row of `mosaic config show --origin`. */
export interface EffectiveSetting {
  /** As in the file, with dots: `http.port`. A secret goes by its variable: `BETTER_AUTH_SECRET`. */
  readonly path: string;
  /** A secret reads `[secret]`. */
  readonly value: string | number | boolean;
  readonly origin: Origin;
}

/** One thing wrong with a configuration. Holds no value, so no secret. */
export interface ConfigFault {
  /** The setting as in the file (`http.port`), a variable's name, or the file itself when it can't be read. */
  readonly path: string;
  /** Absent where nobody gave the setting. */
  readonly origin?: Origin;
  readonly message: string;
  readonly remedy: string;
}

/** Something that works and should be changed. */
export interface ConfigWarning {
  readonly path: string;
  readonly message: string;
}
