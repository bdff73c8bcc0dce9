import { assert, assertEquals } from "@std/assert";
import { Slots, type Ticket } from "./slots.ts";
import { seeded } from "@rockpool/workflow/testing";
import { macrotasks } from "../tests/support/executors.ts";

const nobody = () => {};

Deno.test("Slots serves groups in turn, and each group in order", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  slots.take("x", nobody);
  for (const name of ["a1", "a2", "a3", "b1", "c1", "b2"]) {
    slots.take(name[0], () => {
      order.push(name);
      slots.release();
    });
  }
  slots.release();
  await macrotasks(1);
  assertEquals(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
});

Deno.test("Slots lets no waiter be overtaken when a slot becomes free", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  slots.take("x", nobody);
  slots.take("early", () => order.push("early"));
  slots.release();
  const late = slots.take("late", () => order.push("late"));
  assert(late !== undefined);
  await macrotasks(1);
  assertEquals(order, ["early"]);
});

Deno.test("Slots keeps the turn of a group when some of its waiters leave", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  const take = (name: string) =>
    slots.take(name[0], () => {
      order.push(name);
      slots.release();
    });
  slots.take("x", nobody);
  const leaving = ["a1", "a2", "a3", "c1"].map(take);
  ["a4", "b1", "b2", "b3"].forEach(take);
  leaving.forEach((ticket) => ticket!.cancel());
  slots.release();
  await macrotasks(1);
  assertEquals(order, ["a4", "b1", "b2", "b3"]);
});

Deno.test("Slots keeps nothing of a queue that all waiters have left", () => {
  const slots = new Slots(1);
  slots.take("x", nobody);
  const tickets = ["a", "b", "a"].map((group) => slots.take(group, () => {}));
  for (const ticket of [...tickets, ...tickets]) ticket!.cancel();
  slots.release();
  assertEquals(slots.take("y", nobody), undefined); // at once
});

Deno.test("Slots: cancel() of a served ticket removes no other waiter", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  slots.take("x", nobody);
  const served = slots.take("a", () => order.push("a1"));
  slots.release();
  await macrotasks(1);
  slots.take("a", () => order.push("a2"));
  served!.cancel();
  slots.release();
  await macrotasks(1);
  assertEquals(order, ["a1", "a2"]);
});

Deno.test("Slots keeps its invariants in random steps", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const count = 1 + Math.floor(random() * 4);
    const slots = new Slots(count);
    /** The waiters, by group and in order. */
    const line = new Map<string, { n: number; ticket: Ticket | undefined }[]>();
    /** The groups that were served since a group began to wait. */
    const servedSince = new Map<string, string[]>();
    let running = 0;
    let waiting = 0;
    const begin = () => assert(++running <= count, `seed ${seed}: ${running} of ${count}`);
    const leave = (group: string, place: { n: number }) => {
      const left = line.get(group)!.filter((one) => one !== place);
      waiting--;
      if (left.length > 0) return void line.set(group, left);
      line.delete(group);
      servedSince.delete(group);
    };
    for (let n = 0; n < 300; n++) {
      const kind = random();
      if (kind < 0.5) {
        const group = "abcde"[Math.floor(random() * 5)];
        const place = { n, ticket: undefined as Ticket | undefined };
        place.ticket = slots.take(group, () => {
          assertEquals(line.get(group)![0], place, `seed ${seed}: order`);
          leave(group, place);
          for (const served of servedSince.values()) served.push(group);
          const served = servedSince.get(group);
          if (served !== undefined) servedSince.set(group, []);
          for (const served of servedSince.values()) assertEquals(new Set(served).size, served.length, `seed ${seed}`);
          begin();
        });
        if (place.ticket === undefined) begin();
        else {
          waiting++;
          if (!line.has(group)) servedSince.set(group, []);
          line.set(group, [...line.get(group) ?? [], place]);
        }
      } else if (kind < 0.85) {
        if (running > 0) {
          running--;
          slots.release();
        }
      } else {
        const places = [...line].flatMap(([group, places]) => places.map((place) => ({ group, place })));
        if (places.length === 0) continue;
        const { group, place } = places[Math.floor(random() * places.length)];
        place.ticket!.cancel();
        leave(group, place);
      }
      if (random() < 0.5) {
        await null;
        assert(running === count || waiting === 0, `seed ${seed}: a slot is free while ${waiting} wait`);
      }
    }
    await null;
    while (running > 0) {
      running--;
      slots.release();
      await null;
    }
    assertEquals([waiting, line.size], [0, 0], `seed ${seed}`);
  }
});
