/**
 * A workflow in the SDK's own words, without this package: it shows what the server does by itself.
 *
 * @module
 */

import { type Anything, append } from "./workers.ts";

/** @param journal The path of a file that gets a line for each step that runs. */
export function services(sdk: Anything, journal: string): Anything[] {
  const sleeper = sdk.workflow({
    name: "Sleeper",
    handlers: {
      async run(ctx: Anything, ms: number): Promise<string[]> {
        const step = (name: string) => ctx.run(name, () => (append(journal, `${name} ${ctx.key}`), name));
        const before = await step("before");
        await ctx.sleep(ms);
        return [before, await step("after")];
      },
    },
  });
  return [sleeper];
}
