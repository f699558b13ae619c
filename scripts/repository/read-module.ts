import { type ESTree, parseSync, Visitor } from "rolldown/utils";

/** One reference from a module to another. */
export interface ModuleImport {
  /** What is asked for; null where it is computed at run time. */
  readonly specifier: string | null;
  /** `static` runs the other module on load, `dynamic` when reached, `type` never. */
  readonly kind: "static" | "dynamic" | "type";
  /** From 1. */
  readonly line: number;
}

/** What the guards want to know of a module. Lines count from 1. */
export interface ModuleFacts {
  readonly imports: readonly ModuleImport[];
  readonly environmentReads: readonly number[];
  readonly starExports: readonly number[];
  /** The texts of `new URL("…", import.meta.url)`: files that the module finds beside itself. */
  readonly assets: readonly { readonly path: string; readonly line: number }[];
}

const isName = (node: ESTree.Node, name: string): boolean => node.type === "Identifier" && node.name === name;

const literal = (node: ESTree.Node | undefined): string | null => {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0]?.value.cooked ?? null;
  return null;
};

const propertyName = (node: ESTree.MemberExpression): string | null =>
  node.computed ? literal(node.property) : node.property.type === "Identifier" ? node.property.name : null;

const isProcess = (node: ESTree.Node): boolean =>
  isName(node, "process") || (node.type === "MemberExpression" && propertyName(node) === "process");

const isImportMeta = (node: ESTree.Node | undefined, property: string): boolean =>
  node?.type === "MemberExpression" && node.object.type === "MetaProperty" && propertyName(node) === property;

/**
 * Parses a TypeScript or JavaScript module.
 *
 * `import { type A } from "x"` counts as static: under `verbatimModuleSyntax` it still loads x.
 *
 * @throws when the text does not parse.
 */
export function readModule(path: string, text: string): ModuleFacts {
  const { program, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path} does not parse: ${errors[0].message}`);

  const imports: ModuleImport[] = [];
  const environmentReads: number[] = [];
  const starExports: number[] = [];
  const assets: { path: string; line: number }[] = [];
  const lineOf = (node: ESTree.Node): number => text.slice(0, node.start).split("\n").length;
  const refer = (node: ESTree.Node, source: ESTree.Node | undefined, kind: ModuleImport["kind"]): void => {
    imports.push({ specifier: literal(source), kind, line: lineOf(node) });
  };

  new Visitor({
    ImportDeclaration(node) {
      refer(node, node.source, node.importKind === "type" ? "type" : "static");
      if (node.source.value !== "process" && node.source.value !== "node:process") return;
      const named = node.specifiers.some((each) =>
        each.type === "ImportSpecifier" ? isName(each.imported, "env") : !isName(each.local, "process"),
      );
      if (named) environmentReads.push(lineOf(node));
    },
    ExportNamedDeclaration(node) {
      if (node.source !== null) refer(node, node.source, node.exportKind === "type" ? "type" : "static");
    },
    ExportAllDeclaration(node) {
      refer(node, node.source, node.exportKind === "type" ? "type" : "static");
      starExports.push(lineOf(node));
    },
    ImportExpression(node) {
      refer(node, node.source, "dynamic");
    },
    TSImportType(node) {
      refer(node, node.source, "type");
    },
    TSImportEqualsDeclaration(node) {
      if (node.moduleReference.type !== "TSExternalModuleReference") return;
      refer(node, node.moduleReference.expression, node.importKind === "type" ? "type" : "static");
    },
    CallExpression(node) {
      if (isName(node.callee, "require")) refer(node, node.arguments[0], "static");
      if (isImportMeta(node.callee, "resolve")) refer(node, node.arguments[0], "dynamic");
    },
    NewExpression(node) {
      const [relative, base] = node.arguments;
      if (!isName(node.callee, "URL") || !isImportMeta(base, "url")) return;
      const asset = literal(relative);
      if (asset !== null) assets.push({ path: asset, line: lineOf(node) });
    },
    MemberExpression(node) {
      if (propertyName(node) === "env" && isProcess(node.object)) environmentReads.push(lineOf(node));
    },
    VariableDeclarator(node) {
      if (node.id.type !== "ObjectPattern" || node.init === null || !isProcess(node.init)) return;
      const taken = node.id.properties.some((each) => each.type === "RestElement" || isName(each.key, "env"));
      if (taken) environmentReads.push(lineOf(node));
    },
  }).visit(program);

  return { imports, environmentReads, starExports, assets };
}
