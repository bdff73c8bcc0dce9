import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import type { WorkflowEvent } from "@rockpool/workflow";
import { type PicturedRun, toSvg } from "@rockpool/workflow/pictures";
import { everything, evilRuns, longRun, randomRuns } from "../tests/support/pictured_runs.ts";

interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Throws if a text is not well-formed XML with only elements, attributes and text. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  let rest = xml;
  while (rest !== "") {
    const part = /^(?:<\/([\w-]+)>|<([\w-]+)((?: [\w-]+="(?:[^<&"]|&#\d+;)*")*)(\/?)>|(?:[^<&]|&#\d+;)+)/.exec(rest);
    if (!part) throw new Error(`no XML: ${rest.slice(0, 80)}`);
    const [all, closes, opens, attributes = "", empty] = part;
    const names = attributes.match(/[\w-]+(?==")/g) ?? [];
    assertEquals(new Set(names).size, names.length, all);
    if (closes) assertEquals(open.pop(), closes);
    if (opens && !empty) open.push(opens);
    rest = rest.slice(all.length);
    assert(open.length > 0 || rest === "", "text behind the root");
  }
  assertEquals(open, []);
}

/** The boxes of the texts, with the widths of the widest monospaced fonts and of fallback fonts. */
function boxesOf(svg: string): Box[] {
  const texts = svg.matchAll(/<text ([^>]*)>(?:<title>[^<]*<\/title>)?([^<]*)<\/text>/g);
  return Array.from(texts, ([, attributes, content]) => {
    const get = (name: string, or: string) => new RegExp(` ${name}="([^"]*)"`).exec(` ${attributes}`)?.[1] ?? or;
    const [x, y, size] = [+get("x", ""), +get("y", ""), +get("font-size", "11")];
    const text = content.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(+code));
    let ems = 0;
    for (const char of text.replace(/\p{M}|\u200d/gu, "")) ems += char < "\u0500" || /[…×]/.test(char) ? 0.62 : 1.05;
    const width = ems * size;
    const left = x - width * { start: 0, middle: 0.5, end: 1 }[get("text-anchor", "start")]!;
    return { text, left, right: left + width, top: y - size, bottom: y + 0.2 * size };
  });
}

function assertGood(svg: string): void {
  assertWellFormed(svg);
  assert(
    !/[\p{Cc}\p{Cs}\ufffe\uffff\u202e]/u.test(svg.replaceAll("\n", "")),
    "a character that is no text",
  );
  assert(!/<script|href|<image|@import|NaN|Infinity|undefined/.test(svg.replace(/>[^<]*</g, "><")), "no plain picture");
  const [, width, height] = /viewBox="0 0 (\d+) ([\d.]+)"/.exec(svg)!.map(Number);
  assert(height < 2500, `${height} pixels high`);
  assert(svg.length < 1_500_000, `${svg.length} characters`);
  const boxes = boxesOf(svg);
  boxes.forEach((a, i) => {
    assert(a.left >= 0 && a.right <= width && a.top >= 0 && a.bottom <= height, `cut off: ${a.text}`);
    for (const b of boxes.slice(i + 1)) {
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      assert(apart, `overlap: ${a.text} | ${b.text}`);
    }
  });
  for (const [, x, y, w, h] of svg.matchAll(/<rect x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"/g)) {
    assert(+w >= 0 && +h >= 0, `a box of ${w} by ${h}`);
    assert(+x >= 0 && +x + +w <= width && +y + +h <= height, `cut off: a box at ${x}, ${y}`);
  }
}

/** The visible texts, without the tooltips. */
const textsOf = (svg: string) => boxesOf(svg).map(({ text }) => text);

Deno.test("toSvg() shows one row for everything of a kind and name, with a summary", () => {
  assertEquals(textsOf(toSvg(everything)), [
    ...["order", "canceled after 10 s: CanceledError: Canceled, caused by RangeError: No luck", "25 events, ID RP-1"],
    ...["activities 3 s · 30 %", "timers 3 s · 30 %", "children 2 s · 20 %", "retry delays 1 s · 10 %"],
    "start delay 1 s · 10 %",
    ...["0", "2 s", "4 s", "6 s", "8 s", "10 s"],
    ...["start delay", "1 s", "reserve", "250 ms", "charge", "1.8 s · 1 retry", "timer", "2 × · 6 s · 1 canceled"],
    ...["signal approval", "patched carrier-v2", "side effect", "child pack", "1 s", "child weigh", "2 s · failed"],
    ...["update rename", "1 s", "ship", "1 s · canceled", "cancel requested", "undo release", "1 s"],
    ...["release", "1 s · failed", "failed", "delay before the next attempt", "canceled"],
  ]);
});

Deno.test("toSvg() has tooltips for texts that are cut", () => {
  const svg = toSvg(everything);
  assertStringIncludes(svg, "<title>charge at +00:00:01.250: 1.8 s, 2 attempts, RangeError: No luck</title>");
  const name = "a long name ".repeat(9).trim();
  const long = toSvg({ ...everything, workflowName: name });
  assertStringIncludes(long, `<title>${name}</title>`);
});

Deno.test("toSvg() makes a picture with a title, and colors for light and dark pages", () => {
  const svg = toSvg(everything);
  assertMatch(svg, /^<svg [^>]* role="img"/);
  assertStringIncludes(svg, "<title>order RP-1: canceled after 10 s</title>");
  assertStringIncludes(svg, "@media (prefers-color-scheme: dark)");
  for (const [, name] of svg.matchAll(/class="[fs]-(\w+)"/g)) assertStringIncludes(svg, `.rockpool .f-${name}{`);
});

Deno.test("toSvg() draws a failed attempt with a pattern, not only with a color", () => {
  const failed = toSvg(everything).match(/fill="url\(#rockpool-failed\)"/g) ?? [];
  assertEquals(failed.length, 4); // charge, weigh, release, and the legend
});

Deno.test('toSvg() shows the order of the events if no time passed, or if axis is "events"', () => {
  const history = everything.history.map((event) => ({ ...event, at: 5 }));
  const ticks = ["event 1", "event 6", "event 11", "event 16", "event 21"];
  assertEquals(textsOf(toSvg({ ...everything, history })).filter((text) => /^event/.test(text)), ticks);
  assertEquals(textsOf(toSvg(everything, { axis: "events" })).filter((text) => /^event/.test(text)), ticks);
  assertGood(toSvg({ ...everything, history }, { axis: "time" }));
});

Deno.test("toSvg() puts overlapping spans into lanes of one row, by the order of the events", () => {
  const start = (seq: number): WorkflowEvent => ({ type: "activity_started", at: 0, seq, name: "work" });
  const end = (seq: number): WorkflowEvent => ({ type: "activity_completed", at: 0, seq, attempt: 1 });
  const heightOf = (...history: WorkflowEvent[]) => {
    const run: PicturedRun = { ...everything, status: "completed", history: [everything.history[0], ...history] };
    return Number(/height="([\d.]+)"/.exec(toSvg(run))![1]);
  };
  const oneByOne = heightOf(start(0), end(0), start(1), end(1));
  assertEquals(heightOf(start(0), start(1), end(0), end(1)), oneByOne + 14);
});

Deno.test("toSvg() is well-formed and bounded, and no text overlaps or is cut off, whatever the run is", async () => {
  const empty = { ...everything, history: [] };
  const year = everything.history.map((event, i) => ({ ...event, at: i < 20 ? i : i * 1e9 }));
  const runs = [everything, empty, { ...everything, history: year }, ...evilRuns(), ...await randomRuns(200)];
  for (const run of runs) for (const axis of ["time", "events"] as const) assertGood(toSvg(run, { axis }));
});

Deno.test("toSvg() stays readable for a fan-out of 50 and for 20,000 events", () => {
  const fanOut = Array.from({ length: 50 }, (_, seq): WorkflowEvent => ({
    ...{ type: "activity_started", at: 0, seq, name: "resize" },
  }));
  const returns = fanOut.map((_, seq): WorkflowEvent => ({
    type: "activity_completed",
    at: 50 + seq,
    seq,
    attempt: 1,
  }));
  const svg = toSvg({ ...everything, status: "completed", history: [everything.history[0], ...fanOut, ...returns] });
  assertGood(svg);
  assertEquals(svg.match(/<title>resize at/g)!.length, 50);
  for (const names of [1, 40, 5000]) assertGood(toSvg(longRun(5000, names)));
  assertStringIncludes(toSvg(longRun(2000, 2000)), ">… 1,943 more</text>");
  const [, rest] = toSvg(longRun(2000, 100)).split(">… 43 more</text>"); // the names alternate
  const ends = [...rest.split("<text")[0].matchAll(/<rect x="([\d.]+)"/g)].map(([, x]) => +x);
  assertEquals(ends, ends.toSorted((a, b) => a - b)); // in one lane
});

Deno.test("toSvg() throws when the axis is neither time nor events", () => {
  assertThrows(
    () => toSvg(everything, { axis: "x" as "time" }),
    TypeError,
    'Cannot draw workflow "RP-1": "axis" must be one of "time", "events", got "x"',
  );
});
