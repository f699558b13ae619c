import type { Searching } from "./definition.ts";

/** How far into a text a snippet is looked for, and how much of it is weighed: a text may have a million characters. */
const SEARCHED = 100_000;
const WEIGHED = 1_500;
/** What stands before the first word found, so that a snippet does not begin with it. */
const BEFORE = 120;
const LENGTH = 200;

/**
 * The SQL of a row's snippet: at most 200 characters of plain text around the words found, on one line, without markup; the
 * text's beginning where none of them stands in it, and of the title where there is no text.
 *
 * @param words the SQL of a text[]: the words looked for, in lower case
 */
export function snippetOf({ title, text }: Searching, words: string): string {
  const whole = text === undefined ? `r.${title}` : `coalesce(nullif(r.${text}, ''), r.${title})`;
  // Words are found by their beginnings, since the text may have another form of them.
  return `(
    select left(btrim(regexp_replace(
      ts_headline('english', near, query, 'StartSel="", StopSel="", MaxWords=30, MinWords=15'), '\\s+', ' ', 'g')), ${LENGTH})
    from (select whole, lower(whole) as lowered from (select left(${whole}, ${SEARCHED}) as whole offset 0) cut offset 0) w
    cross join lateral (
      select min(nullif(strpos(lowered, left(word, greatest(4, length(word) - 3))), 0)) as place from unnest(${words}) as word
    ) first
    cross join lateral (select substr(whole, greatest(1, coalesce(place, 1) - ${BEFORE}), ${WEIGHED}) as near) n
    cross join lateral (
      select websearch_to_tsquery('english', coalesce(string_agg('"' || word || '"', ' or '), '')) as query from unnest(${words}) as word
    ) q
  )`;
}
