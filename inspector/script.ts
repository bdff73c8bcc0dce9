/**
 * The code of the pages. They work without it.
 *
 * What it finds in a page:
 *
 * - `<body data-events="?events=1…">`: the stream of changes; without it the page does not change. After a change the same address is
 *   loaded again, and `<main id="main">` becomes what it is then. `<body data-poll>`: the page is running. It is loaded again every
 *   10 s, because times go on, and every 2 s if there is no stream.
 * - `<span data-live hidden>`: is shown while the stream is connected.
 * - `<button data-theme hidden>`: changes between light and dark: `<html data-theme="light" | "dark">`, kept in `localStorage`.
 *   Nothing is kept if it is what the system prefers.
 * - `<input data-search>`: `/` focuses it. `<a data-row>`: `j` and `k` move the focus. `<a data-up>`: `u` follows it. `d` changes the
 *   theme.
 * - `<input type="range" name="at" data-slider>` in a form: shows the page as of another event while it is moved, and the number in
 *   `<output>`. The form's `<button data-go>` is hidden.
 * - `<details class="menu">`: one is open at a time. Escape and a click elsewhere close it.
 * - Links in `<main>` to another view of the same workflow load that view in place.
 *
 * 1. An element of a page stays the same element in its next version, so that focus, scroll position, selection, open menus and what
 *    is typed are kept. `id`, `data-id` or `data-key` says which one it is among its siblings; without them, its place.
 * 2. Of several loads that are wanted while one is in progress, only the last one happens.
 * 3. A page that nobody sees has no connection. It is loaded when it is seen again.
 *
 * @module
 */

/** The text of the script. It is in JavaScript, with types in comments. */
export const SCRIPT: string = /* @__PURE__ */ (() =>
  String.raw`"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const system = () => dark.matches ? "dark" : "light";
  const key = "rockpool-theme";
  try {
    const kept = localStorage.getItem(key);
    if (kept) root.dataset.theme = kept;
  } catch {}

  /** @param {string} selector @returns {HTMLElement | null} */
  const find = (selector) => document.querySelector(selector);
  const main = () => /** @type {HTMLElement} */ (find("#main"));
  const { dataset } = document.createElement("i"); // replaced by that of the body
  let data = dataset;

  const toggle = () => {
    const next = (root.dataset.theme || system()) === "dark" ? "light" : "dark";
    if (next === system()) delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (next === system()) localStorage.removeItem(key);
      else localStorage.setItem(key, next);
    } catch {}
  };

  /** Which one of its siblings a node is. Not by its property "id": that of a form is its field "id". @param {Node} node */
  const nameOf = (node) => node instanceof Element
    ? ["id", "data-id", "data-key"].map((name) => node.getAttribute(name)).find(Boolean)
    : undefined;

  /** Whether two nodes without names are versions of each other. @param {Node} a @param {Node} b */
  const alike = (a, b) =>
    a.nodeName === b.nodeName && ["class", "type"].every((name) =>
      !(a instanceof Element) || a.getAttribute(name) === /** @type {Element} */ (b).getAttribute(name)
    );
  /** Removes a node, and returns the one after it. @param {ChildNode} node */
  const drop = (node) => {
    const next = node.nextSibling;
    node.remove();
    return next;
  };

  /** Makes an element of the page what it is in the next version. @param {Element} now @param {Element} next */
  const become = (now, next) => {
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (now.getAttribute(name) !== value && name !== "open") now.setAttribute(name, value);
    }
    const wanted = new Set([...next.children].map(nameOf));
    const named = new Map();
    for (const child of [...now.children]) {
      const name = nameOf(child);
      if (name && wanted.has(name)) named.set(name, child);
      else if (name) child.remove();
    }
    let at = now.firstChild;
    for (const child of [...next.childNodes]) {
      /** @type {ChildNode | null} */
      let own = named.get(nameOf(child)) || at;
      if (!nameOf(child) && child instanceof Element) { // not so for white space, which is everywhere
        while (own && !nameOf(own) && !alike(own, child)) own = own.nextSibling;
      }
      if (!own || own.nodeName !== child.nodeName || nameOf(own) !== nameOf(child)) {
        now.insertBefore(child, at);
        continue;
      }
      if (nameOf(child) && own !== at) now.insertBefore(own, at);
      else {
        for (; at && at !== own; at = drop(at));
        at = own.nextSibling;
      }
      if (own instanceof Element) become(own, /** @type {Element} */ (child));
      else if (own.nodeValue !== child.nodeValue) own.nodeValue = child.nodeValue;
    }
    while (at) at = drop(at);
  };

  /** @type {string | undefined} */
  let wanted;
  let loading = false;
  /** Loads a view in place; the last one that is wanted. @param {string} url */
  const show = async (url) => {
    wanted = url;
    if (loading) return;
    loading = true;
    while (wanted !== undefined) {
      url = wanted;
      wanted = undefined;
      try {
        const response = await fetch(url, { redirect: "manual" });
        if (response.status >= 500) throw response.status;
        const next = new DOMParser().parseFromString(await response.text(), "text/html");
        if (url !== location.href) continue;
        const body = next.querySelector("#main");
        if (!body || !response.ok) return location.reload(); // a login, or a workflow that was deleted
        document.title = next.title;
        become(main(), body);
        for (const name of ["events", "poll"]) {
          const value = next.body.dataset[name];
          if (value === undefined) delete data[name];
          else data[name] = value;
        }
        prepare();
        connect();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 2000)); // the server is away
        wanted ??= location.href;
      }
    }
    loading = false;
  };
  const reload = () => show(location.href);

  /** @type {EventSource | undefined} */
  let stream;
  let streamed = "";
  let lastAt = 0;
  const connect = () => {
    const url = document.hidden ? "" : data.events || "";
    if (url === streamed) return;
    stream?.close();
    streamed = url;
    const live = (/** @type {boolean} */ on) => find("[data-live]")?.toggleAttribute("hidden", !on);
    live(false);
    if (!url) return;
    stream = new EventSource(url);
    stream.onopen = () => {
      live(true);
      changed();
    };
    stream.onmessage = () => changed();
    stream.onerror = () => live(false);
  };
  const changed = () => {
    lastAt = Date.now();
    reload();
  };
  const tick = () => {
    const every = stream?.readyState === 1 ? 10000 : 2000;
    if (!document.hidden && "poll" in data && Date.now() - lastAt >= every) changed();
  };

  /** Sets up what a version of the page brings. */
  const prepare = () => {
    for (const part of document.querySelectorAll("[data-theme][hidden]:not(html)")) part.removeAttribute("hidden");
    for (const part of document.querySelectorAll("[data-go]")) part.setAttribute("hidden", "");
  };

  /** @param {string} url */
  const visit = (url) => {
    history.pushState(null, "", url);
    reload();
  };

  /** @param {Element | null} [except] */
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.removeAttribute("open");
    }
  };

  const begin = () => {
    data = document.body.dataset;
    lastAt = Date.now();
    setTimeout(() => { // what was done is said for a while
      const { searchParams: query } = new URL(location.href);
      if (!query.has("done")) return;
      query.delete("done");
      history.replaceState(null, "", "?" + query);
      reload();
    }, 10000);
    prepare();
    connect();
    setInterval(tick, 1000);
    document.addEventListener("visibilitychange", connect);
    addEventListener("pagehide", () => stream?.close());
    addEventListener("popstate", reload);

    document.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      closeMenus(target.closest("details.menu"));
      if (target.closest("button[data-theme]")) toggle();
      const link = target.closest("a");
      if (!link || !main().contains(link) || link.target || link.hasAttribute("download")) return;
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      const [to, from] = [new URL(link.href), new URL(location.href)];
      const id = to.searchParams.get("id");
      if (to.hash || to.searchParams.has("export") || id === null || id !== from.searchParams.get("id")) return;
      event.preventDefault();
      visit(link.href);
    });

    document.addEventListener("input", (event) => {
      const slider = /** @type {HTMLInputElement} */ (event.target);
      const { form } = slider;
      if (!form || !slider.hasAttribute("data-slider")) return;
      const output = form.querySelector("output");
      if (output) output.value = slider.value;
      const query = new URLSearchParams(/** @type {never} */ (new FormData(form)));
      history.replaceState(null, "", "?" + query);
      reload();
    });

    document.addEventListener("keydown", (event) => {
      const { key, target } = event;
      const element = /** @type {HTMLElement} */ (target);
      if (key === "Escape") {
        const menu = element.closest("details.menu[open]");
        closeMenus();
        /** @type {HTMLElement | null | undefined} */ (menu?.querySelector("summary"))?.focus();
        if (element.matches("[data-search]")) element.blur();
      }
      if (event.ctrlKey || event.metaKey || event.altKey || element.closest("input, textarea, select")) return;
      if (key === "/") find("[data-search]")?.focus();
      else if (key === "u") find("a[data-up]")?.click();
      else if (key === "d") toggle();
      else if (key === "j" || key === "k") {
        const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("a[data-row]")]);
        const at = rows.findIndex((row) => row === document.activeElement);
        rows[at < 0 ? (key === "j" ? 0 : -1) : at + (key === "j" ? 1 : -1)]?.focus();
      } else return;
      event.preventDefault();
    });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
`)();
