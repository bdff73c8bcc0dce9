/**
 * Durable workflows in the memory of one process: a store, a readers-writer lock, and an executor that records what it
 * runs, can be stopped at every step, and resumes.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * async function myWorkflow(_ctx: WorkflowContext, input: string) {
 *   return `processed: ${input}`;
 * }
 *
 * const store = new InMemoryStore();
 * const executor = new Executor({ store });
 * const handle = await executor.execute(myWorkflow, { id: "test-wf-1", input: "hello" });
 * assertEquals(await handle.result(), "processed: hello");
 * ```
 *
 * @module
 */

export * from "./activity.ts";
export * from "./clock.ts";
export * from "./definitions.ts";
export * from "./errors.ts";
export * from "./executor.ts";
export * from "./hooks.ts";
export * from "./lock.ts";
export * from "./retry.ts";
export * from "./store.ts";
export * from "./types.ts";
