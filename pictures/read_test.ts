import { assertEquals, assertThrows } from "@std/assert";
import type { TimerStartedEvent, Wait, WorkflowEvent } from "@rockpool/workflow";
import {
  describeStatus,
  isSpan,
  labelOf,
  phasesOf,
  type PicturedRun,
  type ReadOptions,
  readRun,
  sharesOf,
} from "@rockpool/workflow/pictures";

type Status = PicturedRun["status"];

const canceled = { name: "CanceledError", message: "Canceled" };
const failure = { name: "RangeError", message: "No luck" };

function run(status: Status, ...history: WorkflowEvent[]): PicturedRun {
  const started: WorkflowEvent = { type: "workflow_started", at: 0, workflowName: "nap" };
  return { workflowId: "a", workflowName: "nap", status, history: [started, ...history] };
}
const timer = (at: number, seq: number, dueAt: number, waitsFor?: TimerStartedEvent["waitsFor"]): WorkflowEvent => {
  return { type: "timer_started", at, seq, dueAt, ...(waitsFor && { waitsFor }) };
};
const fired = (at: number, seq: number): WorkflowEvent => ({ type: "timer_fired", at, seq });
const signal = (at: number, name: string): WorkflowEvent => ({ type: "signal_received", at, name, signalId: `${at}` });
const cancel = (at: number): WorkflowEvent => ({ type: "cancel_requested", at });
const work = (at: number, seq: number): WorkflowEvent => ({ type: "activity_started", at, seq, name: "work" });
const done = (at: number): WorkflowEvent => ({ type: "workflow_completed", at });

/** Each span as `label from-to outcome`, each instant as `label at`. */
function spans(run: PicturedRun, options?: ReadOptions): string[] {
  return readRun(run, options).things.map((thing) =>
    isSpan(thing)
      ? `${labelOf(thing)} ${thing.from.at}-${thing.to.at} ${thing.outcome}`
      : `${labelOf(thing)} ${thing.from.at}`
  );
}

Deno.test("readRun() reads a wait for a signal with a deadline as a wait that the signal ends", () => {
  const approval = { signal: "approval" };
  const one = run("completed", timer(0, 0, 100, approval), signal(10, "other"), signal(40, "approval"), done(90));
  assertEquals(spans(one), ["signal approval 0-40 done", "signal other 10", "signal approval 40"]);
  assertEquals(sharesOf(readRun(one)).map(({ what, ms }) => [what, ms]), [["other waits", 50], [
    "waits for signals",
    40,
  ]]);
  // Two waits: each signal ends the oldest one, and an expired wait gets none.
  const two = [timer(0, 0, 20, approval), timer(5, 1, 90, approval), fired(20, 0), signal(30, "approval")];
  assertEquals(spans(run("completed", ...two, done(90))), [
    "signal approval 0-20 expired",
    "signal approval 5-30 done",
    "signal approval 30",
  ]);
});

Deno.test("readRun() reads conditions and scopes with a deadline", () => {
  const history = [
    timer(0, 0, 50, "condition"),
    fired(50, 0),
    timer(50, 1, 99, "scope"),
    timer(50, 2, 60),
    fired(60, 2),
  ];
  const one = run("completed", ...history, done(60));
  assertEquals(spans(one), ["condition 0-50 expired", "scope with deadline 50-60 left", "timer 50-60 done"]);
  const shares = sharesOf(readRun(one)).map(({ what, ms }) => [what, ms]);
  assertEquals(shares, [["waits for conditions", 50], ["timers", 10]]);
});

Deno.test("readRun() reads a running run up to now, and one that has ended as it ended", () => {
  const history = [timer(0, 0, 5000), work(0, 1)];
  const options = { now: 3000 };
  assertEquals(spans(run("running", ...history), options), ["timer 0-3000 open", "work 0-3000 open"]);
  assertEquals(describeStatus(readRun(run("running", ...history), options)), "running for 3 s");
  assertEquals(describeStatus(readRun(run("running", ...history))), "running for 0 ms at the last event");
  assertEquals(describeStatus(readRun(run("completed", ...history, done(10)), options)), "completed in 10 ms");
  // A clock that is behind: time never runs backwards.
  const late = readRun(run("running", ...history, signal(10, "s")), { now: 5 });
  assertEquals([late.to, late.lastEventAt, describeStatus(late)], [10, 10, "running for 10 ms"]);
});

Deno.test("readRun() ends what the executor does not wait for any more, and adds what the history lacks", () => {
  const history = [timer(0, 0, 50, { signal: "a" }), timer(0, 1, 60), timer(0, 2, 70, "condition"), signal(10, "b")];
  const waitsFor: Wait[] = [
    { type: "timer", dueAt: 60 },
    { type: "signal", name: "b" },
    { type: "signal", name: "b" },
    { type: "condition" },
    { type: "slot" },
  ];
  assertEquals(spans(run("running", ...history), { now: 40, waitsFor }), [
    ...["signal a 0-10 left", "timer 0-40 open", "condition 0-10 left", "signal b 10"],
    ...["signal b 10-40 open", "signal b 10-40 open", "condition 10-40 open", "slot 10-40 open"],
  ]);
  // Nothing is known while the code works, or of a dormant run.
  for (const waitsFor of [[], [{ type: "dormant" }]] as Wait[][]) {
    assertEquals(spans(run("running", ...history), { waitsFor }), [
      ...["signal a 0-10 open", "timer 0-10 open", "condition 0-10 open", "signal b 10"],
    ]);
  }
});

Deno.test("readRun() keeps a wait open that the executor reports, although a signal came", () => {
  const history = [timer(0, 0, 50, { signal: "a" }), signal(10, "a")];
  const waitsFor: Wait[] = [{ type: "timer", dueAt: 50 }, { type: "signal", name: "a" }];
  const read = readRun(run("running", ...history), { now: 20, waitsFor });
  assertEquals(spans(run("running", ...history), { now: 20, waitsFor }), ["signal a 0-20 open", "signal a 10"]);
  assertEquals<unknown>(read.waits, [{ type: "signal", name: "a", until: 50 }]);
});

Deno.test("readRun() says what a running run waits for, with each deadline", () => {
  const child: WorkflowEvent = {
    type: "child_started",
    at: 0,
    seq: 9,
    name: "c",
    workflowId: "c/1",
    closePolicy: "cancel",
  };
  const history = [
    ...[timer(0, 0, 50, { signal: "a" }), timer(0, 1, 60), timer(0, 2, 70, "condition"), timer(0, 3, 80, "scope")],
    ...[work(0, 4), child],
    { type: "activity_attempt_failed", at: 5, seq: 4, attempt: 1, error: failure, retryAt: 25 } as const,
  ];
  const a = { type: "signal", name: "a", until: 50 };
  const condition = { type: "condition", until: 70 };
  assertEquals<unknown>(readRun(run("running", ...history)).waits, [
    ...[a, { type: "timer", dueAt: 60 }, condition],
    ...[{ type: "activity", name: "work", attempt: 2, status: "retrying", retryAt: 25 }, {
      type: "child",
      workflowId: "c/1",
    }],
  ]);
  const timers = [50, 60, 70, 80].map((dueAt) => ({ type: "timer", dueAt }) as const);
  const waitsFor: Wait[] = [...timers, { type: "signal", name: "a" }, { type: "signal", name: "b" }, {
    type: "condition",
  }];
  assertEquals<unknown>(
    readRun(run("running", ...history), { waitsFor }).waits,
    [{ type: "timer", dueAt: 60 }, a, { type: "signal", name: "b" }, condition],
  );
  assertEquals(readRun(run("completed", ...history), { waitsFor }).waits, []);
  const dormant: Wait[] = [{ type: "dormant", wakesAt: 60 }];
  assertEquals<unknown>(readRun(run("running"), { waitsFor: dormant }).waits, dormant);
  assertEquals<unknown>(readRun(run("running", timer(0, 1, 60)), { waitsFor: dormant }).waits, [
    ...[{ type: "timer", dueAt: 60 }, { type: "dormant" }],
  ]);
});

Deno.test("readRun() reads what a cancellation ended as canceled", () => {
  const child: WorkflowEvent = {
    type: "child_started",
    at: 0,
    seq: 2,
    name: "c",
    workflowId: "c/1",
    closePolicy: "cancel",
  };
  const history = [
    ...[work(0, 0), work(0, 1), child, timer(0, 3, 500), timer(0, 4, 500, { signal: "s" }), cancel(20)],
    ...[timer(20, 5, 25), { type: "activity_failed", at: 22, seq: 1, attempt: 1, error: canceled } as const],
    ...[{ type: "child_failed", at: 24, seq: 2, error: canceled } as const, fired(25, 5)],
  ];
  const ended: WorkflowEvent = { type: "workflow_canceled", at: 30, error: canceled };
  assertEquals(spans(run("canceled", ...history, ended)), [
    ...["work 0-20 canceled", "work 0-22 canceled", "child c 0-24 canceled", "timer 0-20 canceled"],
    ...["signal s 0-20 canceled", "cancel requested 20", "timer 20-25 done"],
  ]);
  // While it runs, work may go on; a wait goes on only if the executor says so.
  const running = run("running", ...history.slice(0, 6));
  const timers = ["timer 0-20 canceled", "signal s 0-20 canceled", "cancel requested 20"];
  const goesOn = ["work 0-20 open", "work 0-20 open", "child c 0-20 open"];
  assertEquals(spans(running), [...goesOn, ...timers]);
  const shielded: Wait[] = [{ type: "timer", dueAt: 500 }];
  assertEquals(spans(running, { waitsFor: shielded })[3], "timer 0-20 open");
});

Deno.test("phasesOf() returns the attempts of a span and the delays between them, without a gap", () => {
  const attempt = (at: number, number: number, retryAt: number): WorkflowEvent => {
    return { type: "activity_attempt_failed", at, seq: 0, attempt: number, error: failure, retryAt };
  };
  const phases = (run: PicturedRun, now?: number) => {
    const [span] = readRun(run, { now }).things;
    return isSpan(span) ? phasesOf(span).map(({ from, to, outcome }) => `${from.at}-${to.at} ${outcome}`) : [];
  };
  const history = [work(0, 0), attempt(10, 1, 20)];
  const completed: WorkflowEvent = { type: "activity_completed", at: 30, seq: 0, attempt: 2 };
  assertEquals(phases(run("completed", ...history, completed, done(30))), ["0-10 failed", "10-20 retry", "20-30 done"]);
  assertEquals(phases(run("running", ...history), 15), ["0-10 failed", "10-15 retry"]);
  assertEquals(phases(run("running", ...history), 25), ["0-10 failed", "10-20 retry", "20-25 open"]);
  assertEquals(phases(run("running", timer(0, 0, 9)), 5), ["0-5 open"]);
});

Deno.test("readRun() refuses bad options", () => {
  const one = run("running");
  const text = 'Cannot read workflow "a": ';
  assertThrows(() => readRun(one, { now: NaN }), RangeError, `${text}"now" must be a finite number, got NaN`);
  assertThrows(
    () => readRun(one, { waitsFor: "x" as never }),
    TypeError,
    `${text}"waitsFor" must be an array, got "x"`,
  );
  assertThrows(() => readRun(one, { at: 5 } as never), TypeError, `${text}"options" has no option "at"`);
});

Deno.test("readRun() names a compensation that is an arrow function by what it begins with, or by its number", () => {
  const undo = (at: number, seq: number, name = "anonymous"): WorkflowEvent => {
    return { type: "compensation_started", at, seq, name };
  };
  const child: WorkflowEvent = {
    type: "child_started",
    at: 4,
    seq: 8,
    name: "restock",
    workflowId: "b",
    closePolicy: "cancel",
  };
  const names = (...history: WorkflowEvent[]) =>
    readRun(run("running", ...history)).things.flatMap(({ kind, name }) => kind === "compensation" ? [name] : []);
  assertEquals(
    names(
      undo(1, 1, "release"),
      undo(2, 2),
      work(2, 3),
      undo(3, 4),
      timer(3, 5, 9),
      work(9, 6),
      undo(9, 7),
      child,
      undo(10, 9),
    ),
    ["release", "work", "3", "restock", "5"],
  );
});
