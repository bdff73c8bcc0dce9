/**
 * The types of workflows, activities, and definitions of signals, queries and updates.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any -- functions of users have any parameters

import type { HandlerUnfinishedPolicy } from "./choices.ts";
import type { PayloadTypeInfo } from "./payload_converter.ts";

/**
 * What a workflow returns.
 *
 * @category Temporal
 */
export type WorkflowReturnType = Promise<any>;

/**
 * A workflow: a function without a context.
 *
 * @category Temporal
 */
export type Workflow = (...args: any[]) => WorkflowReturnType;

/**
 * The result of a workflow.
 *
 * @category Temporal
 */
export type WorkflowResultType<W extends Workflow> = ReturnType<W> extends Promise<infer R> ? R : never;

/**
 * A handler of an update.
 *
 * @category Temporal
 */
export type WorkflowUpdateType = (...args: any[]) => Promise<any> | any;

/**
 * Refuses an update by throwing.
 *
 * @category Temporal
 */
export type WorkflowUpdateValidatorType = (...args: any[]) => void;

/**
 * A handler of an update, with options.
 *
 * @category Temporal
 */
export type WorkflowUpdateAnnotatedType = {
  /** The handler. */
  handler: WorkflowUpdateType;
  /** What is done if it still runs when the workflow ends. */
  unfinishedPolicy: HandlerUnfinishedPolicy;
  /** Refuses an update by throwing. */
  validator?: WorkflowUpdateValidatorType | undefined;
  /** A text for people. */
  description?: string | undefined;
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
};

/**
 * A handler of a signal.
 *
 * @category Temporal
 */
export type WorkflowSignalType = (...args: any[]) => Promise<void> | void;

/**
 * A handler of a signal, with options.
 *
 * @category Temporal
 */
export type WorkflowSignalAnnotatedType = {
  /** The handler. */
  handler: WorkflowSignalType;
  /** What is done if it still runs when the workflow ends. */
  unfinishedPolicy: HandlerUnfinishedPolicy;
  /** A text for people. */
  description?: string | undefined;
  /** How arguments are converted. */
  typeInfo?: SignalTypeInfo | undefined;
};

/**
 * A handler of a query.
 *
 * @category Temporal
 */
export type WorkflowQueryType = (...args: any[]) => any;

/**
 * A handler of a query, with options.
 *
 * @category Temporal
 */
export type WorkflowQueryAnnotatedType = {
  /** The handler. */
  handler: WorkflowQueryType;
  /** A text for people. */
  description?: string | undefined;
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
};

/**
 * How the arguments of a signal are converted.
 *
 * @category Temporal
 */
export type SignalTypeInfo = Pick<PayloadTypeInfo, "inputTypes">;

/**
 * Options of the definition of an update.
 *
 * @category Temporal
 */
export interface UpdateDefinitionOptions {
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * Options of the definition of a signal.
 *
 * @category Temporal
 */
export interface SignalDefinitionOptions {
  /** How arguments are converted. */
  typeInfo?: SignalTypeInfo | undefined;
}

/**
 * Options of the definition of a query.
 *
 * @category Temporal
 */
export interface QueryDefinitionOptions {
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * The name of an update, with the types of its arguments and its result.
 *
 * @category Temporal
 */
export interface UpdateDefinition<Ret, Args extends any[] = [], Name extends string = string> {
  /** Says what it defines. */
  type: "update";
  /** The name. */
  name: Name;
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
  /** Only for the type checker: never set. */
  readonly argsType?: Args | undefined;
  /** Only for the type checker: never set. */
  readonly returnType?: Ret | undefined;
}

/**
 * The name of a signal, with the types of its arguments.
 *
 * @category Temporal
 */
export interface SignalDefinition<Args extends any[] = [], Name extends string = string> {
  /** Says what it defines. */
  type: "signal";
  /** The name. */
  name: Name;
  /** How arguments are converted. */
  typeInfo?: SignalTypeInfo | undefined;
  /** Only for the type checker: never set. */
  readonly argsType?: Args | undefined;
}

/**
 * The name of a query, with the types of its arguments and its result.
 *
 * @category Temporal
 */
export interface QueryDefinition<Ret, Args extends any[] = [], Name extends string = string> {
  /** Says what it defines. */
  type: "query";
  /** The name. */
  name: Name;
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
  /** Only for the type checker: never set. */
  readonly argsType?: Args | undefined;
  /** Only for the type checker: never set. */
  readonly returnType?: Ret | undefined;
}

/**
 * An activity.
 *
 * @category Temporal
 */
export interface ActivityFunction<P extends any[] = any[], R = any> {
  (...args: P): Promise<R>;
}

/**
 * Activities by name. The earlier name of `UntypedActivities`.
 *
 * @category Temporal
 */
export type ActivityInterface = Record<string, ActivityFunction>;

/**
 * Activities by name.
 *
 * @category Temporal
 */
export type UntypedActivities = Record<string, ActivityFunction>;

/**
 * Options of an activity itself.
 *
 * @category Temporal
 */
export interface ActivityDefinitionOptions {
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * The names of the activities among the members of an object.
 *
 * @category Temporal
 */
export type ActivityKeys<A> = { [K in keyof A & string]: A[K] extends ActivityFunction ? K : never }[keyof A & string];

/**
 * How arguments and results of activities are converted, by the name of the activity.
 *
 * @category Temporal
 */
export type ActivityTypeInfoMap<A> = Partial<Record<ActivityKeys<A>, PayloadTypeInfo>>;

/**
 * An activity with options of its own.
 *
 * @category Temporal
 */
export interface ActivityFunctionWithOptions<Args extends any[] = any[], ReturnType = any>
  extends ActivityFunction<Args, ReturnType> {
  /** The options. */
  activityDefinitionOptions: ActivityDefinitionOptions;
}

/**
 * Whether a value is an activity with options of its own.
 *
 * @param value Any value.
 *
 * @category Temporal
 */
export function isActivityFunctionWithOptions(value: unknown): value is ActivityFunctionWithOptions {
  return typeof value === "function" && Object.hasOwn(value, "activityDefinitionOptions");
}
