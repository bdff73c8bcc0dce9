/**
 * Writes a test from a stored run: the run happens again with its activities replaced by what they did, its signals at their times,
 * and must end as it did.
 *
 * Owns the schedule: when each thing happens on the virtual clock. `source.ts` writes values. This module and that one import nothing
 * else of the kit, so that tools can load them in production.
 *
 * 1. What comes from outside happens in the order of the history, also at one and the same millisecond.
 * 2. The source is as `deno fmt` writes it.
 * 3. Code that reads something else than its context (a side effect, the time of the system) gets something else in the test.
 *
 * @module
 */

import type {
  ActivityStartedEvent,
  ErrorRecord,
  SignalReceivedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
} from "../types.ts";
import { finalStatus } from "../history/history.ts";
import { validateState } from "../history/validate.ts";
import { checkArray, checkChoice, checkObject, checkOptions, checkText } from "../util/check.ts";
import { show } from "../util/show.ts";
import {
  array,
  call,
  fits,
  isIdentifier,
  type Items,
  object,
  type Source,
  SourceWriter,
  statement,
  text,
} from "./source.ts";

/**
 * Options of {@linkcode toTest}.
 *
 * @category Testing
 */
export interface ToTestOptions {
  /**
   * The module that exports the workflow, as the test imports it.
   *
   * @default {"./workflow.ts"}
   */
  readonly module?: string | undefined;
  /**
   * The name under which the module exports the workflow.
   *
   * @default {the name in the history; `workflow` if that is no identifier}
   */
  readonly workflow?: string | undefined;
  /**
   * The children of the run, and their children, as they are stored. The activities of children that are missing here are not
   * replaced.
   *
   * @default {none}
   */
  readonly children?: readonly WorkflowState[] | undefined;
  /**
   * Whether the test calls `Deno.test`, or `test` of `node:test`, which Node, Bun and Deno have.
   *
   * @default {"deno"}
   */
  readonly runner?: "deno" | "node" | undefined;
}

const optionNames: Readonly<Record<keyof ToTestOptions, true>> = {
  module: true,
  workflow: true,
  children: true,
  runner: true,
};

/** What the attempts of one call of an activity did. */
interface Call {
  readonly workflowId: string;
  readonly name: string;
  readonly attempts: Source[];
}

/**
 * Writes the source of a test from a stored run. The test starts the workflow on a virtual clock, lets the activities do what they
 * did, when they did it, delivers signals, updates and cancellations at their times, and compares the end. A run that is not
 * finished must still be running.
 *
 * @param state The run, as it is stored.
 * @param options Where the workflow is found.
 * @returns The source, as `deno fmt` formats it.
 * @throws {TypeError} If an argument is invalid, or the history holds a value that no source can make, such as a `Blob`.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore } from "@rockpool/workflow";
 * import { toTest } from "@rockpool/workflow/testing";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await using executor = new Executor({ store });
 * const greet = (_ctx: unknown, name: string) => `Hello ${name}`;
 * await (await executor.execute(greet, { id: "a", input: "Ada" })).result();
 * const source = toTest((await store.load("a"))!, { module: "./greet.ts" });
 * assertStringIncludes(source, 'import { greet } from "./greet.ts";');
 * ```
 */
export function toTest(state: WorkflowState, options: ToTestOptions = {}): string {
  const action = "write a test";
  const check = (state: WorkflowState, name: string) => {
    checkObject(name, state, action);
    const { history, ...fields } = state;
    validateState(fields, history, action);
    if (history[0]?.type === "workflow_started") return;
    throw new TypeError(
      `Cannot write a test of workflow ${show(fields.workflowId)}: its history does not begin with workflow_started`,
    );
  };
  check(state, "state");
  checkOptions(options, optionNames, action);
  const isName = isIdentifier(state.workflowName);
  const { module = "./workflow.ts", workflow = isName ? state.workflowName : "workflow", children = [] } = options;
  const { runner = "deno" } = options;
  checkText("module", module, action);
  checkText("workflow", workflow, action);
  checkChoice("runner", runner, ["deno", "node"], action);
  checkArray("children", children, action);
  children.forEach((child, i) => check(child, `children[${i}]`));
  return new TestWriter(state, children, module, workflow, runner).write();
}

class TestWriter {
  readonly #state: WorkflowState;
  readonly #states: readonly WorkflowState[];
  readonly #module: string;
  readonly #workflow: string;
  readonly #runner: "deno" | "node";
  readonly #writer = new SourceWriter();
  readonly #started: WorkflowStartedEvent;
  readonly #calls: Call[] = [];
  /** What others do, with its time. */
  readonly #deliveries: [at: number, delivery: Items][] = [];
  /** Targets of messages that the run has sent. */
  readonly #receivers = new Set<string>();
  /** When the children begin, by workflow ID. */
  readonly #begins = new Map<string, number>();
  /** The end of the recorded time. */
  #end = 0;

  constructor(
    state: WorkflowState,
    children: readonly WorkflowState[],
    module: string,
    workflow: string,
    runner: "deno" | "node",
  ) {
    this.#state = state;
    this.#states = [state, ...children];
    this.#module = module;
    this.#workflow = workflow;
    this.#runner = runner;
    this.#started = state.history[0] as WorkflowStartedEvent;
  }

  write(): string {
    for (const state of this.#states) this.#read(state);
    const { workflowId, runId, status, history } = this.#state;
    const body = this.#body();
    const imports = [...this.#writer.imports, "VirtualClock"].sort(compareNames);
    const kit = [...this.#calls.length > 0 ? ["repeats", "replace"] : [], "TestExecutor"].sort(compareNames);
    const title = `workflow ${show(workflowId)} ${status === "running" ? "waits" : "ends"} as it was recorded`;
    const test = this.#runner === "deno" ? "Deno.test" : "test";
    const begin = `${test}(${text(title)}, async () => {`;
    const lines = [
      'import assert from "node:assert/strict";',
      ...this.#runner === "node" ? ['import test from "node:test";'] : [],
      importOf(imports, "@rockpool/workflow"),
      importOf(kit, "@rockpool/workflow/testing"),
      importOf([this.#workflow], this.#module),
      "",
      `// Recorded: run ${oneLine(runId)} of ${
        new Date(clampTime(this.#started.at)).toISOString()
      }, ${history.length} events.`,
      "// Times are in milliseconds after its start.",
      ...this.#notes(),
      ...begin.length > 80
        ? [`${test}(`, `  ${text(title)},`, "  async () => {", ...body.map((line) => indented(line)), "  },", ");"]
        : [begin, ...body, "});"],
    ];
    return `${lines.join("\n")}\n`;
  }

  #notes(): string[] {
    const missing = this.#missingChildren();
    return [
      ...this.#states.some(({ history }) => history.some(({ type }) => type === "side_effect"))
        ? ["// It has side effects: their values are made anew. Replace what depends on them."]
        : [],
      ...missing.length > 0
        ? [`// The activities of these children are not replaced: ${missing.map((id) => oneLine(id)).join(", ")}.`]
        : [],
    ];
  }

  #missingChildren(): string[] {
    const known = new Set(this.#states.map(({ workflowId }) => workflowId));
    const started = this.#states.flatMap(({ history }) =>
      history.flatMap((event) => event.type === "child_started" ? [event.workflowId] : [])
    );
    return [...new Set(started)].filter((id) => !known.has(id));
  }

  /** The statements of the test, without those around them. */
  #body(): string[] {
    const { history } = this.#state;
    const lines: string[] = [];
    const add = (before: string, source: Source, after = ";") => lines.push(statement(before, source, after, "  "));
    const startAt = this.#started.at;
    add("const clock = ", call("new VirtualClock", object([["startAt", String(startAt)], ["autoAdvance", "false"]])));
    const runIds = array(this.#states.map(({ workflowId, runId }) => array([text(workflowId), text(runId)])));
    const names = [...new Set(this.#calls.map(({ name }) => name))];
    add("const runIds = ", call("new Map", runIds));
    const activities = names.map((name) => {
      const ids = [...new Set(this.#calls.filter((one) => one.name === name).map(({ workflowId }) => workflowId))];
      const byId = ids.map((id) => {
        const ofId = this.#calls.filter((one) => one.name === name && one.workflowId === id);
        return [id, array(ofId.map(({ attempts }) => array(attempts)))] as const;
      });
      return call("replace", text(name), call("repeats", "clock", object(byId)));
    });
    const known = new Set(this.#states.map(({ workflowId }) => workflowId));
    const receivers = [...this.#receivers].filter((id) => !known.has(id));
    if (receivers.length > 0) {
      add("const notSent: unknown[] = ", array(receivers.map(text)), "; // messages to these workflows");
    }
    const executorOptions: [string, Source][] = [
      ["clock", "clock"],
      ["random", "() => 0"],
      ["newRunId", "(id) => runIds.get(id) ?? crypto.randomUUID()"],
    ];
    if (activities.length > 0) executorOptions.push(["activities", array(activities)]);
    if (receivers.length > 0) {
      executorOptions.push([
        "middleware",
        array(["(call, next) => notSent.includes(call.workflowId) ? undefined : next()"]),
      ]);
    }
    if (this.#started.workflowName !== this.#workflow) {
      executorOptions.push(["workflows", object([[this.#started.workflowName, this.#workflow]])]);
    }
    add("const executor = ", call("new TestExecutor", shorthand(object(executorOptions))));
    lines.push("  try {");
    const inside = (before: string, source: Source, after = ";") =>
      lines.push(statement(before, source, after, "    "));
    const [sent, later] = this.#sentWithStart();
    for (const [at, delivery] of later) inside("", delivered(at, delivery));
    inside("const handle = await ", call("executor.execute", this.#workflow, object(this.#startOptions(sent))));
    inside("", `await clock.advance(${this.#end})`);
    const last = history[history.length - 1];
    const { result, error } = last as { readonly result?: unknown; readonly error?: ErrorRecord };
    switch (finalStatus(last)) {
      case undefined:
        inside("", call("assert.strictEqual", "handle.status", '"running"'));
        break;
      case "completed":
        inside("", call("assert.deepStrictEqual", "await handle.result()", this.#writer.value(result)));
        break;
      default:
        inside("await ", call("assert.rejects", "handle.result()", ...this.#rejection(error!)));
    }
    lines.push("  } finally {", "    await executor.close();", "  }");
    return lines;
  }

  #rejection({ name, message, thrown }: ErrorRecord): Source[] {
    if (thrown === undefined) return [object([["name", text(name)], ["message", text(message)]])];
    const compare = call("assert.deepStrictEqual", "thrown", this.#writer.value(thrown.value));
    return [{ open: "(thrown: unknown) => {", statements: [["", compare], ["return true", ""]], close: "}" }];
  }

  #startOptions(signals: readonly SignalReceivedEvent[]): [string, Source][] {
    const { workflowId } = this.#state;
    const { at, input, labels, headers, timeoutMs, deadlineAt, startAt } = this.#started;
    const options: [string, Source][] = [["id", text(workflowId)]];
    if (input !== undefined) options.push(["input", this.#writer.value(input)]);
    if (labels !== undefined) options.push(["labels", this.#writer.value(labels)]);
    if (headers !== undefined) options.push(["headers", this.#writer.value(headers)]);
    if (timeoutMs !== undefined) {
      options.push(["timeoutMs", String(deadlineAt === undefined ? timeoutMs : deadlineAt - at)]);
    }
    if (startAt !== undefined) options.push(["startAt", String(startAt)]);
    if (signals.length > 0) {
      options.push([
        "signals",
        array(signals.map(({ name, payload, ...rest }) =>
          object([
            ["name", text(name)],
            ...payload === undefined ? [] : [["payload", this.#writer.value(payload)] as const],
            ...this.#messageOptions(rest, rest.signalId, "signalId"),
          ])
        )),
      ]);
    }
    return options;
  }

  #messageOptions(
    { senderId, headers }: Pick<SignalReceivedEvent, "senderId" | "headers">,
    id: string,
    idName: "signalId" | "updateId",
  ): [string, Source][] {
    return [
      ...id.startsWith("~") ? [] : [[idName, text(id)] as [string, Source]],
      ...senderId === undefined ? [] : [["senderId", text(senderId)] as [string, Source]],
      ...headers === undefined ? [] : [["headers", this.#writer.value(headers)] as [string, Source]],
    ];
  }

  /** The signals that were stored with the start, and all other deliveries in the order of their times. */
  #sentWithStart(): [SignalReceivedEvent[], [number, Items][]] {
    const { history } = this.#state;
    const signals: SignalReceivedEvent[] = [];
    for (const event of history.slice(1)) {
      if (event.type !== "signal_received" || event.at !== this.#started.at) break;
      signals.push(event);
    }
    return [signals, [...this.#deliveries].sort(([a], [b]) => a - b)];
  }

  /** Reads a history: what happened when. */
  #read({ workflowId, history }: WorkflowState): void {
    const times = schedule(history, this.#started.at, this.#begins.get(workflowId) ?? 0);
    const isMain = workflowId === this.#state.workflowId;
    const calls = new Map<number, Call & { readonly began: number; retryAt: number | undefined }>();
    const heartbeats = new Map<number, Source[]>();
    let withStart = isMain;
    const lastStep = history.findLastIndex((event) => !isMessage(event) && finalStatus(event) === undefined);
    for (const [i, event] of history.entries()) {
      const at = times[i];
      this.#end = Math.max(this.#end, Math.ceil(at));
      withStart &&= i === 0 || event.type === "signal_received" && event.at === this.#started.at;
      switch (event.type) {
        case "child_started":
          this.#begins.set(event.workflowId, at);
          break;
        case "activity_started":
          if (this.#isMessage(event, history)) break;
          calls.set(event.seq, { workflowId, name: event.name, attempts: [], began: i, retryAt: undefined });
          this.#calls.push(calls.get(event.seq)!);
          break;
        case "activity_heartbeat": {
          const beats = heartbeats.get(event.seq) ?? [];
          beats.push(array([String(at), ...event.details === undefined ? [] : [this.#writer.value(event.details)]]));
          heartbeats.set(event.seq, beats);
          break;
        }
        case "activity_attempt_failed":
        case "activity_completed":
        case "activity_failed": {
          const call = calls.get(event.seq);
          if (call === undefined) break;
          if (event.type === "activity_failed" && (event.attempt === 0 || event.error.name === "CanceledError")) break;
          const fields: [string, Source][] = [];
          const atOnce = call.retryAt === undefined ? isAtOnce(history, times, call.began, i) : at <= call.retryAt;
          if (!atOnce) fields.push(["at", String(at)]);
          const beats = heartbeats.get(event.seq);
          if (beats !== undefined) fields.push(["heartbeats", array(beats)]);
          heartbeats.delete(event.seq);
          if ("error" in event) fields.push(["error", this.#writer.error(event.error)]);
          else if (event.result !== undefined) fields.push(["result", this.#writer.value(event.result)]);
          call.attempts.push(object(fields));
          call.retryAt = event.type === "activity_attempt_failed" ? at + event.retryAt - event.at : undefined;
          break;
        }
        default:
          if (!withStart) this.#deliver(event, at, workflowId, isMain, i > lastStep);
      }
    }
  }

  /** Whether an activity delivers a message to another workflow: it is not replaced. */
  #isMessage({ seq, name, input }: ActivityStartedEvent, history: readonly WorkflowEvent[]): boolean {
    const { workflowId } = Object(input) as { readonly workflowId?: unknown };
    if (name !== "signal workflow" && name !== "cancel workflow" || typeof workflowId !== "string") return false;
    const isSent = history.some((event) => event.type === "activity_completed" && event.seq === seq);
    if (isSent) this.#receivers.add(workflowId);
    return true;
  }

  /**
   * Writes what somebody else did to a workflow.
   *
   * @param isLate Whether the run did nothing after it but end. In the test it may have ended before.
   */
  #deliver(event: WorkflowEvent, at: number, workflowId: string, isMain: boolean, isLate: boolean): void {
    const id = text(workflowId);
    const close = isLate ? ").catch(() => {})" : ")";
    const payload = (value: unknown, options: [string, Source][]): Source[] => [
      ...value === undefined && options.length === 0 ? [] : [this.#writer.value(value)],
      ...options.length === 0 ? [] : [object(options)],
    ];
    switch (event.type) {
      case "signal_received": {
        // Those of the run's own relatives are sent by them.
        if (event.senderId !== undefined && this.#states.some((one) => one.workflowId === event.senderId)) return;
        const options = this.#messageOptions(event, event.signalId, "signalId");
        const args = payload(event.payload, options);
        const signal = call("executor.signal", id, text(event.name), ...args);
        return void this.#deliveries.push([at, { ...signal, close }]);
      }
      case "update_requested":
      case "update_accepted": {
        const key = `${workflowId} ${event.updateId}`;
        if (this.#updates.size === this.#updates.add(key).size) return;
        const options = this.#messageOptions(event as never, event.updateId, "updateId");
        const update = call("executor.update", id, text(event.name), ...payload(event.input, options));
        return void this.#deliveries.push([at, { ...update, close: ").catch(() => {})" }]);
      }
      case "cancel_requested":
        if (event.timeoutMs !== undefined || !isMain) return;
        return void this.#deliveries.push([
          at,
          { ...call("executor.cancel", id, ...event.reason === undefined ? [] : [text(event.reason)]), close },
        ]);
      case "workflow_canceled":
        if (event.error.data?.code !== "terminated" || !isMain) return;
        return void this.#deliveries.push([
          at,
          call("executor.terminate", id, ...this.#terminationReason(event.error)),
        ]);
    }
  }

  readonly #updates = new Set<string>();

  #terminationReason({ message }: ErrorRecord): Source[] {
    const start = `Terminated workflow ${show(this.#state.workflowId)}: `;
    return message.startsWith(start) ? [text(message.slice(start.length))] : [];
  }
}

/** Whether somebody else has sent an event. */
function isMessage({ type }: WorkflowEvent): boolean {
  return type === "signal_received" || type === "update_requested" || type === "cancel_requested";
}

/** Makes a delivery at a time. An update is not awaited: its answer can need a later time. */
function delivered(at: number, delivery: Items): Source {
  const isUpdate = delivery.open.startsWith("executor.update");
  const source = {
    ...delivery,
    open: `clock.at(${at}, () => ${isUpdate ? "void " : ""}${delivery.open}`,
    close: `${delivery.close})`,
  };
  if (fits(source, "    ", ";")) return source;
  const statements = [[isUpdate ? "" : "return ", delivery] as const];
  return { open: `clock.at(${at}, () => {`, statements, close: "})" };
}

/** `{ clock: clock }` as `{ clock }`. */
function shorthand(source: Source): Source {
  if (typeof source === "string" || !("items" in source)) return source;
  const items = source.items.map((item) => item.label === "clock: " ? { ...item, label: "" } : item);
  return { ...source, items };
}

/** Whether an event is made by something outside of the code and of the timers. */
function isExternal(event: WorkflowEvent): boolean {
  switch (event.type) {
    case "signal_received":
    case "update_requested":
    case "update_accepted":
    case "cancel_requested":
    case "activity_heartbeat":
    case "activity_attempt_failed":
    case "activity_completed":
    case "activity_failed":
      return true;
    default:
      return event.type === "workflow_canceled" && event.error.data?.code === "terminated";
  }
}

/**
 * When each event happens in the test, in milliseconds after the start of the clock.
 *
 * In the test, code takes no time: what it asks for happens at the time of the event that it has seen. So all that follows is earlier
 * by the time that the code took. What comes from outside is moved by thousandths, so that it comes in its order: before a timer that
 * fired late, and after what was recorded at the same time.
 *
 * @param startedAt The start of the clock.
 * @param begins When the first event happens.
 */
function schedule(history: readonly WorkflowEvent[], startedAt: number, begins: number): number[] {
  const firedAt = new Map<number, number>(); // the index of the event, by the position of the timer
  for (const [i, event] of history.entries()) if (event.type === "timer_fired") firedAt.set(event.seq, i);
  let fromOutside = 0;
  const counts = history.map((event) => isExternal(event) ? ++fromOutside : fromOutside);
  const open = new Map<number, number>(); // the timers that will fire: when they are due, by their position
  let now = begins;
  let before = -1;
  let lag = Math.max(0, history[0].at - startedAt - begins);
  const at = (event: WorkflowEvent) => event.at - startedAt - lag;
  return history.map((event, i) => {
    if (event.type === "timer_fired") {
      now = before = Math.max(now, open.get(event.seq) ?? at(event));
      open.delete(event.seq);
    } else if (isExternal(event)) {
      let time = Math.max(now, at(event));
      for (const [seq, dueAt] of open) {
        const fired = firedAt.get(seq)!;
        time = Math.min(time, dueAt - 0.001 * (counts[fired] - counts[i] + 1));
      }
      now = before = round(Math.max(time, now, before + 0.001));
    } else if (event.type === "child_completed" || event.type === "child_failed" || finalStatus(event) !== undefined) {
      now = Math.max(now, at(event));
    } else if (i > 0) {
      lag = Math.max(lag, event.at - startedAt - now);
      if (event.type === "timer_started" && firedAt.has(event.seq)) open.set(event.seq, now + event.dueAt - event.at);
    }
    return now;
  });
}

function round(ms: number): number {
  return Math.round(1000 * ms) / 1000;
}

/** Whether an activity that ends at once ends in its turn: nothing else happened meanwhile that it must wait for. */
function isAtOnce(history: readonly WorkflowEvent[], times: readonly number[], began: number, ended: number): boolean {
  if (Math.floor(times[ended]) > Math.floor(times[began])) return false;
  const { seq } = history[began] as ActivityStartedEvent;
  return !history.slice(began + 1, ended).some((event) => {
    if (event.type === "timer_fired") return true;
    return isExternal(event) && !("seq" in event && event.seq < seq);
  });
}

function importOf(names: readonly string[], module: string): string {
  const line = `import { ${names.join(", ")} } from ${text(module)};`;
  return line.length <= 80 ? line : `import {\n${names.map((name) => `  ${name},\n`).join("")}} from ${text(module)};`;
}

/** The order in which the formatter sorts names of an import. */
function compareNames(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** A text in a comment. */
function oneLine(value: string): string {
  return text(value).slice(1, -1);
}

function indented(lines: string): string {
  return lines.split("\n").map((line) => line === "" ? line : `  ${line}`).join("\n");
}

/** The range of dates. */
function clampTime(at: number): number {
  return Math.max(-8.64e15, Math.min(8.64e15, at));
}
