import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { findSyntaxError } from "./find_syntax_error.ts";
import { sampleOrder } from "../tests/support/sample_order.ts";
import { OrdersFileError, parseOrders, readOrders } from "./read_orders.ts";

const testdata = (name: string) => new URL(`testdata/${name}`, import.meta.url);

const order = { ...sampleOrder, id: "A-1" };

/** The error message of `parseOrders`, without the file's name and the way out. */
function complaint(text: string): string {
  const { message } = assertThrows(() => parseOrders(text, "x.json"), OrdersFileError);
  assertEquals(message.split("\n").length, 1);
  const parts = message.match(
    /^Cannot read orders from "x\.json": (.+); see examples\/orders\.json for the format$/,
  );
  assert(parts, message);
  return parts[1];
}

Deno.test("readOrders() reads the sample", async () => {
  const orders = await readOrders(new URL("orders.json", import.meta.url));
  assertEquals(orders.length, 6);
  assertEquals(new Set(orders.map(({ order }) => order.customer.name)).size, 6);
});

Deno.test("readOrders() names the file and the way out when it cannot be read", async () => {
  const wayOut = "pass the path of a JSON file, or none to see the sample";
  const missing = await assertRejects(() => readOrders("no/such.json"), OrdersFileError);
  assertEquals(missing.message, `Cannot read orders from "no/such.json": there is no such file; ${wayOut}`);
  const directory = await assertRejects(() => readOrders(testdata(""), "testdata"), OrdersFileError);
  assertEquals(directory.message, `Cannot read orders from "testdata": it is a directory; ${wayOut}`);
  const nul = await assertRejects(() => readOrders("a\0\nb"), OrdersFileError);
  assertEquals(nul.message.split("\n").length, 1);
});

Deno.test("parseOrders() fills in the script when there is none", () => {
  const text = `\uFEFF${JSON.stringify([order, { ...order, id: "A-2" }])}`;
  assertEquals(parseOrders(text, "x.json").map(({ order, script }) => ({ id: order.id, script })), [
    {
      id: "A-1",
      script: {
        placedAfterMinutes: 0,
        card: { failures: 2 },
        approval: { approved: true, by: "workshop", afterMinutes: 60 },
      },
    },
    {
      id: "A-2",
      script: {
        placedAfterMinutes: 5,
        card: { failures: 2 },
        approval: { approved: true, by: "workshop", afterMinutes: 60 },
      },
    },
  ]);
});

Deno.test("parseOrders() keeps what it knows of an order and drops the rest", () => {
  const [read] = parseOrders(JSON.stringify([{ ...order, loyaltyPoints: 3 }]), "x.json");
  assertEquals(read.order, order);
});

Deno.test("parseOrders() names the place when a field is wrong", () => {
  const [item] = order.items;
  const cases: [unknown, string][] = [
    [5, "the file must be a list with at least one entry, got 5"],
    [{ orders: [] }, "the file must be a list with at least one entry, got an object"],
    [[], "the file must be a list with at least one entry, got an empty list"],
    [[null], "[0] must be an object, got null"],
    [[order, []], "[1] must be an object, got an empty list"],
    [
      [{ ...order, id: "" }],
      '[0].id must be up to 40 letters, digits, _, - and ., got ""',
    ],
    [[{ ...order, id: 7 }], "[0].id must be up to 40 letters, digits, _, - and ., got 7"],
    [[{ ...order, customer: undefined }], "[0].customer must be an object, got nothing"],
    [
      [{ ...order, customer: { name: "A\nB", email: "" } }],
      '[0].customer.name must be a non-empty string on one line, got "A\\nB"',
    ],
    [[{ ...order, currency: "euro" }], '[0].currency must be three capital letters, got "euro"'],
    [
      [{ ...order, items: [] }],
      "[0].items must be a list with at least one entry, got an empty list",
    ],
    [
      [{ ...order, items: [item, { ...item, quantity: "two" }] }],
      '[0].items[1].quantity must be an integer from 1 to 1000, got "two"',
    ],
    [
      [{ ...order, items: [{ ...item, unitCents: 1.5 }] }],
      "[0].items[0].unitCents must be an integer from 0 to 1000000000, got 1.5",
    ],
    [
      [{ ...order, card: { token: "t", last4: 4242 } }],
      "[0].card.last4 must be a string of four digits, got 4242",
    ],
    [[order, { ...order, id: "A-2" }, order], '[2].id must be unique, got "A-1" as in [0]'],
    [
      [{ ...order, script: { aproval: {} } }],
      '[0].script may only have placedAfterMinutes, card, approval, cancel, got "aproval"',
    ],
    [
      [{ ...order, script: { approval: { approved: "yes" } } }],
      '[0].script.approval.approved must be true or false, got "yes"',
    ],
    [
      [{ ...order, script: { cancel: { afterMinutes: 0, reason: "x" } } }],
      "[0].script.cancel.afterMinutes must be an integer from 1 to 1000000, got 0",
    ],
    [
      [{ ...order, script: { cancel: { afterMinutes: 1 } } }],
      "[0].script.cancel.reason must be a non-empty string on one line, got nothing",
    ],
  ];
  for (const [value, expected] of cases) assertEquals(complaint(JSON.stringify(value)), expected);
});

Deno.test("parseOrders() names line and column when the text is not JSON", () => {
  assertEquals(complaint(""), "it is empty");
  assertEquals(complaint(" \n"), "it is empty");
  assertEquals(
    complaint('[\n  { "id": "A-1" },\n]\n'),
    'it is not JSON from line 3, column 1 on: unexpected "]"',
  );
  assertEquals(
    complaint('[\n  { "id": '),
    "it is not JSON from line 2, column 11 on: the file ends too soon",
  );
  assertEquals(
    complaint("<html>\n</html>"),
    'it is not JSON from line 1, column 1 on: unexpected "<html>"',
  );
});

Deno.test("findSyntaxError() stops at the first token that JSON does not allow there", () => {
  const marked = [ // with ^; a string or number that is wrong inside is reported where it begins
    "^",
    "  ^",
    "[^",
    "[1, ^]",
    "[1 ^2]",
    "[1]^]",
    '{"a" ^1}',
    "{^a: 1}",
    '{"a": 1, ^}',
    '{"a": ^}',
    '["\u007f", ^x]',
    '[^"abc',
    "[^01]",
    "[^1.]",
    "[-1.5e3, ^.5]",
    "[true, ^truer]",
    "[^'a']",
    '[^"a\\q"]',
    "[null, ^undefined]",
  ];
  for (const text of marked) {
    const at = text.indexOf("^");
    const json = text.replace("^", "");
    assertThrows(() => JSON.parse(json), SyntaxError);
    assertEquals(findSyntaxError(json), at, text);
  }
});

Deno.test("findSyntaxError() accepts a text that is nested very deeply", () => {
  assertEquals(findSyntaxError("[".repeat(1_000_000)) > 100, true);
  assertStringIncludes(complaint("[".repeat(1_000_000)), "it is not JSON from line 1");
});
