// @ts-ignore -- main.ts installs it
import { test } from "vitest";
import { InMemoryStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";

testStore(test, () => new InMemoryStore(), { name: "InMemoryStore" });
