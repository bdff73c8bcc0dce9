import { assertEquals } from "@std/assert";
import { readSearch, searchFor } from "./search.ts";

Deno.test("readSearch() reads words, names, IDs and labels", () => {
  assertEquals(readSearch("RP-11"), { text: "RP-11", filter: {} });
  assertEquals(readSearch(" name:order  region:eu "), {
    text: "",
    filter: { workflowName: "order", labels: { region: "eu" } },
  });
  assertEquals(readSearch('id:a:b "two words" sea:"north sea"'), {
    text: "two words",
    filter: { idPrefix: "a:b", labels: { sea: "north sea" } },
  });
  assertEquals(readSearch(":x"), { text: ":x", filter: {} });
  assertEquals(Object.keys(readSearch("__proto__:x").filter.labels!), ["__proto__"]);
});

Deno.test("searchFor() writes what readSearch() reads", () => {
  assertEquals(readSearch(searchFor("a b", "c d")).filter.labels, { "a b": "c d" });
  assertEquals(readSearch(searchFor("region", "eu")).filter.labels, { region: "eu" });
});
