/**
 * The test kit: crash a workflow everywhere, turn its time by hand, check any store against the contract. Plain functions
 * that throw: they serve any test runner, patch nothing global and need no permission.
 *
 * @module
 */

export * from "./crash/crash.ts";
export * from "./fakes.ts";
export * from "./faulty_store.ts";
export * from "./replays.ts";
export * from "./seeded.ts";
export * from "./crash/simulate.ts";
export * from "./store/mod.ts";
export * from "./test_executor.ts";
