/** Every options object of the kit refuses unknown names, and names the likely one. */

import { assertEquals, assertRejects } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import {
  assertReplays,
  crashTest,
  explore,
  FaultyStore,
  simulate,
  storeCases,
  TestExecutor,
  testStore,
  whatIf,
} from "@rockpool/workflow/testing";

const workflow = (_ctx: WorkflowContext) => {};
const factory = () => new FaultyStore();

/** Calls with an unknown option, and the error. */
const REFUSED: [call: (option: object) => unknown, option: object, message: string][] = [
  [
    (option) => crashTest(workflow, option),
    { singals: [] },
    'Cannot crash-test: "options" has no option "singals"; did you mean "signals"?',
  ],
  [
    (option) => crashTest(workflow, { signals: [option as never] }),
    { at: 5, name: "go" },
    'Cannot deliver "signal go #0": "signal" has no option "at"; did you mean "atMs"?',
  ],
  [
    (option) => crashTest(workflow, { cancel: option as never }),
    { atMs: 5, reasn: "stop" },
    'Cannot deliver "cancel": "cancel" has no option "reasn"; did you mean "reason"?',
  ],
  [
    (option) => simulate({ workflow, ...option }),
    { executor: {}, executers: 2 },
    'Cannot simulate: "scenario" has no option "executers"; did you mean "executors"?',
  ],
  [
    (option) => simulate({ workflow, rates: option }),
    { crashs: 1 },
    'Cannot simulate: "rates" has no option "crashs"; did you mean "crash"?',
  ],
  [
    (option) => simulate({ workflow }, option),
    { seed: 1 },
    'Cannot simulate: "options" has no option "seed"; did you mean "seeds"?',
  ],
  [
    (option) => storeCases(option),
    { timeout: 1 },
    'Cannot make the cases of a store: "options" has no option "timeout"; did you mean "timeoutMs"?',
  ],
  [
    (option) => storeCases(option),
    { subscribe: "no" },
    'Cannot make the cases of a store: "subscribe" must be a boolean, got "no"',
  ],
  [
    (option) => testStore(() => {}, factory, option),
    { Name: "x" },
    'Cannot test a store: "options" has no option "Name"; did you mean "name"?',
  ],
  [
    (option) => new TestExecutor(option),
    { activites: [] },
    'Cannot create an executor: "options" has no option "activites"; did you mean "activities"?',
  ],
  [
    (option) => new TestExecutor(option),
    { deadlockMs: 5 },
    'Cannot create an executor: "options" has no option "deadlockMs"; did you mean "deadlockAfterMs"?',
  ],
  [
    (option) => new FaultyStore(undefined, option),
    { latency: [1, 2] },
    'Cannot create a faulty store: "options" has no option "latency"; did you mean "latencyMs"?',
  ],
  [
    (option) => assertReplays(workflow, "x", option),
    { workflow },
    'Cannot replay histories: "options" has no option "workflow"; did you mean "workflows"?',
  ],
  [
    (option) => explore(workflow, option),
    { expectFailure: "yes" },
    '"expectFailure" must be a boolean, got "yes"',
  ],
  [
    (option) => explore(workflow, option),
    { failures: "timeout" },
    '"failures" must be an array of ',
  ],
  [
    (option) => whatIf(workflow, option),
    { expectFailure: 1 },
    '"expectFailure" must be a boolean, got 1',
  ],
];

Deno.test("The kit refuses unknown and wrong options, and names the likely one", async () => {
  for (const [call, option, message] of REFUSED) {
    await assertRejects(async () => await call(option), TypeError, message);
  }
});

Deno.test("The kit refuses a delivery without a time", async () => {
  const deliveries = { queries: [{ name: "q", check() {} } as never] };
  const message = 'Cannot deliver "query q #0": "atMs" must be a finite number from 0, got undefined';
  await assertRejects(() => crashTest(workflow, deliveries), RangeError, message);
  await assertRejects(() => simulate({ workflow, ...deliveries }), RangeError, message);
});

Deno.test("The kit refuses a list with a hole", async () => {
  const holes = new Array(2);
  const calls: Record<string, () => unknown> = {
    'Cannot deliver: "signals[0]" must be an object, got undefined': () => crashTest(workflow, { signals: holes }),
    'Cannot deliver: "updates[0]" must be an object, got undefined': () => simulate({ workflow, updates: holes }),
    'Cannot deliver: "queries" must be an array, got 7': () => crashTest(workflow, { queries: 7 as never }),
    'Cannot simulate: "seeds[0]" must be an integer from -Infinity, got undefined': () =>
      simulate({ workflow }, { seeds: holes }),
    'Cannot replay histories: "histories[0]" must be an object, got undefined': () => assertReplays(workflow, holes),
    'Cannot create an executor: "activities" must be an array of replacements made by replace(), got an Array': () =>
      new TestExecutor({ activities: holes }),
  };
  for (const [message, call] of Object.entries(calls)) {
    await assertRejects(async () => await call(), Error, message);
  }
});

Deno.test("The kit accepts options that are undefined", async () => {
  const nothing = {
    activities: undefined,
    workflows: undefined,
    setUp: undefined,
    store: undefined,
    signals: undefined,
  };
  await crashTest(workflow, {
    ...nothing,
    effects: undefined,
    check: undefined,
    deaths: undefined,
    onDeath: undefined,
  });
  await simulate({ workflow, ...nothing, rates: { crash: undefined }, executors: undefined, maxDelayMs: undefined }, {
    seeds: [1],
  });
  const faults = {
    seed: undefined,
    failBefore: undefined,
    latencyMs: undefined,
    clock: undefined,
    suppress: undefined,
  };
  await new FaultyStore(undefined, faults).list();
  await using _executor = new TestExecutor({ store: undefined, clock: undefined, deadlockAfterMs: undefined });
  assertEquals(storeCases({ tier: undefined, reopen: undefined, subscribe: undefined }).length, storeCases().length);
});
