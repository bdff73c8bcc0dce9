import { assert, assertEquals, assertRejects } from "@std/assert";
import { CanceledError, type Executor, InMemoryStore, NonRetryableError } from "@rockpool/workflow";
import { gate, settle, setUp, typesOf } from "../tests/support/executors.ts";
import type { Address, Order } from "./order.ts";
import {
  type Approval,
  CARD_ATTEMPTS,
  type Charge,
  createOrderWorkflow,
  CURING_MS,
  type OrderResult,
} from "./order_workflow.ts";
import { countAttempts } from "./report.ts";
import { type CardScript, SimulatedShop } from "./simulated_shop.ts";

const input: Order = {
  id: "a",
  customer: { name: "Ada", email: "ada@example.com" },
  currency: "EUR",
  items: [
    { sku: "1", name: "Chair", quantity: 2, unitCents: 18450 },
    { sku: "2", name: "Desk", quantity: 1, unitCents: 89000 },
  ],
  address: { street: "1 Quay", postcode: "1000", city: "Porto", country: "PT" },
  card: { token: "tok", last4: "4242" },
};
const yes: Approval = { approved: true, by: "Mara" };
const no: Approval = { approved: false, by: "Mara", reason: "no oak" };
const shipped: OrderResult = {
  outcome: "shipped",
  paymentId: "pay-a",
  trackingNumber: "PT-POR-a",
};

/** A shop, and an executor that can run orders for it. */
function setUpShop(
  options: { card?: CardScript; shop?: SimulatedShop; store?: InMemoryStore | undefined } = {},
) {
  const { card = { failures: 2 }, shop = new SimulatedShop(new Map([["a", card]])) } = options;
  const order = createOrderWorkflow(shop);
  const { executor, clock } = setUp({ store: options.store, workflows: { order } });
  const start = () => executor.execute(order, { id: "a", input });
  return { shop, executor, clock, start };
}

const approve = (executor: Executor, payload: Approval) => executor.signal("a", "approval", payload);

Deno.test("Order workflow ships after 30 days when it is approved", async () => {
  const { shop, executor, start } = setUpShop();
  const handle = await start();
  await settle();
  assertEquals((await executor.describe("a", { history: true })).history.at(-1)?.type, "activity_completed");
  assertEquals(shop.reserved, ["a"]);
  await approve(executor, yes);
  assertEquals(await handle.result(), shipped);
  const { history, updatedAt } = await executor.describe("a", { history: true });
  assertEquals(typesOf(history), [
    "workflow_started",
    "activity_started",
    "activity_completed",
    "activity_started",
    "activity_attempt_failed",
    "activity_attempt_failed",
    "activity_completed",
    "signal_received",
    "timer_started",
    "timer_fired",
    "activity_started",
    "activity_completed",
    "workflow_completed",
  ]);
  assertEquals(updatedAt, CURING_MS + 3000);
  assertEquals(Object.fromEntries(shop.runsOf("a")), {
    reserveStock: 1,
    chargeCard: 3,
    bookCarrier: 1,
  });
  assertEquals(shop.payments, [{ orderId: "a", voided: false }]);
  assertEquals([shop.reserved, shop.shipped], [[], ["a"]]);
  await executor.close();
});

Deno.test("Order workflow undoes everything when it is refused", async () => {
  const { shop, executor, start } = setUpShop();
  const handle = await start();
  await approve(executor, no); // before the workflow waits for it
  assertEquals(await handle.result(), { outcome: "refused", by: "Mara", reason: "no oak" });
  assertEquals(handle.status, "completed");
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals([shop.reserved, shop.shipped], [[], []]);
  await executor.close();
});

Deno.test("Order workflow fails and releases the stock when the card is declined for good", async () => {
  const { shop, executor, start } = setUpShop({ card: { failures: 2, declined: "the card expired" } });
  const handle = await start();
  await assertRejects(
    () => handle.result(),
    NonRetryableError,
    "Cannot charge EUR 1,259.00: the card expired",
  );
  assertEquals(handle.status, "failed");
  assertEquals(Object.fromEntries(shop.runsOf("a")), {
    reserveStock: 1,
    chargeCard: 1,
    voidPayment: 1,
    releaseStock: 1,
  });
  assertEquals([shop.payments, shop.reserved], [[], []]);
  await executor.close();
});

Deno.test("Order workflow fails and releases the stock when the payment service never answers", async () => {
  const { shop, executor, start } = setUpShop({ card: { failures: Infinity } });
  const handle = await start();
  const error = await assertRejects(() => handle.result(), Error);
  assertEquals(error.name, "GatewayError");
  assertEquals(shop.runsOf("a").get("chargeCard"), CARD_ATTEMPTS);
  assertEquals([shop.payments, shop.reserved], [[], []]);
  await executor.close();
});

Deno.test("Order workflow undoes everything when it is cancelled while it waits for approval", async () => {
  const { shop, executor, start } = setUpShop();
  const handle = await start();
  await settle();
  await executor.cancel("a", "too slow");
  const error = await assertRejects(() => handle.result(), CanceledError);
  assertEquals([error.reason, handle.status], ["too slow", "canceled"]);
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals([shop.reserved, shop.shipped], [[], []]);
  await executor.close();
});

Deno.test("Order workflow undoes everything when it is cancelled while it sleeps", async () => {
  const { shop, executor, clock, start } = setUpShop();
  const cancelAt = CURING_MS / 2;
  clock.at(cancelAt, () => executor.cancel("a", "moving abroad"));
  const handle = await start();
  await approve(executor, yes);
  await assertRejects(() => handle.result(), CanceledError, "moving abroad");
  const { history, status, updatedAt } = await executor.describe("a", { history: true });
  assertEquals([status, updatedAt], ["canceled", cancelAt]);
  assertEquals(typesOf(history).slice(-7), [
    "timer_started",
    "cancel_requested",
    "activity_started",
    "activity_completed",
    "activity_started",
    "activity_completed",
    "workflow_canceled",
  ]);
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals([shop.reserved, shop.shipped], [[], []]);
  await executor.close();
});

Deno.test("Order workflow refunds the payment when it is cancelled while the card is being charged", async () => {
  const charged = gate();
  const answer = gate();
  class SlowShop extends SimulatedShop {
    override async chargeCard(charge: Charge, idempotencyKey: string) {
      const paymentId = await super.chargeCard(charge, idempotencyKey);
      charged.open();
      await answer.promise;
      return paymentId;
    }
  }
  const { shop, executor, start } = setUpShop({ shop: new SlowShop(new Map()) });
  const handle = await start();
  await charged.promise;
  await executor.cancel("a");
  await assertRejects(() => handle.result(), CanceledError);
  answer.open();
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals(shop.reserved, []);
  await executor.close();
});

Deno.test("Order workflow still ships when it is cancelled while the carrier is being booked", async () => {
  const called = gate();
  const answer = gate();
  class SlowShop extends SimulatedShop {
    override async bookCarrier(orderId: string, address: Address) {
      called.open();
      await answer.promise;
      return await super.bookCarrier(orderId, address);
    }
  }
  const { shop, executor, start } = setUpShop({ shop: new SlowShop(new Map()) });
  const handle = await start();
  await approve(executor, yes);
  await called.promise;
  await executor.cancel("a");
  answer.open();
  assertEquals(await handle.result(), shipped);
  assertEquals(shop.payments, [{ orderId: "a", voided: false }]);
  assertEquals(shop.shipped, ["a"]);
  await executor.close();
});

for (const [how, payload] of [["approved", yes], ["refused", no]] as const) {
  Deno.test(`Order workflow ends the same when it is ${how} and the executor stops after any event`, async () => {
    const undisturbed = setUpShop();
    const handle = await undisturbed.start();
    await approve(undisturbed.executor, payload);
    const expected = await handle.result();
    const { length } = (await undisturbed.executor.describe("a", { history: true })).history;
    await undisturbed.executor.close();

    for (let stopAfter = 1; stopAfter < length; stopAfter++) {
      const store = new InMemoryStore();
      const first = setUpShop({ store });
      const stopped = gate();
      const unsubscribe = store.subscribe((_id, historyLength) => {
        if (historyLength === stopAfter) first.executor.close().then(stopped.open);
      });
      await first.start().catch(() => {}); // the executor may stop before it reports the start
      await approve(first.executor, payload).catch(() => {});
      await stopped.promise;
      unsubscribe();

      const { shop } = first;
      const second = setUpShop({ store, shop });
      const [recovered] = await second.executor.recover();
      const { history } = await second.executor.describe("a", { history: true });
      if (!typesOf(history).includes("signal_received")) await approve(second.executor, payload);
      assertEquals(await recovered.result(), expected, `stopped after event ${stopAfter}`);

      // Each activity ran as often as the history says, except for one in flight.
      const recorded = countAttempts((await second.executor.describe("a", { history: true })).history);
      const surplus = [...shop.runsOf("a")].map(([name, runs]) => runs - recorded.get(name)!);
      const inFlight = surplus.reduce((a, b) => a + b, 0);
      assert(inFlight === 0 || inFlight === 1, `stopped after event ${stopAfter}`);
      assertEquals(shop.payments, [{ orderId: "a", voided: how === "refused" }]);
      assertEquals(shop.reserved, []);
      await second.executor.close();
    }
  });
}
