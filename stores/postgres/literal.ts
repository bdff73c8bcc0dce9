/**
 * Texts in SQL.
 *
 * @module
 */

/** Writes a text as a literal, whatever characters it contains and whatever `standard_conforming_strings` is. */
export function literal(text: string): string {
  return `${constant(text)}::text`;
}

/** The same without a type, as the body of a function must be. */
export function constant(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** Writes the parameters of a statement as literals. */
export function withLiterals(statement: string, params: readonly string[]): string {
  return statement.replace(/\$(\d+)::text/g, (_, n) => literal(params[n - 1]));
}

/** Writes the name of a table or a schema. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The SHA-256 of a text: an index takes it, however long the text is. */
export const hash = (text: string): string => `sha256(convert_to(${text}, 'UTF8'))`;
