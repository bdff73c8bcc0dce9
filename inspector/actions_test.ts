import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { settle } from "../tests/support/executors.ts";
import { MAX_FORM_BYTES } from "./actions.ts";
import { encodeId } from "./links.ts";

const SAME: Record<string, string> = { "sec-fetch-site": "same-origin" };

const order = async (ctx: WorkflowContext<string>, _input?: string) => {
  let street = "Rua Nova 1";
  ctx.handleQuery("street", (prefix?: string) => `${prefix ?? ""}${street}`);
  ctx.handleUpdate("move", (to: string) => (street = to), {
    validate: (to) => {
      if (typeof to !== "string") throw new RangeError("want a street");
    },
  });
  return await ctx.waitForSignal("approval");
};

/** An inspector with a workflow that waits, `id`. */
async function open(id = "a", options: Partial<InspectorOptions> = {}) {
  const store = new InMemoryStore();
  const executor = new Executor({ store, onError() {}, logger: { debug() {}, info() {}, warn() {}, error() {} } });
  const handle = await executor.execute(order, { id });
  const inspect = inspector({ store, executor, actions: true, ...options });
  const url = (query: Record<string, string>) =>
    `http://localhost/base?${new URLSearchParams({ id: encodeId(id), ...query })}`;
  /** The fields that a page of the workflow puts into its forms. */
  const hidden = async (action: string): Promise<Record<string, string>> => {
    const page = await (await inspect(new Request(url({})))).text();
    const [form] = page.split(/<form/).filter((part) => part.includes(`do=${action}"`));
    assert(form, `no form for ${action}`);
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(form)![1];
    return { token: field("token"), messageId: field("messageId") };
  };
  const send = (action: string, fields: Record<string, string>, headers = SAME) =>
    inspect(new Request(url({ do: action }), { method: "POST", body: new URLSearchParams(fields), headers }));
  const act = async (action: string, fields: Record<string, string>) =>
    await send(action, { ...await hidden(action), ...fields });
  return { store, executor, handle, inspect, url, hidden, send, act, [Symbol.asyncDispose]: () => executor.close() };
}

Deno.test("inspector() stores a signal and goes back to the run when a form sends one", async () => {
  await using page = await open();
  const response = await page.act("signal", { name: "approval", payload: '{ "by": "Mara" }' });
  assertEquals([response.status, response.headers.get("location")], [303, "?id=a&done=signal"]);
  assertEquals(await page.handle.result(), { by: "Mara" });
  const { history } = (await page.store.load("a"))!;
  assertEquals(
    history.filter(({ type }) => type === "signal_received").map((event) => "senderId" in event && event.senderId),
    [
      "inspector",
    ],
  );
});

Deno.test("inspector() says what was done when the run is shown after an action", async () => {
  await using page = await open();
  const text = async (done: string) => await (await page.inspect(new Request(page.url({ done })))).text();
  assertStringIncludes(await text("signal"), "The signal is stored.");
  for (const done of ["query", "toString", "<b>"]) assertEquals((await text(done)).includes('role="status"'), false);
});

Deno.test("inspector() sends no payload when the field is empty", async () => {
  await using page = await open();
  await page.act("signal", { name: "approval", payload: " \r\n" });
  assertEquals(await page.handle.result(), undefined);
});

Deno.test("inspector() stores a signal once when its form is sent twice", async () => {
  await using page = await open();
  const fields = { ...await page.hidden("signal"), name: "other", payload: "1" };
  for (let i = 0; i < 2; i++) assertEquals((await page.send("signal", fields)).status, 303);
  assertEquals((await page.executor.describe("a")).historyLength, 2);
});

Deno.test("inspector() shows the form again, with what was typed and why, when a payload is not JSON", async () => {
  await using page = await open();
  for (const [payload, why] of [["Mara <b>", 'a text needs quotes: "Mara <b>"'], ["{ by: 1 }", "it is not JSON"]]) {
    const response = await page.act("signal", { name: "approval", payload });
    assertEquals(response.status, 422);
    const text = (await response.text()).replaceAll("&#34;", '"').replaceAll("&#60;", "<").replaceAll("&#62;", ">");
    assertStringIncludes(text, "Cannot read the payload: it is not JSON");
    assertStringIncludes(text, why);
    assertStringIncludes(text, `>\n${payload}</textarea>`);
    assertStringIncludes(text, 'name="name" value="approval"');
  }
  assertEquals((await page.executor.describe("a")).historyLength, 1);
});

Deno.test("inspector() shows the answer when a form asks a query, also of a run that has ended", async () => {
  await using page = await open();
  await page.executor.signal("a", "approval");
  await page.handle.result();
  const response = await page.act("query", { name: "street", arguments: '["at "]' });
  assertEquals(response.status, 200);
  assertStringIncludes(await response.text(), "at Rua Nova 1");
  assertEquals((await page.act("query", { name: "street", arguments: '"at "' })).status, 422);
});

Deno.test("inspector() names the handlers when a query has none", async () => {
  await using page = await open();
  const response = await page.act("query", { name: "stret" });
  assertEquals(response.status, 404);
  assertStringIncludes((await response.text()).replaceAll("&#34;", '"'), '"street"');
});

Deno.test("inspector() redacts the answer of a query", async () => {
  const places: unknown[] = [];
  const redact = (
    value: unknown,
    { property, name, workflowName }: { property: string; name?: string; workflowName: string },
  ) => {
    if (property === "answer") places.push([name, workflowName]);
    return property === "answer" ? "hidden" : value;
  };
  await using page = await open("a", { redact: redact as never });
  const text = await (await page.act("query", { name: "street" })).text();
  assertEquals([text.includes("Rua Nova"), text.includes("hidden")], [false, true]);
  assertEquals(new Set(places.map(String)), new Set(["street,order"]));
});

Deno.test("inspector() redacts the answer that a program gets as JSON", async () => {
  const redact = (value: unknown, { property }: { property: string }) => property === "answer" ? "hidden" : value;
  await using page = await open("a", { redact });
  const json = { ...SAME, accept: "application/json" };
  const response = await page.send("query", { ...await page.hidden("query"), name: "street" }, json);
  assertEquals([response.status, (await response.json()).answer], [200, "hidden"]);
});

Deno.test("inspector() sends an update once, and lets the next try be another one when it was rejected", async () => {
  await using page = await open();
  const rejected = await page.act("update", { name: "move", payload: "7" });
  assertEquals(rejected.status, 422);
  const text = await rejected.text();
  assertStringIncludes(text, "RangeError: want a street");
  const fields = {
    token: /name="token" value="([^"]*)"/.exec(text)![1],
    messageId: /name="messageId" value="([^"]*)"/.exec(text)![1],
    name: "move",
    payload: '"Rua Velha 2"',
  };
  for (let i = 0; i < 2; i++) assertEquals((await page.send("update", fields)).status, 303);
  assertEquals(await page.executor.query("a", "street"), "Rua Velha 2");
  const { history } = (await page.store.load("a"))!;
  assertEquals(history.filter(({ type }) => type === "update_completed").length, 1);
});

Deno.test("inspector() cancels and terminates with a reason", async () => {
  for (const action of ["cancel", "terminate"]) {
    await using page = await open();
    const response = await page.act(action, { reason: "moving <b>" });
    assertEquals([response.status, response.headers.get("location")], [303, `?id=a&done=${action}`]);
    await page.handle.result().catch(() => {});
    const { status, error } = await page.executor.describe("a");
    assertEquals(status, "canceled");
    assertStringIncludes(error!.message, "moving <b>");
  }
});

Deno.test("inspector() offers queries only when the run has ended", async () => {
  await using page = await open();
  await page.executor.cancel("a");
  await page.handle.result().catch(() => {});
  const text = await (await page.inspect(new Request(page.url({})))).text();
  assertEquals([...text.matchAll(/do=(\w+)"/g)].map(([, action]) => action), ["query"]);
  assertEquals((await page.send("cancel", await page.hidden("query"))).status, 404);
});

const HOSTILE = [
  "a&do=x#b?c",
  "a\r\nSet-Cookie: x=1",
  "a\u0000b\ud800",
  "//evil.example/",
  "\\u000a\\",
  "'\"<b>",
  "é 在",
];
for (const id of HOSTILE) {
  Deno.test(`inspector() acts on the workflow ${JSON.stringify(id)} and goes back to it`, async () => {
    await using page = await open(id);
    const response = await page.act("signal", { name: "approval", payload: "1" });
    assertEquals(response.status, 303);
    const location = response.headers.get("location")!;
    assertMatch(location, /^\?id=[\x21-\x7e]*&done=signal$/);
    assertEquals(new URL(location, "http://localhost/base").searchParams.get("id"), encodeId(id));
    assertEquals(await page.handle.result(), 1 as never);
  });
}

Deno.test("inspector() does nothing when a form has no token, a wrong one, or that of another workflow", async () => {
  await using page = await open();
  await page.executor.execute(order, { id: "b" });
  const other = /name="token" value="([^"]*)"/.exec(
    await (await page.inspect(new Request("http://localhost/?id=b"))).text(),
  )![1];
  for (const token of [undefined, "", "0".repeat(64), other]) {
    const fields = { name: "approval", ...(token !== undefined && { token }) };
    const response = await page.send("signal", fields);
    assertEquals(response.status, 403);
    assertStringIncludes(await response.text(), "Load the workflow");
  }
  assertEquals((await page.executor.describe("a")).historyLength, 1);
});

Deno.test("inspector() does nothing when a page of another origin sends the right token", async () => {
  await using page = await open();
  const fields = { ...await page.hidden("signal"), name: "approval" };
  for (const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "http://evil.example" }, {}]) {
    assertEquals((await page.send("signal", fields, headers as never)).status, 403);
  }
  assertEquals((await page.executor.describe("a")).historyLength, 1);
});

Deno.test("inspector() does nothing when a body is no form or too large", async () => {
  await using page = await open();
  const { token } = await page.hidden("signal");
  const post = async (body: BodyInit, type?: string) => {
    const headers = { ...SAME, ...(type !== undefined && { "content-type": type }) };
    const request = new Request(page.url({ do: "signal" }), { method: "POST", headers, body });
    return (await page.inspect(request)).status;
  };
  assertEquals(await post(JSON.stringify({ token, name: "approval" }), "application/json"), 415);
  assertEquals(await post(`token=${token}&name=approval`, "text/plain"), 415);
  const form = new FormData();
  form.set("token", token);
  assertEquals(await post(form), 415);
  const large = new URLSearchParams({ token, name: "approval", payload: " ".repeat(MAX_FORM_BYTES) });
  assertEquals(await post(large), 413);
  assertEquals((await page.executor.describe("a")).historyLength, 1);
});

Deno.test("inspector() stops reading a body that does not end", async () => {
  await using page = await open();
  let pulled = 0;
  const body = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(100_000));
    },
  });
  const headers = { ...SAME, "content-type": "application/x-www-form-urlencoded" };
  const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
  assertEquals((await page.inspect(new Request(page.url({ do: "signal" }), init))).status, 413);
  assert(pulled < 20, `${pulled}`);
});

Deno.test("inspector() asks authorize about each action, and reads no body before it agrees", async () => {
  const asked: unknown[] = [];
  const authorize: InspectorOptions["authorize"] = (request, action) => {
    asked.push([action, new URL(request.url).searchParams.get("id"), request.bodyUsed]);
    return action === "view" || action === "query";
  };
  await using page = await open("a", { authorize });
  assertEquals((await page.act("query", { name: "street" })).status, 200);
  for (const action of ["signal", "update", "cancel", "terminate"]) {
    const response = await page.act(action, { name: "approval" });
    assertEquals(response.status, 403);
    assertStringIncludes(await response.text(), `You may not ${action} workflows here.`);
  }
  assertEquals(asked.filter((_, i) => i % 2 === 1), [
    ["query", "a", false],
    ["signal", "a", false],
    ["update", "a", false],
    ["cancel", "a", false],
    ["terminate", "a", false],
  ]);
  assertEquals((await page.executor.describe("a")).status, "running");
});

Deno.test("inspector() says so when authorize has read the body", async () => {
  await using page = await open("a", { authorize: async (request) => (await request.text()).length >= 0 });
  const response = await page.act("signal", { name: "approval" });
  assertEquals(response.status, 500);
  assertStringIncludes(await response.text(), "request.clone()");
});

Deno.test("inspector() has no forms and does nothing when actions are off", async () => {
  await using page = await open("a", { actions: false });
  const text = await (await page.inspect(new Request(page.url({})))).text();
  assertEquals(text.includes('method="post"'), false);
  assertEquals((await page.send("terminate", { token: "" })).status, 403);
  assertEquals((await page.executor.describe("a")).status, "running");
});

Deno.test("inspector() does nothing when actions are off and a form of another inspector sends the right token", async () => {
  await using page = await open();
  const off = inspector({ store: page.store, executor: page.executor });
  const body = new URLSearchParams({ ...await page.hidden("terminate"), reason: "no" });
  const response = await off(new Request(page.url({ do: "terminate" }), { method: "POST", body, headers: SAME }));
  assertEquals(response.status, 403);
  assertStringIncludes((await response.text()).replaceAll("&#34;", '"'), '"actions: true"');
  assertEquals((await page.executor.describe("a")).status, "running");
});

Deno.test("inspector() answers 404 when a POST names no action or no workflow", async () => {
  await using page = await open();
  for (const action of ["", "delete", "view", "toString", "__proto__"]) {
    assertEquals((await page.send(action, await page.hidden("signal"))).status, 404, action);
  }
  const { status } = await page.inspect(new Request("http://localhost/?do=signal", { method: "POST", headers: SAME }));
  assertEquals(status, 404);
});

Deno.test("inspector() never puts a token into an address", async () => {
  await using page = await open();
  const { token, messageId } = await page.hidden("signal");
  const text = await (await page.inspect(new Request(page.url({})))).text();
  for (const [, address] of text.matchAll(/(?:href|src|action|data-events)="([^"]*)"/g)) {
    assertEquals(address.includes(token) || address.includes(messageId), false, address);
  }
  const { headers } = await page.act("signal", { name: "approval" });
  assertEquals(headers.get("location"), "?id=a&done=signal");
});

Deno.test("inspector() offers what the code of a live run handles", async () => {
  await using page = await open();
  const text = await (await page.inspect(new Request(page.url({})))).text();
  assertEquals([...text.matchAll(/<option value="([^"]*)">/g)].map(([, name]) => name), ["approval", "move", "street"]);
});

Deno.test("inspector() redacts the error of an update", async () => {
  const redact = (value: unknown, { property }: { property: string }) => property === "error" ? "hidden" : value;
  await using page = await open("a", { redact });
  const text = await (await page.act("update", { name: "move", payload: "7" })).text();
  assertEquals([text.includes("want a street"), text.includes("hidden")], [false, true]);
});

Deno.test("inspector() asks authorize about the workflow itself, however its ID is written, and about both of a comparison", async () => {
  const asked: unknown[] = [];
  const authorize: InspectorOptions["authorize"] = (_, action, id) => {
    asked.push([action, id]);
    return id !== "secret";
  };
  await using page = await open("secret", { authorize });
  await page.executor.execute(order, { id: "b" });
  const get = async (query: string) => (await page.inspect(new Request(`http://localhost/${query}`))).status;
  const refused = [
    "?id=secret",
    "?id=%5Cu0073ecret",
    "?id=secret&export=history",
    "?id=secret&events=1",
    "?id=b&diff=secret",
  ];
  for (const query of [...refused, "?id=b&diff=%5Cu0073ecret", "?id=secret&diff=b"]) {
    assertEquals(await get(query), 403, query);
  }
  assertEquals([await get("?id=b"), await get("?"), await get("?asset=style")], [200, 200, 200]);
  assertEquals(asked.slice(-3), [["view", "b"], ["view", undefined], ["view", undefined]]);
});

Deno.test("inspector() does nothing to a later workflow with the same ID when the form is of an earlier one", async () => {
  await using page = await open();
  const html = await (await page.inspect(new Request(page.url({})))).text();
  const fields = { ...await page.hidden("terminate"), run: /name="run" value="([^"]*)"/.exec(html)![1] };
  await page.executor.signal("a", "approval");
  await page.handle.result();
  await page.executor.execute(order, { id: "a" });
  for (const action of ["signal", "update", "cancel", "terminate"]) {
    const response = await page.send(action, { ...fields, name: "approval" });
    assertEquals(response.status, 409);
    assertStringIncludes(await response.text(), "another one has its ID");
  }
  const { status, historyLength } = await page.executor.describe("a");
  assertEquals([status, historyLength], ["running", 1]);
  assertEquals((await page.act("terminate", {})).status, 303);
});

Deno.test("inspector() acts on the next run of a chain when the form is of an earlier run", async () => {
  await using page = await open();
  const counter = async (ctx: WorkflowContext<number>, n: number): Promise<void> => {
    await ctx.waitForSignal("next");
    await ctx.continueAsNew(n + 1);
  };
  const handle = await page.executor.execute(counter, { id: "chain", input: 0 });
  const url = (query = "") => `http://localhost/base?id=chain${query}`;
  const html = await (await page.inspect(new Request(url()))).text();
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)![1];
  const { runId } = await page.executor.describe("chain");
  await page.executor.signal("chain", "next");
  while ((await page.executor.describe("chain")).runId === runId) await settle();
  const body = new URLSearchParams({ token: field("token"), run: field("run") });
  const response = await page.inspect(new Request(url("&do=terminate"), { method: "POST", headers: SAME, body }));
  assertEquals(response.status, 303);
  assertEquals((await page.executor.describe("chain")).status !== "running", true);
  await handle.result().catch(() => {});
});

Deno.test("inspector() writes the name into a form when there is only one", async () => {
  await using opened = await open();
  const page = await (await opened.inspect(new Request(opened.url({})))).text();
  const names = [...page.matchAll(/<input name="name" value="([^"]*)"/g)].map(([, name]) => name);
  assertEquals(names, ["approval", "move", "street"]);
});
