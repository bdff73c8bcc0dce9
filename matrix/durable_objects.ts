/**
 * Tests of `DurableObjectStore` and `workflowObject` in workerd, with the storage and the alarms of real Durable Objects.
 * `deno task edge` runs them after the examples.
 *
 * @module
 */

import type { Build } from "./build.ts";
import { load } from "./install.ts";
import { endsUncalled } from "./stored.ts";
import { run as runProgram, tryInstalled } from "../tools/package/npm.ts";

/** workerd with the objects of `entries/durable_objects.ts`, on a folder that outlives it. */
class Workerd {
  // deno-lint-ignore no-explicit-any -- its types are not there when this module is checked
  #miniflare: any;
  #url: URL | undefined;
  readonly #script: string;
  readonly #folder: string;

  constructor(script: string, folder: string) {
    this.#script = script;
    this.#folder = folder;
  }

  async start(bindings: Record<string, boolean> = {}): Promise<void> {
    const { Miniflare } = load("miniflare");
    this.#miniflare = new Miniflare({
      modules: true,
      script: this.#script,
      compatibilityDate: "2026-04-01",
      host: "127.0.0.1",
      bindings,
      durableObjects: {
        OBJECTS: { className: "Objects", useSQLite: true },
        CONTRACT: { className: "Contract", useSQLite: true },
      },
      durableObjectsPersist: this.#folder,
    });
    this.#url = await this.#miniflare.ready;
  }

  /** Ends the process of workerd, and with it every object. */
  async stop(): Promise<void> {
    await this.#miniflare?.dispose();
    this.#miniflare = undefined;
  }

  async restart(bindings?: Record<string, boolean>): Promise<void> {
    await this.stop();
    await this.start(bindings);
  }

  /** Calls a method of an object by RPC. */
  // deno-lint-ignore no-explicit-any -- the result of any method
  async call(object: string, method: string, ...args: unknown[]): Promise<any> {
    const [kind, name] = object.startsWith("contract") ? ["contract", object] : ["rpc", object];
    const response = await fetch(new URL(`/${kind}/${name}`, this.#url), {
      method: "POST",
      body: JSON.stringify({ method, args }),
    });
    const { value, error } = await response.json();
    if (error !== undefined) throw new Error(error);
    return value;
  }

  /** Sends a request to the HTTP face of an object. */
  async http(method: string, path: string, body?: unknown, headers = {}): Promise<string> {
    const response = await fetch(new URL(`/http/${path}`, this.#url), {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return `${response.status} ${(await response.text()).trim()}`;
  }

  /** Waits until a workflow is completed, although nobody calls its object. */
  endsUncalled(id: string): Promise<void> {
    return endsUncalled(this.#folder, id);
  }

  /** Waits until a workflow has ended. Asks rarely: a question keeps the object in memory. */
  // deno-lint-ignore no-explicit-any -- a description
  ended(object: string, id: string): Promise<any> {
    return eventually(`workflow "${id}" ends`, async () => {
      const description = await this.call(object, "describe", id);
      return description.status === "running" ? undefined : description;
    });
  }
}

async function eventually<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 120_000; Date.now() < end;) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Expected that ${what}`);
}

function equal(actual: unknown, expected: unknown, what = "the answer"): void {
  const [found, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  if (found !== wanted) throw new Error(`Expected ${what} to be ${wanted}, got ${found}`);
}

const CASES: Record<string, (workerd: Workerd) => Promise<void>> = {
  async "DurableObjectStore fulfils the contract of a store in workerd"(workerd) {
    const failed: string[] = [];
    let count = 0;
    for (;; count++) {
      const outcome = await workerd.call(`contract-${count % 8}`, "run", count);
      if (outcome === null) break;
      if (outcome.error !== undefined) failed.push(`${outcome.name}: ${outcome.error}`);
    }
    if (count < 140 || failed.length > 0) throw new Error(`${failed.length} of ${count} cases\n${failed.join("\n")}`);
  },

  async "DurableObjectStore keeps values that are larger than a row"(workerd) {
    for (const size of [400, 1_600_000, 8_000_000]) equal(await workerd.call("contract", "large", size), true);
  },

  async "WorkflowObject resumes when it is evicted before, between and after all steps"(workerd) {
    await workerd.call("steps", "start", "steps", { id: "a" });
    await workerd.restart();
    await workerd.call("steps", "start", "steps", { id: "a" }); // joins
    await workerd.call("steps", "evict").catch(() => {});
    await workerd.call("steps", "signal", "a", "go", "signal", { signalId: "once" });
    await workerd.call("steps", "signal", "a", "go", "signal", { signalId: "once" });
    await workerd.call("steps", "evict").catch(() => {});
    await workerd.restart();
    equal((await workerd.ended("steps", "a")).result, "one,signal,two");
    await workerd.restart();
    equal((await workerd.call("steps", "describe", "a")).historyLength, 9);
  },

  async "WorkflowObject wakes by its alarm when nobody calls it after an eviction"(workerd) {
    await workerd.call("alarm", "start", "short", { id: "a" });
    await workerd.restart();
    await workerd.endsUncalled("a");
    equal((await workerd.ended("alarm", "a")).result, "awake");
  },

  async "WorkflowObject sets its alarm to the end of a sleep of a day, and wakes then"(workerd) {
    await workerd.call("day", "start", "day", { id: "a" });
    await eventually(
      "the alarm is a day ahead",
      async () => (await workerd.call("day", "alarmIn")) > 86_000_000 || undefined,
    );
    await workerd.restart();
    await workerd.call("day", "skip", 86_400_000);
    equal((await workerd.ended("day", "a")).result, "a day later");
    await eventually("there is no alarm", async () => (await workerd.call("day", "alarmIn")) === null || undefined);
  },

  async "WorkflowObject wakes a sleep of a day by its alarm when it was not evicted"(workerd) {
    await workerd.call("awake", "start", "day", { id: "a" });
    await workerd.call("awake", "skip", 86_400_000);
    const isOver = async () => (await workerd.call("awake", "calls")).includes("a day later"); // it does not ask the executor
    await eventually("the workflow continues", async () => await isOver() || undefined);
  },

  async "WorkflowObject has called the code of its runs before a method of its class is called after an eviction"(
    workerd,
  ) {
    const count = 300; // more than run in one macrotask
    const start = (_: unknown, i: number) => workerd.call("first", "start", "noted", { id: `w${i}` });
    await Promise.all(Array.from({ length: count }, start));
    await workerd.restart();
    equal((await workerd.call("first", "calls")).length, count);
  },

  async "WorkflowObject has no alarm while its runs wait for signals only"(workerd) {
    await workerd.call("idle", "start", "waits", { id: "a" });
    await eventually("there is no alarm", async () => (await workerd.call("idle", "alarmIn")) === null || undefined);
  },

  async "WorkflowObject repeats an activity that an eviction has interrupted, without a call"(workerd) {
    await workerd.call("cut", "start", "interrupted", { id: "a", input: 2_000 });
    await eventually(
      "the activity runs",
      async () => (await workerd.call("cut", "calls")).includes("slow 1 true") || undefined,
    );
    await workerd.restart();
    await workerd.endsUncalled("a");
    equal((await workerd.ended("cut", "a")).result, "slow");
  },

  async "WorkflowObject retries a failed activity after an eviction"(workerd) {
    await workerd.call("retry", "forget");
    await workerd.call("retry", "fail", 2);
    await workerd.call("retry", "start", "retried", { id: "a" });
    await eventually(
      "it has failed",
      async () => (await workerd.call("retry", "calls")).includes("flaky") || undefined,
    );
    await workerd.call("retry", "evict").catch(() => {});
    equal((await workerd.ended("retry", "a")).result, "done");
  },

  async "Two WorkflowObjects signal each other, each signal once, over evictions"(workerd) {
    const rounds = 9;
    for (const [name, other] of [["ping", "pong"], ["pong", "ping"]]) {
      await workerd.call(name, "start", "game", { id: "game", input: { other, rounds } });
    }
    await workerd.call("ping", "signal", "game", "ball", 1);
    await workerd.call("pong", "evict").catch(() => {});
    await workerd.restart();
    await workerd.call("ping", "evict").catch(() => {});
    const results = [(await workerd.ended("ping", "game")).result, (await workerd.ended("pong", "game")).result];
    equal(results.sort(), [8, 9]);
  },

  async "WorkflowObject runs 100 workflows in one object over an eviction"(workerd) {
    for (let i = 0; i < 100; i++) await workerd.call("many", "start", "waits", { id: `w${i}` });
    await workerd.restart();
    for (let i = 0; i < 100; i++) await workerd.call("many", "signal", `w${i}`, "go", i);
    for (let i = 0; i < 100; i++) equal((await workerd.ended("many", `w${i}`)).result, i);
  },

  async "WorkflowObject keeps a result that is larger than a row"(workerd) {
    await workerd.call("large", "start", "large", { id: "a", input: 5_000_000 });
    await workerd.restart();
    equal((await workerd.ended("large", "a")).result.length, 5_000_000);
  },

  async "WorkflowObject fails the workflow alone whose code throws, and runs the others"(workerd) {
    await workerd.call("throws", "start", "throwing", { id: "a" });
    await workerd.call("throws", "start", "short", { id: "b" });
    const { status, error } = await workerd.ended("throws", "a");
    equal([status, error.message], ["failed", "thrown by its code"]);
    equal((await workerd.ended("throws", "b")).result, "awake");
  },

  async "WorkflowObject keeps a workflow that is not registered any more, with an alarm, until it is again"(workerd) {
    await workerd.call("gone", "start", "missing", { id: "a" });
    await workerd.restart({ MISSING: true });
    equal((await workerd.call("gone", "describe", "a")).status, "running");
    await eventually("there is an alarm", async () => (await workerd.call("gone", "alarmIn")) > 0 || undefined);
    await workerd.restart();
    await workerd.call("gone", "signal", "a", "go", 1);
    equal((await workerd.ended("gone", "a")).result, 1);
  },

  async "WorkflowObject rejects calls with the reason when its code throws at load, and resumes later"(workerd) {
    await workerd.call("broken", "start", "day", { id: "a" });
    await workerd.restart({ BROKEN: true });
    const refused = await workerd.call("broken", "describe", "a").catch((error) => String(error));
    if (!refused.includes("thrown at load")) throw new Error(refused);
    await workerd.restart();
    await eventually("there is an alarm", async () => (await workerd.call("broken", "alarmIn")) > 0 || undefined);
    equal((await workerd.call("broken", "describe", "a")).status, "running");
  },

  async "WorkflowObject tries again in the same object when its code has thrown at load once"(workerd) {
    await workerd.call("flaky", "start", "waits", { id: "a" });
    await workerd.restart({ FLAKY: true });
    await workerd.call("flaky", "signal", "a", "go", 1);
    equal((await workerd.ended("flaky", "a")).result, 1);
  },

  async "WorkflowObject.fetch() serves each path, and refuses bad input with words"(workerd) {
    const check = async (expected: RegExp, ...request: Parameters<Workerd["http"]>) => {
      const found = await workerd.http(...request);
      if (!expected.test(found)) {
        throw new Error(`Expected ${expected}, got ${found} for ${request.slice(0, 2).join(" ")}`);
      }
    };
    await check(/^404 .*Unknown path/, "GET", "bad/");
    await check(/^404 .*not_found/, "GET", "bad/none");
    await check(/^404 .*unknown_workflow/, "PUT", "bad/a", { workflow: "__proto__" });
    await check(/^404 .*unknown_workflow/, "PUT", "bad/a", { workflow: "toString" });
    await check(/^400 .*must be a string/, "PUT", "bad/a", { workflow: 1 });
    await check(/^400 .*Unknown property/, "PUT", "bad/a", { workflow: "waits", reuse: "replace" });
    await check(/^400 .*not valid JSON/, "PUT", "bad/a", "{");
    await check(/^400 .*JSON object/, "PUT", "bad/a", []);
    await check(/^415 /, "PUT", "bad/a", "{}", { "Content-Type": "text/plain" });
    await check(/^413 /, "PUT", "bad/a", { workflow: "waits", input: "x".repeat(1_000_001) });
    await check(/^400 .*path is not valid/, "GET", "bad/%ff");
    await check(/^405 /, "DELETE", "bad/a");
    await check(/^404 /, "POST", "bad/a/signals/go/more", 1);
    await check(/^400 .*Idempotency-Key/, "POST", "bad/a/signals/go", 1, { "Idempotency-Key": "~x" });
    await check(/^202 /, "PUT", "bad/a", { workflow: "waits" });
    await check(/^400 .*JSON array/, "POST", "bad/a/queries/state", {});
    await check(/^200 .*waiting on/, "POST", "bad/a/queries/state", ["on"]);
    await check(/^200 .*"result":3/, "POST", "bad/a/updates/add", 2);
    await check(/^422 .*above 0/, "POST", "bad/a/updates/add", -1);
    await check(/^400 .*reason/, "POST", "bad/a/cancel", { reason: 1 });
    await check(/^200 .*"status":"running"/, "GET", "bad/a");
    await check(/^202 /, "POST", "bad/a/cancel", { reason: "enough" });
    await eventually(
      "it is canceled",
      async () => (await workerd.http("GET", "bad/a")).includes('"canceled"') || undefined,
    );
    await check(/^404 .*not_found/, "POST", "bad/a/signals/go", 1);
  },

  async "WorkflowObject.fetch() stores a signal and an update of one Idempotency-Key once"(workerd) {
    await workerd.http("PUT", "keys/a", { workflow: "waits" });
    const key = { "Idempotency-Key": "k" };
    for (const input of [2, 5]) equal(await workerd.http("POST", "keys/a/updates/add", input, key), '200 {"result":3}');
    await workerd.http("POST", "keys/a/signals/other", 1, key);
    const { historyLength } = await workerd.call("keys", "describe", "a");
    equal(await workerd.http("POST", "keys/a/signals/other", 1, key), "202 {}");
    equal((await workerd.call("keys", "describe", "a")).historyLength, historyLength);
    await workerd.http("POST", "keys/a/signals/other", 1);
    equal((await workerd.call("keys", "describe", "a")).historyLength, historyLength + 1);
  },
};

/** Checks that the types of the platform fit those that the package has of its own. */
async function checkTypes({ folder }: Build): Promise<void> {
  const modules = await tryInstalled({ "@cloudflare/workers-types": "5.20261117.1" });
  if (modules === undefined) throw new Error("npm does not answer");
  const project = `${folder}/types`;
  await Deno.mkdir(`${project}/node_modules`, { recursive: true });
  await Deno.symlink(`${modules}/@cloudflare`, `${project}/node_modules/@cloudflare`);
  await Deno.symlink(`${folder}/node_modules/@rockpool`, `${project}/node_modules/@rockpool`);
  await Deno.writeTextFile(`${project}/package.json`, `{ "type": "module" }`);
  const compilerOptions = { lib: ["esnext"], types: ["@cloudflare/workers-types/experimental"], strict: true };
  await Deno.writeTextFile(`${project}/deno.json`, JSON.stringify({ nodeModulesDir: "manual", compilerOptions }));
  const source = `
import { DurableObject } from "cloudflare:workers";
import type { WorkflowContext } from "@rockpool/workflow";
import { DurableObjectStore, workflowObject } from "@rockpool/workflow/durable-object";

interface Env { readonly ORDERS: DurableObjectNamespace<Orders>; readonly KEY: string }
const order = async (ctx: WorkflowContext, item: string) => await ctx.executeActivity(() => item);
export class Orders extends workflowObject(DurableObject<Env>, (env: Env) => ({ workflows: { order }, workflowVersion: env.KEY })) {
  override async fetch(request: Request): Promise<Response> {
    new DurableObjectStore(this.ctx.storage);
    return await super.fetch(request);
  }
}
export default {
  async fetch(_request: Request, { ORDERS }: Env): Promise<Response> {
    const stub = ORDERS.getByName("a");
    const { runId }: { runId: string } = await stub.start("order", { id: "a", input: "shell" });
    await stub.signal("a", "paid", { cents: 1 }, { signalId: runId });
    const text = await stub.result("a") as string;
    const { status }: { status: string } = await stub.describe("a");
    return new Response(text + status);
  },
};
`;
  await Deno.writeTextFile(`${project}/main.ts`, source);
  await runProgram(Deno.execPath(), ["check", "--quiet", "main.ts"], project);
}

/**
 * Runs all cases, each on a workerd of its own that it may end.
 *
 * @param only A part of the names of the cases to run.
 * @returns Whether all passed. If workerd is not installed: whether this is not CI.
 */
export async function testObjects(build: Build, only = ""): Promise<boolean> {
  if (load("miniflare") === undefined) {
    console.log("Durable Objects: left out, because not installed (deno task matrix --install installs it)");
    return !Deno.env.get("CI");
  }
  const script = await Deno.readTextFile(await build.bundle("durable_objects", true));
  let failed = 0;
  const test = async (name: string, body: () => Promise<void>) => {
    try {
      await body();
      console.log(`ok: ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED: ${name}: ${error instanceof Error ? error.stack : error}`);
    }
  };
  if (only === "") await test("the types of @cloudflare/workers-types fit", () => checkTypes(build));
  for (const [name, run] of Object.entries(CASES).filter(([name]) => name.includes(only))) {
    await test(name, async () => {
      const folder = await Deno.makeTempDir({ prefix: "rockpool-objects-" });
      const workerd = new Workerd(script, folder);
      try {
        await workerd.start();
        await run(workerd);
      } finally {
        await workerd.stop();
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
  return failed === 0;
}
