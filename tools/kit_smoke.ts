/**
 * Checks the in-memory store against its contract with the test runner of Node: the kit works with every runner.
 *
 * @module
 */

import { test } from "node:test";
import { InMemoryStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";

testStore(test, () => new InMemoryStore(), { name: "InMemoryStore" });
