/** The inspector without a mouse. */

import { assert, assertEquals } from "@std/assert";
import { Inspected } from "./support/server.ts";
import { shared, sharedBrowser } from "./support/shared.ts";

const inspected = await shared(Inspected.start({ actions: true }));
const browser = await sharedBrowser();

/** What can be operated, by its place in the page. */
const OPERABLE = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((element) => !element.disabled && element.type !== "hidden" && element.tabIndex >= 0 &&
    element.checkVisibility({ visibilityProperty: true }))`;

/** Where the focus is, and whether a person sees it. */
const FOCUS = `(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
  const { left, top, right, bottom } = element.getBoundingClientRect();
  const inside = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
  return {
    index: ${OPERABLE}.indexOf(element),
    seen: inside && (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 || boxShadow !== "none"),
    what: element.outerHTML.slice(0, 100),
  };
})()`;

for (const [name, query] of Object.entries({ list: {}, order: { id: "RP-1001" }, waiting: { id: "RP-1003" } })) {
  for (const width of [1280, 390]) {
    Deno.test(`inspector() can be operated by the key Tab alone: ${name}, ${width} px`, async () => {
      await using visit = await browser.open(inspected.at(query), { width });
      const count: number = await visit.run(`${OPERABLE}.length`);
      const reached = new Set<number>();
      for (let i = 0; i < count + 5; i++) {
        await visit.page.keyboard.press("Tab");
        const { index, seen, what } = await visit.run<{ index: number; seen: boolean; what: string }>(FOCUS);
        if (index >= 0) assert(seen, `the focus is not seen on ${what}`);
        reached.add(index);
      }
      const missed = await visit.run<string[]>(`${OPERABLE}.map((element) => element.outerHTML.slice(0, 100))`);
      assertEquals(missed.filter((_, i) => !reached.has(i)), []);
      visit.assertQuiet();
    });
  }
}

Deno.test("inspector() goes to the rows by j and k, into a run by Enter, and back by u", async () => {
  await using visit = await browser.open(inspected.url);
  const focused = () => visit.run<string>("document.activeElement.textContent");
  const rows = await visit.run<string[]>("[...document.querySelectorAll('a[data-row]')].map((row) => row.textContent)");
  for (const key of ["j", "j", "k", "j"]) await visit.page.keyboard.press(key);
  assertEquals(await focused(), rows[1]);
  await visit.page.keyboard.press("Enter");
  await visit.until("document.querySelector('a[data-up]')");
  assert(new URL(visit.page.url()).searchParams.has("id"));
  await visit.page.keyboard.press("u");
  await visit.until("document.querySelector('[data-search]')");
  visit.assertQuiet();
});

Deno.test("inspector() searches by / and keeps the letters that are typed there", async () => {
  await using visit = await browser.open(inspected.url);
  for (const key of ["/", "j", "u", "d", "/"]) await visit.page.keyboard.press(key);
  assertEquals(await visit.run("document.activeElement.value"), "jud/");
  assertEquals(await visit.run("document.documentElement.dataset.theme ?? null"), null);
  await visit.page.keyboard.press("Escape");
  assertEquals(await visit.run("document.activeElement.tagName"), "BODY");
});

Deno.test("inspector() ignores keys that belong to the browser", async () => {
  await using visit = await browser.open(inspected.url);
  for (const key of ["Control+d", "Alt+d", "Meta+d"]) await visit.page.keyboard.press(key);
  assertEquals(await visit.run("document.documentElement.dataset.theme ?? null"), null);
});

for (const theme of ["light", "dark"] as const) {
  Deno.test(`inspector() remembers the other theme, and follows the system again: ${theme}`, async () => {
    await using visit = await browser.open(inspected.url, { theme });
    const chosen = () => visit.run("document.documentElement.dataset.theme ?? null");
    const background = () => visit.run<string>("getComputedStyle(document.body).backgroundColor");
    const [other, before] = [theme === "light" ? "dark" : "light", await background()];
    await visit.page.click("button[data-theme]");
    assertEquals(await chosen(), other);
    const after = await background();
    assert(before !== after);
    await visit.go(inspected.at({ id: "RP-1001" }));
    assertEquals([await chosen(), await background()], [other, after]);
    await visit.page.keyboard.press("d");
    assertEquals([await chosen(), await background()], [null, before]);
    await visit.go(inspected.url);
    assertEquals(await chosen(), null);
    visit.assertQuiet();
  });
}

Deno.test("inspector() works when the browser keeps nothing", async () => {
  await using visit = await browser.open(inspected.url);
  await visit.page.addInitScript(
    "Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error('no'); } })",
  );
  await visit.go(inspected.url);
  await visit.page.click("button[data-theme]");
  assertEquals(await visit.run("document.documentElement.dataset.theme"), "dark");
  visit.assertQuiet();
});

Deno.test("inspector() opens one menu at a time, and Escape closes it", async () => {
  await using visit = await browser.open(inspected.at({ id: "RP-1003" }));
  const open = () =>
    visit.run<string[]>("[...document.querySelectorAll('details.menu[open] > summary')].map((s) => s.textContent)");
  await visit.page.click("summary:has-text('Signal')");
  await visit.page.click("summary:has-text('Query')");
  assertEquals(await open(), ["Query…"]);
  await visit.page.keyboard.press("Escape");
  assertEquals(await open(), []);
  assertEquals(await visit.run("document.activeElement.textContent"), "Query…");
});
