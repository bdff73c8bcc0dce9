import { assert, assertEquals } from "@std/assert";
import { readOrders, type ScriptedOrder } from "./read_orders.ts";
import { countAttempts, formatStory } from "./report.ts";
import { type OrderStory, playStory } from "./story.ts";

const sample = await readOrders(new URL("orders.json", import.meta.url));
const story = await playStory(sample);
const last = story.orders.at(-1)!;

const byId = <Value>(value: (order: OrderStory) => Value) =>
  Object.fromEntries(story.orders.map((order) => [order.order.id, value(order)]));

/** The sample's last order with another script. */
function withScript(script: Partial<ScriptedOrder["script"]>): ScriptedOrder[] {
  const entry = sample.at(-1)!;
  return [{ ...entry, script: { ...entry.script, ...script } }];
}

Deno.test("playStory() brings every order of the sample to its end", () => {
  assertEquals(byId(({ state }) => [state.status, (state.result as { outcome?: string })?.outcome]), {
    "RP-1001": ["completed", "shipped"],
    "RP-1002": ["completed", "shipped"],
    "RP-1003": ["failed", undefined],
    "RP-1004": ["canceled", undefined],
    "RP-1005": ["completed", "refused"],
    "RP-1006": ["completed", "shipped"],
  });
  assertEquals(story.orders[2].state.error?.name, "NonRetryableError");
  assertEquals(story.orders[3].state.error?.name, "CanceledError");
  assertEquals(story.shop.reserved, []);
  assertEquals(story.shop.shipped, ["RP-1001", "RP-1002", "RP-1006"]);
  assertEquals(story.shop.payments, [
    { orderId: "RP-1001", voided: false },
    { orderId: "RP-1002", voided: false },
    { orderId: "RP-1004", voided: true },
    { orderId: "RP-1005", voided: true },
    { orderId: "RP-1006", voided: false },
  ]);
});

Deno.test("playStory() stops the executor when orders sleep, wait, have ended and are being charged", () => {
  const where = ({ stateAtStop: { history, status } }: OrderStory) => [status, history.at(-1)?.type];
  assertEquals(byId(where), {
    "RP-1001": ["running", "timer_started"],
    "RP-1002": ["running", "activity_completed"],
    "RP-1003": ["failed", "workflow_failed"],
    "RP-1004": ["running", "timer_started"],
    "RP-1005": ["running", "activity_completed"],
    "RP-1006": ["running", "activity_attempt_failed"],
  });
  assertEquals(story.stop, {
    afterMs: 30 * 60_000 + 5280,
    orderId: "RP-1006",
    activity: "chargeCard",
    attempt: 3,
    recovered: ["RP-1001", "RP-1002", "RP-1004", "RP-1005", "RP-1006"],
  });
  assertEquals(last.runsAtStop.get("chargeCard"), 3);
  assertEquals(countAttempts(last.stateAtStop.history).get("chargeCard"), 2);
});

Deno.test("playStory() runs no activity again whose outcome was recorded before the stop", () => {
  for (const { order, state, stateAtStop, runs, runsAtStop } of story.orders) {
    const recorded = countAttempts(state.history);
    const recordedAtStop = countAttempts(stateAtStop.history);
    for (const [name, count] of runs) {
      const since = count - (runsAtStop.get(name) ?? 0);
      const recordedSince = recorded.get(name)! - (recordedAtStop.get(name) ?? 0);
      assertEquals(since, recordedSince, `${order.id} ${name}`);
    }
  }
  assertEquals(Object.fromEntries(last.runs), { reserveStock: 1, chargeCard: 4, bookCarrier: 1 });
});

Deno.test("playStory() only adds to the histories after the stop", () => {
  for (const { state, stateAtStop } of story.orders) {
    const { history } = stateAtStop;
    assertEquals(state.history.slice(0, history.length), history);
    assertEquals([state.runId, state.createdAt], [stateAtStop.runId, stateAtStop.createdAt]);
  }
});

Deno.test("playStory() keeps due times across the stop, and signals that came while no executor ran", () => {
  const [asleep, approved] = story.orders.map(({ state }) => state.history);
  const started = asleep.find((event) => event.type === "timer_started")!;
  const fired = asleep.find((event) => event.type === "timer_fired")!;
  assertEquals(fired.at, started.dueAt);

  const { marks: [stopped, recovered] } = story.orders[1];
  const signal = approved.findIndex((event) => event.type === "signal_received");
  assertEquals([stopped.after, recovered.after], [signal, signal + 1]);
  assert(stopped.at! < approved[signal].at && approved[signal].at < recovered.at!);
});

Deno.test("playStory() refunds the payment when the order is cancelled while no executor runs it", async () => {
  const { orders: [order], shop } = await playStory(
    withScript({ cancel: { afterMinutes: 1, reason: "never mind" } }),
  );
  assertEquals(order.state.status, "canceled");
  assertEquals(order.stateAtStop.history.at(-1)?.type, "activity_attempt_failed");
  assertEquals(Object.fromEntries(order.runs), {
    reserveStock: 1,
    chargeCard: 4, // its answer was lost, so it was called again: the refund waits for its outcome
    voidPayment: 1,
    releaseStock: 1,
  });
  assertEquals(shop.payments, [{ orderId: "RP-1006", voided: true }]);
  assertEquals(shop.reserved, []);
  assertEquals(order.notes, ['Cannot signal workflow "RP-1006": its status is "canceled"']);
});

Deno.test("playStory() finds its moment to stop whatever the last card does", async () => {
  const cards = [{ failures: 0 }, { failures: 4 }, { failures: 9 }, { failures: 2, declined: "the card was stolen" }];
  const attempts: number[] = [];
  for (const card of cards) {
    const { orders: [order], stop } = await playStory(withScript({ card }));
    attempts.push(stop.attempt);
    const recorded = countAttempts(order.state.history).get("chargeCard")!;
    assertEquals([stop.attempt, order.runs.get("chargeCard")], [recorded, recorded + 1]);
    assertEquals(order.state.status, attempts.length <= 2 ? "completed" : "failed");
  }
  assertEquals(attempts, [1, 5, 5, 1]);
});

Deno.test("formatStory() returns the same each time, in lines of at most 100 characters", async () => {
  const text = formatStory(story, "orders.json");
  assertEquals(formatStory(await playStory(sample), "orders.json"), text);
  assertEquals(text.split("\n").filter((line) => [...line].length > 100), []);
  for (const { order, state: { history } } of story.orders) {
    const begin = text.indexOf(`━━ ${order.id}`);
    const section = text.slice(begin, text.indexOf("━━ ", begin + 1));
    const numbers = Array.from(
      section.matchAll(/^ *(\d+-)?(\d+) +[+]/gm),
      ([, from, to]) => [parseInt(from ?? to), +to],
    );
    assertEquals(numbers.map(([from]) => from), [1, ...numbers.map(([, to]) => to + 1).slice(0, -1)]); // none is left out
    assertEquals(numbers.at(-1)?.[1], history.length);
  }
});
