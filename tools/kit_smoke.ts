/**
 * The in-memory store is checked against its contract by the test runner of Node: the kit is for every runner.
 *
 * @module
 */

import { test } from "node:test";
import { InMemoryStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";

testStore(test, () => new InMemoryStore(), { name: "InMemoryStore" });
