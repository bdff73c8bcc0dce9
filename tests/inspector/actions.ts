/** Actions by a person, and by pages that have no business here. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { Server } from "./support/server.ts";
import { sharedBrowser } from "./support/shared.ts";

const browser = await sharedBrowser();

const order = async (ctx: WorkflowContext) => {
  let street = "Rua Nova 1";
  ctx.handleQuery("street", () => street);
  ctx.handleUpdate("move", (to: string) => (street = to));
  return await ctx.waitForSignal("approval");
};

async function start(options: Partial<InspectorOptions> = {}) {
  const store = new InMemoryStore();
  const executor = new Executor({ store, onError() {} });
  await executor.execute(order, { id: "a & b" });
  const server = new Server(inspector({ store, executor, actions: true, ...options }), "/some/path");
  return {
    executor,
    url: server.url,
    run: `${server.url}?id=a+%26+b`,
    describe: () => executor.describe("a & b", { history: true }),
    result: async () => await (await executor.handle("a & b")).result(),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await executor.close();
    },
  };
}

for (const scripts of [true, false]) {
  const how = scripts ? "with scripts" : "without scripts";

  Deno.test(`inspector() sends a signal by its form, and says so, ${how}`, async () => {
    await using world = await start();
    await using visit = await browser.open(world.run, { scripts });
    await visit.page.click("summary:has-text('Signal')");
    await visit.picture(`menu-signal-${how.replace(" ", "-")}`);
    await visit.page.fill("details[open] input[name=name]", "approval");
    await visit.page.fill("details[open] textarea", '{ "by": "Mara" }');
    await visit.page.click("details[open] button");
    await visit.page.waitForSelector("[role=status]");
    assertEquals(await visit.page.textContent("[role=status]"), "The signal is stored.");
    assertEquals(await world.result(), { by: "Mara" });
    visit.assertQuiet();
  });

  Deno.test(`inspector() shows what is wrong with a payload, and keeps it in the form, ${how}`, async () => {
    await using world = await start();
    await using visit = await browser.open(world.run, { scripts });
    await visit.page.click("summary:has-text('Signal')");
    await visit.page.fill("details[open] input[name=name]", "approval");
    await visit.page.fill("details[open] textarea", "yes");
    await visit.page.click("details[open] button");
    await visit.page.waitForSelector("[role=alert]");
    await visit.picture(`signal-refused-${how.replace(" ", "-")}`);
    assertStringIncludes(await visit.page.textContent("[role=alert]"), 'a text needs quotes: "yes"');
    assertEquals(await visit.page.inputValue("textarea"), "yes");
    await visit.page.fill("textarea", '"yes"');
    await visit.page.click("main form button");
    await visit.page.waitForSelector("[role=status]");
    assertEquals(await world.result(), "yes");
  });

  Deno.test(`inspector() asks a query, sends an update, and terminates, ${how}`, async () => {
    await using world = await start();
    await using visit = await browser.open(world.run, { scripts });
    const act = async (label: string, fields: Record<string, string>) => {
      await visit.go(world.run);
      await visit.page.click(`summary:has-text('${label}')`);
      for (const [name, value] of Object.entries(fields)) await visit.page.fill(`details[open] [name=${name}]`, value);
      await visit.page.click("details[open] button");
    };
    await act("Update", { name: "move", payload: '"Rua Velha 2"' });
    await visit.page.waitForSelector("[role=status]");
    await act("Query", { name: "street" });
    await visit.page.waitForSelector(".answer");
    await visit.picture(`query-answer-${how.replace(" ", "-")}`);
    assertStringIncludes(await visit.page.textContent(".answer"), "Rua Velha 2");
    await act("Terminate", { reason: "tests" });
    await visit.page.waitForSelector("[role=status]");
    assertEquals((await world.describe()).status, "canceled");
    visit.assertQuiet();
  });
}

Deno.test("inspector() refuses what a page of another origin sends", async () => {
  await using world = await start();
  const { history } = await world.describe();
  // The worst case: the page knows the token.
  const token = /name="token" value="(\w+)"/.exec(await (await fetch(world.run)).text())![1];
  const action = `${world.run}&do=signal`;
  const page = (body: string) => `<!doctype html><title>Evil</title><body>${body}`;
  const fields = `<input name="token" value="${token}"><input name="name" value="approval">`;
  const PAGES: Record<string, string> = {
    form: page(`<form method="post" action="${action}">${fields}</form><script>document.forms[0].submit()</script>`),
    "text form": page(
      `<form method="post" enctype="text/plain" action="${action}">${fields}</form><script>document.forms[0].submit()</script>`,
    ),
    frame: page(`<iframe name="f"></iframe><form target="f" method="post" action="${action}">${fields}</form>
      <script>document.forms[0].submit()</script>`),
    sandbox: page(
      `<iframe sandbox="allow-scripts allow-forms" srcdoc='<form method="post" action="${action}">${
        fields.replaceAll('"', "&quot;")
      }</form><script>document.forms[0].submit()</script>'></iframe>`,
    ),
    fetch: page(`<script>
      const body = new URLSearchParams({ token: "${token}", name: "approval" });
      fetch("${action}", { method: "POST", mode: "no-cors", credentials: "include", body }).finally(() => document.title = "done");
      fetch("${action}", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }).catch(() => {});
      navigator.sendBeacon("${action}", body);
    </script>`),
    link: page(
      `<a href="${action}&name=approval&token=${token}">x</a><script>document.querySelector("a").click()</script>`,
    ),
  };
  await using evil = new Server((request) => {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    return new Response(PAGES[name] ?? "", { headers: { "content-type": "text/html" } });
  });
  for (const [name, body] of Object.entries(PAGES)) {
    await using visit = await browser.open(`${evil.url}${name}`, { elsewhere: true });
    await visit.page.waitForTimeout(300); // nothing is to be seen of what does not happen
    assertEquals((await world.describe()).history, history, `${name}: ${body}`);
  }
});

Deno.test("inspector() cannot be framed, and its pages cannot be read by another origin", async () => {
  await using world = await start();
  await using evil = new Server(() =>
    new Response(
      `<!doctype html><title>Evil</title><iframe src="${world.run}"></iframe><script>
      Promise.allSettled([fetch("${world.run}"), fetch("${world.url}?asset=script"), import("${world.url}?asset=script"),
        fetch("${world.run}", { mode: "no-cors" })])
        .then((all) => document.title = all.map(({ status, value }) => status + (value?.type ?? "")).join());
    </script>`,
      { headers: { "content-type": "text/html" } },
    )
  );
  await using visit = await browser.open(evil.url, { elsewhere: true });
  await visit.until("document.title !== 'Evil'");
  assertEquals(await visit.run("document.title"), "rejected,rejected,rejected,rejected");
  const framed = await visit.page.frames()[1].content();
  assertEquals(framed.includes("a &amp; b"), false);
});

Deno.test("inspector() tells another site nothing about the page from which a link was followed", async () => {
  await using world = await start();
  const response = await fetch(world.run);
  await response.body?.cancel();
  assertEquals(response.headers.get("referrer-policy"), "same-origin");
});

Deno.test("inspector() is not reached under a name that somebody else gave to this machine", async () => {
  await using world = await start();
  const evil = world.run.replace("127.0.0.1", "rebound.test");
  await using visit = await browser.open(evil);
  assertStringIncludes(await visit.page.content(), "it is not in");
  assertEquals((await visit.page.content()).includes("Rua"), false);
});

Deno.test("inspector() acts under a name in hosts, also where browsers say nothing but Origin", async () => {
  await using world = await start({ hosts: ["intranet.test"] });
  await using visit = await browser.open(world.run.replace("127.0.0.1", "intranet.test"));
  const headers: Record<string, string>[] = [];
  // deno-lint-ignore no-explicit-any -- a request of playwright
  visit.page.on("request", async (request: any) => {
    if (request.method() === "POST") headers.push(await request.allHeaders());
  });
  await visit.page.click("summary:has-text('Signal')");
  await visit.page.fill("details[open] input[name=name]", "approval");
  await visit.page.click("details[open] button");
  await visit.page.waitForSelector("[role=status]");
  await world.result();
  assert(headers[0]["sec-fetch-site"] === undefined, "this is about browsers that do not send it");
  visit.assertQuiet();
});
