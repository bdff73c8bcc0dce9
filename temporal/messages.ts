/**
 * The functions by which workflow code sets its handlers of signals, updates and queries.
 *
 * @module
 */

import { invalid } from "../util/check.ts";
import { HandlerUnfinishedPolicy } from "./common/choices.ts";
import { checkChoice, checkTemporalOptions } from "./common/option_tables.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "./common/mod.ts";
import { accept, answer, DEFAULT_QUERY, DEFAULT_UPDATE, listen, listenToOthers } from "./message_calls.ts";
import { requireFrame } from "./scope.ts";
import type { AnyFunction } from "./run.ts";
import type {
  DefaultQueryHandler,
  DefaultSignalHandler,
  DefaultUpdateHandler,
  Handler,
  QueryHandlerOptions,
  SignalHandlerOptions,
  UpdateHandlerOptions,
} from "./types.ts";

/** The options of the three kinds. */
const tables = {
  query: "setHandler of a query",
  signal: "setHandler of a signal",
  update: "setHandler of an update",
} as const;

/**
 * Sets the handler of a query, a signal or an update; `undefined` removes it. Signals that have arrived are handled before this
 * function returns.
 *
 * @param def The query, signal or update.
 * @param handler The function.
 * @param options A description; what is done about calls that do not end; the validator of an update.
 * @throws {TypeError} If `handler` is no function.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export function setHandler<Ret, Args extends any[], T extends QueryDefinition<Ret, Args>>(
  def: T,
  handler: Handler<Ret, Args, T> | undefined,
  options?: QueryHandlerOptions,
): void;
/** Sets the handler of a signal. */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export function setHandler<Ret, Args extends any[], T extends SignalDefinition<Args>>(
  def: T,
  handler: Handler<Ret, Args, T> | undefined,
  options?: SignalHandlerOptions,
): void;
/** Sets the handler of an update. */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export function setHandler<Ret, Args extends any[], T extends UpdateDefinition<Ret, Args>>(
  def: T,
  handler: Handler<Ret, Args, T> | undefined,
  options?: UpdateHandlerOptions<Args>,
): void;
export function setHandler(
  def: { readonly type: "query" | "signal" | "update"; readonly name: string },
  handler: AnyFunction | undefined,
  // deno-lint-ignore no-explicit-any -- of any arguments
  options: UpdateHandlerOptions<any> = {},
): void {
  const { run } = requireFrame("set a handler");
  const { handlers } = run;
  const { type, name } = def;
  const { description, unfinishedPolicy, validator } = options;
  const table = Object.hasOwn(tables, type) ? tables[type] : undefined;
  if (table !== undefined) checkTemporalOptions(table, options, `set the handler of ${type}`, name);
  checkChoice("unfinishedPolicy", unfinishedPolicy, HandlerUnfinishedPolicy, `set the handler of ${type}`, name);
  handler = checked(handler, name);
  switch (type) {
    case "query":
      if (handler === undefined) return void handlers.queries.delete(name);
      handlers.queries.set(name, { handler, description });
      return answer(run, name, name);
    case "signal":
      if (handler !== undefined) {
        handlers.signals.set(name, { handler, description, unfinishedPolicy });
        return listen(run, name);
      }
      handlers.signals.delete(name);
      handlers.loops.get(name)?.();
      return;
    case "update":
      if (handler === undefined) return void handlers.updates.delete(name);
      handlers.updates.set(name, { handler, description, unfinishedPolicy, validator });
      return accept(run, name, name);
    default:
      throw invalid("def.type", type, '"query", "signal" or "update"', "set a handler");
  }
}

function checked<Fn>(handler: Fn | undefined | null, name: string): Fn | undefined {
  if (handler == null) return undefined;
  if (typeof handler === "function") return handler;
  throw invalid("handler", handler, "a function or undefined", `set the handler of ${name}`);
}

/**
 * Sets the handler of the signals that have none; `undefined` removes it.
 *
 * @param handler Gets the name of the signal, and its arguments.
 * @throws {TypeError} If `handler` is no function.
 *
 * @category Temporal
 */
export function setDefaultSignalHandler(handler: DefaultSignalHandler | undefined): void {
  const { run } = requireFrame("set a handler");
  const { handlers } = run;
  const set = checked(handler, "other signals");
  if (set === undefined) {
    handlers.defaultSignal?.stop();
    handlers.defaultSignal = undefined;
    return;
  }
  handlers.defaultSignal = { handler: set, stop: handlers.defaultSignal?.stop ?? listenToOthers(run) };
}

/**
 * Sets the handler of the updates that have none; `undefined` removes it. A client of `@rockpool/workflow/temporal/testing` finds it.
 *
 * @param handler Gets the name of the update, and its arguments.
 * @throws {TypeError} If `handler` is no function.
 *
 * @category Temporal
 */
export function setDefaultUpdateHandler(handler: DefaultUpdateHandler | undefined): void {
  const { run } = requireFrame("set a handler");
  const set = checked(handler, "other updates");
  if (set === undefined) return void run.handlers.updates.delete(DEFAULT_UPDATE);
  const none = { description: undefined, unfinishedPolicy: undefined, validator: undefined };
  run.handlers.updates.set(DEFAULT_UPDATE, { handler: set, ...none });
  accept(run, DEFAULT_UPDATE);
}

/**
 * Sets the handler of the queries that have none; `undefined` removes it. A client of `@rockpool/workflow/temporal/testing` finds it.
 *
 * @param handler Gets the name of the query, and its arguments.
 * @throws {TypeError} If `handler` is no function.
 *
 * @category Temporal
 */
export function setDefaultQueryHandler(handler: DefaultQueryHandler | undefined): void {
  const { run } = requireFrame("set a handler");
  const set = checked(handler, "other queries");
  if (set === undefined) return void run.handlers.queries.delete(DEFAULT_QUERY);
  run.handlers.queries.set(DEFAULT_QUERY, { handler: set, description: undefined });
  answer(run, DEFAULT_QUERY);
}

/**
 * Returns whether no handler of a signal or an update runs. A workflow waits for it before it ends:
 * `await condition(allHandlersFinished)`.
 *
 * @category Temporal
 */
export function allHandlersFinished(): boolean {
  return requireFrame("ask for its handlers").run.handlers.calls.size === 0;
}
