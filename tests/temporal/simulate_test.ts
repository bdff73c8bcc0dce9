/** Temporal workflows under `simulate()` and `explore()`: with message handlers, scopes, children and several runs. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  startChild,
  TemporalHost,
  uuid4,
} from "@rockpool/workflow/temporal";
import {
  ExplorationError,
  explore,
  type Scenario,
  simulate,
  SimulationError,
  type TimedSignal,
  type TimedUpdate,
} from "@rockpool/workflow/testing";
import { silent } from "../support/executors.ts";

type Act = (text: string) => Promise<string>;
const retry = { maximumAttempts: 3 };
const { act } = proxyActivities<{ act: Act }>({ startToCloseTimeout: "10 seconds", retry });
const { act: tried } = proxyActivities<{ act: Act }>({
  startToCloseTimeout: "10 seconds",
  retry,
  cancellationType: "TRY_CANCEL",
});
const note = defineSignal<[string]>("note");
const add = defineUpdate<number, [number]>("add");

/** Handlers with activities of their own, races, and a scope that is cancelled while several things are open in it. */
async function racing(): Promise<string[]> {
  const log: string[] = [];
  setHandler(note, async (text) => void log.push(await act(`note ${text}`)));
  setHandler(add, async (n) => {
    await sleep(3);
    log.push(await act(`add ${n}`));
    return n;
  });
  log.push(await Promise.race([act("first"), tried("second"), sleep(20).then(() => "slept")]));
  const scope = new CancellationScope();
  const inner = scope.run(() => Promise.all([tried("inner"), act("other"), sleep(500)])).then(String, (error) => {
    if (!isCancellation(error)) throw error;
    return "cancelled";
  });
  await Promise.race([sleep(10), act("outer")]);
  scope.cancel();
  log.push(await inner);
  await condition(allHandlersFinished);
  return log;
}

async function child(n: number): Promise<string> {
  setHandler(note, async (text) => void await act(`child ${text}`));
  await sleep(50 * n);
  await condition(allHandlersFinished);
  return `${n} ${uuid4()}`;
}

/** Children that get signals, one that comes too late, and one that is cancelled. */
async function family(): Promise<string[]> {
  const children = await Promise.all([1, 2].map((n) => startChild(child, { args: [n], workflowId: `child ${n}` })));
  await Promise.all(children.map((one) => one.signal(note, "hello")));
  const late = CancellationScope.withTimeout(70, () => executeChild(child, { args: [10], workflowId: "late" }));
  const settled = await Promise.allSettled([...children.map((one) => one.result()), late]);
  return settled.map(({ status }) => status);
}

/** A chain of runs that messages reach in any of them, and that cleans up when it is cancelled. */
async function chain(round = 0, notes: string[] = []): Promise<string[]> {
  setHandler(note, (text) => void notes.push(text));
  setHandler(add, async (n) => {
    await sleep(3);
    return n + round;
  });
  try {
    await act(`round ${round}`);
    await sleep(15);
    await condition(allHandlersFinished);
  } finally {
    await CancellationScope.nonCancellable(() => act("cleanup"));
  }
  if (round < 3) await continueAsNew<typeof chain>(round + 1, notes);
  return notes;
}

const workflows = { racing, family, chain, child };

function hostOf(others: object = {}): TemporalHost {
  return new TemporalHost({
    workflows: { ...workflows, ...others },
    activities: { act: (text: string) => Promise.resolve(`did ${text}`) },
  });
}

const signals: TimedSignal[] = ["one", "two", "three"].map((text, i) => ({
  atMs: 5 + 15 * i,
  name: "note",
  payload: [text],
}));
const updates: TimedUpdate[] = [8, 30].map((atMs) => ({ atMs, name: "add", input: [atMs] }));
const deliveries = { signals: signals as never, updates, executor: { logger: silent } };

function scenario(name: string, further: Partial<Scenario> = {}): Scenario {
  const host = hostOf();
  return { workflow: host.workflow(name), ...host.crashOptions, ...deliveries, ...further } as Scenario;
}

for (const name of ["racing", "family", "chain"]) {
  const ways: [string, Partial<Scenario>][] = [
    ["on one executor", {}],
    ["on one executor, cancelled", { cancel: { atMs: 35 } }],
    ["on two executors", { executors: 2 }],
    ["on two executors with leases", { executors: 2, leaseMs: 5000 }],
  ];
  for (const [way, further] of ways) {
    Deno.test(`simulate() of a Temporal workflow finds nothing wrong that is not (${name} ${way})`, async () => {
      const { faults } = await simulate(scenario(name, further), { seeds: 25 });
      assert(faults > 100, `${faults} faults`);
    });
  }
  Deno.test(`simulate() of a Temporal workflow makes the same runs with the same seeds (${name})`, async () => {
    const runs = async (): Promise<string[]> => {
      const made: string[] = [];
      const atEnd: Scenario["atEnd"] = ({ states }) => {
        // An executor without leases gives signals IDs of its own.
        made.push(JSON.stringify(states, (key, value) => key === "stack" || key === "signalId" ? undefined : value));
      };
      await simulate(scenario(name, { executors: 2, cancel: { atMs: 60 }, atEnd }), { seeds: 15 });
      return made;
    };
    assertEquals(await runs(), await runs());
  });
  Deno.test(`explore() of a Temporal workflow makes the same runs each time, and finds nothing wrong that is not (${name})`, async () => {
    const report = async () => {
      const host = hostOf();
      const bounds = { cancels: 1, crashes: 1, faults: 1, storeFaults: 1, maxRuns: 80 };
      return (await explore(host.workflow(name), { ...host.crashOptions, ...deliveries, ...bounds })).table();
    };
    assertEquals(await report(), await report());
  });
}

/** Waits for a signal, and answers from its first line on. */
async function asked(): Promise<void> {
  let isDone = false;
  setHandler(defineQuery("done"), () => isDone);
  setHandler(note, () => void (isDone = true));
  await condition(() => isDone);
}

Deno.test("simulate() gets answers to queries of a Temporal workflow of which nothing but its start is stored", async () => {
  const host = hostOf({ asked });
  const queries = [0, 10, 20].map((atMs) => ({ atMs, name: "done", check: () => {} }));
  const scenario = { workflow: host.workflow("asked"), ...host.crashOptions, ...deliveries, updates: [], queries };
  await simulate({ ...scenario, executors: 2, leaseMs: 5000 } as unknown as Scenario, { seeds: 30 });
});

/** Forgets an approval that comes while it charges. */
async function forgetful(): Promise<string> {
  await act("charge");
  let by: string | undefined;
  setHandler(note, (text) => void (by = text));
  by = undefined;
  await condition(() => by !== undefined, "1 day");
  return by ?? "expired";
}

Deno.test("explore() finds the order in which a Temporal workflow goes wrong", async () => {
  const host = hostOf({ forgetful });
  const { message, replay } = await assertRejects(
    () =>
      explore(host.workflow("forgetful"), {
        ...host.crashOptions,
        signals: [{ atMs: 10, name: "note", payload: ["eve"] }],
        check: ({ result }: { result?: unknown }) => assertEquals(result, "eve"),
      } as never),
    ExplorationError,
  );
  assertEquals(replay.length, 1);
  assertStringIncludes(message, "signal note #0 comes   <- not in the plain run");
});

let attempts = 0;

/** Decides by a variable of its module. */
async function sharing(): Promise<void> {
  if (++attempts % 2 === 0) await act("even");
  await sleep(1000);
}

Deno.test("simulate() finds that a Temporal workflow decides by a variable of its module", async () => {
  const host = hostOf({ sharing });
  const setUp = () => void (attempts = 0);
  const sharingScenario = {
    workflow: host.workflow("sharing"),
    ...host.crashOptions,
    setUp,
    ...deliveries,
  } as Scenario;
  const { message } = await assertRejects(() => simulate(sharingScenario, { seeds: 25 }), SimulationError);
  assertStringIncludes(message, "a module variable");
});
