import { mock, test } from "node:test";
import { sleep } from "./sleep.mjs";

test("a sleep of 30 days", () => sleep(() => mock.timers.enable(), (ms) => mock.timers.tick(ms)));
