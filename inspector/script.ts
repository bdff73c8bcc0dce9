/**
 * The code of the pages. They work without it.
 *
 * What it finds in a page:
 *
 * - `<body data-events="?events=1…">`: the stream of changes; without it the page does not change. After a change it loads the same
 *   address again and replaces `<main id="main">`, unless a menu is open, a form has been changed or text is selected.
 *   `<body data-poll>`: the page is running, and is loaded again every 2 s if there is no stream.
 * - `<span data-live hidden>`: is shown while the stream is connected.
 * - `<button data-theme hidden>`: changes between light and dark: `<html data-theme="light" | "dark">`, kept in `localStorage`.
 * - `<input data-search>`: `/` focuses it. `<a data-row>`: `j` and `k` move the focus. `<a data-up>`: `u` follows it.
 * - `<input type="range" name="at" data-slider>` in a form: submits the form when it is moved, and shows the number meanwhile in
 *   `<output>`. The form's `<button data-go>` is hidden.
 *
 * @module
 */

/** The text of the script. */
export const SCRIPT = "";
