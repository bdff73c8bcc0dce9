import { assertEquals, assertMatch } from "@std/assert";
import { TempFolder } from "../tests/support/temp_files.ts";
import { countTests, runSteps, summarizeFailure } from "./ok.ts";

/** A report with the given test cases, as `deno test --junit-path` writes it. */
const report = (...cases: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="${cases.length}" failures="0" errors="0" time="0.019">
    <testsuite name="./a_test.ts" tests="${cases.length}" disabled="0" errors="0" failures="0">
        ${cases.join("\n        ")}
    </testsuite>
</testsuites>
`;
const testCase = (inside: string, name = "a test") =>
  `<testcase name="${name}" classname="./a_test.ts" time="0.001" line="1" col="6">
            ${inside}
        </testcase>`;

const passed = testCase("");
const ignored = testCase("<skipped/>");
const failed = testCase(`<failure message="Uncaught Error: no">Error: no\n    at file:///a_test.ts:1:6</failure>`);
const cancelled = testCase(`<error message="Cancelled"/>`);

Deno.test("countTests() counts what passed and what failed; ignored tests do not count", () => {
  assertEquals(countTests(report(passed, passed, ignored), true), { passed: 2, failed: 0 });
  assertEquals(countTests(report(passed, failed, cancelled, ignored), false), { passed: 1, failed: 2 });
});

Deno.test("countTests() counts a run without a report as one failure", () => {
  assertEquals(countTests(undefined, false), { passed: 0, failed: 1 });
  assertEquals(countTests(undefined, true), { passed: 0, failed: 1 });
  assertEquals(countTests("", false), { passed: 0, failed: 1 });
});

Deno.test("countTests() counts a failure that the report does not name", () => {
  assertEquals(countTests(report(), false), { passed: 0, failed: 1 });
  assertEquals(countTests(report(passed), false), { passed: 1, failed: 1 });
});

Deno.test("countTests() is not misled by the parts of a report in a test's name or message", async () => {
  const file = `${import.meta.dirname}/testdata/hostile_names.ts`;
  const args = ["test", "--no-check", "--reporter=junit", file];
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  const report = new TextDecoder().decode(stdout);
  assertEquals(countTests(report, success), { passed: 2, failed: 2 }, report);
});

Deno.test("summarizeFailure() gives the end of the output, and last the lines that name an error", () => {
  const output = [
    "a case ... \x1b[31mFAILED\x1b[0m (1s)",
    "error: AssertionError: no",
    ...Array(500).fill("a line"),
    "the last",
  ];
  const lines = summarizeFailure(output.join("\n"));
  assertEquals(lines.slice(-3), ["the last", "a case ... FAILED (1s)", "error: AssertionError: no"]);
  assertEquals(lines.length, 82);
});

/** The command line of a program that runs until `name` is told to end by a file; then it prints. */
const waiting = (file: string, prints: string, code = 0) => [
  "eval",
  `while (!(await Deno.stat(${
    JSON.stringify(file)
  }).catch(() => undefined))) await new Promise((done) => setTimeout(done, 5));
  console.log(${JSON.stringify(prints)}); console.error("more"); Deno.exit(${code});`,
];

Deno.test("runSteps() runs two steps at a time, prints each in one piece, and says what runs meanwhile", async () => {
  await using folder = new TempFolder();
  const [first, second] = ["first", "second"].map((name) => `${folder.path}/${name}`);
  const printed: string[] = [];
  const steps = {
    slow: waiting(second, "slow"),
    quick: waiting(first, "quick", 1),
    last: ["eval", "console.log(Deno.env.get('MINE'))"],
  };
  const results = await runSteps(steps, {
    env: { MINE: "in the environment" },
    quietMs: 5,
    print(text) {
      printed.push(text);
      if (printed.filter((text) => text.startsWith("... ")).length === 2) Deno.writeTextFileSync(first, "");
      if (text.startsWith("\n--- last")) Deno.writeTextFileSync(second, "");
    },
  });
  const whole = printed.filter((text) => !text.startsWith("... "));
  assertEquals(whole.map((text) => text.trim().split(":")[0]), ["--- quick", "--- last", "--- slow"]);
  assertMatch(whole[1], /^\n--- last: deno eval .*\nin the environment\n--- last: \d+\.\d s$/);
  assertMatch(printed[0], /^\.\.\. slow runs for \d+ s: $/);
  assertMatch(printed[1], /^\.\.\. quick runs for \d+ s: $/);
  assertEquals(results.map(({ name, success }) => [name, success]), [["slow", true], ["quick", false], ["last", true]]);
  assertEquals(results[0].output.split("\n").sort(), ["", "more", "slow"]);
});
