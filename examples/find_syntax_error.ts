/**
 * Finds the place where a text stops being JSON. `JSON.parse` reports the place of some mistakes only.
 *
 * @module
 */

/** The stack is limited, and real files are less deep. */
const MAX_DEPTH = 200;

/**
 * Reads a text as JSON up to the first error.
 *
 * @param text A text that `JSON.parse` refuses.
 * @returns The index of the first token that JSON does not allow there; the length of the text if the text ends too early.
 */
export function findSyntaxError(text: string): number {
  const blankPattern = /[ \t\r\n]*/y;
  const stringPattern = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/uy;
  const scalarPattern = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    at += found?.[0].length ?? 0;
    return found !== null;
  };
  const eat = (char: string) => text[at] === char && (at++, skip(blankPattern));
  const string = () => skip(stringPattern) && skip(blankPattern);
  const list = (close: string, item: () => boolean): boolean => {
    if (eat(close)) return true;
    do {
      if (!item()) return false;
    } while (eat(","));
    return eat(close);
  };
  const value = (depth: number): boolean => {
    if (depth > MAX_DEPTH) return false;
    if (eat("[")) return list("]", () => value(depth + 1));
    if (eat("{")) return list("}", () => string() && eat(":") && value(depth + 1));
    return string() || (skip(scalarPattern) && skip(blankPattern));
  };
  skip(blankPattern);
  value(0);
  return at;
}
