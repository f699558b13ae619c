import type { Command } from "commander";
import type { Bind } from "./invocation.ts";

/** Adds a group's commands, arguments and options to its command. */
export type Define = (group: Command, run: Bind, load: LoadGroup) => void;

/** The same for a group within a group. */
export type DefineWithin = (group: Command, run: Bind) => void;

/** Fills another group, for commands that speak about commands. */
export type LoadGroup = (group: Command) => Promise<void>;

/** One word after `mosaic`: what help says of it, and where the rest is found when it is needed. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly heading: "Start" | "Your things" | "Bring in" | "People" | "Gateways" | "The command itself";
  readonly load: () => Promise<{ readonly define: Define }>;
}

/** Every command there is, in the order help shows. A group is loaded when it is called, so that help stays quick. */
export const commandGroups: readonly CommandGroup[] = [
  {
    name: "demo",
    summary: "Watch two gateways federate, on this machine",
    heading: "Start",
    load: async () => await import("./commands/demo.ts"),
  },
  {
    name: "init",
    summary: "Set up a gateway: write mosaic.config.json",
    heading: "Start",
    load: async () => await import("./commands/init.ts"),
  },
  {
    name: "start",
    summary: "Run the gateway until Ctrl-C",
    heading: "Start",
    load: async () => await import("./commands/start.ts"),
  },
  {
    name: "setup",
    summary: "Become the first admin, with the code a new gateway prints",
    heading: "Start",
    load: async () => await import("./commands/setup.ts"),
  },
  {
    name: "login",
    summary: "Sign in to a gateway and keep an API key in a profile",
    heading: "Start",
    load: async () => await import("./commands/login.ts"),
  },
  {
    name: "logout",
    summary: "Forget a profile, and take back the key made for it",
    heading: "Start",
    load: async () => await import("./commands/logout.ts"),
  },
  {
    name: "whoami",
    summary: "Show which gateway you are signed in to, and as whom",
    heading: "Start",
    load: async () => await import("./commands/whoami.ts"),
  },
  {
    name: "task",
    summary: "Tasks: add, list, get, edit, done, rm",
    heading: "Your things",
    load: async () => await import("./commands/task.ts"),
  },
  {
    name: "note",
    summary: "Notes in Markdown: add, list, get, edit, rm",
    heading: "Your things",
    load: async () => await import("./commands/note.ts"),
  },
  {
    name: "memory",
    summary: "Facts an agent should remember: add, list, get, edit, rm",
    heading: "Your things",
    load: async () => await import("./commands/memory.ts"),
  },
  {
    name: "credential",
    summary: "Secrets, sealed at rest: add, list, get, reveal, rm",
    heading: "Your things",
    load: async () => await import("./commands/credential.ts"),
  },
  {
    name: "search",
    summary: "Find tasks, notes, memory and credentials by their words",
    heading: "Your things",
    load: async () => await import("./commands/search.ts"),
  },
  {
    name: "import",
    summary: "Bring in people, tasks and notes from files",
    heading: "Bring in",
    load: async () => await import("./commands/import.ts"),
  },
  {
    name: "user",
    summary: "Users of the gateway (admins)",
    heading: "People",
    load: async () => await import("./commands/user.ts"),
  },
  {
    name: "team",
    summary: "Teams and who is in them",
    heading: "People",
    load: async () => await import("./commands/team.ts"),
  },
  {
    name: "api-key",
    summary: "API keys of your own: create, list, rm",
    heading: "People",
    load: async () => await import("./commands/api-key.ts"),
  },
  {
    name: "federation",
    summary: "Grants to other gateways, peers you read from, status",
    heading: "Gateways",
    load: async () => await import("./commands/federation.ts"),
  },
  {
    name: "gateway",
    summary: "Look for what is wrong with a gateway: gateway doctor",
    heading: "Gateways",
    load: async () => await import("./commands/gateway.ts"),
  },
  {
    name: "config",
    summary: "Show the configuration, and who said so",
    heading: "Gateways",
    load: async () => await import("./commands/config.ts"),
  },
  {
    name: "storage",
    summary: "Move a gateway's data to PostgreSQL: storage migrate-tier",
    heading: "Gateways",
    load: async () => await import("./commands/storage.ts"),
  },
  {
    name: "seal",
    summary: "Change the key that secrets are sealed with at rest: seal rotate",
    heading: "Gateways",
    load: async () => await import("./commands/seal.ts"),
  },
  {
    name: "completion",
    summary: "Print the shell's completion script: bash, zsh, fish",
    heading: "The command itself",
    load: async () => await import("./commands/completion.ts"),
  },
  {
    name: "help",
    summary: "Help for a command, or for a topic: exit-codes, json",
    heading: "The command itself",
    load: async () => await import("./commands/help.ts"),
  },
];
