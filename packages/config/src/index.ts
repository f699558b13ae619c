export { catalogue, type Setting } from "./catalogue.ts";
export type {
  BullmqQueueConfig,
  CertificateAuthorityConfig,
  Config,
  ConfigFault,
  ConfigWarning,
  DatabaseConfig,
  EffectiveSetting,
  EmbeddedFederatedConfig,
  FederatedConfig,
  FederationConfig,
  HttpConfig,
  LocalConfig,
  LogConfig,
  LogLevel,
  Origin,
  StandaloneConfig,
  StepCaConfig,
  Tier,
  TlsConfig,
} from "./config.ts";
export { type GivenSecrets, Secret, type Secrets } from "./secret.ts";
export { type EmbeddingsAccess, embeddingsAccess } from "./embeddings-access.ts";
export { ensureSecrets } from "./ensure-secrets.ts";
export { describeOrigin } from "./fault.ts";
export { loadConfig, type LoadedConfig, type LoadOptions } from "./load-config.ts";
export { SECRET_VARIABLES, type SecretVariable } from "./secret-variables.ts";
export {
  databaseAccess,
  type DatabaseAccess,
  type DatabaseRole,
  queueAccess,
  type QueueAccess,
  stepCaAccess,
  type StepCaAccess,
} from "./service-access.ts";
export { readDatabaseUrl, type UrlReading } from "./service-url.ts";
export { configJsonSchema, type Variant } from "./tier-schemas.ts";
