import { assertEquals, assertThrows } from "@std/assert";
import {
  arrayFromPayloads,
  BinaryPayloadConverter,
  CompositePayloadConverter,
  defaultPayloadConverter,
  fromPayloadsAtIndex,
  JsonPayloadConverter,
  mapFromPayloads,
  mapToPayloads,
  METADATA_ENCODING_KEY,
  type Payload,
  PayloadConverterError,
  toPayloads,
  ValueError,
} from "./mod.ts";

const encodingOf = (payload: Payload) => new TextDecoder().decode(payload.metadata![METADATA_ENCODING_KEY]);

Deno.test("defaultPayloadConverter converts undefined, bytes and JSON, each with its encoding", () => {
  const cases: [unknown, string][] = [
    [undefined, "binary/null"],
    [new Uint8Array([1]), "binary/plain"],
    [{ a: [1, null] }, "json/plain"],
    [null, "json/plain"],
  ];
  for (const [value, encoding] of cases) {
    const payload = defaultPayloadConverter.toPayload(value);
    assertEquals([encodingOf(payload), defaultPayloadConverter.fromPayload(payload)], [encoding, value]);
  }
});

Deno.test("CompositePayloadConverter refuses values, encodings and arguments that it cannot use", () => {
  assertThrows(() => defaultPayloadConverter.toPayload(1n), ValueError, "no payload converter takes it");
  assertThrows(() => defaultPayloadConverter.fromPayload({}), ValueError, "its metadata has no encoding");
  const other = new CompositePayloadConverter(new BinaryPayloadConverter());
  const payload = defaultPayloadConverter.toPayload(1);
  assertThrows(() => other.fromPayload(payload), ValueError, 'no payload converter has the encoding "json/plain"');
  assertThrows(() => new CompositePayloadConverter(), PayloadConverterError, "at least one converter");
  assertThrows(() => new JsonPayloadConverter().fromPayload({}), ValueError, "it has no data");
});

Deno.test("toPayloads(), arrayFromPayloads() and fromPayloadsAtIndex() convert lists of values", () => {
  const payloads = toPayloads(defaultPayloadConverter, 1, "two");
  assertEquals(arrayFromPayloads(defaultPayloadConverter, payloads), [1, "two"]);
  assertEquals(fromPayloadsAtIndex(defaultPayloadConverter, 1, payloads), "two");
  assertEquals(fromPayloadsAtIndex(defaultPayloadConverter, 2, payloads), undefined);
  assertEquals([toPayloads(defaultPayloadConverter), arrayFromPayloads(defaultPayloadConverter)], [undefined, []]);
});

Deno.test("mapToPayloads() and mapFromPayloads() convert the values of objects", () => {
  const payloads = mapToPayloads(defaultPayloadConverter, { a: 1, b: "two" });
  assertEquals(mapFromPayloads(defaultPayloadConverter, payloads), { a: 1, b: "two" });
  assertEquals(mapFromPayloads(defaultPayloadConverter, null), undefined);
});
