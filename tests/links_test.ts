/**
 * Tests the links of the documents.
 *
 * JSR shows the README. It resolves relative links of the README against the repository that is linked to the package, so that these
 * may name any file of the repository. The other published documents are also read in the package itself, and link only to what is in
 * it; and to examples, which are in the repository only.
 *
 * `llms.txt` has the form of llmstxt.org: a title, a summary, and links with a sentence each.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { publishedFiles } from "../tools/package/packed.ts";

const root = new URL("../", import.meta.url);

/** The Markdown files, as paths from the root. */
function documents(folder = ""): string[] {
  return [...Deno.readDirSync(new URL(`./${folder}`, root))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return /^\.|^coverage$|^node_modules$/.test(name) ? [] : documents(`${folder}${name}/`);
    return name.endsWith(".md") ? [`${folder}${name}`] : [];
  });
}

/** The relative links of a document, without those in code. */
function relativeLinks(path: string): URL[] {
  const text = Deno.readTextFileSync(new URL(path, root)).replaceAll(/^```.*?^```$|`[^`\n]*`/gms, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .filter(([, link]) => !/^[a-z]+:/.test(link))
    .map(([, link]) => new URL(link, new URL(path, root)));
}

/** The names by which GitHub links to the headings of a document. */
function anchors(text: string): string[] {
  return [...text.replaceAll(/^```.*?^```$/gms, "").matchAll(/^#+ (.+)$/gm)]
    .map(([, heading]) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"));
}

Deno.test("links: each relative link names a file of the repository, and a heading of it", () => {
  for (const path of documents()) {
    for (const link of relativeLinks(path)) {
      const file = new URL(link.pathname, link);
      assert(link.pathname.startsWith(root.pathname), `${path} links to a file outside of the repository: ${link}`);
      const text = Deno.readTextFileSync(file);
      const anchor = link.hash.slice(1);
      assert(
        anchor === "" || anchors(text).includes(anchor),
        `${path} links to a heading that does not exist: ${link}`,
      );
    }
  }
});

Deno.test("links: published documents link to published files or examples; the README may link to the repository", async () => {
  const files = await publishedFiles();
  const broken = documents()
    .filter((path) => path !== "README.md" && files.includes(new URL(path, root).href))
    .flatMap((path) => relativeLinks(path).map((link) => [path, new URL(link.pathname, link).href]))
    .filter(([, file]) => !files.includes(file) && !file.startsWith(new URL("examples/", root).href));
  assertEquals(broken, []);
});

/** The pages of `docs/`, without its index. */
const pages = documents("docs/").filter((path) => path !== "docs/README.md");

Deno.test("links: docs/README.md has a line for each page of docs/", () => {
  const text = Deno.readTextFileSync(new URL("docs/README.md", root));
  const linked = [...text.matchAll(/^- \[[^\]]+\]\(([^)]+)\): \S/gm)].map(([, link]) => `docs/${link}`);
  for (const page of pages) {
    assert(linked.includes(page), `Add a line for ${page} to docs/README.md: - [Title](link): what`);
  }
});

Deno.test("links: llms.txt has a title, a summary, and a sentence for each page of docs/", () => {
  const text = Deno.readTextFileSync(new URL("llms.txt", root));
  assert(/^# \S.*\n\n> \S/.test(text), "llms.txt begins with a title and a summary");
  const sections = text.split(/^## .+\n\n/m).slice(1);
  const links = sections.flatMap((section) =>
    section.trim().split("\n").map((line) => {
      const [, link] = line.match(/^- \[[^\]]+\]\(([^)]+)\): [A-Z].*\.$/) ?? [];
      assert(link !== undefined, `llms.txt has a line that is no link with a sentence: ${line}`);
      assert(Deno.statSync(new URL(link, root)).isFile);
      return link;
    })
  );
  assertEquals(links.length, new Set(links).size, "llms.txt has a link twice");
  for (const page of pages) {
    assert(links.includes(page), `Add a line for ${page} to llms.txt: - [Title](${page}): A sentence.`);
  }
});
