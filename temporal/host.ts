/**
 * The host of Temporal workflows: makes workflows of this package of them.
 *
 * @module
 */

import type { AnyWorkflow, ExecutorOptions } from "../options.ts";
import type { WorkflowContext } from "../context.ts";
import { cannot, checkObject, checkOptions, invalid } from "../util/check.ts";
import { isStrayPromise } from "../util/deferred.ts";
import { foreignSources } from "../util/foreign_source.ts";
import { show } from "../util/show.ts";
import { type Converter, extractWorkflowType, type Workflow } from "./common/mod.ts";
import { notSupported } from "./common/errors.ts";
import { valueConverter } from "./common/value_converter.ts";
import type { MockActivityEnvironmentOptions } from "./activity/mod.ts";
import { runWorkflow } from "./execute.ts";
import { patchGlobals } from "./globals.ts";
import type { WorkflowInterceptorsFactory } from "./interceptors.ts";
import type { AnyFunction, HostParts } from "./run.ts";
import type { InjectedSinks } from "./types.ts";

/**
 * Options of {@linkcode TemporalHost}.
 *
 * @category Temporal
 */
export interface TemporalHostOptions {
  /**
   * The workflows: an object of functions, such as a module. A function with the name `default` runs for names that it does not
   * have. What is no function is ignored.
   */
  readonly workflows: object;
  /**
   * The activities: an object of functions. A function with the name `default` runs for names that it does not have.
   *
   * @default {none}
   */
  readonly activities?: object | undefined;
  /**
   * The functions that calls of `proxySinks()` reach.
   *
   * @default {none}
   */
  // deno-lint-ignore no-explicit-any -- sinks of any functions
  readonly sinks?: InjectedSinks<any> | undefined;
  /**
   * How values are stored: as JSON, as Temporal does by default; by structured clone; or by a payload converter of your own.
   *
   * @default {"json"}
   */
  readonly converter?: Converter | undefined;
  /**
   * Make the interceptors of each run. The first is the outermost.
   *
   * @default {none}
   */
  readonly interceptors?: readonly WorkflowInterceptorsFactory[] | undefined;
  /**
   * What the activities get: a logger, interceptors, metrics, a client.
   *
   * @default {the logger of the executor, and nothing else}
   */
  readonly activityEnvironment?: MockActivityEnvironmentOptions | undefined;
  /**
   * Whether `Date`, `Math.random`, `setTimeout` and `clearTimeout` are those of the workflow while workflow code runs. They are
   * replaced in the whole process, until the host is disposed of. `"report"`: workflow code gets those of the runtime, and the log
   * names each line that reads one.
   *
   * @default {false}
   */
  readonly patchGlobals?: boolean | "report" | undefined;
}

const optionNames: Readonly<Record<keyof TemporalHostOptions, true>> = {
  workflows: true,
  activities: true,
  sinks: true,
  converter: true,
  interceptors: true,
  activityEnvironment: true,
  patchGlobals: true,
};

/** What makes `Date` and the like safe in a workflow. */
const PATCH = "pass patchGlobals: true to the TemporalHost, or use sleep(), uuid4() and workflowInfo().unsafe.now()";

/**
 * Makes workflows of this package of Temporal workflows.
 *
 * @category Temporal
 *
 * @example
 * ```ts
 * import { Executor } from "@rockpool/workflow";
 * import { proxyActivities, TemporalHost } from "@rockpool/workflow/temporal";
 * import { assertEquals } from "@std/assert";
 *
 * const { greet } = proxyActivities<{ greet(name: string): Promise<string> }>({ startToCloseTimeout: "1 minute" });
 * async function example(name: string): Promise<string> {
 *   return await greet(name);
 * }
 * const activities = { greet: (name: string) => Promise.resolve(`Hello, ${name}!`) };
 *
 * const temporal = new TemporalHost({ workflows: { example }, activities });
 * await using executor = new Executor(temporal.executorOptions);
 * const handle = await executor.execute(temporal.workflow("example"), { input: ["Temporal"] });
 * assertEquals(await handle.result(), "Hello, Temporal!");
 * ```
 */
export class TemporalHost {
  /** The workflows, for `new Executor({ store, ...temporal.executorOptions })`. */
  readonly executorOptions: Pick<ExecutorOptions, "workflows">;
  /** The workflows, for `crashTest()`, `simulate()` and `explore()`. */
  readonly crashOptions: { readonly workflows: Readonly<Record<string, AnyWorkflow>> };
  readonly #functions = new Map<string, AnyFunction>();
  readonly #names = new Map<unknown, string>();
  readonly #workflows: Record<string, AnyWorkflow> = {};
  readonly #parts: HostParts;
  readonly #restoreGlobals: (() => void) | undefined;

  /**
   * Makes a host.
   *
   * @param options The workflows, the activities, and how their values are stored.
   * @throws {TypeError} If an option is bad or unknown.
   */
  constructor(options: TemporalHostOptions) {
    const action = "make a Temporal host";
    checkOptions(options, optionNames, action);
    this.#restoreGlobals = options.patchGlobals ? patchGlobals() : undefined;
    const { workflows, activities = {}, sinks = {}, converter, interceptors = [], activityEnvironment } = options;
    checkObject("workflows", workflows, action);
    checkObject("activities", activities, action);
    if (isStrayPromise(workflows)) {
      throw invalid("workflows", workflows, "an object of functions: await import()", action);
    }
    for (const [name, value] of Object.entries(workflows)) {
      if (typeof value !== "function") continue;
      this.#functions.set(name, value as AnyFunction);
      this.#names.set(value, name);
      if (name !== "default") this.#add(name);
    }
    const values = valueConverter(converter);
    this.#parts = {
      activities: activities as Record<string, unknown>,
      activityHost: { ...activityEnvironment, converter: values },
      sinks,
      patchGlobals: options.patchGlobals ?? false,
      reported: new Set(),
      converter: values,
      interceptors: interceptors.map(checkedFactory),
      workflow: (type) => this.workflow(type),
      typeOf: (workflow) => this.#names.get(workflow) ?? extractWorkflowType(workflow as Workflow),
    };
    this.executorOptions = { workflows: this.#workflows };
    this.crashOptions = { workflows: this.#workflows };
  }

  /**
   * Returns a workflow of this package. Its input is the array of the arguments.
   *
   * @param workflow The name or the function of a Temporal workflow.
   * @throws {TypeError} If the host has no such workflow.
   */
  // deno-lint-ignore no-explicit-any -- arguments of any type
  workflow(workflow: string | Workflow): (ctx: WorkflowContext<any>, input: any) => Promise<any> {
    const type = this.#parts.typeOf(workflow);
    if (!Object.hasOwn(this.#workflows, type)) {
      this.#functionOf(type);
      this.#add(type);
    }
    return this.#workflows[type] as never;
  }

  #add(type: string): void {
    const run = (ctx: WorkflowContext, input: unknown) =>
      runWorkflow(this.#parts, (type) => this.#functionOf(type), type, ctx, input);
    Object.defineProperty(run, "name", { value: type });
    const code = this.#functions.get(type) ?? this.#functions.get("default");
    foreignSources.set(run, { code, safeGlobals: this.#restoreGlobals === undefined ? PATCH : undefined });
    this.#workflows[type] = run as AnyWorkflow;
  }

  #functionOf(type: string): AnyFunction {
    const found = this.#functions.get(type) ?? this.#functions.get("default");
    if (found !== undefined) return found;
    const names = [...this.#functions.keys()].map((name) => show(name)).join(", ") || "none";
    throw new TypeError(`${cannot("run workflow", type)}: the host has no such workflow; it has ${names}`);
  }

  /** Puts back the globals that `patchGlobals` has replaced. */
  dispose(): void {
    this.#restoreGlobals?.();
  }

  /** The same as {@linkcode TemporalHost.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Refuses interceptors that nothing here stands for. */
function checkedFactory(make: WorkflowInterceptorsFactory): HostParts["interceptors"][number] {
  if (typeof make !== "function") {
    throw new TypeError(`${cannot("make a Temporal host")}: "interceptors" must be functions`);
  }
  return () => {
    const made = make();
    if (isStrayPromise(made)) throw new TypeError(`${cannot("make interceptors")}: the function returned a promise`);
    const { inbound = [], outbound = [], internals = [] } = made;
    if (internals.length > 0) {
      throw notSupported("interceptors of internals", "there are no activations of a worker to intercept");
    }
    return { inbound, outbound };
  };
}
