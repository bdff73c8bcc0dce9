/**
 * Markup as values: a template tag that escapes everything that is put into it.
 *
 * 1. Only {@linkcode Html} is markup. Any other value becomes text, wherever it comes from.
 * 2. In text, characters that are invisible or change the direction of writing become visible (`\u202e`). In an attribute they stay.
 * 3. Every attribute is in double quotes: `attribute="${value}"`.
 *
 * @module
 */

/** A piece of markup. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What can be put into markup. `null`, `undefined` and booleans become nothing, so that `condition && html…` works. */
export type Content = Html | string | number | boolean | null | undefined | readonly Content[];

const INVISIBLE = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/gu;

/** The template tag. `deno fmt` would add white space to the content of one with the name `html`. */
export function markup(strings: TemplateStringsArray, ...contents: Content[]): Html {
  let text = strings[0];
  contents.forEach((content, i) => {
    text += write(content, strings[i].endsWith('="')) + strings[i + 1];
  });
  return new Html(text);
}

function write(content: Content, inAttribute: boolean): string {
  if (content === null || content === undefined || typeof content === "boolean") return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map((part) => write(part, inAttribute)).join("");
  const escaped = String(content).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  return inAttribute ? escaped : visible(escaped);
}

/** Makes invisible characters visible. Line breaks and tabs stay. */
function visible(text: string): string {
  return text.replace(INVISIBLE, (char) => {
    return char === "\n" || char === "\t" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
