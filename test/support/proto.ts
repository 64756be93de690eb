// Protobuf by hand, for files that no honest writer makes.
import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** One field, or several. */
export type Part = (writer: BinaryWriter) => void;

/** A varint field. */
export const int =
  (field: number, value: number | bigint): Part =>
  (writer) =>
    void writer.tag(field, 0).int64(value.toString());

/** A field of 32 bits. */
export const float =
  (field: number, value: number): Part =>
  (writer) =>
    void writer.tag(field, 5).float(value);

/** A field of text. */
export const text =
  (field: number, value: string): Part =>
  (writer) =>
    void writer.tag(field, 2).string(value);

/** A field of bytes. */
export const bytes =
  (field: number, value: Uint8Array): Part =>
  (writer) =>
    void writer.tag(field, 2).bytes(value);

/** A field that is a message. */
export const message =
  (field: number, ...parts: readonly Part[]): Part =>
  (writer) =>
    void bytes(field, encode(...parts))(writer);

/** Bytes as they are, be they a field or not. */
export const raw =
  (values: ArrayLike<number>): Part =>
  (writer) =>
    void writer.raw(Uint8Array.from(values));

/** The message that consists of these fields. */
export function encode(...parts: readonly Part[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const part of parts) part(writer);
  return writer.finish();
}

// The messages of ONNX that tests put together; fields as in onnx.proto.

/** ModelProto with one graph, operator set 22. */
export const model = (...graph: readonly Part[]): Uint8Array =>
  encode(int(1, 10), message(7, ...graph), message(8, int(2, 22)));

/** GraphProto.node. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: readonly Part[]
): Part =>
  message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...more,
  );

/** NodeProto.attribute. */
export const attribute = (name: string, type: number, ...parts: readonly Part[]): Part =>
  message(5, text(1, name), int(20, type), ...parts);

/** GraphProto.initializer. */
export const initializer = (name: string, ...parts: readonly Part[]): Part =>
  message(5, text(8, name), ...parts);

const value = (field: number, name: string, type: number, dims: readonly Part[]): Part =>
  message(
    field,
    text(1, name),
    message(2, message(1, int(1, type), message(2, ...dims.map((dim) => message(1, dim))))),
  );

/** GraphProto.input of a type, with dimensions such as `int(1, 3)` or `text(2, 'batch')`. */
export const input = (name: string, type = 1, ...dims: readonly Part[]): Part =>
  value(11, name, type, dims);

/** GraphProto.output. */
export const output = (name: string, type = 1, ...dims: readonly Part[]): Part =>
  value(12, name, type, dims);
