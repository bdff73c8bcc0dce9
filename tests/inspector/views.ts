/** Each view as a person sees it: wide and narrow, light and dark, with and without scripts. */

import { assertEquals } from "@std/assert";
import { encodeId } from "../../inspector/links.ts";
import { contrastFaults, foreignMarkup, layoutFaults } from "./support/measure.js";
import { HOSTILE } from "./support/scenario.ts";
import { Inspected } from "./support/server.ts";
import { shared, sharedBrowser } from "./support/shared.ts";

const inspected = await shared(Inspected.start({ actions: true }));
const browser = await sharedBrowser();

/** The views by name. */
const VIEWS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "list": {},
  "list of failed runs": { status: "failed" },
  "list that finds nothing": { q: "nothing has this name" },
  "order": { id: "RP-1001" },
  "order at an event": { id: "RP-1001", e: "5" },
  "order as of an event": { id: "RP-1001", at: "6" },
  "order by time": { id: "RP-1001", axis: "time" },
  "order by events": { id: "RP-1001", axis: "events" },
  "order that waits": { id: "RP-1003" },
  "order that retries": { id: "RP-1004" },
  "order that was canceled": { id: "RP-1002" },
  "trip that failed": { id: "trip-wien" },
  "children": { id: "import-7" },
  "child": { id: "import-7/page-10" },
  "long run": { id: "tank-9" },
  "chain": { id: "sub-ada" },
  "values": { id: "values" },
  "later": { id: "later" },
  "absent": { id: "absent" },
  "comparison": { id: "RP-1001", diff: "RP-1002" },
  "long ID": { id: "W".repeat(10_000) },
  "markup": { id: HOSTILE[0] },
  "right to left": { id: encodeId(HOSTILE[13]) },
};

for (const [name, query] of Object.entries(VIEWS)) {
  for (const width of [1280, 390]) {
    for (const theme of ["light", "dark"] as const) {
      Deno.test(`inspector() shows "${name}" at ${width} px, ${theme}`, async () => {
        await using visit = await browser.open(inspected.at(query), { width, theme });
        await visit.picture(`${name.replaceAll(" ", "-")}-${width}-${theme}`);
        assertEquals(await visit.run<string[]>(layoutFaults), []);
        assertEquals(await visit.run<string[]>(contrastFaults), []);
        assertEquals(await visit.run<string[]>(foreignMarkup), []);
        visit.problems.splice(0, visit.problems.length, ...visit.problems.filter((text) => !isExpected(name, text)));
        visit.assertQuiet();
      });
    }
  }
}

/** Chromium reports a page with the status 404. */
function isExpected(name: string, problem: string): boolean {
  return name === "absent" && problem.includes("status of 404");
}

for (const width of [1280, 390]) {
  for (const theme of ["light", "dark"] as const) {
    Deno.test(`inspector() shows each menu of a run at ${width} px, ${theme}`, async () => {
      await using visit = await browser.open(inspected.at({ id: "RP-1003" }), { width, theme });
      const labels: string[] = await visit.run(
        `[...document.querySelectorAll("details.menu > summary")].map((s) => s.textContent.trim())`,
      );
      assertEquals(labels.length, 6);
      for (const label of labels) {
        await visit.page.click(`summary:has-text("${label.replace("…", "")}")`);
        await visit.picture(`menu-${label.replace("…", "")}-${width}-${theme}`);
        const panel = `document.querySelector("details[open].menu .panel").getBoundingClientRect()`;
        const { left, right }: { left: number; right: number } = await visit.run(`${panel}.toJSON()`);
        assertEquals([left >= 0, right <= width], [true, true], `${label} from ${left} to ${right}`);
        assertEquals(await visit.run<string[]>(layoutFaults), [], label);
        assertEquals(await visit.run<string[]>(contrastFaults), [], label);
        await visit.page.keyboard.press("Escape");
      }
      visit.assertQuiet();
    });
  }
}
