/**
 * The test kit: test executors with virtual time and replaced activities, crash tests, simulations, golden histories, faulty
 * stores, and the contract of `WorkflowStore`.
 *
 * Plain functions that throw. They work with any test runner, change nothing global and need no permission.
 *
 * @module
 */

// Executors for tests
export { DeadlockError } from "./deadlock.ts";
export { TestExecutor, type TestExecutorOptions } from "./test_executor.ts";

// Replaced activities
export {
  type ActivityCall,
  type ActivityOutcome,
  attempts,
  fails,
  type Fake,
  replace,
  type Replacement,
  takes,
} from "./fakes.ts";

export { type ActivityPause, pauseAt } from "./pause_at.ts";
export { recorded } from "./recorded.ts";

// Rules, and what a workflow answered
export { each, type FollowedRule, never, type NeverRule, type Rule, RuleError } from "./rules.ts";
export { at } from "./past_query.ts";

// Crash tests, simulations and explorations
export { crashTest } from "./crash/crash.ts";
export {
  type CrashRun,
  type CrashTestArgs,
  CrashTestError,
  type CrashTestOptions,
  type CrashTestReport,
} from "./crash/crash_options.ts";
export { simulate } from "./crash/simulate.ts";
export {
  type Scenario,
  type SimulateOptions,
  SimulationError,
  type SimulationRates,
  type SimulationReport,
  type SimulationView,
} from "./crash/simulate_options.ts";
export type { AttemptFailure } from "./explore/choices.ts";
export { explore } from "./explore/explore.ts";
export {
  ExplorationError,
  type ExploreArgs,
  type ExploreBounds,
  type ExploreOptions,
  type ExploreReport,
} from "./explore/explore_options.ts";
export { whatIf, type WhatIfArgs, type WhatIfOptions } from "./explore/what_if.ts";
export type { WhatIfCell, WhatIfEnd, WhatIfReport } from "./explore/what_if_report.ts";
export type { ScenarioOptions } from "./crash/scenario.ts";
export type {
  Deliveries,
  TimedCancel,
  TimedDelivery,
  TimedQuery,
  TimedSignal,
  TimedUpdate,
} from "./crash/deliveries.ts";

export { mutants, type MutantsReport } from "./mutants.ts";

// Golden histories
export { historyFromText, historyToText } from "./history_text.ts";
export { assertReplays, type AssertReplaysOptions } from "./replays.ts";
export {
  type PatchPaths,
  type ReplayedHistory,
  type ReplayReport,
  replayReport,
  type ReplayReportOptions,
  type ReplayVerdict,
} from "./replay_report.ts";

// Tests from stored runs
export { toTest, type ToTestOptions } from "./test_writer.ts";
export { type RecordedAttempt, repeats } from "./repeats.ts";

// Stores
export {
  FaultyStore,
  type FaultyStoreOptions,
  type StoreFault,
  type StoreOperation,
  type StoreScript,
} from "./faulty_store.ts";
export {
  type StoreCase,
  storeCases,
  type StoreCasesOptions,
  type StoreFactory,
  type StoreMember,
  testStore,
  type TestStoreOptions,
} from "./store/mod.ts";

// Random numbers
export { seeded } from "./seeded.ts";
