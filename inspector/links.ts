/**
 * Links within the inspector. Every view is a query of one path, so a link is right under any mount, and with any workflow ID.
 *
 * @module
 */

/** The parameters of a view, all of them texts or numbers. Empty ones are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** What a form or a URL cannot carry: control characters and single surrogates. And the backslash that stands for them. */
const UNFIT = /[\p{Cc}\p{Cs}\\]/gu;

/** Writes an ID so that it survives a URL and a form. */
export function encodeId(id: string): string {
  return id.replace(UNFIT, (char) => {
    return char === "\\" ? "\\\\" : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Reads what {@linkcode encodeId} wrote. */
export function decodeId(text: string): string {
  return text.replace(/\\(\\|u[0-9a-f]{4})/g, (_, code: string) => {
    return code === "\\" ? code : String.fromCharCode(parseInt(code.slice(1), 16));
  });
}

/** A link to a view. */
export function link(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === "") continue;
    parameters.set(name, name === "id" || name === "diff" ? encodeId(String(value)) : String(value));
  }
  return `?${parameters}`;
}
