/**
 * The test kit: crash a workflow everywhere, turn its time by hand, check any store against the contract. Plain functions
 * that throw: they serve any test runner, patch nothing global and need no permission.
 *
 * @module
 */

export * from "./mermaid.ts";
export * from "./seeded.ts";
export * from "./svg.ts";
export * from "./timeline.ts";
