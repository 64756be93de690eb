// Runs an encoder over sources, and a decoder from what it gives.
import { RnnError } from '../errors.ts';
import { checkOptions } from '../backends/check-options.ts';
import type { Tensors } from '../backends/backend.ts';
import type { Model } from '../model.ts';
import { tensor, type DataType, type Tensor } from '../tensor.ts';
import { beamSearch } from './beam-search.ts';
import { makeBeamProgram, type BeamProgram } from './beam-program.ts';
import { batchAxes, repeatedRows } from './batch-axes.ts';
import { loadOperators } from './cache.ts';
import { lengthPenaltyOf } from './decoding.ts';
import type { DecodedSequence, Decoding, Seq2Seq, Seq2SeqOptions } from './decoding.ts';
import { generateRows } from './index.ts';
import { chosenOf, namedTimeAxis, tokenInput, tokenTensor } from './locate.ts';
import { invalidOption, readMaxSteps, readPrompt, readStops } from './options.ts';
import { anySeed } from './random.ts';
import type { TokenList } from './types.ts';

const OPTIONS: Record<keyof Seq2SeqOptions, true> = {
  connect: true,
  start: true,
  stop: true,
  stream: true,
  feeds: true,
  source: true,
  lengths: true,
  batchAxis: true,
  tokens: true,
  logits: true,
  scores: true,
};

const DECODING: Record<keyof Decoding, true> = {
  temperature: true,
  topK: true,
  topP: true,
  repetitionPenalty: true,
  seed: true,
  beams: true,
  lengthPenalty: true,
  maxSteps: true,
  signal: true,
};

/** Programs for beam searches that a pair keeps; the least recent goes first. */
const MAX_PROGRAMS = 4;

/** Pairs that run, whose models must not be collected meanwhile. */
const ACTIVE = new Set<EncoderDecoder>();

/** Sources that are read together: where they stand among all, and what the encoder takes. */
interface Batch {
  readonly places: readonly number[];
  readonly feeds: Tensors;
}

/** An integer tensor [n] of a declared type. */
function integers(values: readonly number[], type: DataType): Tensor {
  if (type === 'int64') return tensor(BigInt64Array.from(values, BigInt), [values.length]);
  return tensor([...values], [values.length], type);
}

/** See `Seq2Seq` of decoding.ts. */
export class EncoderDecoder implements Seq2Seq {
  readonly #encoder: Model;
  readonly #decoder: Model;
  readonly #options: Seq2SeqOptions;
  readonly #programs = new Map<string, BeamProgram>();

  constructor(encoder: Model, decoder: Model, options: Seq2SeqOptions) {
    for (const [name, model] of Object.entries({ encoder, decoder })) {
      if (typeof (model as Partial<Model>)?.parts === 'function') continue;
      throw new RnnError('INVALID_ARGUMENT', name, 'got no model, expected what loadModel gives');
    }
    checkOptions(options, OPTIONS);
    const { connect, start } = options;
    if (typeof connect !== 'object' || connect === null) {
      throw invalidOption('connect', connect, 'names of the encoder with inputs of the decoder');
    }
    if (!Number.isSafeInteger(start) || start < 0) {
      throw invalidOption('start', start, 'a token number from 0 up');
    }
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.#options = options;
    this.#links();
    const { lengths } = options;
    const names = encoder.inputs.map(({ name }) => name);
    if (lengths !== undefined && !names.includes(lengths)) {
      throw invalidOption('lengths', lengths, `an input of the encoder: ${names.join(', ')}`);
    }
  }

  /** What goes where, checked. */
  #links(): readonly { readonly from: string; readonly to: string }[] {
    const { inputs, outputs } = this.#encoder;
    const sources = [...outputs, ...inputs].map(({ name }) => name);
    const targets = this.#decoder.inputs.map(({ name }) => name);
    return Object.entries(this.#options.connect).flatMap(([from, to]) => {
      const path = `connect.${from}`;
      if (!sources.includes(from)) {
        throw invalidOption(path, from, `an output or input of the encoder: ${sources.join(', ')}`);
      }
      return (typeof to === 'string' ? [to] : to).map((name) => {
        if (!targets.includes(name)) {
          throw invalidOption(path, name, `an input of the decoder: ${targets.join(', ')}`);
        }
        return { from, to: name };
      });
    });
  }

  async run(
    source: TokenList | readonly TokenList[] | Tensors,
    decoding: Decoding,
  ): Promise<readonly DecodedSequence[]> {
    checkOptions(decoding, DECODING);
    const { beams = 1, lengthPenalty = 0, temperature = 0 } = decoding;
    if (!Number.isSafeInteger(beams) || beams < 1) {
      throw invalidOption('beams', beams, 'a whole number from 1 up');
    }
    if (!(typeof lengthPenalty === 'number' && lengthPenalty >= 0 && lengthPenalty < Infinity)) {
      throw invalidOption('lengthPenalty', lengthPenalty, 'a number from 0 up');
    }
    const { topK, topP, repetitionPenalty } = decoding;
    if (beams > 1) {
      for (const [name, value] of Object.entries({ topK, topP, repetitionPenalty })) {
        if (value !== undefined) throw invalidOption(name, value, 'nothing with beams');
      }
      if (temperature !== 0) throw invalidOption('temperature', temperature, '0 with beams');
    }
    const results: DecodedSequence[] = [];
    ACTIVE.add(this);
    try {
      // Without a seed all batches have one, which is another at each run.
      const seeded = { seed: anySeed(), ...decoding };
      for (const { places, feeds } of this.#batches(source)) {
        const decoded = await this.#decode(feeds, places, seeded);
        places.forEach((place, row) => (results[place] = decoded[row]!));
      }
      return results;
    } finally {
      ACTIVE.delete(this);
    }
  }

  /** Sources in batches that the encoder can read. */
  #batches(source: TokenList | readonly TokenList[] | Tensors): readonly Batch[] {
    const { lengths } = this.#options;
    const info = chosenOf(
      this.#encoder.inputs.filter(({ name }) => name !== lengths),
      this.#options.source,
      'source',
      'input with the source',
    );
    const isList = Array.isArray(source) || ArrayBuffer.isView(source);
    if (typeof source === 'object' && source !== null && !isList) {
      const given = (source as Tensors)[info.name];
      const axis = info.dims.length > 1 && namedTimeAxis(info.dims) === 0 ? 1 : 0;
      const count = given?.dims?.[axis] ?? 1; // what is missing is refused by the run
      return [{ places: [...Array(count).keys()], feeds: source as Tensors }];
    }
    const { rows } = readPrompt(source, 'source');
    const input = (batch: number) => tokenInput(info, new Map(), batch);
    if (lengths !== undefined) {
      const declared = this.#encoder.inputs.find(({ name }) => name === lengths)!;
      const longest = Math.max(...rows.map(({ length }) => length));
      const padded = rows.map((row) => [...row, ...Array<number>(longest - row.length).fill(0)]);
      const counts = rows.map(({ length }) => length);
      const feeds = {
        [info.name]: tokenTensor(input(rows.length), padded),
        [lengths]: integers(counts, declared.type),
      };
      return [{ places: [...rows.keys()], feeds }];
    }
    return [...new Set(rows.map(({ length }) => length))].map((length) => {
      const places = [...rows.keys()].filter((place) => rows[place]!.length === length);
      const chosen = places.map((place) => rows[place]!);
      return { places, feeds: { [info.name]: tokenTensor(input(places.length), chosen) } };
    });
  }

  /** One batch from the encoder to the sequences. */
  async #decode(
    feeds: Tensors,
    places: readonly number[],
    decoding: Decoding,
  ): Promise<DecodedSequence[]> {
    const { signal } = decoding;
    const links = this.#links();
    const wanted = this.#encoder.outputs.filter(({ name }) =>
      links.some(({ from }) => from === name),
    );
    const outputs = wanted.map(({ name }) => name);
    const encoded = await this.#encoder.run(feeds, { outputs, ...(signal && { signal }) });
    const own = this.#options.feeds ?? {};
    const linked = links.map(({ from, to }) => [to, encoded[from] ?? feeds[from]!] as const);
    const given: Tensors = { ...own, ...Object.fromEntries(linked) };
    const { beams = 1 } = decoding;
    return beams === 1
      ? this.#follow(given, places, decoding)
      : this.#search(given, places.length, beams, decoding);
  }

  /** One hypothesis for each row, chosen on the device. */
  async #follow(
    feeds: Tensors,
    places: readonly number[],
    decoding: Decoding,
  ): Promise<DecodedSequence[]> {
    const { start, stop, tokens, logits, scores, stream } = this.#options;
    const { lengthPenalty = 0, beams: _, maxSteps = 256, temperature = 0, ...sampling } = decoding;
    const said = { stop, tokens, logits, scores, stream };
    const named = Object.fromEntries(
      Object.entries(said).filter(([, value]) => value !== undefined),
    );
    const made = places.map(() => ({
      tokens: [] as number[],
      logProb: 0,
      length: 0,
    }));
    const prompts = made.map(() => [start]);
    const all = { ...named, ...sampling, temperature, maxSteps, feeds, logProbs: true };
    for await (const step of generateRows(this.#decoder, prompts, all, [...places])) {
      step.forEach((found, row) => {
        if (!found) return;
        const sequence = made[row]!;
        sequence.logProb += found.logProb;
        sequence.length++;
        if (!found.isStop) sequence.tokens.push(found.token);
      });
    }
    return made.map(({ tokens: written, logProb, length }) => {
      const score = logProb / lengthPenaltyOf(length, lengthPenalty);
      return { tokens: written, logProb, score, others: [] };
    });
  }

  /** Beam search. */
  async #search(
    feeds: Tensors,
    rows: number,
    beams: number,
    { lengthPenalty = 0, maxSteps = 256, signal }: Decoding,
  ): Promise<DecodedSequence[]> {
    const { start, tokens, logits, scores, stream = {}, batchAxis = {} } = this.#options;
    const stops = readStops(this.#options.stop);
    const { graph, session } = this.#decoder.parts();
    const axes = batchAxes(this.#decoder.inputs, feeds, rows, tokens, batchAxis);
    const all = Object.fromEntries(
      Object.entries(feeds).map(([name, value]) => [
        name,
        repeatedRows(value, axes.get(name)!, beams),
      ]),
    );
    await loadOperators(session);
    const key = JSON.stringify([rows, beams, Object.keys(all)]);
    let program = this.#programs.get(key);
    if (!program || program.stream.disposed) {
      const request = { batch: rows * beams, tokens, logits, scores, stream };
      // Enough that, whatever stops, as many go on as are followed.
      const count = beams + stops.size;
      program = makeBeamProgram(graph, session, request, all, axes, count);
    }
    this.#programs.delete(key);
    this.#programs.set(key, program);
    for (const [old, { stream: unused }] of this.#programs) {
      if (this.#programs.size <= MAX_PROGRAMS) break;
      this.#programs.delete(old);
      unused.dispose();
    }
    const settings = {
      beams,
      lengthPenalty,
      maxSteps: readMaxSteps(maxSteps),
      stops,
      start,
      signal,
    };
    return beamSearch(program, settings, all, new Set(Object.values(stream.state ?? {})), rows);
  }
}
