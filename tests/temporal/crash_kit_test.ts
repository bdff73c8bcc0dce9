/** What the crash tests of the kit say about a host with several workflows, and how long they take. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { proxyActivities, sleep, TemporalHost } from "@rockpool/workflow/temporal";
import { log } from "@rockpool/workflow/temporal/activity";
import { crashTest, CrashTestError, replace, TestExecutor } from "@rockpool/workflow/testing";

const { act } = proxyActivities<{ act(): Promise<string> }>({
  startToCloseTimeout: "10 seconds",
  retry: { maximumAttempts: 2 },
});

async function guilty(): Promise<void> {
  if (Math.random() < 2) await act(); // always
  await sleep(Math.floor(performance.now() * 1000) % 1_000_000 + 1);
}

async function innocent(): Promise<number> {
  await sleep(1);
  return Math.random();
}

Deno.test("crashTest() of a Temporal workflow hints at the lines of this workflow, and not at those of others of its host", async () => {
  const host = new TemporalHost({ workflows: { guilty, innocent }, activities: { act: () => Promise.resolve("") } });
  const { message } = await assertRejects(
    () => crashTest(host.workflow("guilty"), { input: [], ...host.crashOptions }),
    CrashTestError,
  );
  assertStringIncludes(message, 'of workflow "guilty" has `');
  assert(!message.includes("innocent"), message);
});

Deno.test("crashTest() of a Temporal workflow is not held up by an activity that never ends if the host has skipSleeps", async () => {
  const host = new TemporalHost({
    workflows: { waiting: () => act().catch(({ cause }) => cause.message) },
    activities: { act: () => new Promise(() => {}) },
    activityEnvironment: { skipSleeps: true },
  });
  // Otherwise an activity that holds up three runs is refused.
  const { points, undisturbed } = await crashTest(host.workflow("waiting"), { input: [], ...host.crashOptions });
  assert(points > 10, `${points} points`);
  assertEquals(undisturbed.result, 'Activity "act" timed out after 10000 ms in attempt 2');
});

Deno.test("log of an activity writes to the logger of the executor, which is silent in a crash test", async () => {
  const lines: string[] = [];
  const note = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    void lines.push(`${level} ${message} of ${fields?.activityType} in ${fields?.workflowId}`);
  const logger = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
  const act = () => {
    log.trace("begins");
    log.warn("is slow");
  };
  const { act: call } = proxyActivities<{ act(): Promise<void> }>({ startToCloseTimeout: 1000 });
  const host = new TemporalHost({ workflows: { logging: () => call() }, activities: { act } });
  await using executor = new TestExecutor({ ...host.executorOptions, logger });
  await (await executor.execute(host.workflow("logging"), { id: "w", input: [] })).result();
  assertEquals(lines, ["debug begins of act in w", "warn is slow of act in w"]);
  const { error } = console;
  console.error = (line: string) => void lines.push(line);
  try {
    await crashTest(host.workflow("logging"), { input: [], ...host.crashOptions });
  } finally {
    console.error = error;
  }
  assertEquals(lines.length, 2);
});

Deno.test("crashTest() of a Temporal workflow names a replacement that no activity has used, also with skipSleeps", async () => {
  const host = new TemporalHost({
    workflows: { calling: () => act() },
    activities: { act: () => Promise.resolve("done") },
    activityEnvironment: { skipSleeps: true },
  });
  const activities = [replace("atc", () => "fake")];
  const { message } = await assertRejects(
    () => crashTest(host.workflow("calling"), { input: [], activities, ...host.crashOptions }),
    CrashTestError,
  );
  assertStringIncludes(message, 'No activity "atc" ran; without a replacement ran "act"');
});
