/**
 * A workflow sleeps for 30 days, in the time of fake timers, on the clock of the system.
 *
 * @param install Installs the fake timers.
 * @param advance Moves their time by some milliseconds.
 */
export async function sleep(install, advance) {
  const load = () => import("@rockpool/workflow");
  const loaded = process.env.IMPORT === "before" ? await load() : undefined;
  install();
  const { Executor } = loaded ?? await load();
  const executor = new Executor();
  const handle = await executor.execute(async (ctx) => {
    await ctx.executeActivity(() => "an activity");
    const before = ctx.now();
    await ctx.sleep(30 * 86_400_000);
    return ctx.now() - before;
  });
  while (executor.openRuns()[0]?.waitsFor[0]?.type !== "timer") await message();
  await advance(30 * 86_400_000);
  const ms = await handle.result();
  await executor.close();
  if (ms !== 30 * 86_400_000) throw new Error(`The workflow slept for ${ms} ms`);
}

/** Real time passes: nobody fakes messages. */
function message() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(null);
  });
}
