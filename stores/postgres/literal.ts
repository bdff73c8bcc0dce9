/**
 * Texts in SQL.
 *
 * @module
 */

/** Writes a text as a literal, whatever characters it contains and whatever `standard_conforming_strings` is. */
export function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'::text`;
}

/** Writes the parameters of a statement as literals. */
export function withLiterals(statement: string, params: readonly string[]): string {
  return statement.replace(/\$(\d+)::text/g, (_, n) => literal(params[n - 1]));
}

/** Writes the name of a table or a schema. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
