/** The inspector under any path of the servers that people have. */

import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { Executor, InMemoryStore, type StoreListener } from "@rockpool/workflow";
import { inspector } from "@rockpool/workflow/inspector";
import { run } from "../../tools/package/npm.ts";
import { load, until } from "./support/browser.ts";
import { Server } from "./support/server.ts";
import { sharedBrowser } from "./support/shared.ts";

const browser = await sharedBrowser();

const ID = "orders/7 & ?id=8#9";

/** A store with one workflow that has ended and one that waits, and an inspector of it. */
async function start() {
  let listeners = 0;
  const store = new InMemoryStore();
  const subscribe = store.subscribe.bind(store);
  const executor = new Executor({ store });
  await (await executor.execute(function order() {}, { id: "done" })).result();
  await executor.execute(async function order(ctx) {
    await ctx.waitForSignal("go");
  }, { id: ID });
  const counted = new Proxy(store, {
    get(target, name) {
      if (name !== "subscribe") {
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return (listener: StoreListener) => {
        listeners++;
        const unsubscribe = subscribe(listener);
        return () => {
          listeners--;
          unsubscribe();
        };
      };
    },
  });
  return {
    executor,
    inspect: inspector({ store: counted, executor, actions: true }),
    listeners: () => listeners,
    [Symbol.asyncDispose]: () => executor.close(),
  };
}
type World = Awaited<ReturnType<typeof start>>;

/** Goes through the inspector as a person does: the list, a run, an action, and live changes. */
async function walk(url: string, { executor, listeners }: World): Promise<void> {
  await using visit = await browser.open(url);
  const { pathname } = new URL(url);
  await visit.until("document.querySelector('[data-live]:not([hidden])')");
  await executor.execute(function late() {}, { id: "late" });
  await visit.until("document.querySelector('main').textContent.includes('late')");
  await visit.page.click(`a[data-row]:has-text("orders/7")`);
  await visit.page.waitForSelector("h1");
  assertEquals(await visit.page.textContent("h1"), ID);
  await visit.page.click("summary:has-text('Signal')");
  await visit.page.fill("details[open] input[name=name]", "go");
  await visit.page.click("details[open] button");
  await visit.page.waitForSelector("[role=status]");
  await visit.until("document.querySelector('main').textContent.includes('completed')");
  assertEquals(new URL(visit.page.url()).pathname, pathname);
  await visit.page.click("a[data-up]");
  await visit.page.waitForSelector("[data-search]");
  assertEquals(new URL(visit.page.url()).pathname, pathname);
  visit.assertQuiet();
  await visit.go("about:blank");
  await until("all streams have ended", () => listeners() === 0);
}

for (const path of ["/", "/inspector", "/a/b/", "/a%20b/%C3%A9", "//evil.example/x"]) {
  Deno.test(`inspector() works under ${path} of Deno.serve`, async () => {
    await using world = await start();
    await using server = new Server(world.inspect, path);
    await walk(server.url, world);
  });
}

for (const path of ["/workflows", "/workflows/"]) {
  Deno.test(`inspector() works under ${path} of Hono's mount, which strips the path`, async () => {
    await using world = await start();
    const { Hono } = load("hono");
    const app = new Hono().mount("/workflows", world.inspect);
    await using server = new Server((request) => app.fetch(request), path);
    await walk(server.url, world);
  });

  Deno.test(`inspector() works under ${path} of Hono's all, which keeps the path`, async () => {
    await using world = await start();
    const { Hono } = load("hono");
    // deno-lint-ignore no-explicit-any -- a context of Hono
    const answer = (c: any) => world.inspect(c.req.raw);
    const app = new Hono().all("/workflows", answer).all("/workflows/*", answer);
    await using server = new Server((request) => app.fetch(request), path);
    await walk(server.url, world);
  });
}

/** A program of Node: an inspector with a small adapter to node:http. It ends when its standard input does. */
const NODE = `
  import { createServer } from "node:http";
  import { Readable } from "node:stream";
  const { Executor, InMemoryStore } = await import(process.argv[2] + "mod.ts");
  const { inspector } = await import(process.argv[2] + "inspector/mod.ts");
  const store = new InMemoryStore();
  const executor = new Executor({ store });
  await executor.execute(async function order(ctx) { await ctx.waitForSignal("go"); }, { id: "a" });
  let open = 0;
  const subscribe = store.subscribe.bind(store);
  store.subscribe = (listener) => {
    open++;
    const unsubscribe = subscribe(listener);
    return () => { open--; unsubscribe(); };
  };
  const inspect = inspector({ store, executor, actions: true });
  createServer(async (incoming, outgoing) => {
    if (incoming.url === "/open") return outgoing.end(String(open));
    const { method, headers, url } = incoming;
    const body = method === "GET" || method === "HEAD" ? undefined : Readable.toWeb(incoming);
    const request = new Request(new URL(url, "http://" + headers.host), { method, headers, body, duplex: "half" });
    const response = await inspect(request);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body === null) return outgoing.end();
    const reader = response.body.getReader();
    outgoing.on("close", () => reader.cancel());
    for (let part = await reader.read(); !part.done; part = await reader.read()) outgoing.write(part.value);
    outgoing.end();
  }).listen(0, "127.0.0.1", function () { console.log(this.address().port); });
  process.stdin.on("end", () => process.exit()).resume();
`;

Deno.test("inspector() works on Node, with a small adapter", async () => {
  const program = `${Deno.env.get("INSPECTOR_MODULES")}/node-24/bin/node`;
  const root = new URL("../../", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  await Deno.writeTextFile(file, NODE);
  const args = ["--no-warnings", file, root];
  const node = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
  try {
    const { value } = await node.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
    const url = `http://127.0.0.1:${value!.trim()}/`;
    {
      await using visit = await browser.open(`${url}some/path?id=a`);
      await visit.until("document.querySelector('[data-live]:not([hidden])')");
      await visit.page.click("summary:has-text('Signal')");
      await visit.page.fill("details[open] input[name=name]", "go");
      await visit.page.click("details[open] button");
      await visit.page.waitForSelector("[role=status]");
      await visit.until("document.querySelector('main').textContent.includes('completed')");
      visit.assertQuiet();
    }
    await until("all streams have ended", async () => await (await fetch(`${url}open`)).text() === "0");
  } finally {
    await node.stdin.close();
    await node.status;
    await Deno.remove(file);
  }
});

/** A worker whose inspector is made for each request, as examples of Workers do. */
const WORKER = `
  import { Executor, InMemoryStore } from "@rockpool/workflow";
  import { inspector } from "@rockpool/workflow/inspector";
  const store = new InMemoryStore();
  let executor;
  export default {
    async fetch(request) {
      executor ??= new Executor({ store });
      if (request.url.endsWith("/start")) {
        await executor.execute(async (ctx) => await ctx.waitForSignal("go"), { id: "a" });
        return new Response("started");
      }
      return inspector({ store, executor, actions: true })(request);
    },
  };
`;

Deno.test("inspector() works in a Worker, also if it is made for each request", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/worker.ts`, WORKER);
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url)); // it has the names of the sources
  const args = ["--quiet", "--platform=browser", `--config=${config}`, `--output=${folder}/worker.js`];
  await run(Deno.execPath(), ["bundle", ...args, `${folder}/worker.ts`]);
  const { Miniflare } = load("miniflare");
  const worker = new Miniflare({
    host: "127.0.0.1",
    modules: true,
    script: await Deno.readTextFile(`${folder}/worker.js`),
    compatibilityDate: "2026-01-01",
  });
  try {
    const url: URL = await worker.ready;
    await (await fetch(new URL("/start", url))).text();
    await using visit = await browser.open(new URL("/x?id=a", url).href);
    await visit.page.click("summary:has-text('Signal')");
    await visit.page.fill("details[open] input[name=name]", "go");
    await visit.page.click("details[open] button");
    await visit.page.waitForSelector("[role=status]");
    assertEquals(await visit.page.textContent("[role=status]"), "The signal is stored.");
    visit.assertQuiet();
  } finally {
    await worker.dispose();
    await Deno.remove(folder, { recursive: true });
  }
});
