import { assertEquals } from "@std/assert";
import { drawImages } from "../tools/images.ts";

for (const [file, text] of Object.entries(await drawImages())) {
  Deno.test(`${file} is what the demo draws; if it should change: deno task images`, async () => {
    assertEquals(await Deno.readTextFile(new URL(`../${file}`, import.meta.url)), text);
  });
}
