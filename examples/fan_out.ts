/**
 * Counts the words of many pages, three pages at a time, and adds them up. After a crash in the middle, only the pages in flight
 * are read again.
 *
 * `deno run examples/fan_out.ts`
 *
 * @module
 */

import { activity, Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";

/** The outside world: the pages, how many are being read, and how often each was read. */
const library = new Map([
  ["dawn", "the lake is still and the lake is grey"],
  ["rain", "rain on the lake rain on the reeds"],
  ["noon", "the heron waits"],
  ["wind", "wind in the reeds"],
  ["dusk", "the heron is still"],
  ["moon", "grey reeds grey lake"],
  ["dark", "rain"],
]);
const reads = new Map<string, number>();
let reading = 0;
let mostAtOnce = 0;
let onRead: () => void = () => {};

const countWords = activity(async (page: string): Promise<Map<string, number>> => {
  mostAtOnce = Math.max(mostAtOnce, ++reading);
  reads.set(page, (reads.get(page) ?? 0) + 1);
  onRead();
  const words = new Map<string, number>();
  for await (const word of library.get(page)!.split(" ")) words.set(word, (words.get(word) ?? 0) + 1);
  reading--;
  return words;
}, { name: "countWords", timeoutMs: 10_000, retry: {} });

export async function wordCount(ctx: WorkflowContext, pages: readonly string[]): Promise<[string, number][]> {
  const counts = await ctx.mapConcurrent(pages, 3, (page) => ctx.executeActivity(countWords, page));
  const sum = new Map<string, number>();
  for (const words of counts) {
    for (const [word, count] of words) sum.set(word, (sum.get(word) ?? 0) + count);
  }
  return [...sum].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  reads.clear();
  const store = new InMemoryStore();
  const first = new Executor({ store });
  const stopped = Promise.withResolvers<void>();
  onRead = () => {
    if (reads.size === 5) first.close().then(stopped.resolve);
  };
  await first.execute(wordCount, { id: "poems", input: [...library.keys()] });
  await stopped.promise;
  onRead = () => {};
  const { history } = (await store.load("poems"))!;
  const counted = history.filter(({ type }) => type === "activity_completed").length;
  print(`--- the process dies: ${reads.size} pages begun, ${counted} of them counted; another one recovers`);

  await using second = new Executor({ store, workflows: { wordCount } });
  const [handle] = await second.recover();
  const words = await handle.result() as [string, number][];
  print(`the most frequent words: ${words.slice(0, 4).map(([word, count]) => `${word} ${count}`).join(", ")}`);
  print(`read twice: ${[...reads].filter(([, count]) => count > 1).map(([page]) => page).join(", ")}`);
  print(`at most ${mostAtOnce} at once`);
}

if (import.meta.main) await story(console.log);
