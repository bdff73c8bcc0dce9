/** `docs/cli.md`: what it shows is what the commands print. */

import { assertEquals } from "@std/assert";
import { CliFiles, shell } from "../tests/support/cli_runs.ts";

const page = new URL("../docs/cli.md", import.meta.url);
const workflows = new URL("../tests/support/cli_workflows.ts", import.meta.url);

/** The words of a command line, as a shell reads them. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) =>
    double ?? single ?? bare
  );
}

/** Runs the commands of a block in a folder with new files, and returns what the block must show. */
async function print(block: string): Promise<string> {
  await using files = await CliFiles.make();
  await Deno.writeTextFile(files.at("order.ts"), `export { order } from "${workflows}";\n`);
  const before = Deno.cwd();
  Deno.chdir(files.path);
  try {
    let printed = "";
    for (const line of block.split("\n").filter((line) => line.startsWith("$ rockpool "))) {
      const { out, error } = await shell(wordsOf(line.slice("$ rockpool ".length)));
      printed += `${line}\n${out}${error}`;
    }
    return printed.replace(/^ +at (?!activity).*\n/gm, ""); // the stack of an error has paths
  } finally {
    Deno.chdir(before);
  }
}

Deno.test("docs/cli.md shows what the commands print", async () => {
  const text = await Deno.readTextFile(page);
  const shown = [...text.matchAll(/```console\n([^]*?)```/g)].map(([, block]) => block);
  const printed: string[] = [];
  for (const block of shown) printed.push(await print(block));
  const variable = "ROCKPOOL_WRITE_DOCS";
  const isAllowed = Deno.permissions.querySync({ name: "env", variable }).state === "granted";
  if (isAllowed && Deno.env.get(variable) === "1") {
    let i = 0;
    const blocks = text.replace(/(```console\n)[^]*?```/g, (_, fence) => `${fence}${printed[i++]}\`\`\``);
    await Deno.writeTextFile(page, blocks);
  } else assertEquals(shown, printed);
});
