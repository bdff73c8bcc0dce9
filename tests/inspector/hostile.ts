/** Workflows whose IDs, names, values, labels and errors mean something to HTML, URLs or headers. */

import { assert, assertEquals } from "@std/assert";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { encodeId } from "../../inspector/links.ts";
import { foreignMarkup, layoutFaults } from "./support/measure.js";
import { HOSTILE } from "./support/scenario.ts";
import { Inspected } from "./support/server.ts";
import { shared, sharedBrowser } from "./support/shared.ts";

const inspected = await shared(Inspected.start({ actions: true, title: HOSTILE[0] }));
const browser = await sharedBrowser();

/** The addresses in a page. */
function addressesIn(page: string): string[] {
  return [...page.matchAll(/<(?:a|form)\b[^>]*? (?:href|action)="([^"]*)"/g)].map(([, address]) =>
    address.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&")
  );
}

/** One address of each kind: with the same parameters, and the same values of those that choose a view. */
function kindsOf(addresses: readonly string[]): string[] {
  const kinds = new Map<string, string>();
  for (const address of addresses) {
    if (!address.startsWith("?")) continue;
    const parameters = new URLSearchParams(address);
    const kind = [...parameters].map(([name, value]) => {
      return ["export", "axis", "f", "do", "asset", "status"].includes(name) ? `${name}=${value}` : name;
    });
    const key = kind.sort().join("&");
    if (!kinds.has(key)) kinds.set(key, address);
  }
  return [...kinds.values()];
}

for (const text of HOSTILE) {
  const name = JSON.stringify(text).slice(0, 50);

  Deno.test(`inspector() shows the workflow ${name} as text`, async () => {
    const url = inspected.at({ id: encodeId(text) });
    await using visit = await browser.open(url, { width: 1000 });
    assertEquals(await visit.run<string[]>(foreignMarkup), []);
    assertEquals(await visit.run<string[]>(layoutFaults), []);
    const shown: string = await visit.run("document.querySelector('h1').textContent");
    const plain = (text: string) => text.replace(/\\u[0-9a-f]{4}|[^\w<>&"' ]/g, "").trim().slice(0, 20);
    assert(plain(shown).startsWith(plain(text).slice(0, 8)), `${shown} for ${text}`);
    for (const address of kindsOf(addressesIn(await visit.page.content()))) {
      const parameters = new URLSearchParams(address);
      if (parameters.has("export") || parameters.has("do")) continue;
      await visit.go(new URL(address, url).href);
      assertEquals(await visit.run<string[]>(foreignMarkup), [], address);
    }
    visit.assertQuiet();
  });

  Deno.test(`inspector() answers every address in the page of ${name}, and names files safely`, async () => {
    const url = inspected.at({ id: encodeId(text) });
    const page = await (await fetch(url)).text();
    for (const address of kindsOf(addressesIn(page))) {
      if (new URLSearchParams(address).has("do")) continue;
      const response = await fetch(new URL(address, url));
      const body = await response.text();
      assertEquals(response.status, 200, `${address} ${body.slice(0, 300)}`);
      assertEquals(response.headers.get("set-cookie"), null);
      const disposition = response.headers.get("content-disposition");
      if (disposition === null) continue;
      assert(/^(attachment|inline); filename="[\w.-]{1,120}"$/.test(disposition), disposition);
      const policy = response.headers.get("content-security-policy")!;
      assert(disposition.startsWith("attachment") || policy.includes("sandbox"), `${address}: ${policy}`);
    }
  });
}

Deno.test("inspector() shows the pictures that it exports without running anything of them", async () => {
  for (const text of HOSTILE.slice(0, 6)) {
    const url = inspected.at({ id: encodeId(text) });
    const page = await (await fetch(url)).text();
    const pictures = addressesIn(page).filter((address) => new URLSearchParams(address).get("export") === "svg");
    assertEquals(pictures.length > 0, true);
    for (const address of pictures) {
      const response = await fetch(new URL(address, url));
      const svg = await response.text();
      await using visit = await browser.open(url);
      await visit.go("about:blank"); // without a policy
      await visit.page.setContent(svg); // as if somebody had put it into a page
      assertEquals(await visit.run("'pwned' in globalThis"), false);
      visit.assertQuiet();
    }
  }
});

Deno.test("inspector() lists hostile workflows, and each of their links leads to its workflow", async () => {
  await using visit = await browser.open(inspected.url);
  assertEquals(await visit.run<string[]>(foreignMarkup), []);
  for (const text of HOSTILE) {
    if (text.length > 1000 || text.startsWith(" ")) continue; // a search field keeps neither
    await visit.go(inspected.at({ q: encodeId(text) }));
    assertEquals(await visit.run<string[]>(foreignMarkup), [], text);
  }
  visit.assertQuiet();
});

Deno.test("inspector() answers without a failure when the query of an address is nonsense", async () => {
  const nonsense = [
    "",
    "-1",
    "0",
    "1e9",
    "NaN",
    "999999999999999999999",
    "null",
    "%00",
    "%ff",
    "'\"<b>",
    "\\u",
    "\\ud800",
  ];
  for (
    const name of [
      "id",
      "e",
      "at",
      "axis",
      "f",
      "export",
      "diff",
      "asset",
      "cursor",
      "page",
      "q",
      "status",
      "after",
      "before",
    ]
  ) {
    for (const value of nonsense) {
      for (
        const query of [
          `?${name}=${value}`,
          `?id=RP-1001&${name}=${value}`,
          `?id=RP-1001&diff=trip-wien&${name}=${value}`,
        ]
      ) {
        const response = await fetch(inspected.url + query);
        const body = await response.text();
        assert(response.status < 500, `${query}: ${response.status} ${body.slice(0, 500)}`);
        assertEquals(body.includes("<b>'"), false);
      }
    }
  }
});

Deno.test("inspector() shows the same of runs in an SQLite file as of runs in memory", async () => {
  await using file = await SqliteStore.open(":memory:");
  await using stored = await Inspected.start({ actions: true, title: HOSTILE[0] }, () => file);
  const textOf = async ({ url }: Inspected, query: string) =>
    (await (await fetch(url + query)).text())
      .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "RUN").replace(/value="[0-9a-f]{64}"/g, "TOKEN").replace(
        / {4}at .*/g,
        "FRAME",
      ).replace(/cursor=[^"&]*/g, "CURSOR");
  const queries = [
    "?",
    "?status=failed",
    "?q=name:order",
    "?q=import-",
    "?id=RP-1001",
    "?id=RP-1004&at=5",
    "?id=import-7",
    "?id=values",
  ];
  for (const query of [...queries, ...HOSTILE.map((id) => `?id=${encodeURIComponent(encodeId(id))}`)]) {
    assertEquals(await textOf(stored, query), await textOf(inspected, query), query);
  }
});
