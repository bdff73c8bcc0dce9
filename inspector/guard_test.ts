import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { Executor, InMemoryStore } from "@rockpool/workflow";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { Guard } from "./guard.ts";
import { completeOptions } from "./settings.ts";

const guardOf = (options: Partial<InspectorOptions> = {}) =>
  new Guard(completeOptions({ store: new InMemoryStore(), ...options }));

/** Whether an inspector answers a request. */
function answers(options: Partial<InspectorOptions>, url: string, init: RequestInit = {}): boolean {
  return guardOf(options).refuse(new Request(url, init)) === undefined;
}

Deno.test("Guard.refuse() accepts localhost and IP addresses only when there are neither hosts nor authorize", () => {
  for (
    const host of ["localhost", "localhost:8000", "LOCALHOST", "a.localhost", "127.0.0.1:80", "[::1]:8000", "10.0.0.7"]
  ) {
    assertEquals(answers({}, `http://${host}/`), true, host);
  }
  for (
    const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost.:80", "xlocalhost"]
  ) {
    assertEquals(answers({}, `http://${host}/`), false, host);
  }
});

Deno.test("Guard.refuse() accepts the given hosts only, whatever their port and their case is", () => {
  const hosts = ["Admin.Example.com", "::1"];
  for (const host of ["admin.example.com", "ADMIN.example.com:8443", "[::1]:80"]) {
    assertEquals(answers({ hosts }, `http://${host}/`), true, host);
  }
  for (const host of ["example.com", "x.admin.example.com", "localhost", "127.0.0.1"]) {
    assertEquals(answers({ hosts }, `http://${host}/`), false, host);
  }
});

Deno.test("Guard.refuse() accepts every host when authorize decides about requests", () => {
  assertEquals(answers({ authorize: () => true }, "https://workers.example/"), true);
  assertEquals(answers({ authorize: () => true, hosts: ["a.example"] }, "https://workers.example/"), false);
});

Deno.test("Guard.refuse() goes by the header Host when the URL was made of something else", () => {
  assertEquals(answers({}, "http://localhost/", { headers: { host: "evil.example:8000" } }), false);
  assertEquals(answers({}, "http://evil.example/", { headers: { host: "localhost:8000" } }), true);
});

Deno.test("Guard.refuse() names the host, as plain text, when it is not allowed", async () => {
  const response = guardOf().refuse(new Request("http://localhost/", { headers: { host: "<b>.example" } }))!;
  assertEquals([response.status, response.headers.get("content-type")], [403, "text/plain; charset=utf-8"]);
  assertEquals(
    await response.text(),
    'Cannot answer a request to the host "<b>.example": it is not in "hosts" of the inspector',
  );
});

const POSTS: [string, Record<string, string>, boolean][] = [
  ["of the same origin", { "sec-fetch-site": "same-origin" }, true],
  ["of the same site", { "sec-fetch-site": "same-site" }, false],
  ["of another site", { "sec-fetch-site": "cross-site", "origin": "http://localhost" }, false],
  ["of another site that goes there", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, false],
  ["of nobody", { "sec-fetch-site": "none" }, false],
  ["of an old browser", { "origin": "http://localhost" }, true],
  ["of an old browser on another port", { "origin": "http://localhost:81" }, false],
  ["of an old browser with another protocol", { "origin": "https://localhost" }, false],
  ["of an old browser in a sandbox", { "origin": "null" }, false],
  ["of an old browser elsewhere", { "origin": "http://evil.example" }, false],
  ["without a word about its page", {}, false],
];

for (const [what, headers, accepted] of POSTS) {
  Deno.test(`Guard.refuse() ${accepted ? "accepts" : "refuses"} a POST ${what}`, () => {
    assertEquals(answers({}, "http://localhost/x", { method: "POST", headers }), accepted);
    assertEquals(answers({}, "http://localhost/x", { method: "PUT", headers }), accepted);
  });
}

Deno.test("Guard.refuse() compares with the option origin when a proxy changes the host", () => {
  const options = { origin: "https://admin.example.com", hosts: ["internal"] };
  const post = (origin: string) => answers(options, "http://internal/", { method: "POST", headers: { origin } });
  assertEquals([post("https://admin.example.com"), post("http://internal")], [true, false]);
});

Deno.test("Guard.refuse() refuses a POST of an origin that is a part of its own", () => {
  for (const origin of ["http://localhost:8", "http://localhost", "http", ""]) {
    const post = { method: "POST", headers: { origin } };
    assertEquals(answers({}, "http://localhost:8000/", post), false, origin);
  }
});

Deno.test("Guard.refuse() lets another site link to a view, and not load one as a part of itself", () => {
  const get = (site: string, mode: string) =>
    answers({}, "http://localhost/", { headers: { "sec-fetch-site": site, "sec-fetch-mode": mode } });
  assertEquals(get("cross-site", "navigate"), true);
  assertEquals(get("none", "navigate"), true);
  assertEquals(get("same-origin", "cors"), true);
  for (const mode of ["no-cors", "cors", "websocket"]) assertEquals(get("cross-site", mode), false, mode);
});

Deno.test("Guard.token() is another one for each workflow, and the same for each inspector of the process", async () => {
  const ids = ["a", "b", "", "a\u0000", "\ud800", "\ud801", "\ufffd", "\\ud800"];
  const tokens = await Promise.all(ids.map((id) => guardOf().token(id)));
  assertEquals(new Set(tokens).size, ids.length);
  for (const token of tokens) assertMatch(token, /^[0-9a-f]{64}$/);
  assertEquals(await guardOf().token("a"), tokens[0]);
});

Deno.test("Guard.isToken() accepts the token of the workflow only", async () => {
  const guard = guardOf();
  const token = await guard.token("a");
  assertEquals(await guard.isToken(token, "a"), true);
  const last = token.endsWith("0") ? "1" : "0";
  const wrong = ["", token.slice(1), `${token}0`, token.slice(0, -1) + last, token.toUpperCase() + " ", "0".repeat(64)];
  for (const text of [...wrong, await guard.token("b")]) assertEquals(await guard.isToken(text, "a"), false, text);
});

Deno.test("Guard.protect() gives every response a policy that allows nothing from elsewhere", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  await (await executor.execute(function order() {}, { id: "a" })).result();
  const inspect = inspector({ store, executor });
  const requests: [string, RequestInit?, string?][] = [
    ["?"],
    ["?id=a"],
    ["?id=absent"],
    ["?asset=style"],
    ["?asset=script"],
    ["?asset=other"],
    ["?id=a", { method: "POST", headers: { "sec-fetch-site": "same-origin" } }],
    ["?id=a&do=cancel", { method: "POST" }],
    ["?", { method: "DELETE", headers: { "sec-fetch-site": "same-origin" } }],
    ["?", {}, "http://evil.example/"],
  ];
  for (const [query, init, base = "http://localhost/x"] of requests) {
    const { headers, status, body } = await inspect(new Request(base + query, init));
    await body?.cancel();
    const policy = headers.get("content-security-policy")!;
    assertStringIncludes(policy, "default-src 'none'", `${query} ${status}`);
    for (const part of ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"]) {
      assertStringIncludes(policy, part);
    }
    assertEquals(policy.includes("unsafe"), false);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("x-frame-options"), "DENY");
    assertEquals(headers.get("cross-origin-resource-policy"), "same-origin");
    assertEquals(headers.get("referrer-policy"), "same-origin");
    assertEquals(headers.get("access-control-allow-origin"), null);
    assertNotEquals(headers.get("cache-control"), null);
  }
});

Deno.test("inspector() answers with the response of authorize, as often as it is given", async () => {
  const login = new Response("Log in", {
    status: 401,
    headers: { "www-authenticate": "Basic", "content-security-policy": "x" },
  });
  const inspect = inspector({ store: new InMemoryStore(), authorize: () => login });
  for (let i = 0; i < 2; i++) {
    const response = await inspect(new Request("http://localhost/"));
    const { status, headers } = response;
    assertEquals(await response.text(), "Log in");
    const own = [
      headers.get("www-authenticate"),
      headers.get("content-security-policy"),
      headers.get("x-frame-options"),
    ];
    assertEquals([status, ...own], [401, "Basic", "x", "DENY"]);
  }
});

const FAILING: Record<string, [NonNullable<InspectorOptions["authorize"]>, number]> = {
  "no answer": [() => Response.error(), 500],
  "a rejection": [() => Promise.reject(new Error("no")), 500],
  "something else": [() => ({}) as never, 403],
  "false": [() => false, 403],
};
for (const [what, [authorize, expected]] of Object.entries(FAILING)) {
  Deno.test(`inspector() answers ${expected} when authorize answers with ${what}`, async () => {
    const inspect = inspector({ store: new InMemoryStore(), authorize });
    assertEquals((await inspect(new Request("http://localhost/"))).status, expected);
  });
}
