import { assertEquals } from "@std/assert";
import { ROOT } from "./packed.ts";

const root = new URL("../../", import.meta.url);

/** The files in a folder, as URLs. */
function filesOf(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const url = new URL(`${encodeURIComponent(name)}${isDirectory ? "/" : ""}`, folder);
    return isDirectory ? filesOf(url) : [url];
  });
}

/** The sources of the tools and of the matrix. */
const sources = (folder: URL) => filesOf(folder).filter(({ pathname }) => pathname.endsWith(".ts"));

Deno.test("ROOT is the path of the repository", () => {
  assertEquals(Deno.statSync(`${ROOT}deno.json`).isFile, true);
});

Deno.test("no tool uses the path of a URL as the path of a file: a space would be %20", () => {
  const urls = [new URL("tools/", root), new URL("matrix/", root)].flatMap(sources);
  const wrong = urls.filter((url) => /import\.meta\.url\)\.pathname/.test(Deno.readTextFileSync(url)));
  assertEquals(wrong.map(String), []);
});
