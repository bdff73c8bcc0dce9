/** The workflows of `examples/`, unchanged, on an executor and on a Restate server: callers see the same. */

import { assertEquals } from "@std/assert";
import { Executor, InMemoryStore } from "@rockpool/workflow";
import { RestateClient } from "@rockpool/workflow/restate";
import { RestateServer } from "../../tools/restate/server.ts";
import { prepare, workflows } from "./example_services.ts";
import { type Face, scenarios } from "./scenarios.ts";
import { type Mode, modules, Worker } from "./workers.ts";

/**
 * By request and response, a run hears of no message while an activity is in progress: the request is complete, and the answer ends only
 * at a wait. So nobody can stop the tool of an agent there.
 */
const NEEDS_A_STREAM = Object.keys(scenarios).filter((name) => name.startsWith("agent.ts"));

/** Runs scenarios, all at once. */
async function play(face: Face, names: readonly string[]): Promise<Map<string, unknown>> {
  const late = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => late.resolve("it has not ended after three minutes"), 180_000);
  const results = names.map(async (name): Promise<[string, unknown]> => {
    const result = scenarios[name](face).catch((error: unknown) => error);
    return [name, await Promise.race([result, late.promise])];
  });
  try {
    return new Map(await Promise.all(results));
  } finally {
    clearTimeout(timer);
  }
}

Deno.test("examples/ run unchanged on an executor and on Restate", async (t) => {
  await prepare();
  await using executor = new Executor({ store: new InMemoryStore(), workflows });
  const all = Object.keys(scenarios);
  const expected = play(executor as Face, all);
  await using server = await RestateServer.start(modules);
  for (const mode of ["bidirectional", "request-response"] as Mode[]) {
    await using worker = await Worker.start(new URL("example_services.ts", import.meta.url), { mode, arg: mode });
    await server.registerDeployment(worker.url);
    const names = all.filter((name) => mode === "bidirectional" || !NEEDS_A_STREAM.includes(name));
    const client = new RestateClient(server.ingressUrl, { workflows, name: mode });
    const actual = await play(client as unknown as Face, names);
    for (const name of names) {
      await t.step(`${name} (${mode})`, async () => assertEquals(actual.get(name), (await expected).get(name)));
    }
  }
});
