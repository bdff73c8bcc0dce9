/**
 * Writes a test from a stored run: the run happens again with its activities replaced by what they did, its signals at their times,
 * and must end as it did.
 *
 * Owns the form of the test. `test_script.ts` finds out what happened, `test_times.ts` when that is on the virtual clock, and
 * `source.ts` writes values. These modules import nothing else of the kit, so that tools can load them in production.
 *
 * 1. What comes from outside happens in the order of the history, also at one and the same millisecond.
 * 2. The source is as `deno fmt` writes it.
 * 3. Code that reads something else than its context (a side effect, the time of the system) gets something else in the test.
 *
 * @module
 */

import type { ErrorRecord, SignalReceivedEvent, WorkflowStartedEvent, WorkflowState } from "../types.ts";
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
import { Script } from "./test_script.ts";

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
  readonly #script: Script;

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
    this.#script = new Script(this.#states, this.#writer);
  }

  write(): string {
    const { workflowId, runId, status, history } = this.#state;
    const body = this.#body();
    const imports = [...this.#writer.imports, "VirtualClock"].sort(compareNames);
    const kit = [...this.#script.calls.length > 0 ? ["repeats", "replace"] : [], "TestExecutor"].sort(compareNames);
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
    const names = [...new Set(this.#script.calls.map(({ name }) => name))];
    add("const runIds = ", call("new Map", runIds));
    const activities = names.map((name) => {
      const ids = [
        ...new Set(this.#script.calls.filter((one) => one.name === name).map(({ workflowId }) => workflowId)),
      ];
      const byId = ids.map((id) => {
        const ofId = this.#script.calls.filter((one) => one.name === name && one.workflowId === id);
        return [id, array(ofId.map(({ attempts }) => array(attempts)))] as const;
      });
      return call("replace", text(name), call("repeats", "clock", object(byId)));
    });
    const known = new Set(this.#states.map(({ workflowId }) => workflowId));
    const receivers = [...this.#script.receivers].filter((id) => !known.has(id));
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
    inside("", `await clock.advance(${this.#script.end})`);
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
            ...this.#script.messageOptions(rest, rest.signalId, "signalId"),
          ])
        )),
      ]);
    }
    return options;
  }

  /** The signals that were stored with the start, and all other deliveries in the order of their times. */
  #sentWithStart(): [SignalReceivedEvent[], [number, Items][]] {
    const { history } = this.#state;
    const signals: SignalReceivedEvent[] = [];
    for (const event of history.slice(1)) {
      if (event.type !== "signal_received" || event.at !== this.#started.at) break;
      signals.push(event);
    }
    return [signals, [...this.#script.deliveries].sort(([a], [b]) => a - b)];
  }
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
