/**
 * The styles of the pages.
 *
 * @module
 */

/** The text of the style sheet. */
export const STYLE = "";
