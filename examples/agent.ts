/**
 * An agent: a model answers, its answer calls tools, and the model is asked again with what the tools returned.
 *
 * - The calls of one answer run in parallel, each in a scope of its own. A stop button cancels one of them.
 * - A dangerous tool waits for an approval, which is an update with validation.
 * - The agent has a deadline and a number of answers. A query shows its transcript.
 * - It continues as new before its history is long.
 *
 * The model is a function that is given in. Here it is a script.
 *
 * `deno run examples/agent.ts`
 *
 * @module
 */

import {
  activity,
  type ActivityContext,
  type ActivityOptions,
  defineQuery,
  defineSignal,
  defineUpdate,
  Executor,
  InMemoryStore,
  NonRetryableError,
  type ScopeContext,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";

export interface ToolCall {
  readonly id: string;
  readonly tool: string;
  readonly input: string;
}

export type Message =
  | { readonly role: "user"; readonly text: string }
  | { readonly role: "assistant"; readonly text: string; readonly calls: readonly ToolCall[] }
  | { readonly role: "tool"; readonly callId: string; readonly text: string };

export type Answer = Extract<Message, { role: "assistant" }>;
export type Model = (transcript: readonly Message[], context: ActivityContext) => Answer | Promise<Answer>;

export interface Tool {
  readonly run: (input: string, context: ActivityContext) => string | Promise<string>;
  readonly isDangerous?: boolean;
}

/** The input of an agent. */
export interface Task {
  readonly transcript: readonly Message[];
  /** How often the model may answer. */
  readonly answersLeft: number;
  /** In milliseconds since the epoch. */
  readonly deadlineAt: number;
}

/** Whether a call needs an approval, and what was decided. */
type Approval = "not needed" | "needed" | "given" | "refused";

export const transcriptOf = defineQuery<{
  readonly transcript: readonly Message[];
  readonly openCalls: Readonly<Record<string, Approval>>;
}>("transcript");
export const decide = defineUpdate<void, { readonly callId: string; readonly approval: "given" | "refused" }>("decide");
export const stop = defineSignal<string>("stop");

/** What an agent is made of. */
export interface AgentOptions {
  readonly model: Model;
  readonly tools: Readonly<Record<string, Tool>>;
  /** From how many events in its history on it continues as new. */
  readonly maxEvents?: number;
}

/** Makes the workflow of an agent. */
export function createAgent(
  { model, tools, maxEvents = 1000 }: AgentOptions,
): (ctx: WorkflowContext<Task>, task: Task) => Promise<string> {
  const askModel = activity(model, { name: "askModel", timeoutMs: 120_000, retry: { maxAttempts: 5 } });
  const toolOptions: ActivityOptions = { timeoutMs: 30_000, retry: { initialIntervalMs: 1000 } };

  return async function agent(ctx, { transcript: earlier, answersLeft, deadlineAt }) {
    const transcript = [...earlier];
    const openCalls = new Map<string, { readonly ctx: ScopeContext; approval: Approval }>();

    ctx.handleQuery(transcriptOf, () => ({
      transcript,
      openCalls: Object.fromEntries([...openCalls].map(([id, { approval }]) => [id, approval])),
    }));
    ctx.handleUpdate(decide, ({ callId, approval }) => void (openCalls.get(callId)!.approval = approval), {
      validate({ callId }) {
        if (openCalls.get(callId)?.approval === "needed") return;
        throw new RangeError(`Cannot decide on call "${callId}": it does not wait for an approval`);
      },
    });
    ctx.handleSignal(stop, (callId) => openCalls.get(callId)?.ctx.cancel("stopped by the user"));

    /** Runs a tool in a scope of its own. */
    const runTool = (ctx: WorkflowContext, { id, tool, input }: ToolCall) =>
      ctx.scope(async (ctx) => {
        const { run, isDangerous } = tools[tool] ?? { run: unknownTool };
        const call = { ctx, approval: isDangerous ? "needed" : "not needed" as Approval };
        openCalls.set(id, call);
        await ctx.waitUntil(() => call.approval !== "needed");
        if (call.approval === "refused") return "The user refused this call";
        return await ctx.executeActivity(run, input, { name: tool, ...toolOptions });
      }).finally(() => openCalls.delete(id));

    /** What the model reads about a call. An error of a call, also "stopped by the user", does not end the agent. */
    const resultOf = async (ctx: WorkflowContext, call: ToolCall): Promise<Message> => {
      try {
        return { role: "tool", callId: call.id, text: await runTool(ctx, call) };
      } catch (error) {
        if (ctx.signal.aborted) throw error; // the whole agent ends
        return { role: "tool", callId: call.id, text: (error as Error).message };
      }
    };

    return await ctx.scope(async (ctx) => {
      for (; answersLeft > 0; answersLeft--) {
        if (ctx.historyLength >= maxEvents) await ctx.continueAsNew({ transcript, answersLeft, deadlineAt });
        const answer = await ctx.executeActivity(askModel, transcript);
        transcript.push(answer);
        if (answer.calls.length === 0) return answer.text;
        transcript.push(...await Promise.all(answer.calls.map((call) => resultOf(ctx, call))));
      }
      return "I may not ask the model again";
    }, { timeoutMs: Math.max(0, deadlineAt - ctx.now()) });
  };
}

function unknownTool(): never {
  throw new NonRetryableError("There is no such tool");
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  const files = new Set(["draft.txt"]);
  let searching = Promise.withResolvers<void>();
  const tools: Record<string, Tool> = {
    search: {
      run: (place, { signal }) =>
        place === "disk" ? "found draft.txt" : new Promise((_, reject) => { // a search in the archive takes very long
          signal.addEventListener("abort", () => reject(signal.reason));
          searching.resolve();
        }),
    },
    deleteFile: { run: (file) => files.delete(file) ? `deleted ${file}` : `there is no ${file}`, isDangerous: true },
  };
  const script: Answer[] = [
    {
      role: "assistant",
      text: "I search for drafts, and delete the one that I know",
      calls: [
        { id: "c1", tool: "search", input: "disk" },
        { id: "c2", tool: "search", input: "archive" },
        { id: "c3", tool: "deleteFile", input: "draft.txt" },
      ],
    },
    { role: "assistant", text: "The drafts on the disk are deleted", calls: [] },
  ];
  const model: Model = (transcript) => script[transcript.filter(({ role }) => role === "assistant").length];
  const agent = createAgent({ model, tools });
  const clock = new VirtualClock();
  const options = { store: new InMemoryStore(), clock, workflows: { agent } };

  const first = new Executor(options);
  const transcript: Message[] = [{ role: "user", text: "Delete my drafts" }];
  await first.execute(agent, { id: "a1", input: { transcript, answersLeft: 10, deadlineAt: clock.now() + 3_600_000 } });
  await searching.promise;
  await first.close();
  print("--- the process dies while one call runs and another one waits for approval; another process recovers");

  searching = Promise.withResolvers();
  await using second = new Executor(options);
  const [handle] = await second.recover();
  await searching.promise;
  print(`open calls: ${JSON.stringify((await second.query("a1", transcriptOf)).openCalls)}`);
  await second.update("a1", decide, { callId: "c2", approval: "given" }).catch((error) => print(error.message));
  await second.update("a1", decide, { callId: "c3", approval: "given" });
  await second.signal("a1", stop, "c2");
  await handle.result();
  for (const message of (await second.query("a1", transcriptOf)).transcript) {
    print(`${message.role === "tool" ? message.callId : message.role}: ${message.text}`);
  }
}

if (import.meta.main) await story(console.log);
