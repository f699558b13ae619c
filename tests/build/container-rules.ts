import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { catalogue, SECRET_VARIABLES } from "@mosaicstack/config";
import { type ComposeModel, interpolate, referencesIn, type Service, textsIn } from "./compose-file.ts";
import { IMAGE_PROGRAMS } from "../../scripts/build/image-programs.ts";
import { COMPOSE, type ContainerFiles, GUIDE, STACK } from "./container-files.ts";
import { copiedFiles, environmentOf, execForm, finalStage, inContext, textsOf } from "./dockerfile.ts";

const GATEWAY = "gateway";

/** Where each service is reached from the machine of docker-compose.federated.yml. */
const HOST_PORTS: Readonly<Record<string, number>> = { postgresql: 5433, valkey: 6380, "step-ca": 9000 };

/** What the images of others listen at. */
const SERVICE_PORTS: Readonly<Record<string, number>> = {
  postgresql: defaultPort("database.port"),
  valkey: 6379,
  "step-ca": 9000,
};

/** Variables of Node and of the system that the image sets. */
const SYSTEM = ["NODE_ENV", "HOME", "XDG_DATA_HOME"];

const SECRET_NAME = /(PASSWORD|SECRET|KEY|TOKEN)$/;

function defaultPort(path: string): number {
  return Number(catalogue.get(path)?.default);
}

const gatewayPorts = (): number[] => [defaultPort("http.port"), defaultPort("federation.port")];

type Composed = ContainerFiles["composed"][number];

function forEachService(
  { composed }: ContainerFiles,
  judge: (name: string, service: Service, file: Composed) => readonly string[],
): string[] {
  return composed.flatMap((file) =>
    Object.entries(file.model.services).flatMap(([name, service]) =>
      judge(name, service, file).map((fault) => `${file.path}: ${name}: ${fault}`),
    ),
  );
}

/** Variables that the gateway would refuse or ignore, by packages/config. */
export function unknownVariables(files: ContainerFiles): string[] {
  const secrets = SECRET_VARIABLES.flatMap(({ variable }) => [variable, `${variable}_FILE`]);
  const known = new Set([...[...catalogue.values()].map(({ variable }) => variable), ...secrets]);
  const composed = forEachService(files, (name, { environment = {} }) =>
    name === GATEWAY ? Object.keys(environment).filter((each) => !known.has(each)) : [],
  );
  const image = Object.keys(environmentOf(finalStage(files.dockerfile)));
  return [
    ...composed,
    ...image.filter((each) => !known.has(each) && !SYSTEM.includes(each)).map((each) => `Dockerfile: ${each}`),
  ];
}

/** Secrets that stand in a file, have a default, or would show in an argument. */
export function literalSecrets(files: ContainerFiles): string[] {
  const composed = forEachService(files, (_name, { environment = {}, secrets = [], command = [] }, { model }) => [
    ...Object.entries(environment).flatMap(([variable, value]) => {
      if (SECRET_NAME.test(variable) && !isVariable(value)) return [`${variable} is written out`];
      if (!variable.endsWith("_FILE")) return [];
      const [, secret = ""] = /^\/run\/secrets\/(.+)$/.exec(value) ?? [];
      const given = secrets.includes(secret) && model.secrets?.[secret] !== undefined;
      return given ? [] : [`${variable} names a file that is no secret of this service`];
    }),
    ...textsIn(environment).flatMap((text) => (/:\/\/[^/\s]*@/.test(text) ? ["a URL holds a user or password"] : [])),
    // The shell reads a password itself, inside its here-document; an argument would be seen by everybody.
    ...command.flatMap((word) => (/--(requirepass|password)\b/.test(word) ? [`a password in "${word}"`] : [])),
    ...[
      ...textsIn(command)
        .join("\n")
        .matchAll(/requirepass +(?!"\$\$)(\S+)/g),
    ].map(() => "requirepass is written out"),
  ]);
  const defaults = files.composed.flatMap(({ path, model }) =>
    referencesIn(model)
      .filter(({ name, operator, rest }) => SECRET_NAME.test(name) && operator !== ":?" && rest !== "")
      .map(({ name }) => `${path}: ${name} has a default`),
  );
  const stages = files.dockerfile.stages.flatMap((stage) => [
    ...Object.keys(environmentOf(stage)),
    ...textsOf(stage, "ARG").map((text) => text.split("=")[0] ?? ""),
  ]);
  return [
    ...composed,
    ...defaults,
    ...stages.filter((name) => SECRET_NAME.test(name)).map((each) => `Dockerfile: ${each}`),
  ];
}

const isVariable = (text: string): boolean => /^\$\{\w+(:\?[^}]*|:-)\}$/.test(text);

/** Ports that differ from what the code listens at, or are open to others than they need be. */
export function wrongPorts(files: ContainerFiles): string[] {
  const exposed = textsOf(finalStage(files.dockerfile), "EXPOSE").flatMap((text) => text.split(" ").map(Number));
  const image = exposed.join() === gatewayPorts().join() ? [] : [`Dockerfile: exposes ${exposed.join(" ")}`];
  const composed = forEachService(files, (name, { ports = [] }, { path, model }) => {
    const inside = interpolateFreely(ports, model).map((each) => Number(each.split(":").at(-1)));
    if (name === GATEWAY) return inside.join() === gatewayPorts().join() ? [] : [`publishes ${inside.join(" ")}`];
    if (path === STACK) return ports.length === 0 ? [] : ["is reached from outside the stack"];
    const wanted = HOST_PORTS[name];
    if (wanted === undefined) return ports.length === 0 ? [] : ["publishes a port"];
    const text = `127.0.0.1:${wanted}:${SERVICE_PORTS[name] ?? 0}`;
    return ports.join() === text ? [] : [`publishes ${ports.join(" ")} instead of ${text}`];
  });
  return [...image, ...composed];
}

/** Services whose health nobody would know, and those that wait for a health nobody reports. */
export function missingHealthChecks(files: ContainerFiles): string[] {
  const own = execForm(finalStage(files.dockerfile), "HEALTHCHECK");
  const isThere = own?.[0] === "node" && isInImage(files, own[1] ?? "");
  const image = isThere ? [] : ["Dockerfile: HEALTHCHECK runs nothing"];
  const isOnce = (service: Service | undefined): boolean => service?.restart === "no";
  const composed = forEachService(files, (name, service, { model }) => {
    const { healthcheck, depends_on: needs = {} } = service;
    const waits = Object.entries(needs).flatMap(([other, { condition }]) => {
      const wanted = isOnce(model.services[other]) ? "service_completed_successfully" : "service_healthy";
      if (model.services[other] === undefined) return [`waits for ${other}, which is not there`];
      return condition === wanted ? [] : [`waits until ${other} is ${condition}`];
    });
    if (isOnce(service)) return healthcheck?.disable === true ? waits : ["runs once, and has a health check", ...waits];
    return name === GATEWAY || healthcheck?.test !== undefined ? waits : ["has no health check", ...waits];
  });
  return [...image, ...composed];
}

/** Images that may change by themselves, differ between the files, or run on a Node that CI does not. */
export function unfixedImages(files: ContainerFiles): string[] {
  const [compose, stack] = [COMPOSE, STACK].map((path) => files.composed.find((each) => each.path === path)?.model);
  const faults = forEachService(files, (name, { image = "", build }, { path }) => {
    const ours = image.startsWith("${MOSAIC_IMAGE:");
    if (ours && path === COMPOSE) return build === "." ? [] : ["is not built from here"];
    if (ours)
      return image.includes("@sha256:") && image.startsWith("${MOSAIC_IMAGE:?") ? [] : ["does not ask for a digest"];
    if (!/^\$\{\w+_IMAGE:-[^:}]+:(?!latest)[\w.-]+\}$/.test(image))
      return [`${image} is not a variable with a fixed tag`];
    const other = (path === COMPOSE ? stack : compose)?.services[name]?.image;
    return other === image ? [] : [`${image} here, ${other ?? "nothing"} in the other file`];
  });
  const [, major = ""] = /^NODE_IMAGE=node:(\d+)-bookworm-slim$/.exec(files.dockerfile.global[0]?.text ?? "") ?? [];
  const isTested = major !== "" && files.texts[".ci/run"].includes(`node@${major}`);
  const bases = files.dockerfile.stages.filter(({ from }) => !/^\$\{NODE_IMAGE\}( |$)/.test(from));
  return [
    ...faults,
    ...(isTested ? [] : ["Dockerfile: a Node that .ci/run does not test"]),
    ...bases.map(({ from }) => `Dockerfile: FROM ${from}`),
  ];
}

/** Variables that a file takes and the guide does not explain, and those it explains and nothing takes. */
export function undocumentedVariables(files: ContainerFiles): string[] {
  const taken = new Set([
    ...files.composed.flatMap(({ model }) => referencesIn(model).map(({ name }) => name)),
    ...[...files.dockerfile.global, ...files.dockerfile.stages.flatMap(({ instructions }) => instructions)]
      .filter(({ name }) => name === "ARG")
      .map(({ text }) => text.split("=")[0] ?? ""),
  ]);
  const explained = new Set([...files.texts[GUIDE].matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name = ""]) => name));
  return [
    ...[...taken].filter((name) => !explained.has(name)).map((name) => `${name} is not explained`),
    ...[...explained].filter((name) => !taken.has(name)).map((name) => `${name} is not taken`),
  ];
}

/** Paths that lead nowhere: of the repository, of the image, of the volumes. */
export function brokenPaths(files: ContainerFiles, root: string): string[] {
  const stage = finalStage(files.dockerfile);
  const absent = files.dockerfile.stages
    .flatMap(copiedFiles)
    .filter(({ stage: from, source }) => from === undefined && source !== ".")
    .filter(({ source }) => !existsSync(join(root, source)) || !inContext(files.texts[".dockerignore"], source))
    .map(({ source }) => `Dockerfile: ${source} is not in the build context`);
  const isThere = (path: string): boolean => isInImage(files, path);
  const inImage =
    [...textsOf(stage, "ENTRYPOINT"), ...textsOf(stage, "RUN")].join(" ").match(/\/opt\/[^\s"\]]*/g) ?? [];
  const composed = forEachService(files, (_name, service, { model }) => {
    const { volumes = [], networks = [], secrets = [], entrypoint = [], command = [] } = service;
    const named = [...entrypoint, ...command].join(" ").match(/\/opt\/[^\s"\\]*/g) ?? [];
    return [
      ...volumes.flatMap((volume) => {
        const [source = ""] = volume.split(":");
        if (!source.startsWith(".")) return model.volumes?.[source] === undefined ? [`no volume ${source}`] : [];
        const path = join(root, source);
        if (!existsSync(path)) return [`${source} does not exist`];
        return source.endsWith(".sh") && (statSync(path).mode & 0o111) === 0 ? [`${source} is not executable`] : [];
      }),
      ...networks.filter((name) => model.networks?.[name] === undefined).map((name) => `no network ${name}`),
      ...secrets.filter((name) => model.secrets?.[name] === undefined).map((name) => `no secret ${name}`),
      ...named.filter((path) => !isThere(path)).map((path) => `no ${path}`),
    ];
  });
  const image = inImage.filter((path) => !path.endsWith("*") && !isThere(path));
  return [...absent, ...image.map((path) => `Dockerfile: no ${path}`), ...composed];
}

/** Whether the image has a file, as far as that can be told without building it. */
function isInImage({ dockerfile }: ContainerFiles, path: string): boolean {
  return copiedFiles(finalStage(dockerfile)).some(({ source, target }) => {
    if (path === target) return true;
    if (!path.startsWith(`${target}/`)) return false;
    const [, program = ""] = /^(.*)\.mjs$/.exec(path.slice(target.length + 1)) ?? [];
    return !source.endsWith("/programs") || IMAGE_PROGRAMS[program] !== undefined;
  });
}

/** Rights that a container does not need. */
export function looseContainers(files: ContainerFiles): string[] {
  const stage = finalStage(files.dockerfile);
  const [user = ""] = textsOf(stage, "USER").slice(-1);
  const image = [
    ...(/^[1-9]\d*:[1-9]\d*$/.test(user) ? [] : [`Dockerfile: runs as "${user}"`]),
    ...(execForm(stage, "ENTRYPOINT") === undefined ? ["Dockerfile: ENTRYPOINT is not in exec form"] : []),
    ...(environmentOf(stage)["NODE_ENV"] === "production" ? [] : ["Dockerfile: NODE_ENV is not production"]),
    ...(textsOf(stage, "STOPSIGNAL").join() === "SIGTERM" ? [] : ["Dockerfile: STOPSIGNAL is not SIGTERM"]),
  ];
  const composed = forEachService(files, (name, service, { path }) => {
    const ours = service.image?.startsWith("${MOSAIC_IMAGE:") === true;
    return [
      ...(service.cap_drop?.join() === "ALL" ? [] : ["keeps capabilities"]),
      ...(service.security_opt?.includes("no-new-privileges:true") === true ? [] : ["may gain privileges"]),
      ...(service.privileged === true ? ["is privileged"] : []),
      ...(ours && service.read_only !== true ? ["can write to its root file system"] : []),
      ...(name === GATEWAY && service.tmpfs?.some((each) => each.startsWith("/tmp")) !== true ? ["has no /tmp"] : []),
      ...(textsIn(service.volumes).some((each) => each.includes("docker.sock")) ? ["holds the engine"] : []),
      // step-ca's image has a user of its own already.
      ...(!ours && name !== "step-ca" && service.user === undefined ? ["starts as root"] : []),
      ...(path === COMPOSE && service.profiles?.join() !== "federated" ? ["is not in the profile federated"] : []),
    ];
  });
  return [...image, ...composed];
}

/** Values with a stand-in for each variable, or its default where it has one. */
function interpolateFreely<Tree>(tree: Tree, model: ComposeModel): Tree {
  return interpolate(tree, standIns(model, {}));
}

/** Every variable that `model` asks for, with a text that could be its value. */
export function standIns(model: ComposeModel, given: Readonly<Record<string, string>>): Record<string, string> {
  const required = referencesIn(model).filter(({ operator }) => operator !== ":-");
  return { ...Object.fromEntries(required.map(({ name }) => [name, `given-${name.toLowerCase()}`])), ...given };
}
