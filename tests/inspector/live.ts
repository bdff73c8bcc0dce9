/** Pages that change while they are looked at, and time travel. */

import { assert, assertEquals } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  type StoreListener,
  type WorkflowContext,
  type WorkflowStore,
} from "@rockpool/workflow";
import { inspector } from "@rockpool/workflow/inspector";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { until, type Visit } from "./support/browser.ts";
import { Inspected, Server } from "./support/server.ts";
import { shared, sharedBrowser } from "./support/shared.ts";

const browser = await sharedBrowser();
const inspected = await shared(Inspected.start({ actions: true }));

/** A workflow that appends an event for each signal. */
const count = async (ctx: WorkflowContext) => {
  for await (const number of ctx.receiveSignal<number>("add")) {
    await ctx.sideEffect(() => number);
    if (number < 0) return "counted";
  }
};

/** An inspector of a store in which something happens. */
function start(store: WorkflowStore = new InMemoryStore()) {
  let listeners = 0;
  const counted: WorkflowStore = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "subscribe" || value === undefined) return typeof value === "function" ? value.bind(target) : value;
      return (listener: StoreListener) => {
        listeners++;
        const unsubscribe = target.subscribe!(listener);
        return () => {
          listeners--;
          unsubscribe();
        };
      };
    },
  });
  const executor = new Executor({ store });
  const server = new Server(inspector({ store: counted, executor, actions: true }));
  return {
    executor,
    url: server.url,
    run: `${server.url}?id=a`,
    listeners: () => listeners,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await executor.close();
    },
  };
}

const MARK = "globalThis.loadedOnce = true";
const connected = (visit: Visit) => visit.until("document.querySelector('[data-live]:not([hidden])')");
const text = (part: string) => `document.querySelector("main").textContent.includes(${JSON.stringify(part)})`;

Deno.test("inspector() shows a new run in the list without loading the page again", async () => {
  await using world = start();
  await using visit = await browser.open(world.url);
  await connected(visit);
  await visit.run(MARK);
  await world.executor.execute(count, { id: "brand-new" });
  await visit.until(text("brand-new"));
  assertEquals(await visit.run("globalThis.loadedOnce"), true);
  visit.assertQuiet();
});

Deno.test("inspector() shows new events and the end of a run", async () => {
  await using world = start();
  const handle = await world.executor.execute(count, { id: "a" });
  await using visit = await browser.open(world.run);
  await connected(visit);
  await visit.run(MARK);
  await world.executor.signal("a", "add", 4711);
  await visit.until(text("4711"));
  await world.executor.signal("a", "add", -1);
  await handle.result();
  await visit.until(text("completed"));
  assertEquals(await visit.run("globalThis.loadedOnce"), true);
  visit.assertQuiet();
});

Deno.test(
  "inspector() keeps focus, selection, scroll position, open menus and what is typed when a page changes",
  async () => {
    await using world = start();
    await world.executor.execute(count, { id: "a" });
    for (let i = 0; i < 60; i++) await world.executor.signal("a", "add", i);
    await using visit = await browser.open(world.run, { height: 500 });
    await connected(visit);
    await visit.page.click("summary:has-text('Signal')");
    await visit.page.fill("details[open] textarea", '{ "typed": true }');
    await visit.page.focus("details[open] textarea");
    await visit.run("scrollTo(0, 120)");
    await visit.run(`(() => {
    const heading = document.querySelector("h1").firstChild;
    globalThis.kept = document.querySelector("details[open] textarea");
    document.querySelector("details[open] textarea").setSelectionRange(2, 7);
  })()`);
    const before = await visit.run("scrollY");
    await world.executor.signal("a", "add", 4711);
    await visit.until(text("4711"));
    const state = await visit.run(`(() => {
    const { activeElement: area } = document;
    return [area === kept, area.value, area.selectionStart, area.selectionEnd, !!area.closest("details[open]"), scrollY];
  })()`);
    assertEquals(state as unknown, [true, '{ "typed": true }', 2, 7, true, before]);
    visit.assertQuiet();
  },
);

Deno.test("inspector() keeps the focus on a run of the list when other runs appear before it", async () => {
  await using world = start();
  await world.executor.execute(count, { id: "first" });
  await using visit = await browser.open(world.url);
  await connected(visit);
  await visit.page.keyboard.press("j");
  assertEquals(await visit.run("document.activeElement.textContent"), "first");
  await world.executor.execute(count, { id: "second" });
  await visit.until(text("second"));
  assertEquals(await visit.run("document.activeElement.textContent"), "first");
});

Deno.test("inspector() loads a page a few times when 5,000 changes happen", async () => {
  await using world = start();
  await world.executor.execute(count, { id: "a" });
  await using visit = await browser.open(world.url);
  await connected(visit);
  let loads = 0;
  visit.page.on("request", () => loads++);
  const begin = Date.now();
  for (let i = 0; i < 50; i++) {
    await Promise.all(Array.from({ length: 100 }, () => world.executor.signal("a", "add", i)));
  }
  await world.executor.execute(count, { id: "last" });
  await visit.until(text("last"));
  const seconds = (Date.now() - begin) / 1000;
  assert(loads <= 3 * seconds + 4, `${loads} loads in ${seconds} s`);
});

Deno.test("inspector() leaves nothing behind when browsers go away", async () => {
  await using world = start();
  await world.executor.execute(count, { id: "a" });
  {
    await using one = await browser.open(world.url);
    await using two = await browser.open(world.run);
    await Promise.all([connected(one), connected(two)]);
    assertEquals(world.listeners(), 2);
    await one.go("about:blank");
    await until("one listens", () => world.listeners() === 1);
  }
  await until("nobody listens", () => world.listeners() === 0);
});

Deno.test("inspector() has no stream for a page that nobody sees, and loads it when it is seen again", async () => {
  await using world = start();
  await using visit = await browser.open(world.url);
  await connected(visit);
  const hide = (hidden: boolean) =>
    visit.run(`Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"))`);
  await hide(true);
  await until("nobody listens", () => world.listeners() === 0);
  await world.executor.execute(count, { id: "meanwhile" });
  await hide(false);
  await visit.until(text("meanwhile"));
});

Deno.test("inspector() shows changes when the server was away for a while", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  let away = false;
  const inspect = inspector({ store, executor });
  const streams = new Set<AbortController>();
  await using server = new Server(async (request) => {
    if (away) return new Response("away", { status: 503 });
    const response = await inspect(request);
    if (!request.url.includes("events")) return response;
    const ending = new AbortController();
    streams.add(ending);
    const { readable, writable } = new TransformStream();
    response.body!.pipeTo(writable, { signal: ending.signal }).catch(() => {});
    return new Response(readable, response);
  });
  await using visit = await browser.open(server.url);
  await connected(visit);
  away = true;
  for (const stream of streams) stream.abort();
  await visit.until("document.querySelector('[data-live]').hidden");
  await executor.execute(count, { id: "meanwhile" });
  away = false;
  await visit.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  await visit.until(text("meanwhile"));
});

Deno.test("inspector() polls when the store reports no changes", async () => {
  const store: WorkflowStore = Object.assign(new InMemoryStore(), { subscribe: undefined }) as never;
  await using executor = new Executor({ store });
  await using server = new Server(inspector({ store, executor }));
  await executor.execute(count, { id: "a" });
  await using visit = await browser.open(`${server.url}?id=a`);
  await visit.run(MARK);
  await executor.signal("a", "add", 4711);
  await visit.until(text("4711"));
  assertEquals(await visit.run("globalThis.loadedOnce"), true);
});

Deno.test("inspector() shows what happens in a store in a file", async () => {
  await using store = await SqliteStore.open(":memory:");
  await using world = start(store);
  await using visit = await browser.open(world.url);
  await connected(visit);
  await world.executor.execute(count, { id: "in-sqlite" });
  await visit.until(text("in-sqlite"));
  visit.assertQuiet();
});

Deno.test("inspector() shows the run as of each event when the slider is moved by keys", async () => {
  await using visit = await browser.open(inspected.at({ id: "RP-1001" }));
  await visit.run(MARK);
  await visit.page.focus("[data-slider]");
  const length: number = Number(await visit.run("document.activeElement.max"));
  for (let at = length - 1; at >= length - 4; at--) {
    await visit.page.keyboard.press("ArrowLeft");
    await visit.until(`new URL(location).searchParams.get("at") === "${at}"`);
    await visit.until(`document.querySelector("output").textContent.startsWith("${at}")`);
  }
  await visit.until(`!${text("PT-POR-1001")}`);
  assertEquals(await visit.run("[loadedOnce, document.activeElement.matches('[data-slider]')]") as unknown, [
    true,
    true,
  ]);
  await visit.page.keyboard.press("End");
  await visit.until(text("PT-POR-1001"));
  visit.assertQuiet();
});

Deno.test(
  "inspector() goes through the events by the buttons beside the slider, and back by the browser's",
  async () => {
    await using visit = await browser.open(inspected.at({ id: "RP-1001" }));
    await visit.run(MARK);
    const at = () => visit.run<string | null>("new URL(location).searchParams.get('at')");
    const before = await visit.run<number>("Number(document.querySelector('[data-slider]').max)");
    await visit.page.click("[aria-label='One event earlier']");
    await visit.until(`new URL(location).searchParams.get("at") === "${before - 1}"`);
    await visit.until(`document.querySelector("output").textContent.startsWith("${before - 1}")`);
    await visit.page.click("[aria-label='One event earlier']");
    await visit.until(`document.querySelector("output").textContent.startsWith("${before - 2}")`);
    await visit.page.goBack();
    await visit.until(`document.querySelector("output").textContent.startsWith("${before - 1}")`);
    assertEquals([await at(), await visit.run("globalThis.loadedOnce")], [`${before - 1}`, true as never]);
    visit.assertQuiet();
  },
);

Deno.test("inspector() travels in time without scripts", async () => {
  await using visit = await browser.open(inspected.at({ id: "RP-1001" }), { scripts: false });
  await visit.page.focus("[data-slider]");
  for (let i = 0; i < 9; i++) await visit.page.keyboard.press("ArrowLeft");
  await visit.page.click("[data-go]");
  const url = new URL(visit.page.url());
  assert(Number(url.searchParams.get("at")) > 0, url.href);
  assertEquals((await visit.page.textContent("main")).includes("PT-POR-1001"), false);
  await visit.page.click("[aria-label='One event later']");
  assertEquals(Number(new URL(visit.page.url()).searchParams.get("at")), Number(url.searchParams.get("at")) + 1);
  visit.assertQuiet();
});
