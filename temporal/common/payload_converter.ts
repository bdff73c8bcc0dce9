/**
 * Temporal's payload converters: values as bytes, with the name of their encoding.
 *
 * They are an argument of `TemporalHost`, and users compose their own of them. The default of the host needs no bytes: see
 * `value_converter.ts`.
 *
 * @module
 */

import { PayloadConverterError, ValueError } from "./errors.ts";

/**
 * A value as bytes.
 *
 * @category Temporal
 */
export interface Payload {
  /** Texts as bytes; `encoding` names how `data` is read. */
  metadata?: Record<string, Uint8Array> | null | undefined;
  /** The bytes. */
  data?: Uint8Array | null | undefined;
}

/**
 * Where a value is used, for a converter that depends on it.
 *
 * @category Temporal
 */
export type SerializationContext = WorkflowSerializationContext | ActivitySerializationContext;

/**
 * A value of a workflow.
 *
 * @category Temporal
 */
export interface WorkflowSerializationContext {
  /** Says which context it is. */
  type: "workflow";
  /** The namespace. */
  namespace: string;
  /** The ID of the workflow. */
  workflowId: string;
}

/**
 * A value of an activity.
 *
 * @category Temporal
 */
export interface ActivitySerializationContext {
  /** Says which context it is. */
  type: "activity";
  /** The namespace. */
  namespace: string;
  /** The ID of the call. */
  activityId?: string | undefined;
  /** The ID of the workflow. */
  workflowId?: string | undefined;
  /** Whether it is a local activity. */
  isLocal: boolean;
}

/**
 * Tells a converter more about a value.
 *
 * @category Temporal
 */
export interface ConverterHint<T = unknown> {
  /** Which converter it is for. */
  converter: string;
  /** Only for the type checker: never set. */
  readonly valueType?: T | undefined;
}

/**
 * Changes a value before it is converted, and after it was read.
 *
 * @category Temporal
 */
export interface TransferTypeConverter<T, D = unknown> {
  /** Returns the value of what was read. */
  fromTransferType(value: D): T;
  /** Returns what is converted. */
  toTransferType(value: T): D;
}

/**
 * How one value is converted.
 *
 * @category Temporal
 */
export interface TypeInfo<T = unknown, D = T> {
  /** Changes the value first. */
  transferTypeConverter?: TransferTypeConverter<T, D> | undefined;
  /** For the converter. */
  payloadConverterHint?: ConverterHint<D> | undefined;
}

/**
 * How the arguments and the result of a function are converted.
 *
 * @category Temporal
 */
export interface PayloadTypeInfo {
  /** For each argument. */
  inputTypes?: readonly TypeInfo[] | undefined;
  /** For the result. */
  outputType?: TypeInfo | undefined;
}

/**
 * Converts values to payloads and back.
 *
 * @category Temporal
 */
export interface PayloadConverter {
  /**
   * Returns the payload of a value.
   *
   * @throws If it cannot be converted.
   */
  toPayload<T>(value: T, context?: SerializationContext, hint?: ConverterHint<T>): Payload;
  /** Returns the value of a payload. */
  fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T;
  /** Whether a hint is for this converter. */
  validateConverterHint?: ((hint: ConverterHint) => boolean) | undefined;
}

/**
 * Converts the values of one encoding.
 *
 * @category Temporal
 */
export interface PayloadConverterWithEncoding {
  /** Returns the payload of a value; `undefined` if it has another encoding. */
  toPayload<T>(value: T, context?: SerializationContext, hint?: ConverterHint<T>): Payload | undefined;
  /** Returns the value of a payload. */
  fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T;
  /** The name of the encoding. */
  readonly encodingType: string;
  /** Whether a hint is for this converter. */
  validateConverterHint?: ((hint: ConverterHint) => boolean) | undefined;
}

/**
 * Changes payloads after they were converted: encrypts them, for example. It is a type only: there are no bytes on a wire here.
 *
 * @category Temporal
 */
export interface PayloadCodec {
  /** Changes payloads before they are stored. */
  encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]>;
  /** Changes them back. */
  decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]>;
}

/**
 * The options of a client or a worker for values.
 *
 * @category Temporal
 */
export interface DataConverter {
  /** The path of a module with a payload converter. */
  payloadConverterPath?: string | undefined;
  /** The path of a module with a failure converter. */
  failureConverterPath?: string | undefined;
  /** Change payloads after they were converted. */
  payloadCodecs?: PayloadCodec[] | undefined;
}

/**
 * The key of the encoding in `metadata`.
 *
 * @category Temporal
 */
export const METADATA_ENCODING_KEY = "encoding";

/**
 * The key of the type of a message in `metadata`.
 *
 * @category Temporal
 */
export const METADATA_MESSAGE_TYPE_KEY = "messageType";

/**
 * The names of encodings.
 *
 * @category Temporal
 */
export const encodingTypes = {
  /** `undefined` or `null`. */
  METADATA_ENCODING_NULL: "binary/null",
  /** Bytes. */
  METADATA_ENCODING_RAW: "binary/plain",
  /** JSON. */
  METADATA_ENCODING_JSON: "json/plain",
  /** A message of Protobuf as JSON. */
  METADATA_ENCODING_PROTOBUF_JSON: "json/protobuf",
  /** A message of Protobuf. */
  METADATA_ENCODING_PROTOBUF: "binary/protobuf",
} as const;

/**
 * The name of an encoding.
 *
 * @category Temporal
 */
export type EncodingType = (typeof encodingTypes)[keyof typeof encodingTypes];

/**
 * Returns a text as bytes.
 *
 * @internal
 */
export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/**
 * Returns bytes as a text.
 *
 * @internal
 */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/**
 * The names of encodings, as bytes.
 *
 * @category Temporal
 */
export const encodingKeys: { readonly [Name in keyof typeof encodingTypes]: Uint8Array } = {
  METADATA_ENCODING_NULL: /* @__PURE__ */ encode(encodingTypes.METADATA_ENCODING_NULL),
  METADATA_ENCODING_RAW: /* @__PURE__ */ encode(encodingTypes.METADATA_ENCODING_RAW),
  METADATA_ENCODING_JSON: /* @__PURE__ */ encode(encodingTypes.METADATA_ENCODING_JSON),
  METADATA_ENCODING_PROTOBUF_JSON: /* @__PURE__ */ encode(encodingTypes.METADATA_ENCODING_PROTOBUF_JSON),
  METADATA_ENCODING_PROTOBUF: /* @__PURE__ */ encode(encodingTypes.METADATA_ENCODING_PROTOBUF),
};

function payload(encoding: EncodingType, data: Uint8Array): Payload {
  return { metadata: { [METADATA_ENCODING_KEY]: encode(encoding) }, data };
}

/**
 * Converts `undefined`.
 *
 * @category Temporal
 */
export class UndefinedPayloadConverter implements PayloadConverterWithEncoding {
  /** The name of the encoding. */
  encodingType: "binary/null" = encodingTypes.METADATA_ENCODING_NULL;

  /** Returns a payload without data; `undefined` for any value but `undefined`. */
  toPayload(value: unknown): Payload | undefined {
    if (value !== undefined) return undefined;
    return { metadata: { [METADATA_ENCODING_KEY]: encode(this.encodingType) } };
  }

  /** Returns `undefined`. */
  fromPayload<T>(_payload: Payload): T {
    return undefined as T;
  }
}

/**
 * Converts bytes.
 *
 * @category Temporal
 */
export class BinaryPayloadConverter implements PayloadConverterWithEncoding {
  /** The name of the encoding. */
  encodingType: "binary/plain" = encodingTypes.METADATA_ENCODING_RAW;

  /** Returns a payload with the bytes; `undefined` for any value but a `Uint8Array`. */
  toPayload(value: unknown): Payload | undefined {
    return value instanceof Uint8Array ? payload(this.encodingType, value) : undefined;
  }

  /** Returns the bytes. */
  fromPayload<T>(payload: Payload): T {
    return new Uint8Array(payload.data ?? []) as T;
  }
}

/**
 * Converts what JSON can hold.
 *
 * @category Temporal
 */
export class JsonPayloadConverter implements PayloadConverterWithEncoding {
  /** The name of the encoding. */
  encodingType: "json/plain" = encodingTypes.METADATA_ENCODING_JSON;

  /** Returns a payload with the JSON of a value; `undefined` if JSON cannot hold it. */
  toPayload(value: unknown): Payload | undefined {
    if (value === undefined) return undefined;
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch {
      return undefined; // a bigint, or a circle
    }
    return text === undefined ? undefined : payload(this.encodingType, encode(text));
  }

  /**
   * Returns the value.
   *
   * @throws {ValueError} If the payload has no data.
   */
  fromPayload<T>(payload: Payload): T {
    if (payload.data == null) throw new ValueError("Cannot read payload: it has no data");
    return JSON.parse(decode(payload.data));
  }
}

/**
 * Asks several converters, one after the other.
 *
 * @category Temporal
 */
export class CompositePayloadConverter implements PayloadConverter {
  /** The converters, in the order in which they are asked. */
  declare readonly converters: PayloadConverterWithEncoding[];
  /** The converters by the name of their encoding. */
  declare readonly converterByEncoding: Map<string, PayloadConverterWithEncoding>;

  /**
   * Makes a converter.
   *
   * @param converters The converters, in the order in which they are asked.
   */
  constructor(...converters: PayloadConverterWithEncoding[]) {
    if (converters.length === 0) {
      throw new PayloadConverterError("Cannot make a CompositePayloadConverter: it needs at least one converter");
    }
    this.converters = converters;
    this.converterByEncoding = new Map(converters.map((converter) => [converter.encodingType, converter]));
  }

  /**
   * Returns the payload of the first converter that has one.
   *
   * @throws {ValueError} If none has one.
   */
  toPayload<T>(value: T, context?: SerializationContext, hint?: ConverterHint<T>): Payload {
    for (const converter of this.converters) {
      const payload = converter.toPayload(value, context, hint);
      if (payload !== undefined) return payload;
    }
    throw new ValueError(`Cannot convert ${typeof value}: no payload converter takes it`);
  }

  /**
   * Returns the value of a payload, by the converter of its encoding.
   *
   * @throws {ValueError} If there is no such converter.
   */
  fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T {
    const bytes = payload.metadata?.[METADATA_ENCODING_KEY];
    if (bytes == null) throw new ValueError("Cannot read payload: its metadata has no encoding");
    const encoding = decode(bytes);
    const found = this.converterByEncoding.get(encoding);
    if (found !== undefined) return found.fromPayload(payload, context, hint);
    throw new ValueError(`Cannot read payload: no payload converter has the encoding "${encoding}"`);
  }
}

/**
 * Converts `undefined`, bytes, and what JSON can hold.
 *
 * @category Temporal
 */
export class DefaultPayloadConverter extends CompositePayloadConverter {
  /** Makes a converter. */
  constructor() {
    super(new UndefinedPayloadConverter(), new BinaryPayloadConverter(), new JsonPayloadConverter());
  }
}

/**
 * Converts `undefined`, bytes, and what JSON can hold.
 *
 * @category Temporal
 */
export const defaultPayloadConverter: DefaultPayloadConverter = /* @__PURE__ */ new DefaultPayloadConverter();

/**
 * Returns the payloads of values; `undefined` if there are none.
 *
 * @param converter The converter.
 * @param values The values.
 *
 * @category Temporal
 */
export function toPayloads(converter: PayloadConverter, ...values: unknown[]): Payload[] | undefined {
  return values.length === 0 ? undefined : values.map((value) => converter.toPayload(value));
}

/**
 * Returns the values of payloads.
 *
 * @param converter The converter.
 * @param payloads The payloads.
 *
 * @category Temporal
 */
export function arrayFromPayloads(converter: PayloadConverter, payloads?: Payload[] | null): unknown[] {
  return (payloads ?? []).map((payload) => converter.fromPayload(payload));
}

/**
 * Returns the value of one of several payloads; `undefined` if there is none.
 *
 * @param converter The converter.
 * @param index The index of the payload.
 * @param payloads The payloads.
 *
 * @category Temporal
 */
export function fromPayloadsAtIndex<T>(converter: PayloadConverter, index: number, payloads?: Payload[] | null): T {
  const payload = payloads?.[index];
  return (payload == null ? undefined : converter.fromPayload(payload)) as T;
}

/**
 * Returns the payloads of the values of an object.
 *
 * @param converter The converter.
 * @param map The object.
 *
 * @category Temporal
 */
export function mapToPayloads<K extends string, T = unknown>(
  converter: PayloadConverter,
  map: Record<K, T>,
): Record<K, Payload> {
  const entries = Object.entries(map).map(([key, value]) => [key, converter.toPayload(value)]);
  return Object.fromEntries(entries);
}

/**
 * Returns the values of an object of payloads.
 *
 * @param converter The converter.
 * @param map The object.
 *
 * @category Temporal
 */
export function mapFromPayloads<K extends string, T = unknown>(
  converter: PayloadConverter,
  map?: Record<K, Payload> | null | undefined,
): Record<K, T> | undefined {
  if (map == null) return undefined;
  const entries = Object.entries<Payload>(map).map(([key, payload]) => [key, converter.fromPayload(payload)]);
  return Object.fromEntries(entries) as Record<K, T>;
}
