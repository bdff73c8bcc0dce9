import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import type { Wait, WorkflowEvent } from "@rockpool/workflow";
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

/** The widths of the characters from U+0020 to U+007E in DejaVu Sans, in thousandths of the font size: the widest of the fonts. */
const WIDTHS = `
318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636 636 636
636 636 337 337 838 838 838 531 1000 684 686 698 770 632 575 775 752 295 295 656 557 863 748 787
603 787 695 635 611 732 684 989 685 611 685 390 337 390 838 500 500 613 635 550 635 615 352 635
634 278 278 579 278 974 634 612 635 635 411 521 392 634 592 818 592 592 525 636 337 636 838
`.trim().split(/\s+/).map(Number);
const BOLD_WIDTHS = `
348 456 521 838 696 1002 872 306 457 457 523 838 380 415 380 365 696 696 696 696 696 696 696 696
696 696 400 400 838 838 838 580 1000 774 762 734 830 683 683 821 837 372 372 775 637 995 837 850
733 850 770 720 682 812 774 1103 771 724 725 457 365 457 838 500 500 675 716 593 716 678 435 716
712 343 343 665 343 1042 712 687 716 716 493 595 478 712 652 924 645 652 582 712 365 712 838
`.trim().split(/\s+/).map(Number);

/** The boxes of the texts, with the widths of the widest fonts. */
function boxesOf(svg: string): Box[] {
  const texts = svg.matchAll(/<text ([^>]*)>(?:<title>[^<]*<\/title>)?([^<]*)<\/text>/g);
  return Array.from(texts, ([, attributes, content]) => {
    const get = (name: string, or: string) => new RegExp(` ${name}="([^"]*)"`).exec(` ${attributes}`)?.[1] ?? or;
    const [x, y, size] = [+get("x", ""), +get("y", ""), +get("font-size", "12")];
    const text = content.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(+code));
    let ems = 0;
    const widths = get("font-weight", "") === "bold" ? BOLD_WIDTHS : WIDTHS;
    for (const char of text.replace(/\p{M}|\u200d/gu, "")) {
      ems += char === "·"
        ? 0.32
        : char === "×"
        ? 0.84
        : char === "…"
        ? 1
        : widths[char.charCodeAt(0) - 32] / 1000 || (widths === BOLD_WIDTHS ? 1.18 : 1.05);
    }
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
  assert(!/\p{M}{3}/u.test(svg), "marks that cover the lines above");
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
    ...["order", "RP-1", "canceled after 10 s: CanceledError: Canceled, caused by RangeError: No luck", "25 events"],
    ...["activities 3 s · 30 %", "timers 3 s · 30 %", "children 2 s · 20 %", "retry delays 1 s · 10 %"],
    "start delay 1 s · 10 %",
    ...["0", "2 s", "4 s", "6 s", "8 s", "10 s"],
    ...["start delay", "1 s", "reserve", "250 ms", "charge", "1.8 s · 1 retry", "timer", "2 × · 6 s · 1 canceled"],
    ...[
      "signal approval",
      "patched carrier-v2",
      "side effect",
      "child pack …:5",
      "1 s",
      "child weigh …:6",
      "2 s · failed",
    ],
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
  for (const [, names] of svg.matchAll(/class="([fs]-[^"]+)"/g)) {
    for (const name of names.split(" ")) assertStringIncludes(svg, `.rockpool .${name}{`);
  }
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
  assertEquals(heightOf(start(0), start(1), end(0), end(1)), oneByOne + 16);
});

Deno.test("toSvg() is well-formed and bounded, and no text overlaps or is cut off, whatever the run is", async () => {
  const empty = { ...everything, history: [] };
  const year = everything.history.map((event, i) => ({ ...event, at: i < 20 ? i : i * 1e9 }));
  const runs = [everything, empty, { ...everything, history: year }, ...evilRuns(), ...await randomRuns(200)];
  for (const run of runs) for (const axis of ["time", "folded", "events"] as const) assertGood(toSvg(run, { axis }));
});

Deno.test("toSvg() is as good with marks, at other widths, and up to now", async () => {
  const runs = [everything, { ...everything, history: [] }, ...evilRuns(), ...await randomRuns(20), longRun(50)];
  for (const run of runs) {
    const { workflowName: text, history } = run;
    const { at = 0 } = history.at(-1) ?? {};
    const marks = [0, 1, 1, 5, history.length, 9e9].map((after, i) => ({
      ...{ after, text: i === 1 ? text.repeat(20) : `${text}${i}` },
      ...(i % 2 === 0 && { at: at + i * 10 }),
    }));
    const waitsFor: Wait[] = [{ type: "signal", name: text }, { type: "slot" }, { type: "child", workflowId: text }];
    for (const width of [320, 390, 1600]) {
      for (const few of [marks, marks.slice(0, 3), marks.slice(3, 4)]) {
        assertGood(toSvg(run, { width, marks: few, now: at + 1e7, waitsFor }));
      }
    }
  }
});

const DAY = 86_400_000;
const minute = 60_000;
const order: PicturedRun = {
  workflowId: "RP-6",
  workflowName: "order",
  status: "completed",
  history: [
    { type: "workflow_started", at: 0, workflowName: "order" },
    { type: "activity_started", at: 0, seq: 0, name: "charge" },
    { type: "activity_completed", at: 20 * minute + 1000, seq: 0, attempt: 1 },
    { type: "timer_started", at: 20 * minute + 1000, seq: 1, dueAt: 7 * DAY, waitsFor: { signal: "approval" } },
    { type: "signal_received", at: 5 * DAY, name: "approval", signalId: "1" },
    { type: "activity_started", at: 5 * DAY, seq: 2, name: "ship" },
    { type: "activity_completed", at: 5 * DAY + 2000, seq: 2, attempt: 1 },
    { type: "workflow_completed", at: 5 * DAY + 2000 },
  ],
};
const marks = [
  { after: 2, at: 3000, text: "the process dies" },
  { after: 2, at: 20 * minute, text: "another process recovers the run" },
];

Deno.test("toSvg() folds long waits, and the time between two marks without an event between", () => {
  const ticksOf = (svg: string) => Array.from(svg.matchAll(/text-anchor="middle"[^>]*>([^<]*)</g), ([, text]) => text);
  const svg = toSvg(order, { marks });
  assertEquals(svg.match(/folded<\/title>/g)!.length, 2);
  assertStringIncludes(svg, "<title>19 min 57 s, folded</title>");
  assertEquals(ticksOf(svg), ["0", "3 s", "20 min", "20 min 1 s", "5 d"]);
  assertEquals(ticksOf(toSvg(order, { axis: "time" })), [
    "0",
    "1 d",
    "2 d",
    "3 d",
    "4 d",
    "5 d",
  ]);
  assertEquals(toSvg(everything).includes("folded"), false); // no wait is long
});

Deno.test("toSvg() writes marks beside their lines, or as numbers where there is no room", () => {
  const texts = marks.map(({ text }) => text);
  const lines = (svg: string) => svg.match(/<path d="M[\d.]+ [\d.]+V[\d.]+" stroke-width="1.5"/g)!.length;
  const wide = toSvg(order, { marks });
  assertEquals(textsOf(wide).filter((text) => texts.includes(text) || /^[12]$/.test(text)), texts);
  assertEquals(lines(wide), 4);
  const narrow = toSvg(order, { marks, width: 390 });
  assertEquals(textsOf(narrow).filter((text) => texts.includes(text) || /^[12]$/.test(text)), [
    ...["1", "the process dies", "2", "another process recovers the run", "1", "2"],
  ]);
  assertEquals(lines(narrow), 4);
  assertEquals(lines(toSvg(order, { marks, axis: "events" })), 4);
});

Deno.test('toSvg() puts a mark behind the bars of the events before it, and before those after it, also if axis is "events"', () => {
  const history = ["reserve", "charge"].flatMap((name, seq): WorkflowEvent[] => [
    { type: "activity_started", at: 2000 * seq + 1000, seq, name },
    { type: "activity_completed", at: 2000 * seq + 2000, seq, attempt: 1 },
  ]);
  const run: PicturedRun = { ...order, history: [order.history[0], ...history] };
  for (const axis of ["events", "time"] as const) {
    const after = [1, 2, 3, 4, 5];
    const svg = toSvg(run, { axis, marks: after.map((after) => ({ after, at: after * 1000 - 500, text: "" })) });
    const lines = [...svg.matchAll(/<path d="M([\d.]+) [\d.]+V[\d.]+" stroke-width="1.5"/g)].map(([, x]) => +x);
    const bars = [
      ...svg.matchAll(/<title>(?:reserve|charge) at [^<]*<\/title><rect x="([\d.]+)"[^>]* width="([\d.]+)"/g),
    ];
    const ends = bars.flatMap(([, x, width]) => [+x, +x + +width]);
    const places = after.map((_, i) => ends.filter((end) => end < lines[i]).length);
    assertEquals(places, [0, 1, 2, 3, 4], axis);
  }
});

Deno.test("toSvg() shows a wait for a signal and the signal in one row", () => {
  const svg = toSvg(order);
  assertEquals(textsOf(svg).filter((text) => /approval|timer/.test(text)), ["signal approval"]);
  assertStringIncludes(svg, "<title>wait for signal approval at +00:20:01.000: 4 d 23 h</title>");
  assertStringIncludes(svg, "<title>signal approval at +5d 00:00:00.000</title>");
});

Deno.test("toSvg() draws a running run up to now, with what it waits for", () => {
  const running: PicturedRun = { ...order, status: "running", history: order.history.slice(0, 4) };
  const waitsFor: Wait[] = [{ type: "timer", dueAt: 7 * DAY }, { type: "signal", name: "approval" }];
  const svg = toSvg(running, { now: 3 * DAY, waitsFor });
  assertEquals(textsOf(svg).slice(2, 5), [
    "running for 3 d",
    "4 events",
    "waits for signal approval, deadline in 4 d",
  ]);
  const begun: WorkflowEvent = { type: "activity_started", at: 1000, seq: 0, name: "charge" };
  const working: PicturedRun = { ...running, history: [order.history[0], begun] };
  assertStringIncludes(toSvg(working, { now: DAY + 1000 }), "<title>1 d, folded</title>"); // nothing is recorded since the last event
  assertEquals(textsOf(toSvg(running))[2], "running for 20 min 1 s at the last event");
});

Deno.test("toSvg() tells children apart by their IDs", () => {
  const start = (seq: number, workflowId: string): WorkflowEvent => ({
    ...{ type: "child_started", at: 0, seq, name: "page", workflowId, closePolicy: "cancel" },
  });
  const few = {
    ...order,
    history: [order.history[0], start(0, "RP-6/1"), start(1, "an ID of its own"), start(2, "<&>")],
  };
  assertEquals(textsOf(toSvg(few)).filter((text) => text.startsWith("child")), [
    ...["child page …/1", "child page …of its own", "child page <&>"],
  ]);
  assertStringIncludes(toSvg(few), "<title>child page an ID of its own at +00:00:00.000: 0 ms, never ended</title>");
  const many = { ...order, history: [order.history[0], ...Array.from({ length: 11 }, (_, i) => start(i, `c/${i}`))] };
  assertEquals(textsOf(toSvg(many)).filter((text) => text.startsWith("child")), ["child page"]);
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

Deno.test("toSvg() throws when the width is not an integer from 320", () => {
  for (const width of [319, 400.5, NaN]) {
    assertThrows(
      () => toSvg(everything, { width }),
      RangeError,
      `Cannot draw workflow "RP-1": "width" must be an integer from 320, got ${width}`,
    );
  }
});

Deno.test("toSvg() throws when the axis is no kind of axis", () => {
  assertThrows(
    () => toSvg(everything, { axis: "x" as "time" }),
    TypeError,
    'Cannot draw workflow "RP-1": "axis" must be one of "time", "folded", "events", got "x"',
  );
});
