/**
 * What happened in a stored run and its children, as source: what the activities did, and what others did to the workflows.
 *
 * @module
 */

import type {
  ActivityStartedEvent,
  ErrorRecord,
  SignalReceivedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
} from "../types.ts";
import { finalStatus } from "../history/history.ts";
import { show } from "../util/show.ts";
import { array, call, type Items, object, type Source, type SourceWriter, text } from "./source.ts";
import { isAtOnce, schedule } from "./test_times.ts";

/** What the attempts of one call of an activity did. */
export interface Call {
  readonly workflowId: string;
  readonly name: string;
  readonly attempts: Source[];
}

export class Script {
  /** What the activities did, in the order of their starts. */
  readonly calls: Call[] = [];
  /** What others do, with its time. */
  readonly deliveries: [at: number, delivery: Items][] = [];
  /** Targets of messages that the run has sent. */
  readonly receivers: Set<string> = new Set();
  /** The end of the recorded time. */
  end = 0;
  readonly #state: WorkflowState;
  readonly #states: readonly WorkflowState[];
  readonly #started: WorkflowStartedEvent;
  readonly #writer: SourceWriter;
  /** When the children begin, by workflow ID. */
  readonly #begins = new Map<string, number>();
  readonly #updates = new Set<string>();

  /** @param states The run, and its children. */
  constructor(states: readonly WorkflowState[], writer: SourceWriter) {
    this.#state = states[0];
    this.#states = states;
    this.#started = states[0].history[0] as WorkflowStartedEvent;
    this.#writer = writer;
    for (const state of states) this.#read(state);
  }

  /** The options of a message: of a signal, or an update. */
  messageOptions(
    { senderId, headers }: Pick<SignalReceivedEvent, "senderId" | "headers">,
    id: string,
    idName: "signalId" | "updateId",
  ): [string, Source][] {
    return [
      ...id.startsWith("~") ? [] : [[idName, text(id)] as [string, Source]],
      ...senderId === undefined ? [] : [["senderId", text(senderId)] as [string, Source]],
      ...headers === undefined ? [] : [["headers", this.#writer.value(headers)] as [string, Source]],
    ];
  }

  /** Reads a history: what happened when. */
  #read({ workflowId, history }: WorkflowState): void {
    const times = schedule(history, this.#started.at, this.#begins.get(workflowId) ?? 0);
    const isMain = workflowId === this.#state.workflowId;
    const calls = new Map<number, Call & { readonly began: number; retryAt: number | undefined }>();
    const heartbeats = new Map<number, Source[]>();
    let withStart = isMain;
    const lastStep = history.findLastIndex((event) => !isMessage(event) && finalStatus(event) === undefined);
    for (const [i, event] of history.entries()) {
      const at = times[i];
      this.end = Math.max(this.end, Math.ceil(at));
      withStart &&= i === 0 || event.type === "signal_received" && event.at === this.#started.at;
      switch (event.type) {
        case "child_started":
          this.#begins.set(event.workflowId, at);
          break;
        case "activity_started":
          if (this.#isMessage(event, history)) break;
          calls.set(event.seq, { workflowId, name: event.name, attempts: [], began: i, retryAt: undefined });
          this.calls.push(calls.get(event.seq)!);
          break;
        case "activity_heartbeat": {
          const beats = heartbeats.get(event.seq) ?? [];
          beats.push(array([String(at), ...event.details === undefined ? [] : [this.#writer.value(event.details)]]));
          heartbeats.set(event.seq, beats);
          break;
        }
        case "activity_attempt_failed":
        case "activity_completed":
        case "activity_failed": {
          const call = calls.get(event.seq);
          if (call === undefined) break;
          if (event.type === "activity_failed" && (event.attempt === 0 || event.error.name === "CanceledError")) break;
          const fields: [string, Source][] = [];
          const atOnce = call.retryAt === undefined ? isAtOnce(history, times, call.began, i) : at <= call.retryAt;
          if (!atOnce) fields.push(["at", String(at)]);
          const beats = heartbeats.get(event.seq);
          if (beats !== undefined) fields.push(["heartbeats", array(beats)]);
          heartbeats.delete(event.seq);
          if ("error" in event) fields.push(["error", this.#writer.error(event.error)]);
          else if (event.result !== undefined) fields.push(["result", this.#writer.value(event.result)]);
          call.attempts.push(object(fields));
          call.retryAt = event.type === "activity_attempt_failed" ? at + event.retryAt - event.at : undefined;
          break;
        }
        default:
          if (!withStart) this.#deliver(event, at, workflowId, isMain, i > lastStep);
      }
    }
  }

  /** Whether an activity delivers a message to another workflow: it is not replaced. */
  #isMessage({ seq, name, input }: ActivityStartedEvent, history: readonly WorkflowEvent[]): boolean {
    const { workflowId } = Object(input) as { readonly workflowId?: unknown };
    if (name !== "signal workflow" && name !== "cancel workflow" || typeof workflowId !== "string") return false;
    const isSent = history.some((event) => event.type === "activity_completed" && event.seq === seq);
    if (isSent) this.receivers.add(workflowId);
    return true;
  }

  /**
   * Writes what somebody else did to a workflow.
   *
   * @param isLate Whether the run did nothing after it but end. In the test it may have ended before.
   */
  #deliver(event: WorkflowEvent, at: number, workflowId: string, isMain: boolean, isLate: boolean): void {
    const id = text(workflowId);
    const close = isLate ? ").catch(() => {})" : ")";
    const payload = (value: unknown, options: [string, Source][]): Source[] => [
      ...value === undefined && options.length === 0 ? [] : [this.#writer.value(value)],
      ...options.length === 0 ? [] : [object(options)],
    ];
    switch (event.type) {
      case "signal_received": {
        // Those of the run's own relatives are sent by them.
        if (event.senderId !== undefined && this.#states.some((one) => one.workflowId === event.senderId)) return;
        const options = this.messageOptions(event, event.signalId, "signalId");
        const args = payload(event.payload, options);
        const signal = call("executor.signal", id, text(event.name), ...args);
        return void this.deliveries.push([at, { ...signal, close }]);
      }
      case "update_requested":
      case "update_accepted": {
        const key = `${workflowId} ${event.updateId}`;
        if (this.#updates.size === this.#updates.add(key).size) return;
        const options = this.messageOptions(event as never, event.updateId, "updateId");
        const update = call("executor.update", id, text(event.name), ...payload(event.input, options));
        return void this.deliveries.push([at, { ...update, close: ").catch(() => {})" }]);
      }
      case "cancel_requested":
        if (event.timeoutMs !== undefined || !isMain) return;
        return void this.deliveries.push([
          at,
          { ...call("executor.cancel", id, ...event.reason === undefined ? [] : [text(event.reason)]), close },
        ]);
      case "workflow_canceled":
        if (event.error.data?.code !== "terminated" || !isMain) return;
        return void this.deliveries.push([
          at,
          call("executor.terminate", id, ...this.#terminationReason(event.error)),
        ]);
    }
  }

  #terminationReason({ message }: ErrorRecord): Source[] {
    const start = `Terminated workflow ${show(this.#state.workflowId)}: `;
    return message.startsWith(start) ? [text(message.slice(start.length))] : [];
  }
}

/** Whether somebody else has sent an event. */
function isMessage({ type }: WorkflowEvent): boolean {
  return type === "signal_received" || type === "update_requested" || type === "cancel_requested";
}
