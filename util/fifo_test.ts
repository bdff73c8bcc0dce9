import { assertEquals } from "@std/assert";
import { Fifo } from "./fifo.ts";
import { seeded } from "@rockpool/workflow/testing";

Deno.test("Fifo behaves as an array in 100,000 random steps", () => {
  for (const [seed, pushes] of [[1, 0.5], [2, 0.7], [3, 0.35]]) {
    const random = seeded(seed);
    const fifo = new Fifo<number>();
    let model: number[] = [];
    let head = 0;
    for (let i = 0; i < 100_000; i++) {
      if (random() < pushes) {
        fifo.push(i);
        model.push(i);
      } else if (model.length > head) assertEquals(fifo.shift(), model[head++], `seed ${seed}, step ${i}`);
      if (random() < 0.00005) {
        fifo.clear();
        model = [];
        head = 0;
      }
      if (fifo.size !== model.length - head) throw new Error(`seed ${seed}, step ${i}: ${fifo.size} items`);
    }
  }
});
