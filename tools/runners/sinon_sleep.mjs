// @ts-ignore -- main.ts installs it
import fakeTimers from "@sinonjs/fake-timers";
import { test } from "node:test";
import { sleep } from "./sleep.mjs";

let clock;
test("a sleep of 30 days", () => sleep(() => void (clock = fakeTimers.install()), (ms) => clock.tickAsync(ms)));
