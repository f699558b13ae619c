/**
 * What text from another gateway is stripped of before an agent reads it: characters that are not seen, and so can hide
 * instructions (tags, variation selectors, zero-width characters), reorder what is shown (bidirectional controls) or steer
 * a terminal (control characters). Newlines and tabs stay.
 *
 * Three kinds of invisible character do a job in real text. Each stays where it does it, one at a time:
 * - the joiners U+200C and U+200D after a letter or mark of a script that is spelled with them (Persian, Sinhala, Bengali …),
 *   and U+200D between two pictures of one emoji (a family, a flag);
 * - the selectors U+FE0E and U+FE0F after a character that has an emoji form;
 * - the tags of the flags of England, Scotland and Wales, the only ones in use.
 *
 * Lost on purpose: bidirectional marks (an agent reads text in its logical order, which they do not change), soft hyphens and
 * zero-width spaces (line breaks), and glyph variants in Han and Mongolian, whose selectors can carry any hidden byte.
 */

/** Deeper than any row of ours. A tree from outside must not end this function's stack, or that of what writes it. */
const DEEPEST = 64;

/** Scripts that are spelled with joiners. */
const JOINING = ["Arab", "Syrc", "Mand", "Nkoo", "Mong", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda"]
  .concat(["Mlym", "Sinh", "Tibt", "Mymr", "Khmr", "Bali", "Java"])
  .map((script) => `\\p{scx=${script}}`)
  .join("");

const KEPT = [
  `(?<=[[${JOINING}]&&[\\p{L}\\p{M}]])[\\u{200C}\\u{200D}]`,
  "(?<=\\p{Extended_Pictographic}[\\u{FE0F}\\p{Emoji_Modifier}]?)\\u{200D}(?=\\p{Extended_Pictographic})",
  "(?<=\\p{Emoji})[\\u{FE0E}\\u{FE0F}]",
  // gbeng, gbsct, gbwls in tag characters, and the tag that ends them.
  "(?<=\\u{1F3F4})\\u{E0067}\\u{E0062}" +
    "(?:\\u{E0065}\\u{E006E}\\u{E0067}|\\u{E0073}\\u{E0063}\\u{E0074}|\\u{E0077}\\u{E006C}\\u{E0073})\\u{E007F}",
].join("|");

/** What is never seen. U+FFF9 to U+FFFB set text between the lines of other text, which nothing shows. */
const INVISIBLE = "[[\\p{Cc}\\p{Default_Ignorable_Code_Point}\\u{FFF9}-\\u{FFFB}]--[\\n\\t]]";

const SUSPECT = new RegExp(`${INVISIBLE}|[\\p{Zl}\\p{Zp}\\p{Cs}]`, "v");
const KEPT_OR_INVISIBLE = new RegExp(`(${KEPT})|${INVISIBLE}`, "gv");
const OTHER_LINE_ENDS = /\r\n?|[\u0085\u2028\u2029]/g;

/** A text without what cannot be seen in it. What can be is unchanged, but for line ends, which become newlines. */
export function visibleText(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text
    .toWellFormed()
    .replace(OTHER_LINE_ENDS, "\n")
    .replace(KEPT_OR_INVISIBLE, (_, kept: string | undefined) => kept ?? "");
}

/** A JSON value with every text in it, names of members too, as {@link visibleText} leaves it. */
export function visibleValue(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return visibleText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth === DEEPEST) return "[nested too deeply]";
  if (Array.isArray(value)) return value.map((item) => visibleValue(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [visibleText(name), visibleValue(member, depth + 1)]),
  );
}
