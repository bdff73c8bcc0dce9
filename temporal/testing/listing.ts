/**
 * How workflows are described and listed.
 *
 * @module
 */

import type { WorkflowState } from "../../types.ts";
import { textOf, untypedAttributes } from "../attributes.ts";
import { METADATA, type RunMetadata } from "../execute.ts";
import type {
  WorkflowExecutionDescription,
  WorkflowExecutionInfo,
  WorkflowExecutionStatusName,
} from "./client_options.ts";
import { notHere } from "./errors.ts";
import { type InProcessServer, taskQueueOf } from "./server.ts";
import { inputOf, parentOf } from "./start_options.ts";

/** The numbers of the statuses, as Temporal's service has them. */
const CODES: Readonly<Partial<Record<WorkflowExecutionStatusName, number>>> = {
  RUNNING: 1,
  COMPLETED: 2,
  FAILED: 3,
  CANCELLED: 4,
  TERMINATED: 5,
  TIMED_OUT: 7,
};

function statusOf({ status, error }: WorkflowState): WorkflowExecutionStatusName {
  if (status === "running") return "RUNNING";
  if (status === "completed") return "COMPLETED";
  if (error?.data?.code === "terminated") return "TERMINATED";
  if (error?.name === "TimeoutError") return "TIMED_OUT";
  return status === "canceled" ? "CANCELLED" : "FAILED";
}

/** Describes a workflow in Temporal's words. */
export async function info(server: InProcessServer, state: WorkflowState): Promise<WorkflowExecutionInfo> {
  const { workflowId, runId, workflowName, createdAt, updatedAt, history } = state;
  const { memo, searchAttributes = [] } = inputOf(state);
  const parent = parentOf(state);
  const name = statusOf(state);
  const startTime = new Date(createdAt);
  return {
    type: workflowName,
    workflowId,
    runId,
    taskQueue: await taskQueueOf(server.store, state),
    status: { code: CODES[name] ?? 0, name },
    historyLength: history.length,
    startTime,
    executionTime: startTime,
    ...(name === "RUNNING" ? {} : { closeTime: new Date(updatedAt) }),
    ...(memo === undefined ? {} : { memo: { ...memo } }),
    searchAttributes: untypedAttributes(searchAttributes),
    ...(history.some(({ type }) => type === "labels_changed") && await changed(server, state)),
    ...(parent === undefined ? {} : { parentExecution: { workflowId: parent.workflowId, runId: parent.runId } }),
    raw: state,
  };
}

/** Describes a workflow, with what only `describe()` has. */
export async function described(server: InProcessServer, state: WorkflowState): Promise<WorkflowExecutionDescription> {
  const none = () => Promise.resolve(undefined);
  return { ...await info(server, state), ...await upserted(server, state), staticDetails: none, staticSummary: none };
}

/** The memo and the search attributes, if the workflow can say what it has changed them to. */
async function upserted(
  server: InProcessServer,
  state: WorkflowState,
): Promise<Partial<Pick<WorkflowExecutionInfo, "memo" | "searchAttributes">>> {
  try {
    const executor = await server.executorFor(state);
    const { memo, searchAttributes } = await executor.query(state.workflowId, METADATA) as RunMetadata;
    return { ...(Object.keys(memo).length > 0 && { memo }), searchAttributes: untypedAttributes(searchAttributes) };
  } catch { // no worker has it, or it has ended and its code is gone
    return {};
  }
}

/** The memo and the search attributes of a workflow that has changed its labels: these are the attributes as texts. */
async function changed(server: InProcessServer, state: WorkflowState): Promise<Partial<WorkflowExecutionInfo>> {
  const texts = Object.entries(state.labels ?? {}).map(([name, text]): [string, string[]] => [name, [text]]);
  return { searchAttributes: Object.fromEntries(texts), ...await upserted(server, state) };
}

/** Says whether a workflow matches. */
export type Matches = (info: WorkflowExecutionInfo) => boolean;

const TERMS: Readonly<Record<string, (info: WorkflowExecutionInfo) => string>> = {
  WorkflowId: (info) => info.workflowId,
  WorkflowType: (info) => info.type,
  RunId: (info) => info.runId,
  TaskQueue: (info) => info.taskQueue,
  ExecutionStatus: (info) => info.status.name.replace("_", "").toLowerCase(),
};

/** Names that are none of search attributes of the user's own. */
const OTHERS =
  /^(StartTime|CloseTime|Execution(Time|Duration)|History\w+|StateTransitionCount|BuildIds|(Parent|Root)\w+Id|Temporal\w+)$/;

/** Reads a query: equalities of the names above and of search attributes, joined by `AND`. */
export function parseQuery(query = ""): Matches {
  if (query.trim() === "") return () => true;
  const terms = query.split(/\s+AND\s+/i).map((term) => {
    const [, name = "", quoted = "", bare] = /^\s*(\w+)\s*=\s*(?:(".*"|'.*')|(-?[\d.]+|true|false))\s*$/.exec(term) ??
      [];
    const read = Object.hasOwn(TERMS, name) ? TERMS[name] : undefined;
    if (name === "" || OTHERS.test(name) || read !== undefined && bare !== undefined) {
      const names = Object.keys(TERMS).join(", ");
      const way = `join equalities of ${names} and search attributes by AND, with quoted texts`;
      throw notHere(`the query ${JSON.stringify(query)}`, way);
    }
    const value = bare ?? quoted.slice(1, -1);
    if (read === undefined) return hasAttribute(name, value);
    const wanted = name === "ExecutionStatus" ? value.replace(/^Canceled$/i, "Cancelled").toLowerCase() : value;
    return (info: WorkflowExecutionInfo) => read(info) === wanted;
  });
  return (info) => terms.every((matches) => matches(info));
}

/** Whether a search attribute has a value, or its list holds it. */
function hasAttribute(name: string, value: string): Matches {
  return ({ searchAttributes }) =>
    Object.hasOwn(searchAttributes, name) && searchAttributes[name]!.map(textOf).includes(value);
}

/** Lists the workflows of a server that match, in the order of their start. */
export async function* listed(server: InProcessServer, matches: Matches): AsyncGenerator<WorkflowExecutionInfo> {
  for (const state of await server.store.list()) {
    const found = await info(server, state);
    if (matches(found)) yield found;
  }
}
