/**
 * What a run asks of the world outside of it, through its invocation: attempts of activities, and calls of other workflows.
 *
 * @module
 */

import type { ActivityContext } from "../../activity.ts";
import { systemClock } from "../../clock.ts";
import type { WorkflowLogger } from "../../context.ts";
import { workflowError } from "../../errors.ts";
import type { AnyActivity } from "../../options.ts";
import type { ParentClosePolicy } from "../../types.ts";
import { toErrorRecord } from "../../history/error_record.ts";
import { toStored } from "../../history/value.ts";
import { callUser, quiet } from "../../util/deferred.ts";
import type { Pump, PumpClock } from "./pump.ts";
import { notFound, unsupported } from "./refusals.ts";
import { callOf, type GenericCall, type RestateContext, type Serde } from "./sdk.ts";
import { Stacks, withoutStacksOfValues } from "./stacks.ts";
import {
  type Answer,
  type DeliverRequest,
  type Message,
  pack,
  type Packed,
  type Refusal,
  type RunReference,
  type RunResult,
  settle,
  type StartRequest,
  unpack,
} from "./wire.ts";

/** The outcome of an attempt, and when it came. */
type Attempt = Answer & { readonly at: number };

export class Outside {
  readonly #context: RestateContext;
  readonly #pump: Pump;
  readonly #clock: PumpClock;
  readonly #record: string;
  readonly #json: Serde;
  readonly #report: (error: unknown) => void;
  /** What must be known before the invocation can end. */
  readonly #open = new Set<Promise<unknown>>();
  readonly #stacks = new Stacks();
  /** Whether the run has ended. */
  ended = false;

  /** @param report Gets the errors of the logger. */
  constructor(
    context: RestateContext,
    pump: Pump,
    clock: PumpClock,
    record: string,
    json: Serde,
    report: (error: unknown) => void,
  ) {
    this.#context = context;
    this.#pump = pump;
    this.#clock = clock;
    this.#record = record;
    this.#json = json;
    this.#report = report;
  }

  /** Writes what the run sends to Restate, which compares it in each replay. */
  pack<T>(value: T): Packed<T> {
    return this.#stacks.withoutOwn(pack(value));
  }

  /** Whether something must be known before the invocation can end. */
  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  #keepOpen<T>(promise: Promise<T>): Promise<T> {
    this.#open.add(promise);
    const done = () => void this.#open.delete(promise);
    promise.then(done, done);
    return promise;
  }

  /** Writes the lines of a run; the context of Restate drops those of a replay. */
  log({ workflowId, runId }: { readonly workflowId: string; readonly runId: string }): WorkflowLogger {
    const write = (level: keyof WorkflowLogger) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      callUser(() => this.#context.console[level](message, { workflowId, runId, ...fields }), this.#report);
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }

  /** The activity that makes an attempt of another one in Restate's journal, which records the outcome. */
  attempt(activity: AnyActivity, name: string): AnyActivity {
    return async (input: never, context: ActivityContext) => {
      const { signal, attempt, workflowId, runId, headers, idempotencyKey } = context;
      const limited: ActivityContext = {
        ...{ signal, attempt, workflowId, runId, headers, idempotencyKey, fence: 0, heartbeatDetails: undefined },
        heartbeat() {
          throw unsupported("run activity", name, "heartbeats", "use timeoutMs, or several activities");
        },
      };
      const packed = await this.#pump.add(this.#context.run(name, async (): Promise<Packed<Attempt>> => {
        let answer: Answer;
        try {
          answer = { result: toStored(await activity(input, limited), "result of activity", name) };
          return withoutStacksOfValues(pack({ ...answer, at: systemClock.now() }));
        } catch (error) {
          return withoutStacksOfValues(pack({ error: toErrorRecord(error), at: systemClock.now() }));
        }
      }));
      const answer = this.#read(packed);
      this.#clock.reach(answer.at);
      return settle(answer);
    };
  }

  /** Starts another workflow. */
  async start(id: string, request: StartRequest): Promise<RunReference> {
    const answer = await this.#keepOpen(this.#call<StartRequest, RunReference | Refusal>(id, "start", request));
    if (!("refused" in answer)) return answer;
    const status = answer.refused === "already_running" ? "is running" : "has finished";
    throw workflowError(answer.refused, "start child workflow", id, `another workflow of this ID ${status}`);
  }

  /** Waits for the end of another workflow, over all runs of its chain. */
  async result(run: RunReference): Promise<unknown> {
    for (let { invocationId } = run;;) {
      const attached = this.#context.invocation(invocationId as never).attach<Packed<RunResult>>();
      const result = this.#read(await this.#pump.add(attached));
      if (result.status !== "continued") return settle(result);
      ({ invocationId } = result.next);
    }
  }

  /** Sends a message to another workflow; resolves when it is accepted. */
  async deliver(id: string, action: string, request: DeliverRequest): Promise<void> {
    const answer = await this.#call<DeliverRequest, RunReference | Refusal>(id, "deliver", request);
    if ("refused" in answer) throw notFound(action, id, answer);
  }

  /** Ends a child when nobody waits for it any more: once its start is known. */
  close(id: string, begun: Promise<RunReference>, policy: ParentClosePolicy): void {
    const kind = policy === "terminate" && this.ended ? "terminate" : "cancel";
    const message: Message = { kind, reason: this.ended ? "its parent has ended" : undefined };
    const end = ({ firstRunId }: RunReference) => {
      const request: DeliverRequest = { message, firstRunId };
      this.#context.genericSend(this.recordCall(id, "deliver", request));
    };
    quiet(this.#keepOpen(begun.then(end, () => {})));
  }

  /** Reads what came from the journal. */
  #read<T>(packed: Packed<T>): T {
    this.#stacks.learn(packed);
    return unpack(packed);
  }

  /** A call of the record of a workflow. */
  recordCall<In>(workflowId: string, method: string, request: In): GenericCall<Packed<In>> {
    return callOf(this.#record, workflowId, method, this.pack(request), this.#json);
  }

  async #call<In, Out>(key: string, method: string, request: In): Promise<Out> {
    const call = this.recordCall(key, method, request);
    return this.#read(await this.#pump.add(this.#context.genericCall<Packed<In>, Packed<Out>>(call)));
  }
}
