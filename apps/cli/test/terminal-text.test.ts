import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { displayWidth, fitLine, terminalJson, terminalLine, terminalText } from "../src/terminal-text.ts";

describe("text from elsewhere on a terminal", () => {
  test.each([
    ["colours", "\u001b[31mred\u001b[0m", "red"],
    ["cursor moves", "a\u001b[2J\u001b[1;1Hb", "ab"],
    ["a window title, ended by BEL", "\u001b]0;owned\u0007text", "text"],
    ["a hyperlink, ended by ST", "\u001b]8;;http://evil\u001b\\here\u001b]8;;\u001b\\", "here"],
    ["an unfinished sequence", "\u001b]52;c;Zm9v", ""],
    ["eight-bit sequences", "\u009b31mred", "red"],
    ["a device string", "\u001bPq#0\u001b\\after", "after"],
    ["bell, backspace, delete", "a\u0007b\u0008c\u007fd", "abcd"],
    ["bidirectional overrides", "user\u202etxt.exe\u2066x\u2069", "usertxt.exex"],
    ["marks of direction", "a\u200eb\u200fc\u061cd", "abcd"],
    ["zero-width characters", "pay\u200bpal\u2060\ufeff", "paypal"],
    ["hidden tag characters", "hi\u{e0041}\u{e0042}", "hi"],
    ["blank fillers", "a\u3164b\u115fc", "abc"],
  ])("loses %s", (_, text, expected) => {
    expect(terminalText(text)).toBe(expected);
  });

  test("keeps letters, accents, emoji, tabs and lines", () => {
    const text = "Zażółć\t漢字 🙂\nعربي עברית";
    expect(terminalText(text)).toBe(text);
  });

  test("a carriage return is a line's end, and overwrites nothing", () => {
    expect(terminalText("safe\rrm -rf\r\nend\u2028x")).toBe("safe\nrm -rf\nend\nx");
  });

  test("half of a surrogate pair is shown as such", () => {
    expect(terminalText("a\ud800b")).toBe("a\ufffdb");
  });

  test("one line stays one line", () => {
    expect(terminalLine("  a\n\tb\u0085c  ")).toBe("a b c");
  });

  test("nothing that a terminal obeys survives, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        expect(terminalText(text)).not.toMatch(
          /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b-\u200f]/u,
        );
      }),
    );
  });
});

describe("JSON on a terminal", () => {
  test("holds the same value, with what a terminal obeys written as escapes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        const json = terminalJson({ text });
        expect(JSON.parse(json)).toEqual({ text });
        expect(json).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/u);
      }),
    );
  });

  test("hidden tag characters too", () => {
    expect(terminalJson("\u{e0041}")).toBe(String.raw`"\udb40\udc41"`);
  });
});

describe("width", () => {
  test.each([
    ["abc", 3],
    ["漢字", 4],
    ["🙂", 2],
    ["e\u0301", 1],
    ["", 0],
  ])("%s takes %i columns", (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test("a long line ends in an ellipsis within its columns", () => {
    expect(fitLine("abcdef", 4)).toBe("abc…");
    expect(fitLine("漢字漢字", 4)).toBe("漢…");
    expect(fitLine("abc", 3)).toBe("abc");
  });
});
