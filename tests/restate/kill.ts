/** `kill -9` of the worker and of the server, and of one of three servers under load: no run is lost, and no finished step runs again. */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowEvent } from "@rockpool/workflow";
import { RestateClient } from "@rockpool/workflow/restate";
import { RestateCluster, RestateServer } from "../../tools/restate/server.ts";
import { KILLED, workflows } from "./kill_services.ts";
import { append, Journal, type Mode, modules, until, Worker } from "./workers.ts";

const services = new URL("kill_services.ts", import.meta.url);

/** The tokens of each step of a workflow, in the order of the file. The steps before 1 may be in flight beside the others, in a race. */
function stepsOf(journal: Journal, id: string, isRace = false): Map<string, string[]> {
  const steps = new Map<string, string[]>();
  let last = "";
  for (const line of journal.lines()) {
    if (!line.startsWith(`${id} `)) continue;
    const [, step, token] = /^\S+ (.+) (\S+)$/.exec(line)!;
    // A step whose successor has begun is finished.
    assert(step[0] >= last || isRace && step[0] === "0", `${id}: step ${step} ran again after step ${last}`);
    if (step[0] > last) last = step[0];
    steps.set(step, [...steps.get(step) ?? [], token]);
  }
  return steps;
}

/** Checks the result of a workflow of steps: it has the token of the last attempt of each. Returns how often each step ran. */
function checkTokens(journal: Journal, id: string, tokens: readonly string[]): number[] {
  const steps = stepsOf(journal, id);
  assertEquals(tokens, Array.from(steps.values(), (attempts) => attempts.at(-1)!));
  return Array.from(steps.values(), (attempts) => attempts.length);
}

/** Checks the result of a race: each replay has seen the same winner, and the same order. */
function checkRace(journal: Journal, [winner, order]: readonly string[]): void {
  const later = [...stepsOf(journal, "w", true).keys()].filter((step) => step[0] !== "0");
  assertEquals(later, [`1 ${winner}`, `2 ${order}`, `3 ${winner} ${order}`]);
  assertEquals(order.split(",")[0], winner);
}

for (const mode of ["bidirectional", "request-response"] as Mode[]) {
  for (const victim of ["worker", "server"] as const) {
    /** Starts a workflow, kills the victim when it is there, starts it again, and waits for the end of the workflow. */
    const killed = async <Result>(
      workflow: "chain" | "slow" | "race",
      input: unknown,
      isThere: (client: RestateClient, journal: Journal) => Promise<boolean>,
      check: (journal: Journal, result: Result) => void,
    ) => {
      using journal = new Journal();
      await using server = await RestateServer.start(modules, { inactivityMs: 100 });
      await using worker = await Worker.start(services, { mode, arg: journal.path });
      await server.registerDeployment(worker.url);
      const client = new RestateClient(server.ingressUrl, { workflows });
      const handle = await client.execute(workflow, { id: "w", input });
      await until("the workflow is there", () => isThere(client, journal));
      await { worker, server }[victim].kill();
      append(journal.path, KILLED);
      await { worker, server }[victim].start();
      check(journal, await handle.result() as Result);
    };
    const has = async (client: RestateClient, type: WorkflowEvent["type"]) => {
      const state = await client.load("w");
      return state !== null && state.history.some((event) => event.type === type);
    };

    Deno.test(`restateServices() (${mode}) sleeps on when the ${victim} is killed in a sleep`, async () => {
      await killed<string[]>(
        "chain",
        { steps: 2, pauseMs: 1500 },
        (client) => has(client, "timer_started"),
        (journal, tokens) => assertEquals(checkTokens(journal, "w", tokens)[0], 1),
      );
    });

    Deno.test(`restateServices() (${mode}) runs an activity again when the ${victim} is killed in it`, async () => {
      await killed<string[]>(
        "slow",
        undefined,
        (_, journal) => Promise.resolve(journal.lines().length >= 2),
        (journal, tokens) => assertEquals(checkTokens(journal, "w", tokens), [1, 2, 1]),
      );
    });

    Deno.test(`restateServices() (${mode}) has one winner of a race when the ${victim} is killed in it`, async () => {
      await killed<string[]>(
        "race",
        "in",
        (_, journal) => Promise.resolve(journal.lines().length >= 2),
        checkRace,
      );
    });

    Deno.test(`restateServices() (${mode}) keeps the winner of a race when the ${victim} is killed after it`, async () => {
      await killed<string[]>(
        "race",
        "after",
        (_, journal) => Promise.resolve(journal.lines().some((line) => line.startsWith("w 1 "))),
        checkRace,
      );
    });
  }
}

Deno.test("restateServices() loses no run and repeats no finished activity when one of three servers is killed under load", async () => {
  using journal = new Journal();
  await using cluster = await RestateCluster.start(modules, 3, { partitions: 6 });
  await using worker = await Worker.start(services, { arg: journal.path });
  await cluster.registerDeployment(worker.url);
  const [first, second, third] = cluster.nodes;
  // Each client knows one server; that of the killed one is not used any more.
  const clients = [second, third].map(({ ingressUrl }) =>
    new RestateClient(ingressUrl, { workflows, retryForMs: 60_000 })
  );
  const start = async (id: string, i: number) =>
    [id, await clients[i % 2].execute(workflows.chain, { id, input: { steps: 8, pauseMs: 100 } })] as const;
  // A new cluster elects its leaders first: so the first of these runs can be far ahead of the last one.
  const before = Promise.all(Array.from({ length: 40 }, (_, i) => start(`before-${i}`, i)));
  await until("the load is on its way", () => journal.lines().length > 80);
  await first.kill();
  const after = await Promise.all(Array.from({ length: 20 }, (_, i) => start(`after-${i}`, i)));
  let repeated = 0;
  for (const [id, handle] of [...await before, ...after]) {
    const counts = checkTokens(journal, id, await handle.result() as string[]);
    assertEquals(counts.length, 8);
    repeated += counts.filter((count) => count > 1).length;
  }
  assert(repeated <= 60, `${repeated} steps ran again: at most one of each run can be in flight at a kill`);
});
