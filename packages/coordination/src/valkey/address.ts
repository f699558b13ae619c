/** Where Valkey (or Redis) listens, and as whom to log in. */
export interface ValkeyAddress {
  readonly host: string;
  readonly port: number;
  /** The number of the database. Gateways that share one Valkey have one each: keys and channels are kept apart by it. */
  readonly database: number;
  /** Default: the server's default user. */
  readonly username?: string;
  readonly password?: string;
  /** Whether to encrypt, which includes checking the server's certificate. */
  readonly tls: boolean;
  /** The authority that signed the server's certificate, as PEM text. Default: those Node trusts. */
  readonly ca?: string;
}
