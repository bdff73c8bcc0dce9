/** Activities that sleep, in a crash test of their workflow. */

import { assertEquals } from "@std/assert";
import { proxyActivities, TemporalHost } from "@rockpool/workflow/temporal";
import { activityInfo, sleep } from "@rockpool/workflow/temporal/activity";
import { crashTest } from "@rockpool/workflow/testing";

async function ship(id: string): Promise<string> {
  await sleep("3 days");
  return `${id} in attempt ${activityInfo().attempt}`;
}

async function order(id: string): Promise<string> {
  return await proxyActivities<{ ship: typeof ship }>({ startToCloseTimeout: "1 week" }).ship(id);
}

Deno.test("TemporalHostOptions.activityEnvironment with skipSleeps lets a crash test of activities that sleep take no time", async () => {
  const host = new TemporalHost({
    workflows: { order },
    activities: { ship },
    activityEnvironment: { skipSleeps: true },
  });
  await crashTest(host.workflow("order"), {
    input: ["o7"],
    ...host.crashOptions,
    check: ({ result }) => assertEquals(result, "o7 in attempt 1"),
  });
});
