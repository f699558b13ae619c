/** A command as completion sees it. */
export interface Node {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Flag[];
  readonly children: readonly Node[];
}

interface Flag {
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** The only values it takes; empty: any. */
  readonly choices: readonly string[];
}

const HELP: Flag = { flags: ["--help"], description: "show help", takesValue: false, choices: [] };

interface Place {
  /** The words that lead here, the program's first: `mosaic task add`. */
  readonly path: string;
  readonly node: Node;
}

function places(node: Node, before = ""): Place[] {
  const path = before === "" ? node.name : `${before} ${node.name}`;
  return [{ path, node }, ...node.children.flatMap((child) => places(child, path))];
}

/** Flags a place takes: its own and those every command takes. */
function flagsAt(root: Node, node: Node): readonly Flag[] {
  return node === root ? root.options : [...node.options, ...root.options, HELP];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Words to offer, and flags whose value follows, as the arms of a shell's `case`. */
function bashArms(root: Node): string {
  return places(root)
    .map(({ path, node }) => {
      const words = [...node.children.map(({ name }) => name), ...flagsAt(root, node).flatMap(({ flags }) => flags)];
      return `    ${quoted(path)}) words=${quoted(words.join(" "))} ;;`;
    })
    .join("\n");
}

function choiceArms(root: Node): string {
  return places(root)
    .flatMap(({ path, node }) =>
      flagsAt(root, node)
        .filter(({ choices }) => choices.length > 0)
        .flatMap(({ flags, choices }) =>
          flags.map((flag) => `    ${quoted(`${path} ${flag}`)}) words=${quoted(choices.join(" "))} ;;`),
        ),
    )
    .join("\n");
}

/** Patterns of "place flag" whose next word is the flag's value, and so neither a command nor a flag. */
function valuePatterns(root: Node): string {
  const ofEveryCommand = root.options
    .filter(({ takesValue }) => takesValue)
    .flatMap(({ flags }) => flags.map((flag) => `*' ${flag}'`));
  const own = places(root)
    .filter(({ node }) => node !== root)
    .flatMap(({ path, node }) =>
      node.options
        .filter(({ takesValue }) => takesValue)
        .flatMap(({ flags }) => flags.map((flag) => quoted(`${path} ${flag}`))),
    );
  return [...ofEveryCommand, ...own].join("|");
}

/** The script for bash: commands, flags, and the values of flags that have only a few; files elsewhere. */
export function bashCompletion(root: Node): string {
  const children = places(root)
    .filter(({ node }) => node.children.length > 0)
    .map(
      ({ path, node }) =>
        `    ${node.children.map(({ name }) => quoted(`${path} ${name}`)).join("|")}) path="$path $word" ;;`,
    )
    .join("\n");
  return `# bash completion of mosaic. In ~/.bashrc: eval "$(mosaic completion bash)"
_mosaic() {
  local path='${root.name}' words='' word='' previous='' index
  local current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    previous="$word"
    word="\${COMP_WORDS[index]}"
    case "$path $previous" in
      ${valuePatterns(root)}) continue ;;
    esac
    case "$path $word" in
${children}
    esac
  done
  case "$path $word" in
${choiceArms(root)}
  esac
  if [[ -z "$words" ]]; then
    case "$path $word" in
      ${valuePatterns(root)}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    esac
    case "$path" in
${bashArms(root)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _mosaic mosaic
`;
}

/** The script for zsh, which describes what it offers. */
export function zshCompletion(root: Node): string {
  const described = (name: string, text: string): string => quoted(`${name.replaceAll(":", String.raw`\:`)}:${text}`);
  const arms = places(root)
    .map(({ path, node }) => {
      const commands = node.children.map(({ name, summary }) => described(name, summary));
      const flags = flagsAt(root, node).flatMap((flag) => flag.flags.map((name) => described(name, flag.description)));
      return `    ${quoted(path)}) commands=(${commands.join(" ")}); flags=(${flags.join(" ")}) ;;`;
    })
    .join("\n");
  const children = places(root)
    .filter(({ node }) => node.children.length > 0)
    .map(
      ({ path, node }) =>
        `      ${node.children.map(({ name }) => quoted(`${path} ${name}`)).join("|")}) path_so_far="$path_so_far $word" ;;`,
    )
    .join("\n");
  return `#compdef mosaic
# zsh completion of mosaic: put it as _mosaic into a folder of $fpath.
_mosaic() {
  local path_so_far='${root.name}' word='' previous='' words_of_choice=''
  local -a commands flags
  local index
  for ((index = 2; index < CURRENT; index++)); do
    previous="$word"
    word="\${words[index]}"
    case "$path_so_far $previous" in
      ${valuePatterns(root)}) continue ;;
    esac
    case "$path_so_far $word" in
${children}
    esac
  done
  case "$path_so_far $word" in
${choiceArms(root).replaceAll(" words=", " words_of_choice=")}
  esac
  if [[ -n "$words_of_choice" ]]; then
    compadd -- \${=words_of_choice}
    return
  fi
  case "$path_so_far $word" in
    ${valuePatterns(root)}) _files; return ;;
  esac
  case "$path_so_far" in
${arms}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe 'option' flags
  elif (( \${#commands} )); then
    _describe 'command' commands
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _mosaic ]]; then _mosaic "$@"; else compdef _mosaic mosaic; fi
`;
}

/** The script for fish: one line for each command and flag, offered where it belongs. */
export function fishCompletion(root: Node): string {
  const lines = places(root).flatMap(({ path, node }) => {
    const words = path.split(" ").slice(1);
    const here = words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    const others = node.children.map(({ name }) => name).join(" ");
    const condition = [here, others === "" ? "" : `not __fish_seen_subcommand_from ${others}`]
      .filter((part) => part !== "")
      .join("; and ");
    const commands = node.children.map(
      ({ name, summary }) => `complete -c mosaic -f -n ${quoted(condition)} -a ${quoted(name)} -d ${quoted(summary)}`,
    );
    const flags = node.options.map(({ flags: names, description, takesValue, choices }) => {
      const forms = names
        .map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
        .join(" ");
      const value = choices.length > 0 ? ` -x -a ${quoted(choices.join(" "))}` : takesValue ? " -r" : "";
      const where = node === root ? "" : ` -n ${quoted(here)}`;
      return `complete -c mosaic${where} ${forms}${value} -d ${quoted(description)}`;
    });
    return [...commands, ...flags];
  });
  return `# fish completion of mosaic: put it into ~/.config/fish/completions/mosaic.fish.\n${lines.join("\n")}\n`;
}
