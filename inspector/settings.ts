/**
 * The options of the inspector, and their checks.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import type { Executor } from "../executor.ts";
import type { WorkflowEvent, WorkflowStore } from "../types.ts";
import {
  checkArray,
  checkBoolean,
  checkFunction,
  checkNumber,
  checkObject,
  checkOptions,
  checkText,
  invalid,
} from "../util/check.ts";
import { isStrayPromise } from "../util/deferred.ts";

/**
 * What a request wants to do. `view` reads: pages, their parts, exports, and the answers of queries as of an earlier event.
 *
 * @category Inspector
 */
export type InspectorAction = "view" | "signal" | "update" | "query" | "cancel" | "terminate";

/**
 * Where a value is from; see {@linkcode InspectorOptions.redact}.
 *
 * @category Inspector
 */
export interface RedactedPlace {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The name under which the workflow is registered. */
  readonly workflowName: string;
  /** The property that holds the value: `input`, `result`, `payload`, `error`, `labels` …; `answer` is the answer of a query. */
  readonly property: string;
  /** The type of the event that holds the value; `undefined` if it is a property of the run. */
  readonly event?: WorkflowEvent["type"] | undefined;
  /** The name of the activity, signal, update, child or query, if the value belongs to one. */
  readonly name?: string | undefined;
}

/**
 * Options of {@linkcode inspector}.
 *
 * @category Inspector
 */
export interface InspectorOptions {
  /** The store to look at. */
  readonly store: WorkflowStore;
  /**
   * An executor on the same store. It tells what its live runs wait for, answers queries, and performs actions.
   *
   * @default {none}
   */
  readonly executor?: Executor | undefined;
  /**
   * Whether the pages can signal, update, query, cancel and terminate. Needs an `executor`.
   *
   * @default {false}
   */
  readonly actions?: boolean | undefined;
  /**
   * Decides about every request. `true` lets it through, `false` answers 403; a response, such as a login, is the answer. If it
   * throws, the answer is 500. `workflowId` is `undefined` for the list, and for files of the pages. The body must stay unread:
   * read `request.clone()`.
   *
   * @default {every request is let through}
   */
  readonly authorize?:
    | ((
      request: Request,
      action: InspectorAction,
      workflowId: string | undefined,
    ) => boolean | Response | Promise<boolean | Response>)
    | undefined;
  /**
   * The hosts under which the inspector is reached, without a port, such as `["admin.example.com"]`. Other requests are refused, so
   * that a foreign page cannot reach a local inspector by a name of its own (DNS rebinding).
   *
   * @default {every host with `authorize`; else localhost, names below it, and IP addresses}
   */
  readonly hosts?: readonly string[] | undefined;
  /**
   * The origin that browsers see, such as `https://admin.example.com`, if a proxy changes the host or the protocol.
   *
   * @default {the origin of the request's URL}
   */
  readonly origin?: string | undefined;
  /**
   * Whether the store can change. With `false`, such as for a file that was read, the pages say so, and do not look for changes.
   *
   * @default {true}
   */
  readonly live?: boolean | undefined;
  /**
   * What the pages are called.
   *
   * @default {"Rockpool"}
   */
  readonly title?: string | undefined;
  /**
   * Replaces values before anything shows or exports them. It gets each value that users gave: inputs, results, payloads, details,
   * error records, labels, headers, reasons, answers. A value that it throws for is not shown.
   *
   * @default {values are shown as they are}
   */
  readonly redact?: ((value: unknown, where: RedactedPlace) => unknown) | undefined;
  /**
   * The time, in milliseconds since the epoch, on the executor's clock.
   *
   * @default {the time of the system}
   */
  readonly now?: (() => number) | undefined;
}

/** The options with their defaults. */
export interface Settings extends InspectorOptions {
  readonly actions: boolean;
  readonly live: boolean;
  readonly title: string;
  readonly now: () => number;
}

const known: Readonly<Record<keyof InspectorOptions, true>> = {
  store: true,
  executor: true,
  actions: true,
  authorize: true,
  hosts: true,
  origin: true,
  live: true,
  title: true,
  redact: true,
  now: true,
};

/** Checks the options and completes them. */
export function completeOptions(options: InspectorOptions): Settings {
  const action = "make an inspector";
  checkOptions(options, known, action);
  const { store, executor, actions = false, authorize, hosts, origin, live = true, title = "Rockpool", redact } =
    options;
  checkObject("store", store, action);
  for (const name of ["load", "list"] as const) checkFunction(`store.${name}`, store[name], action);
  if (executor !== undefined) {
    checkObject("executor", executor, action);
    for (const name of ["openRuns", "signal", "query"] as const) {
      checkFunction(`executor.${name}`, executor[name], action);
    }
  }
  checkBoolean("actions", actions, action);
  checkBoolean("live", live, action);
  if (actions && executor === undefined) {
    throw invalid("executor", executor, 'an Executor with "actions": true', action);
  }
  for (const [name, value] of Object.entries({ authorize, redact, now: options.now })) {
    if (value !== undefined) checkFunction(name, value, action);
  }
  if (hosts !== undefined) {
    checkArray("hosts", hosts, action);
    hosts.forEach((host, i) => checkText(`hosts[${i}]`, host, action));
  }
  if (origin !== undefined && !isOrigin(origin)) {
    throw invalid("origin", origin, "an origin such as https://example.com, without a path", action);
  }
  checkText("title", title, action);
  const now = () => {
    const time = options.now === undefined ? systemClock.now() : options.now();
    if (isStrayPromise(time)) throw invalid("now()", time, "a number", "show workflows");
    checkNumber("now()", time, -Infinity, "show workflows");
    return time;
  };
  return { store, executor, actions, authorize, hosts: hosts && [...hosts], origin, live, title, redact, now };
}

function isOrigin(text: unknown): boolean {
  try {
    return new URL(text as string).origin === text;
  } catch {
    return false;
  }
}
