/**
 * Names with types: what a workflow and those who talk to it agree on.
 *
 * A definition is a name that knows the types that go with it. Wherever one is taken, a plain string will do, without
 * the types.
 *
 * @example
 * ```ts
 * import { defineQuery, defineSignal, defineUpdate, Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const add = defineUpdate<number, string>("add", {
 *   validate(item) {
 *     if (item === "") throw new TypeError("An item needs a name");
 *   },
 * });
 * const items = defineQuery<readonly string[]>("items");
 * const checkOut = defineSignal<{ by: string }>("check-out");
 *
 * async function cart(ctx: WorkflowContext) {
 *   const list: string[] = [];
 *   ctx.handleQuery(items, () => list);
 *   ctx.handleUpdate(add, (item) => list.push(item));
 *   const { by } = await ctx.waitForSignal(checkOut);
 *   return `${by}: ${list.join(", ")}`;
 * }
 *
 * await using executor = new Executor({ store: new InMemoryStore() });
 * const handle = await executor.execute(cart, { id: "cart-1" });
 * assertEquals(await executor.update("cart-1", add, "shell"), 1);
 * assertEquals(await executor.query("cart-1", items), ["shell"]);
 * await executor.signal("cart-1", checkOut, { by: "Ada" });
 * assertEquals(await handle.result(), "Ada: shell");
 * assertEquals(await executor.query("cart-1", items), ["shell"]); // also when it is over
 * ```
 *
 * @module
 */

import { checkFunction, checkObject, checkText } from "./util/check.ts";

/** The name of a signal, and the type of its payload. */
export interface SignalDefinition<Payload = unknown> {
  /** What it defines. */
  readonly kind: "signal";
  /** The name that the history holds. */
  readonly name: string;
  /** Never there: it carries the type. */
  readonly types?: (payload: Payload) => void;
}

/** The name of a query, and the types of its arguments and of its answer. */
export interface QueryDefinition<Result = unknown, Args extends readonly unknown[] = readonly unknown[]> {
  /** What it defines. */
  readonly kind: "query";
  /** The name. */
  readonly name: string;
  /** Never there: it carries the types. */
  readonly types?: (...args: Args) => Result;
}

/** The name of an update, the types of its input and of its answer, and what an input must be like. */
export interface UpdateDefinition<Result = unknown, Input = unknown> {
  /** What it defines. */
  readonly kind: "update";
  /** The name that the history holds. */
  readonly name: string;
  /** Throws if an input is refused; nothing is recorded then. */
  readonly validate?: (input: Input) => void;
  /** Never there: it carries the types. */
  readonly types?: (input: Input) => Result;
}

/** Options of {@linkcode defineUpdate}. */
export interface UpdateDefinitionOptions<Input> {
  /**
   * Throws if an input is to be refused, before anything is recorded.
   *
   * @default {every input is taken}
   */
  readonly validate?: (input: Input) => void;
}

/**
 * Defines a signal.
 *
 * @param name The name: any string but the empty one.
 * @throws {TypeError} If `name` is not a string or empty.
 */
export function defineSignal<Payload = unknown>(name: string): SignalDefinition<Payload> {
  checkText("name", name, "define signal");
  return Object.freeze({ kind: "signal", name });
}

/**
 * Defines a query.
 *
 * @param name The name: any string but the empty one.
 * @throws {TypeError} If `name` is not a string or empty.
 */
export function defineQuery<Result = unknown, Args extends readonly unknown[] = []>(
  name: string,
): QueryDefinition<Result, Args> {
  checkText("name", name, "define query");
  return Object.freeze({ kind: "query", name });
}

/**
 * Defines an update.
 *
 * @param name The name: any string but the empty one.
 * @param options What an input must be like.
 * @throws {TypeError} If an argument is of the wrong kind.
 */
export function defineUpdate<Result = unknown, Input = undefined>(
  name: string,
  options: UpdateDefinitionOptions<Input> = {},
): UpdateDefinition<Result, Input> {
  checkText("name", name, "define update");
  checkObject("options", options, "define update", name);
  const { validate } = options;
  if (validate !== undefined) checkFunction("validate", validate, "define update", name);
  return Object.freeze({ kind: "update", name, ...(validate && { validate }) });
}
