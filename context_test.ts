/** The types of the port that workflow code holds. The compiler checks these tests: nothing in them runs. */

import type {
  Activity,
  ActivityContext,
  ChildHandle,
  DeepReadonly,
  QueryDefinition,
  SignalDefinition,
  UpdateDefinition,
  Workflow,
  WorkflowContext,
} from "@rockpool/workflow";
import { assertType, compiles, type Same } from "./tests/support/compile_time.ts";

interface Order {
  readonly id: string;
  readonly items: readonly string[];
}
interface MutableOrder {
  id: string;
  items: string[];
}

Deno.test("DeepReadonly makes objects, arrays and tuples readonly, with everything in them", () => {
  assertType<Same<DeepReadonly<string[]>, readonly string[]>>();
  assertType<Same<DeepReadonly<number[][]>, readonly (readonly number[])[]>>();
  assertType<Same<DeepReadonly<[number, string[]]>, readonly [number, readonly string[]]>>();
  assertType<Same<DeepReadonly<[a: number, b?: string[]]>, readonly [a: number, b?: readonly string[]]>>();
  assertType<Same<DeepReadonly<[string, ...number[][]]>, readonly [string, ...(readonly number[])[]]>>();
  assertType<DeepReadonly<MutableOrder> extends Order ? true : false>();
  assertType<DeepReadonly<Order> extends Order ? true : false>();
  assertType<Order extends DeepReadonly<MutableOrder> ? true : false>();
  compiles((order: DeepReadonly<MutableOrder>, index: DeepReadonly<Record<string, number[]>>) => {
    // @ts-expect-error -- readonly
    order.id = "b";
    // @ts-expect-error -- readonly
    order.items.push("pearl");
    // @ts-expect-error -- readonly
    order.items[0] = "pearl";
    // @ts-expect-error -- readonly
    index.a = [1];
    // @ts-expect-error -- readonly
    index.a.sort();
  });
});

Deno.test("DeepReadonly leaves primitives, functions, any, unknown and never as they are", () => {
  type Branded = string & { readonly brand: "id" };
  assertType<
    Same<DeepReadonly<string | 7 | true | 8n | null | undefined>, string | 7 | true | 8n | null | undefined>
  >();
  assertType<Same<DeepReadonly<symbol>, symbol>>();
  assertType<Same<DeepReadonly<Branded>, Branded>>();
  assertType<Same<DeepReadonly<(list: string[]) => string[]>, (list: string[]) => string[]>>();
  // deno-lint-ignore no-explicit-any -- that is the case
  assertType<Same<DeepReadonly<any>, any>>();
  assertType<Same<DeepReadonly<unknown>, unknown>>();
  assertType<Same<DeepReadonly<never>, never>>();
  assertType<Same<DeepReadonly<void>, void>>();
});

Deno.test("DeepReadonly leaves built-in objects as they are, since everyone who receives one has a copy of their own", () => {
  assertType<Same<DeepReadonly<Date>, Date>>();
  assertType<Same<DeepReadonly<RegExp>, RegExp>>();
  assertType<Same<DeepReadonly<Error>, Error>>();
  assertType<Same<DeepReadonly<ArrayBuffer>, ArrayBuffer>>();
  assertType<Same<DeepReadonly<Uint8Array>, Uint8Array>>();
  assertType<Same<DeepReadonly<DataView>, DataView>>();
  assertType<DeepReadonly<Blob> extends Blob ? true : false>();
});

Deno.test("DeepReadonly leaves a Map and a Set mutable, and makes what they hold readonly", () => {
  assertType<Same<DeepReadonly<Map<string, number[]>>, Map<string, readonly number[]>>>();
  assertType<Same<DeepReadonly<Set<[number]>>, Set<readonly [number]>>>();
  assertType<Same<DeepReadonly<ReadonlyMap<string, number[]>>, ReadonlyMap<string, readonly number[]>>>();
  assertType<Same<DeepReadonly<ReadonlySet<number[]>>, ReadonlySet<readonly number[]>>>();
  compiles((counts: DeepReadonly<{ of: Map<string, number[]> }>) => {
    counts.of.set("a", [1]);
    // @ts-expect-error -- what it holds is frozen
    counts.of.get("a")?.push(2);
  });
});

Deno.test("DeepReadonly treats each member of a union by itself", () => {
  type Shape = { kind: "circle"; sizes: number[] } | { kind: "none" } | string[] | undefined;
  compiles((shape: DeepReadonly<Shape>) => {
    if (shape === undefined || !("kind" in shape)) return shape?.[0];
    if (shape.kind === "none") return;
    assertType<Same<typeof shape.sizes, readonly number[]>>();
  });
});

Deno.test("DeepReadonly takes recursive types", () => {
  type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
  interface Tree {
    value: number;
    children: Tree[];
    parent?: Tree;
    byName: Map<string, Tree>;
  }
  compiles((tree: DeepReadonly<Tree>, json: DeepReadonly<Json>) => {
    const value: number | undefined = tree.children[0].children[0].parent?.byName.get("a")?.value;
    // @ts-expect-error -- readonly
    tree.children[0].children[0].children.push(tree);
    // @ts-expect-error -- readonly
    if (json instanceof Array) json.push(1);
    return value;
  });
});

Deno.test("WorkflowContext.executeActivity() returns a deeply readonly result", () => {
  compiles(async (ctx: WorkflowContext) => {
    const list = await ctx.executeActivity(() => [3, 1]);
    assertType<Same<typeof list, readonly number[]>>();
    // @ts-expect-error -- the result is frozen
    list.sort();
    const order = await ctx.executeActivity(async (): Promise<MutableOrder> => await Promise.reject(), undefined, {});
    // @ts-expect-error -- the result is frozen
    order.items.push("pearl");
    const mixed = await ctx.executeActivity((): Promise<number[]> | "none" => "none");
    assertType<Same<typeof mixed, readonly number[] | "none">>();
    const nothing = await ctx.executeActivity(() => {});
    assertType<Same<typeof nothing, void>>();
    // deno-lint-ignore no-explicit-any -- that is the case
    const anything = await ctx.executeActivity((): any => 1);
    // deno-lint-ignore no-explicit-any -- that is the case
    assertType<Same<typeof anything, any>>();
  });
});

Deno.test("WorkflowContext.executeActivity() checks the input against the activity's parameter", () => {
  compiles((ctx: WorkflowContext) => {
    const charge = (_payment: { readonly cents: number; readonly currency?: string }) => "charged";
    ctx.executeActivity(charge, { cents: 5 });
    // @ts-expect-error -- the input is required
    ctx.executeActivity(charge);
    // @ts-expect-error -- the input is required
    ctx.executeActivity(charge, undefined);
    // @ts-expect-error -- of another type
    ctx.executeActivity(charge, { cents: "5" });
    // @ts-expect-error -- a property that is misspelt
    ctx.executeActivity(charge, { cents: 5, curency: "EUR" });
    // @ts-expect-error -- an option that is misspelt
    ctx.executeActivity(charge, { cents: 5 }, { retries: {} });
    ctx.executeActivity((n: number | null) => n, null);
    ctx.executeActivity((n?: number) => n);
    ctx.executeActivity((n?: number) => n, undefined, { name: "optional" });
    ctx.executeActivity((size: "S" | "L") => size, "S");
    // @ts-expect-error -- none of these
    ctx.executeActivity((size: "S" | "L") => size, "M");
    ctx.executeActivity((value: unknown) => value, 3);
    ctx.executeActivity((value: unknown) => value);
    ctx.executeActivity(([a, b]: readonly [number, string]) => `${a}${b}`, [1, "b"]);
  });
});

Deno.test("WorkflowContext.executeActivity() keeps the type of a generic activity", () => {
  compiles(async (ctx: WorkflowContext) => {
    const listOf = <T>(value: T) => [value];
    const numbers = await ctx.executeActivity(listOf, 5);
    assertType<Same<typeof numbers, readonly number[]>>();
    const orders = await ctx.executeActivity(async <T>(value: T) => await Promise.resolve({ value }), { id: "a" });
    const id: string = orders.value.id;
    const firstOf = <T extends string>(list: readonly T[]) => list[0];
    const first = await ctx.executeActivity(firstOf, ["a", "b"]);
    assertType<Same<typeof first, string>>();
    // @ts-expect-error -- against its constraint
    ctx.executeActivity(firstOf, [1]);
    return id;
  });
});

Deno.test("WorkflowContext.executeActivity() refuses an activity that would change its frozen input", () => {
  compiles((ctx: WorkflowContext) => {
    // @ts-expect-error -- its input is declared mutable
    ctx.executeActivity((list: number[]) => list.sort(), [3, 1]);
    // @ts-expect-error -- its input is declared mutable
    ctx.executeActivity((order: MutableOrder) => order.id, { id: "a", items: [] });
    // @ts-expect-error -- where no type is declared, it is readonly
    ctx.executeActivity((order) => order.items.push("pearl"), { id: "a", items: ["shell"] });
    ctx.executeActivity((list: readonly number[]) => list.toSorted(), [3, 1]);
    ctx.executeActivity((order: Order) => order.id, { id: "a", items: [] });
    ctx.executeActivity((counts: Map<string, number>) => counts.set("a", 1), new Map()); // a copy of its own
    class Account {
      #balance = 7;
      balance(): number {
        return this.#balance;
      }
    }
    // @ts-expect-error -- what an activity gets has no prototype, and so no private parts
    ctx.executeActivity((account: Account) => account.balance(), new Account());
  });
});

Deno.test("Activity is the type of an activity that is declared apart", () => {
  const ship: Activity<MutableOrder, string> = async (order, { attempt }: ActivityContext) => {
    // @ts-expect-error -- the input is frozen
    order.items.push("pearl");
    return await Promise.resolve(`${order.id} ${attempt}`);
  };
  compiles(async (ctx: WorkflowContext) => {
    const shipped = await ctx.executeActivity(ship, { id: "a", items: [] });
    assertType<Same<typeof shipped, string>>();
    // @ts-expect-error -- of another type
    ctx.executeActivity(ship, 7);
    // @ts-expect-error -- not called in a workflow, it needs a context
    ship({ id: "a", items: [] });
  });
});

Deno.test("WorkflowContext.continueAsNew() takes the workflow's own input", () => {
  compiles(async (ctx: WorkflowContext<Order>, input: Order) => {
    if (input.id === "a") return await ctx.continueAsNew(input);
    if (input.id === "b") return await ctx.continueAsNew({ id: "b", items: ["shell"] });
    // @ts-expect-error -- of another shape
    await ctx.continueAsNew({ wrong: "shape" });
    // @ts-expect-error -- a property too many
    await ctx.continueAsNew({ id: "b", items: [], wrong: 1 });
    // @ts-expect-error -- the input is required
    await ctx.continueAsNew();
  });
  compiles(async (ctx: WorkflowContext<number | undefined>, n?: number) => {
    if (n === 1) await ctx.continueAsNew();
    if (n === 2) await ctx.continueAsNew(undefined);
    await ctx.continueAsNew(3);
  });
  const order: Workflow<MutableOrder> = async (ctx, input) => await ctx.continueAsNew(input);
  compiles(order);
});

Deno.test("WorkflowContext.continueAsNew() needs no argument where a workflow has no input", () => {
  compiles((ctx: WorkflowContext<void>) => ctx.continueAsNew());
  compiles((ctx: WorkflowContext<undefined>) => ctx.continueAsNew());
  // @ts-expect-error -- it has none
  compiles((ctx: WorkflowContext<void>) => ctx.continueAsNew(1));
});

Deno.test("WorkflowContext without an input cannot continue, and every context can be passed for it", () => {
  const helper = (ctx: WorkflowContext) => ctx.sleep(1);
  // @ts-expect-error -- it does not know the input
  compiles((ctx: WorkflowContext) => ctx.continueAsNew());
  // @ts-expect-error -- it does not know the input
  compiles((ctx: WorkflowContext) => ctx.continueAsNew(1));
  compiles((ctx: WorkflowContext<Order>) => helper(ctx));
  compiles((ctx: WorkflowContext<void>) => helper(ctx));
  const renew = (ctx: WorkflowContext<number>) => ctx.continueAsNew(1);
  compiles((ctx: WorkflowContext<number | string>) => renew(ctx));
  // @ts-expect-error -- it would continue a workflow with the input of another one
  compiles((ctx: WorkflowContext) => renew(ctx));
  // @ts-expect-error -- it would continue a workflow with the input of another one
  compiles((ctx: WorkflowContext<string>) => renew(ctx));
});

Deno.test("Workflow is the type of a workflow that is declared apart", () => {
  const order: Workflow<MutableOrder, number> = (_ctx, input) => {
    // @ts-expect-error -- the input is frozen
    input.items.push("pearl");
    return input.items.length;
  };
  compiles(async (ctx: WorkflowContext) => {
    const count = await ctx.executeChild(order, { id: "a", items: [] });
    assertType<Same<typeof count, number>>();
  });
  // @ts-expect-error -- its input is declared mutable
  const mutable: Workflow<MutableOrder> = (_ctx: WorkflowContext, input: MutableOrder) => input.id;
  // @ts-expect-error -- it continues with another input
  const other: Workflow<Order> = (ctx: WorkflowContext<number>, _input: Order) => ctx.continueAsNew(1);
  compiles(() => [mutable, other]);
});

Deno.test("WorkflowContext.executeChild() and startChild() check the input, and return readonly results", () => {
  compiles(async (ctx: WorkflowContext) => {
    const child = async (ctx: WorkflowContext<Order>, order: Order): Promise<string[]> => {
      if (order.id === "") return await ctx.continueAsNew(order);
      return [order.id];
    };
    const ids = await ctx.executeChild(child, { id: "a", items: [] });
    assertType<Same<typeof ids, readonly string[]>>();
    const handle = ctx.startChild(child, { id: "a", items: [] }, { id: "child" });
    assertType<Same<typeof handle, ChildHandle<readonly string[]>>>();
    // @ts-expect-error -- the input is required
    ctx.startChild(child);
    // @ts-expect-error -- of another type
    ctx.executeChild(child, 7);
    // @ts-expect-error -- an option that is misspelt
    ctx.executeChild(child, { id: "a", items: [] }, { ID: "child" });
    // @ts-expect-error -- its input is declared mutable
    ctx.executeChild((_ctx: WorkflowContext, order: MutableOrder) => order.id, { id: "a", items: [] });
    ctx.executeChild(async (ctx, order: Order) => await ctx.continueAsNew(order), { id: "a", items: [] });
    ctx.executeChild((_ctx, order) => order.items.length, { id: "a", items: ["shell"] });
  });
});

Deno.test("WorkflowContext.waitForSignal() and receiveSignal() return readonly payloads", () => {
  compiles(async (ctx: WorkflowContext, added: SignalDefinition<string[]>) => {
    const payload = await ctx.waitForSignal(added);
    assertType<Same<typeof payload, readonly string[]>>();
    for await (const each of ctx.receiveSignal(added)) assertType<Same<typeof each, readonly string[]>>();
    const unknown = await ctx.waitForSignal("by name");
    assertType<Same<typeof unknown, unknown>>();
    const named = await ctx.waitForSignal<string[]>("by name", { timeoutMs: 5 });
    assertType<Same<typeof named, readonly string[]>>();
  });
});

Deno.test("ChildHandle.signal() needs the payload that the definition says", () => {
  compiles(
    (child: ChildHandle, add: SignalDefinition<string[]>, stop: SignalDefinition<undefined>, any: SignalDefinition) => {
      child.signal(add, ["shell"]);
      child.signal(add, ["shell"] as readonly string[]);
      // @ts-expect-error -- the payload is required
      child.signal(add);
      // @ts-expect-error -- of another type
      child.signal(add, 7);
      child.signal(stop);
      // @ts-expect-error -- it has none
      child.signal(stop, 7);
      child.signal(any);
      child.signal(any, 7);
      child.signal("by name");
      child.signal("by name", 7);
    },
  );
});

Deno.test("WorkflowContext.handleQuery() and handleUpdate() get readonly arguments, and may return readonly values", () => {
  compiles((
    ctx: WorkflowContext,
    find: QueryDefinition<string[], [prefixes: string[], limit?: number]>,
    add: UpdateDefinition<string[], { items: string[] }>,
  ) => {
    const list: readonly string[] = [];
    ctx.handleQuery(find, (prefixes, limit) => {
      assertType<Same<typeof prefixes, readonly string[]>>();
      assertType<Same<typeof limit, number | undefined>>();
      return list;
    });
    // @ts-expect-error -- the answer is of another type
    ctx.handleQuery(find, () => 7);
    ctx.handleQuery("by name", () => 7);
    ctx.handleQuery("by name", (n: number) => n);
    ctx.handleUpdate(add, ({ items }) => {
      // @ts-expect-error -- the input is frozen
      items.push("pearl");
      return list;
    }, {
      validate({ items }) {
        // @ts-expect-error -- the input is frozen
        items.sort();
      },
    });
    ctx.handleUpdate(add, async () => await Promise.resolve(list));
    // @ts-expect-error -- the answer is of another type
    ctx.handleUpdate(add, () => 7);
    ctx.handleUpdate("by name", (n: number) => n);
    // @ts-expect-error -- its input is declared mutable
    ctx.handleUpdate("by name", (list: number[]) => list.length);
  });
});

Deno.test("WorkflowContext.sideEffect() returns the recorded value, readonly", () => {
  compiles(async (ctx: WorkflowContext) => {
    const list = await ctx.sideEffect(() => [1]);
    assertType<Same<typeof list, readonly number[]>>();
  });
});

Deno.test("WorkflowContext.mapConcurrent() returns an array that is the workflow's own", () => {
  compiles(async (ctx: WorkflowContext) => {
    const results = await ctx.mapConcurrent([1, 2], 1, (n) => `${n}`);
    assertType<Same<typeof results, string[]>>();
  });
});
