/** What a caller is told of a refusal or fault, as RFC 9457 has it, with a stable `code` and a `remedy`. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
  readonly [extension: string]: unknown;
}

/** One row of a package's error table: the HTTP status, the public sentence and what to do about it. */
export interface ProblemDefinition {
  readonly status: number;
  readonly title: string;
  readonly remedy: string;
}

export interface ProblemOptions {
  /** What happened this time. Public: never a secret, never an internal message. Default: the title. */
  readonly detail?: string;
  /** A better remedy than the table's, where this time's is known. */
  readonly remedy?: string;
  /** Further public members of the answer, e.g. `path` to the fault. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** Response headers that belong to the problem, e.g. `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log only. */
  readonly cause?: unknown;
}

/** A refusal or fault with a stable code. The message is public; `cause` is for the log. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly details: ProblemDetails;

  constructor(code: string, definition: ProblemDefinition, options: ProblemOptions = {}) {
    const detail = options.detail ?? definition.title;
    super(detail, { cause: options.cause });
    this.name = "Problem";
    this.code = code;
    this.status = definition.status;
    this.headers = options.headers ?? {};
    this.details = {
      ...options.extensions,
      type: `urn:mosaic:problem:${code}`,
      title: definition.title,
      status: definition.status,
      code,
      detail,
      remedy: options.remedy ?? definition.remedy,
    };
  }
}

/**
 * Makes a package's error table callable: `const problem = problemTable({...}); throw problem("not_found")`.
 * One table a package; a code outside the table is a compile error.
 */
export function problemTable<Code extends string>(
  table: Readonly<Record<Code, ProblemDefinition>>,
): ((code: Code, options?: ProblemOptions) => Problem) & { readonly table: Readonly<Record<Code, ProblemDefinition>> } {
  return Object.assign((code: Code, options?: ProblemOptions) => new Problem(code, table[code], options), { table });
}
