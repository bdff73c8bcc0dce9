import { assertEquals, assertStringIncludes } from "@std/assert";
import { TestExecutor } from "../../testing/mod.ts";
import { condition, defineUpdate, setHandler, TemporalHost } from "../../temporal/mod.ts";

Deno.test("setHandler() accepts an update whose validator returns a promise, as Temporal does, and warns", async () => {
  const add = defineUpdate<number, [number]>("add");
  async function adder(): Promise<number> {
    let sum = 0;
    // deno-lint-ignore require-await -- an async validator is what is tested
    const validator = async (n: number) => {
      if (n > 5) throw new Error("too late");
    };
    setHandler(add, (n) => sum += n, { validator: validator as never });
    await condition(() => sum > 0);
    return sum;
  }
  const warnings: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (message: string) => void warnings.push(message) };
  const host = new TemporalHost({ workflows: { adder } });
  await using executor = new TestExecutor({ ...host.executorOptions, logger });
  const handle = await executor.execute(host.workflow("adder"), { id: "a", input: [] });
  assertEquals(await handle.update("add", [7]), 7);
  assertEquals(await handle.result(), 7);
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings[0], 'validator of update "add" returned a promise');
});
