// What a terminal obeys or hides rather than shows: C0 and C1 controls (escape sequences start with one), marks that
// change the direction of text, characters of no width, blank fillers, and the tag characters that can carry hidden text.
const UNSEEN =
  // oxlint-disable-next-line no-misleading-character-class -- naming them is the point
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

// A whole escape sequence goes, not its first character alone: `ESC[31m` must not leave `[31m` behind.
const ESCAPE_SEQUENCE =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]/gu;

const LINE_ENDS = /\r\n|[\r\u0085\u2028\u2029]/gu;

/**
 * Text from elsewhere as a terminal may show it: several lines, tabs kept, nothing that moves the cursor, changes
 * colours or the direction of text, or is there without being seen. Half of a surrogate pair becomes U+FFFD.
 */
export function terminalText(text: string): string {
  return text.toWellFormed().replace(LINE_ENDS, "\n").replace(ESCAPE_SEQUENCE, "").replace(UNSEEN, "");
}

/** The same on one line, for a cell of a table or a message: each run of white space is one space. */
export function terminalLine(text: string): string {
  return terminalText(text).replace(/\s+/gu, " ").trim();
}

/** JSON on one line that no terminal obeys: the same characters, written as `\u` escapes. */
export function terminalJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(UNSEEN, (character) =>
      Array.from({ length: character.length }, (_, index) => escapeUnit(character.charCodeAt(index))).join(""),
    )
    .replace(/[\u2028\u2029]/gu, (character) => escapeUnit(character.charCodeAt(0)));
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}

// East Asian wide and full-width characters, and emoji, take two columns of a terminal.
const WIDE =
  /[\u1100-\u115e\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{M}/u;

/** How many columns of a terminal a line takes. */
export function displayWidth(line: string): number {
  let width = 0;
  for (const character of line) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** A line cut to `columns` columns, its last one an ellipsis where something was cut. */
export function fitLine(line: string, columns: number): string {
  if (displayWidth(line) <= columns) return line;
  let kept = "";
  let width = 0;
  for (const character of line) {
    const next = displayWidth(character);
    if (width + next > columns - 1) break;
    kept += character;
    width += next;
  }
  return `${kept}…`;
}
