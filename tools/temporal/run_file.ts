/**
 * Runs the scenarios of one file of the samples, and prints a report: `run_file.ts DIR FILE`. See `workflow_files.ts`.
 *
 * @module
 */

import { crashTest, TestExecutor } from "../../testing/mod.ts";
import { TemporalHost } from "../../temporal/host.ts";
import { expectsSomething, type Fake, nameOf, type Question, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** What came of a scenario. */
export interface ScenarioReport {
  readonly name: string;
  /** Why it failed without a crash. */
  readonly plain?: string;
  /** Why it failed in a crash test. */
  readonly crash?: string;
  /** How many crashes were tried. */
  readonly points?: number;
}

const [folder, file] = Deno.args;
Object.assign(globalThis, { __filename: `${folder}/${file}` }); // a sample reads it
const module = await import(`file://${folder}/${file}`);
const reports: ScenarioReport[] = [];
for (const scenario of SCENARIOS.filter(({ files: [first] }) => first === file)) reports.push(await report(scenario));
console.log(`REPORT ${JSON.stringify(reports)}`);
Deno.exit();

async function report(scenario: Scenario): Promise<ScenarioReport> {
  const name = nameOf(scenario);
  if (!expectsSomething(scenario)) return { name, plain: "it says nothing about what is expected" };
  try {
    await runPlainly(scenario);
  } catch (error) {
    return { name, plain: textOf(error) };
  }
  try {
    return { name, points: await runUnderCrashes(scenario) };
  } catch (error) {
    return { name, crash: textOf(error) };
  }
}

/** Makes the host. `called` gets the names of the activities and sinks that are called. */
async function hostOf(scenario: Scenario, called: string[] = []): Promise<TemporalHost> {
  const { activities = {}, sinks = {}, drivers, interceptors } = scenario;
  const makers = interceptors === undefined ? [] : [(await import(`file://${folder}/${interceptors}`)).interceptors];
  const noted = (name: string, fake: Fake) => (...args: unknown[]) => {
    called.push(name);
    return fake(...args as never[]);
  };
  return new TemporalHost({
    workflows: { ...module, ...drivers },
    activities: mapped(activities, noted),
    sinks: mapped(
      sinks,
      (sink, functions) =>
        mapped(functions, (name, fn) => ({ fn: noted(`${sink}.${name}`, (_, ...args) => fn(...args)) })),
    ) as never,
    interceptors: makers,
    patchGlobals: true,
  });
}

function mapped<From, To>(values: Readonly<Record<string, From>>, to: (name: string, value: From) => To) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(name, value)]));
}

async function runPlainly(scenario: Scenario): Promise<void> {
  const { workflow, args = [], signals = [], updates = [], queries = [], cancelAtMs } = scenario;
  const called: string[] = [];
  const host = await hostOf(scenario, called);
  const executor = new TestExecutor(host.executorOptions);
  const failures: unknown[] = [];
  let answered = 0;
  const ask = async (question: Question, answer: Promise<unknown>) => {
    try {
      compare(question, await answer);
    } catch (error) {
      if (question.refused === undefined) failures.push(error);
      else if (!textOf(error).includes(question.refused)) failures.push(error);
    }
    answered++;
  };
  try {
    const id = "scenario";
    for (const { atMs, name, args = [], id: to = id } of signals) {
      executor.clock.at(atMs, () => executor.signal(to, name, args));
    }
    for (const update of updates) {
      const { atMs, name, args = [] } = update;
      executor.clock.at(atMs, () => void ask(update, executor.update(id, name, args)));
    }
    for (const query of queries) {
      const { atMs, name, args = [] } = query;
      executor.clock.at(atMs, () => ask(query, executor.query(id, name, ...args)));
    }
    if (cancelAtMs !== undefined) executor.clock.at(cancelAtMs, () => executor.cancel(id));
    const handle = await executor.execute(host.workflow(workflow) as never, { id, input: args } as never);
    let ended: { result?: unknown; error?: unknown };
    try {
      ended = { result: await handle.result() };
    } catch (error) {
      ended = { error };
    }
    check(scenario, ended, handle.status);
    if (failures.length > 0) throw failures[0];
    const asked = updates.length + queries.length;
    if (answered < asked) throw new Error(`${asked - answered} of ${asked} questions got no answer before the end`);
    if (scenario.calls !== undefined) expect("what is called", called, scenario.calls);
    const { createdAt, updatedAt } = (await executor.store.load(id))!;
    if (scenario.tookMs !== undefined) expect("the time that it takes", updatedAt - createdAt, scenario.tookMs);
  } finally {
    await executor.close();
  }
}

async function runUnderCrashes(scenario: Scenario): Promise<number> {
  const { workflow, args = [], signals = [], updates = [], queries = [], cancelAtMs, compare: compared } = scenario;
  const host = await hostOf(scenario);
  const report = await crashTest(host.workflow(workflow) as never, {
    ...host.crashOptions,
    input: args,
    ...(compared === undefined ? {} : { compare: compared }),
    signals: signals.map(({ atMs, name, args = [], id }) => ({ atMs, name, payload: args, id })),
    updates: updates.map((update) => ({
      atMs: update.atMs,
      name: update.name,
      input: update.args ?? [],
      ...("answer" in update ? { check: (answer: unknown) => compare(update, answer) } : {}),
    })),
    queries: queries.map(({ args = [], atMs, name, ...query }) => ({
      atMs,
      name,
      args,
      check: (answer: unknown) => compare({ atMs, name, ...query }, answer),
    })),
    ...(cancelAtMs === undefined ? {} : { cancel: { atMs: cancelAtMs } }),
    check: (run: { result?: unknown; error?: unknown; state: { status: string } }) =>
      check(scenario, run, run.state.status),
  } as never);
  return report.points;
}

function compare(question: Question, answer: unknown): void {
  if (question.refused !== undefined) throw new Error(`${question.name} is not refused, and answers ${answer}`);
  if (!("answer" in question)) return;
  expect(`the answer to ${question.name}`, answer, question.answer);
}

function expect(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [found, wanted].map((value) => JSON.stringify(sorted(value)));
  if (a !== b) throw new Error(`${what} is ${a}, expected ${b}`);
}

/** The same value, with the keys of objects in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => [k, sorted(v)]));
}

function check(scenario: Scenario, ended: { result?: unknown; error?: unknown }, status: string): void {
  const { fails, canceled } = scenario;
  if (canceled) expect("the status", status, "canceled");
  else if (fails !== undefined && !(scenario.maySucceed && status === "completed")) {
    const text = textOf(ended.error);
    if (status !== "failed" || !text.includes(fails)) throw new Error(`it ended ${status}: ${text}`);
  } else {
    if (status !== "completed") throw new Error(`it ended ${status}: ${textOf(ended.error)}`);
    if ("result" in scenario) expect("the result", ended.result, scenario.result);
  }
}

/** The messages of an error and of its causes. */
function textOf(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at instanceof Error && lines.length < 10; at = at.cause) lines.push(`${at.name}: ${at.message}`);
  return lines.length === 0 ? String(error) : lines.join("\nbecause of ");
}
