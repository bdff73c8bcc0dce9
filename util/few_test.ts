import { assertEquals } from "@std/assert";
import { type Few, has, members, withMember, withoutMember } from "./few.ts";

Deno.test("Few is undefined, its only member, or a set", () => {
  const [a, b, c]: object[] = [{ a: 1 }, { b: 1 }, { c: 1 }];
  let few: Few<object> = undefined;
  assertEquals([...members(few)], []);
  assertEquals(few = withMember(few, a), a);
  assertEquals(few = withMember(few, a), a);
  few = withMember(withMember(few, b), c);
  assertEquals([...members(few)], [a, b, c]);
  assertEquals([a, b, c, {}].map((one) => has(few, one)), [true, true, true, false]);
  few = withoutMember(withoutMember(few, b), {});
  assertEquals([...members(few)], [a, c]);
  few = withoutMember(withoutMember(few, a), c);
  assertEquals([few, has(few, a)], [undefined, false]);
  assertEquals(withoutMember(a, b), a);
  assertEquals(withoutMember(a, a), undefined);
});
