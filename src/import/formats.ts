// The formats that are read. A new format is a folder with a format.ts and a line here.
import { KERAS } from './keras/format.ts';
import { ONNX } from './onnx/format.ts';
import { PYTORCH, SAFETENSORS } from './pytorch/format.ts';
import { TFJS } from './tfjs/format.ts';

/** Every format, in the order in which messages name them. */
export const FORMATS = [ONNX, KERAS, TFJS, SAFETENSORS, PYTORCH] as const;

/** Name of a format that models come in. */
export type ModelFormat = (typeof FORMATS)[number]['name'];

/** The names, for messages and usage texts. */
export const FORMAT_NAMES: readonly ModelFormat[] = FORMATS.map(({ name }) => name);

/** What is read, in words, for messages. */
export const describeFormats = (): string => {
  const words = FORMATS.map(({ describe }) => describe);
  return `${words.slice(0, -1).join(', ')}, or ${words.at(-1)}`;
};
