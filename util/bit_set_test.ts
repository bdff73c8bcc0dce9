import { assertEquals } from "@std/assert";
import { BitSet } from "./bit_set.ts";
import { seeded } from "@rockpool/workflow/testing";

/** The last member of a word of each level, and the first member of the next word. */
const BORDERS = [31, 32, 1023, 1024, 32_767, 32_768, 2 ** 20 - 1, 2 ** 20];
const FAR = 2 ** 31 - 1;

function setOf(...members: number[]): BitSet {
  const set = new BitSet();
  for (const member of members) set.add(member);
  return set;
}

/** All members, found in both directions. */
function membersOf(set: BitSet): number[] {
  const ascending: number[] = [];
  for (let one = set.next(0); one >= 0; one = set.next(one + 1)) ascending.push(one);
  const descending: number[] = [];
  for (let one = set.previous(FAR); one >= 0; one = set.previous(one - 1)) descending.push(one);
  assertEquals(descending.reverse(), ascending);
  return ascending;
}

Deno.test("BitSet finds nothing when it is empty", () => {
  const set = new BitSet();
  for (const from of [0, ...BORDERS, FAR]) assertEquals([set.next(from), set.previous(from)], [-1, -1]);
  assertEquals([set.previous(-1), set.size], [-1, 0]);
});

for (const member of [0, 1, 30, ...BORDERS]) {
  Deno.test(`BitSet finds its only member ${member} from all smaller and larger numbers`, () => {
    const set = setOf(member);
    for (const from of [0, 1, ...BORDERS, member - 1, member, member + 1, FAR]) {
      if (from >= 0) assertEquals(set.next(from), from <= member ? member : -1, `next(${from})`);
      assertEquals(set.previous(from), from >= member ? member : -1, `previous(${from})`);
    }
  });

  Deno.test(`BitSet does not find ${member} after a deletion, and finds it after it is added again`, () => {
    const set = setOf(member);
    set.delete(member);
    assertEquals([set.next(0), set.previous(FAR), set.size], [-1, -1, 0]);
    set.add(member);
    assertEquals([set.next(0), set.previous(FAR), set.size], [member, member, 1]);
  });
}

Deno.test("BitSet finds members across all borders of words", () => {
  const ends = [0, ...BORDERS];
  for (const [i, low] of ends.entries()) {
    for (const high of ends.slice(i + 1)) {
      const set = setOf(high, low);
      const found = [set.next(low), set.next(low + 1), set.next(high + 1)];
      assertEquals(found, [low, high, -1], `${low} to ${high}`);
      const back = [set.previous(high), set.previous(high - 1), set.previous(low - 1)];
      assertEquals(back, [high, low, -1], `${high} to ${low}`);
    }
  }
});

Deno.test("BitSet keeps its members when it grows by one level or several", () => {
  for (const members of [[0, ...BORDERS], [31, 2 ** 20, 5], [7, 64, 128, 256, 512, 70_000]]) {
    const set = new BitSet();
    for (const [i, member] of members.entries()) {
      set.add(member);
      assertEquals(membersOf(set), members.slice(0, i + 1).sort((a, b) => a - b));
      assertEquals(set.size, i + 1);
    }
  }
});

Deno.test("BitSet finds members across a gap of 40,000", () => {
  const set = setOf(...Array.from({ length: 40_000 }, (_, i) => i));
  for (let i = 1; i < 39_999; i++) set.delete(i);
  assertEquals([set.next(1), set.previous(39_998), set.size], [39_999, 0, 2]);
  assertEquals(membersOf(set), [0, 39_999]);
});

const around = BORDERS.filter((_, i) => i % 2 === 1).flatMap((border) =>
  Array.from({ length: 24 }, (_, i) => border - 12 + i)
);
const range = (length: number, step = 1) => Array.from({ length }, (_, i) => i * step);
const games: [name: string, members: number[], seed: number, adds: number][] = [
  ["around the borders", around, 1, 0.5],
  ["around the borders, few at a time", around, 2, 0.1],
  ["dense", range(200), 3, 0.9],
  ["two words", range(64), 4, 0.5],
  ["sparse over a million", range(300, 3571), 5, 0.3],
  ["every 32nd", range(100, 32), 6, 0.5],
];
for (const [name, members, seed, adds] of games) {
  Deno.test(`BitSet behaves as a sorted array in 20,000 random steps: ${name}`, () => {
    const random = seeded(seed);
    const any = () => members[Math.floor(random() * members.length)];
    const set = new BitSet();
    let model: number[] = [];
    for (let step = 0; step < 20_000; step++) {
      const member = any();
      const from = any() + Math.floor(random() * 3) - 1;
      const found = model.includes(member);
      if (found && random() > adds) {
        set.delete(member);
        model = model.filter((one) => one !== member);
      } else if (!found && random() < adds) {
        set.add(member);
        model = [...model, member].sort((a, b) => a - b);
      }
      const actual = [set.size, from < 0 ? -1 : set.next(from), set.previous(from)];
      const next = from < 0 ? -1 : model.find((one) => one >= from) ?? -1;
      const expected = [model.length, next, model.findLast((one) => one <= from) ?? -1];
      if (actual.join() !== expected.join()) assertEquals(actual, expected, `seed ${seed}, step ${step}, from ${from}`);
    }
    assertEquals(membersOf(set), model);
  });
}
