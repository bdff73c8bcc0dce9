/**
 * The test kit: crash a workflow everywhere, turn its time by hand, check any store against the contract. Plain functions
 * that throw: they serve any test runner, patch nothing global and need no permission.
 *
 * @module
 */

export * from "./crash.ts";
export * from "./fakes.ts";
export * from "./faulty_store.ts";
export * from "./mermaid.ts";
export * from "./replays.ts";
export * from "./seeded.ts";
export * from "./simulate.ts";
export * from "./store_cases.ts";
export * from "./svg.ts";
export * from "./test_executor.ts";
export * from "./timeline.ts";
