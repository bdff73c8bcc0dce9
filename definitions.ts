/**
 * Definitions: names with types, on which a workflow and its callers agree.
 *
 * A definition is a name that carries the types of what belongs to it. Every method that takes one also takes a plain
 * string, without the types.
 *
 * @example
 * ```ts
 * import { defineQuery, defineSignal, defineUpdate, Executor, type WorkflowContext } from "@rockpool/workflow";
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
 * await using executor = new Executor();
 * const handle = await executor.execute(cart, { id: "cart-1" });
 * assertEquals(await executor.update("cart-1", add, "shell"), 1);
 * assertEquals(await executor.query("cart-1", items), ["shell"]);
 * await executor.signal("cart-1", checkOut, { by: "Ada" });
 * assertEquals(await handle.result(), "Ada: shell");
 * assertEquals(await executor.query("cart-1", items), ["shell"]); // also after the end
 * ```
 *
 * @module
 */

import type { DeepReadonly } from "./types.ts";
import { checkFunction, checkOptions, checkText } from "./util/check.ts";

/**
 * The name of a signal and the type of its payload.
 *
 * @category Workflow code
 */
export interface SignalDefinition<Payload = unknown> {
  /** The kind of the definition. */
  readonly kind: "signal";
  /** The name in the history. */
  readonly name: string;
  /** Always absent: this property only carries the type. */
  readonly types?: (payload: Payload) => void;
}

/**
 * The name of a query and the types of its arguments and its answer.
 *
 * @category Workflow code
 */
export interface QueryDefinition<Result = unknown, Args extends readonly unknown[] = readonly unknown[]> {
  /** The kind of the definition. */
  readonly kind: "query";
  /** The name. */
  readonly name: string;
  /** Always absent: this property only carries the types. */
  readonly types?: (...args: Args) => Result;
}

/**
 * The name of an update, the types of its input and its answer, and the validation of an input.
 *
 * @category Workflow code
 */
export interface UpdateDefinition<Result = unknown, Input = unknown> {
  /** The kind of the definition. */
  readonly kind: "update";
  /** The name in the history. */
  readonly name: string;
  /** Throws if an input is refused. Nothing is recorded then. */
  readonly validate?: ((input: Input) => void) | undefined;
  /** Always absent: this property only carries the types. */
  readonly types?: (input: Input) => Result;
}

/**
 * Options of {@linkcode defineUpdate}.
 *
 * @category Workflow code
 */
export interface UpdateDefinitionOptions<Input> {
  /**
   * Throws if an input is refused. It is called before anything is recorded.
   *
   * @default {every input is accepted}
   */
  readonly validate?: ((input: DeepReadonly<Input>) => void) | undefined;
}

/** The names of these options. */
const updateOptionNames: Readonly<Record<keyof UpdateDefinitionOptions<never>, true>> = { validate: true };

/**
 * Defines a signal. With a payload type that includes `undefined`, a sender can leave the payload out.
 *
 * @param name The name; a non-empty string.
 * @throws {TypeError} If `name` is not a string or is empty.
 *
 * @category Workflow code
 */
export function defineSignal<Payload = unknown>(name: string): SignalDefinition<Payload> {
  checkText("name", name, "define signal");
  return Object.freeze({ kind: "signal", name });
}

/**
 * Defines a query.
 *
 * @param name The name; a non-empty string.
 * @throws {TypeError} If `name` is not a string or is empty.
 *
 * @category Workflow code
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
 * @param name The name; a non-empty string.
 * @param options How an input is validated.
 * @throws {TypeError} If an argument is invalid or an option is unknown.
 *
 * @category Workflow code
 */
export function defineUpdate<Result = unknown, Input = undefined>(
  name: string,
  options: UpdateDefinitionOptions<Input> = {},
): UpdateDefinition<Result, Input> {
  checkText("name", name, "define update");
  checkOptions(options, updateOptionNames, "define update", name);
  const { validate } = options;
  if (validate !== undefined) checkFunction("validate", validate, "define update", name);
  return Object.freeze({ kind: "update", name, ...(validate && { validate: validate as (input: unknown) => void }) });
}
