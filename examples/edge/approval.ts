/**
 * An approval over HTTP: one request asks, another one decides, days later.
 *
 * ```sh
 * curl -X PUT  "localhost:8000/chair?days=7" -d "a chair for 340 euros"
 * curl -X POST localhost:8000/chair/decision -d '{ "approved": true, "by": "Ada" }'
 * curl         localhost:8000/chair
 * ```
 *
 * The files beside this one run it: `server.ts` on Deno, Bun and Node, `worker.ts` in a Cloudflare Worker, `approval_object.ts`
 * in a Durable Object.
 *
 * @module
 */

import { defineSignal, type Executor, TimeoutError, type WorkflowContext } from "@rockpool/workflow";

const DAY_MS = 24 * 60 * 60 * 1000;

interface Decision {
  readonly approved: boolean;
  readonly by: string;
}

const decided = defineSignal<Decision>("decided");

/** Waits for a decision, for some days at most. */
export async function approval(ctx: WorkflowContext, { what, days }: { what: string; days: number }): Promise<string> {
  try {
    const { approved, by } = await ctx.waitForSignal(decided, { timeoutMs: days * DAY_MS });
    return `${what}: ${approved ? "approved" : "refused"} by ${by}`;
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    return `${what}: refused, nobody has decided`;
  }
}

function isDecision(value: unknown): value is Decision {
  const { approved, by } = (value ?? {}) as Partial<Decision>;
  return typeof approved === "boolean" && typeof by === "string";
}

/** Where approvals run: the methods of a Durable Object with workflows, as far as they are used here. */
export interface Approvals {
  start(workflow: "approval", options: { id: string; input: unknown; reuse: "reject" }): Promise<unknown>;
  signal(id: string, name: "decided", decision: Decision, options: { signalId: string | undefined }): Promise<void>;
  result(id: string): Promise<string>;
  describe(id: string): Promise<unknown>;
}

/** The approvals of an executor. */
export function approvalsOf(executor: Executor): Approvals {
  return {
    start: (_, options) => executor.execute(approval, { ...options, onConflict: "join" } as never),
    signal: (id, _, decision, options) => executor.signal(id, decided, decision, options),
    result: async (id) => await (await executor.handle<string>(id)).result(),
    describe: (id) => executor.describe(id),
  };
}

async function answer(approvals: Approvals, request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const [id, action] = pathname.slice(1).split("/");
  if (!id) return new Response("Use PUT /ID, GET /ID or POST /ID/decision\n", { status: 404 });
  switch (`${request.method} ${action ?? ""}`) {
    case "PUT ": { // a client may repeat it: the second request joins the run of the first one
      const input = { what: await request.text(), days: Number(searchParams.get("days") ?? 7) };
      if (!(input.days > 0 && input.days < 1000)) {
        return new Response("Use ?days=N, a number above 0 and below 1000\n", { status: 400 });
      }
      await approvals.start("approval", { id, input, reuse: "reject" });
      return new Response(`${id} is waiting\n`, { status: 202 });
    }
    case "POST decision": {
      const decision = await request.json().catch(() => undefined);
      if (!isDecision(decision)) return new Response(`Send { "approved": true, "by": "…" }\n`, { status: 400 });
      const signalId = request.headers.get("Idempotency-Key") ?? undefined;
      await approvals.signal(id, "decided", decision, { signalId });
      return new Response(`${await approvals.result(id)}\n`);
    }
    case "GET ":
      return Response.json(await approvals.describe(id));
    default:
      return new Response("Use PUT /ID, GET /ID or POST /ID/decision\n", { status: 405 });
  }
}

const STATUS = new Map<unknown, number>([["not_found", 404], ["already_finished", 409]]);

/** Answers a request about an approval. */
export async function handle(approvals: Approvals, request: Request): Promise<Response> {
  try {
    return await answer(approvals, request);
  } catch (error) {
    const status = STATUS.get((error as { code?: unknown }).code); // also of an object elsewhere, whose errors are copies
    if (status === undefined) throw error;
    return new Response(`${(error as Error).message}\n`, { status });
  }
}
