/**
 * Every function that callers give to the test kit, and what calls it. The kit reports to its caller: what it returns rejects, and
 * nothing else happens.
 *
 * @module
 */

import { InMemoryStore, type WorkflowContext, type WorkflowState } from "@rockpool/workflow";
import { replayHistory } from "@rockpool/workflow/executor";
import {
  assertReplays,
  crashTest,
  explore,
  mutants,
  replayReport,
  type Scenario,
  simulate,
  storeCases,
  testStore,
  whatIf,
} from "@rockpool/workflow/testing";
import type { Bad } from "./callbacks.ts";

async function order(ctx: WorkflowContext) {
  ctx.handleUpdate("pay", () => 5);
  ctx.handleQuery("state", () => 6);
  await ctx.sleep(100);
}

const seeds = [1];
const simulated = (scenario: Omit<Scenario, "workflow">) => simulate({ workflow: order, ...scenario }, { seeds });
const child = () => 1;
const parent = (ctx: WorkflowContext) => ctx.executeChild(child);

const state = (workflowName: string): WorkflowState => ({
  workflowId: "a",
  runId: "1",
  workflowName,
  status: "running",
  createdAt: 0,
  updatedAt: 0,
  history: [{ type: "workflow_started", at: 0, workflowName, input: 1 }],
} as never);

/** What calls each callback. */
export const KIT: Readonly<Record<string, (bad: Bad) => unknown>> = {
  "crashTest(workflow)": (bad) => crashTest(bad),
  "CrashTestOptions.check": (check) => crashTest(order, { check }),
  "CrashTestOptions.effects": (effects) => crashTest(order, { effects }),
  "CrashTestOptions.onDeath": (onDeath) => crashTest(order, { onDeath }),
  "ScenarioOptions.setUp": (setUp) => crashTest(order, { setUp }),
  "ScenarioOptions.setUp of a simulation": (setUp) => simulated({ setUp }),
  "ScenarioOptions.store": (store) => crashTest(order, { store }),
  "ScenarioOptions.store of a simulation": (store) => simulated({ store }),
  "ScenarioOptions.workflows": (bad) => crashTest(parent, { workflows: { child: bad } }),
  "explore(workflow)": (bad) => explore(bad, { crashes: 1, cancels: 1, maxRuns: 10 }),
  "mutants(workflow)": (bad) => mutants(bad, (workflow) => simulate({ workflow }, { seeds })),
  "mutants(test)": (bad) => mutants(order, bad),
  "whatIf(workflow)": (bad) => whatIf(bad),
  "Scenario.workflow": (workflow) => simulate({ workflow }, { seeds }),
  "Scenario.always": (always) => simulated({ always }),
  "Scenario.atEnd": (atEnd) => simulated({ atEnd }),
  "TimedUpdate.check": (check) => crashTest(order, { updates: [{ atMs: 50, name: "pay", check }] }),
  "TimedQuery.check": (check) => crashTest(order, { queries: [{ atMs: 50, name: "state", check }] }),
  "assertReplays(workflow)": (bad) => assertReplays(bad, state("bad")),
  "AssertReplaysOptions.workflows": (bad) => assertReplays(bad, state("stored"), { workflows: { stored: bad } }),
  "replayReport(workflow)": (bad) => replayReport(bad, state("bad")),
  "ReplayReportOptions.workflows": (bad) => replayReport(bad, state("stored"), { workflows: { stored: bad } }),
  "replayHistory(workflow)": (bad) => replayHistory(bad, state("bad"), {}),
  "StoreCase.run(factory)": (bad) => storeCases()[0].run(bad),
  "StoreCase.run": async (bad) => {
    for (const { run } of storeCases({ tier: "executor" }).slice(0, 1)) await run(bad);
  },
  "StoreCasesOptions.reopen": async (reopen) => {
    const known = new Set(storeCases().map(({ name }) => name));
    const cases = storeCases({ reopen }).filter(({ name }) => !known.has(name));
    for (const { run } of cases) await run(() => new InMemoryStore());
  },
  "StoreCasesOptions.connect": async (connect) => {
    const known = new Set(storeCases().map(({ name }) => name));
    const cases = storeCases({ connect }).filter(({ name }) => !known.has(name));
    for (const { run } of cases) await run(() => new InMemoryStore());
  },
  // What a test runner returns is its own matter: a failure must not be lost.
  "testStore(test)": (bad) =>
    testStore((...args) => void Promise.resolve(bad(...args)).catch(() => {}), () => new InMemoryStore()),
  "testStore(factory)": async (bad) => {
    const bodies: (() => Promise<void>)[] = [];
    testStore((_name, body) => bodies.push(body), bad);
    await bodies[0]();
  },
};
