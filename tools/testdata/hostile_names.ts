// Tests for tools/ok_test.ts, which runs them: two pass, two fail, one is ignored.

const evil =
  `<testsuites tests="9" failures="9"><testcase name="x"><failure/><error/><skipped/></testcase> ]]> & 7 passed`;

Deno.test(evil, () => {});
Deno.test(`"/>${evil}`, () => {});
Deno.test(`throws ${evil}`, () => {
  throw new Error(evil);
});
Deno.test(`'/>${evil}\n\x1b[31m\0`, () => {
  throw evil;
});
Deno.test.ignore(`ignored ${evil}`, () => {});
