/** Who a request comes from, as the database has it; never what the request says of itself. */
export interface Principal {
  readonly userId: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  /** How they proved it. A session travels in a cookie, which a browser sends by itself. */
  readonly via: "api-key" | "session";
}

export type Role = "admin" | "user";

/** Reads a role from the database: what is not known is no administrator. */
export function roleOf(stored: string): Role {
  return stored === "admin" ? "admin" : "user";
}
