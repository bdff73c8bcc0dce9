import { test } from "node:test";
import { InMemoryStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";

testStore(test, () => new InMemoryStore(), { name: "InMemoryStore" });
