import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { WorkflowEvent } from "@rockpool/workflow";
import { type PicturedRun, toMermaid } from "@rockpool/workflow/pictures";
import { everything, EVIL, evilRuns, longRun, randomRuns, withRequests } from "../tests/support/pictured_runs.ts";

/** Characters that may occur in a text only as entities. */
const TEXT = `(?:[\\p{L}\\p{M}\\p{N} .,()+…×"'/_?!=-]|#\\d+;)+`;
const LINES = {
  gantt: new RegExp(
    `^  (?:(?:activity|child|update|undo|timer|start|signal|condition|scope|mark|side|patched|labels|cancel|…) ?${TEXT}|timer|condition) ` +
      `:(?:milestone, )?(?:(?:done|crit|active), )?\\d+, \\d+$`,
    "u",
  ),
  sequence: new RegExp(
    `^  (?:participant (?:o|w|p\\d+|rest) as ${TEXT}|Note over w: ${TEXT}|` +
      `(?:o|w|p\\d+|rest)(?:->>|-->>|--x|-x)(?:o|w|p\\d+|rest): ${TEXT})$`,
    "u",
  ),
};
const HEADS = {
  gantt: new RegExp(
    `^gantt\\n  title ${TEXT}\\n  dateFormat x\\n  axisFormat [%\\w:.-]+\\n  todayMarker off(?:\\n|$)`,
    "u",
  ),
  sequence: /^sequenceDiagram\n/,
};

Deno.test("toMermaid() writes a Gantt chart with one line for each attempt", () => {
  assertEquals(
    toMermaid(everything, { kind: "gantt" }),
    `
gantt
  title order RP-1 canceled after 10 s
  dateFormat x
  axisFormat %H:%M:%S
  todayMarker off
  start delay :done, 1000000, 1001000
  activity reserve :done, 1001000, 1001250
  activity charge, attempt 1 :crit, 1001250, 1001500
  activity charge, attempt 2 :done, 1002500, 1003000
  timer :done, 1003000, 1005000
  timer, canceled :1005000, 1009000
  signal approval :milestone, 1005500, 1005500
  patched carrier-v2 :milestone, 1005500, 1005500
  side effect :milestone, 1005500, 1005500
  child pack :done, 1005500, 1006500
  child weigh :crit, 1005500, 1007500
  update rename :done, 1007000, 1008000
  activity ship, canceled :1008000, 1009000
  cancel requested :milestone, 1009000, 1009000
  undo release :done, 1009000, 1010000
  activity release :crit, 1009000, 1010000`.slice(1),
  );
});

Deno.test("toMermaid() does not show an attempt that did not begin", () => {
  const error = { name: "TimeoutError", message: "Too late" };
  const begun: WorkflowEvent[] = [
    { type: "activity_started", at: 0, seq: 0, name: "charge" },
    { type: "activity_attempt_failed", at: 10, seq: 0, attempt: 1, error, retryAt: 500 },
  ];
  const failed: WorkflowEvent = { type: "activity_failed", at: 200, seq: 0, attempt: 1, error };
  const tasksOf = (...history: WorkflowEvent[]) =>
    toMermaid({ ...everything, status: "running", history }, { kind: "gantt" }).split("\n").slice(5);
  const signal: WorkflowEvent = { type: "signal_received", at: 200, name: "go", signalId: "1" };
  assertEquals(tasksOf(...begun, failed), ["  activity charge :crit, 0, 200"]); // it timed out during the delay
  assertEquals(tasksOf(...begun, signal), ["  activity charge :active, 0, 200", "  signal go :milestone, 200, 200"]);
});

Deno.test("toMermaid() writes a sequence diagram of calls and results", () => {
  assertEquals(
    toMermaid(everything, { kind: "sequence" }),
    `
sequenceDiagram
  participant o as outside
  participant w as order RP-1
  participant p0 as reserve
  participant p1 as charge
  participant p2 as child pack
  participant p3 as child weigh
  participant p4 as ship
  participant p5 as release
  w->>p0: starts with 4
  p0-->>w: "set aside"
  w->>p1: starts
  p1--xw: attempt 1 failed, next in 1 s, RangeError#58; No luck
  p1-->>w: #123; id#58; "p-1", cents#58; 133500n #125;
  Note over w: timer for 2 s
  Note over w: timer for 1 d
  o->>w: signal approval
  Note over w: patched carrier-v2
  Note over w: side effect 42
  w->>p2: starts
  w->>p3: starts
  p2-->>w: "packed"
  o->>w: update rename
  p3--xw: RangeError#58; No luck
  w-->>o: true
  w->>p4: starts
  o-xw: cancel, moving abroad
  Note over w: compensation release
  w->>p5: starts
  p5--xw: RangeError#58; No luck
  Note over w: CanceledError#58; Canceled, caused by RangeError#58; No luck
  Note over w: canceled after 10 s`.slice(1),
  );
});

Deno.test("toMermaid() shows an update once when another executor asked for it", () => {
  assertEquals(toMermaid(withRequests, { kind: "gantt" }).split("\n").slice(5), [
    "  update rename :done, 10, 50",
    "  update rename :crit, 10, 20",
    "  update rename :milestone, active, 60, 60",
  ]);
  assertEquals(toMermaid(withRequests, { kind: "sequence" }).split("\n").slice(3, 8), [
    "  o->>w: update rename",
    "  o->>w: update rename",
    "  w--xo: RangeError#58; No name",
    "  w-->>o: true",
    "  o->>w: update rename",
  ]);
});

for (const kind of ["gantt", "sequence"] as const) {
  Deno.test(`toMermaid() writes lines that parse, and not too many, as ${kind}, whatever the run is`, async () => {
    const runs = [
      { ...everything, history: [] },
      ...evilRuns(),
      ...await randomRuns(200),
      longRun(5000),
      longRun(5000, 5000),
    ];
    for (const run of runs) {
      const text = toMermaid(run, { kind });
      assertMatch(text, HEADS[kind]);
      const lines = text.replace(HEADS[kind], "").split("\n");
      assertEquals(lines.filter((line) => line !== "" && !LINES[kind].test(line)), []);
      assert(lines.length <= 120 && text.length < 50_000, `${lines.length} lines, ${text.length} characters`);
    }
  });
}

Deno.test("toMermaid() distinguishes activities whose names are those of properties, and of its own participants", () => {
  const names = ["outside", "__proto__", "constructor", ...EVIL.slice(0, 2)];
  const history = names.map((name, seq) => ({ type: "activity_started", at: 0, seq, name }) as const);
  const text = toMermaid({ ...everything, status: "running", history }, { kind: "sequence" });
  assertEquals(text.match(/participant p\d as .*/g), [
    ...["participant p0 as outside", "participant p1 as __proto__", "participant p2 as constructor"],
    ...["participant p3 as end", "participant p4 as (no name)"],
  ]);
});

Deno.test("toMermaid() throws when the kind is neither gantt nor sequence", () => {
  for (const [kind, got] of [["pie", '"pie"'], [undefined, "null"]]) {
    assertThrows(
      () => toMermaid(everything, { kind: kind as "gantt" }),
      TypeError,
      `Cannot draw workflow "RP-1": "kind" must be one of "gantt", "sequence", got ${got}`,
    );
  }
});

const waiting: PicturedRun = {
  workflowId: "a",
  workflowName: "order",
  status: "running",
  history: [
    { type: "workflow_started", at: 0, workflowName: "order" },
    { type: "activity_started", at: 0, seq: 0, name: "charge" },
    { type: "activity_completed", at: 5000, seq: 0, attempt: 1 },
    { type: "timer_started", at: 5000, seq: 1, dueAt: 65_000, waitsFor: { signal: "approval" } },
    { type: "timer_started", at: 5000, seq: 2, dueAt: 9000, waitsFor: "condition" },
    { type: "timer_fired", at: 9000, seq: 2 },
  ],
};
const options = {
  now: 25_000,
  waitsFor: [{ type: "timer", dueAt: 65_000 }, { type: "signal", name: "approval" }] as const,
  marks: [{ after: 2, at: 1000, text: "the process dies" }, { after: 6, text: "the end; #1" }],
};

Deno.test("toMermaid() draws a running run up to now, with marks and deadlines, as a Gantt chart", () => {
  assertEquals(toMermaid(waiting, { ...options, kind: "gantt" }).split("\n").slice(5), [
    "  activity charge :done, 0, 5000",
    "  mark the process dies :milestone, crit, 1000, 1000",
    "  signal approval :active, 5000, 25000",
    "  condition, expired :done, 5000, 9000",
    "  mark the end#59; #35;1 :milestone, crit, 9000, 9000",
  ]);
});

Deno.test("toMermaid() notes marks, deadlines and waits in a sequence diagram", () => {
  assertEquals(toMermaid(waiting, { ...options, kind: "sequence" }).split("\n").slice(3), [
    "  w->>p0: starts",
    "  Note over w: the process dies",
    "  p0-->>w: done",
    "  Note over w: wait for signal approval within 1 min",
    "  Note over w: wait for a condition within 4 s",
    "  Note over w: condition expired",
    "  Note over w: the end#59; #35;1",
    "  Note over w: running for 25 s",
    "  Note over w: waits for signal approval, deadline in 40 s",
  ]);
});
