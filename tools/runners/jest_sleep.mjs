// @ts-ignore -- main.ts installs it
import { jest, test } from "@jest/globals";
import { sleep } from "./sleep.mjs";

test("a sleep of 30 days", () => sleep(() => jest.useFakeTimers(), (ms) => jest.advanceTimersByTimeAsync(ms)));
