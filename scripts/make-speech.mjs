// Makes demo/assets/speech.wav, the recording that the voice page judges, and speech.json, which says what is
// heard when: `node scripts/make-speech.mjs` (needs `flite`, on Debian `apt-get install flite`).
//
// Three synthetic voices, and between them what a detector must not take for speech: typing, a fan, a chime. All
// noise comes from a seeded generator, so a second run gives the same file.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RATE = 16_000;
const LENGTH = 17.5; // seconds; 560 kB as 16-bit PCM
const SPEECH_PEAK = 0.5;
const assets = fileURLToPath(new URL('../demo/assets/', import.meta.url));

const script = [
  { at: 1.2, voice: 'slt', text: 'Every thirty two milliseconds a small network decides.' },
  { at: 5.6, voice: 'rms', text: 'It remembers the sound that came before.' },
  { at: 9.7, voice: 'awb', text: 'And it hears a voice even over a noisy fan.' },
  { at: 15.1, voice: 'slt', text: 'That was all. Goodbye.' },
];

/** Uniform in -1 … 1, the same sequence for the same seed (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** 16-bit mono PCM at 16 kHz, which is what these voices give. */
function readWav(path) {
  const bytes = readFileSync(path);
  const [channels, rate, bits] = [
    bytes.readUInt16LE(22),
    bytes.readUInt32LE(24),
    bytes.readUInt16LE(34),
  ];
  if (channels !== 1 || rate !== RATE || bits !== 16)
    throw new Error(
      `flite gave ${channels} channels of ${bits} bits at ${rate} Hz, expected 1 of 16 at ${RATE}`,
    );
  const start = bytes.indexOf('data') + 8;
  return Float32Array.from(
    { length: (bytes.length - start) >> 1 },
    (_, i) => bytes.readInt16LE(start + 2 * i) / 32768,
  );
}

/** The samples of a sentence, without the silence around it, at one loudness for all voices. */
function speak({ voice, text }, folder) {
  const path = join(folder, 'sentence.wav');
  execFileSync('flite', ['-voice', voice, '-t', text, '-o', path]);
  const all = readWav(path);
  const peak = all.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const audible = (x) => Math.abs(x) > 0.02 * peak;
  const spoken = all.subarray(all.findIndex(audible), all.findLastIndex(audible) + 1);
  return spoken.map((x) => (x * SPEECH_PEAK) / peak);
}

const sound = new Float32Array(LENGTH * RATE);
const add = (from, seconds, sample) => {
  const start = Math.round(from * RATE);
  for (let i = 0; i < Math.round(seconds * RATE); i++) sound[start + i] += sample(i / RATE, i);
};
/** 0 → 1 → 0 with ramps of `ramp` seconds. */
const fade = (t, length, ramp) => Math.max(0, Math.min(1, t / ramp, (length - t) / ramp));

function room() {
  const random = randomFrom(1);
  add(0, LENGTH, (t) => 0.0015 * random() + 0.004 * Math.sin(2 * Math.PI * 50 * t));
}

/** A key goes down and comes up again: two short bursts, each in a resonance of its own. */
function typing(from, strokes) {
  const random = randomFrom(2);
  let at = from;
  for (let k = 0; k < strokes; k++) {
    for (const [delay, level] of [
      [0, 0.22],
      [0.07 + 0.01 * random(), 0.12],
    ]) {
      const pitch = 2600 + 900 * random();
      add(at + delay, 0.03, (t) => {
        const decay = Math.exp(-t / 0.004);
        return level * decay * (0.6 * random() + 0.4 * Math.sin(2 * Math.PI * pitch * t));
      });
    }
    at += 0.17 + 0.05 * random();
  }
}

/** Noise with its treble taken away, and the hum of the motor. */
function fan(from, seconds) {
  const random = randomFrom(3);
  let low = 0;
  add(from, seconds, (t) => {
    low += 0.12 * (random() - low);
    const hum = Math.sin(2 * Math.PI * 117 * t) + 0.5 * Math.sin(2 * Math.PI * 234 * t);
    return fade(t, seconds, 0.5) * (0.11 * low + 0.012 * hum);
  });
}

/** Struck bars: tones that die away, as a phone makes them. */
function chime(from) {
  [880, 1108.7, 1318.5, 1760].forEach((pitch, k) => {
    add(from + 0.22 * k, 0.9, (t) => {
      const strike = Math.min(1, t / 0.004) * Math.exp(-t / 0.22);
      return (
        0.13 *
        strike *
        (Math.sin(2 * Math.PI * pitch * t) + 0.25 * Math.sin(2 * Math.PI * 2.76 * pitch * t))
      );
    });
  });
}

function writeWav(path, samples) {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // mono
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(2 * RATE, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((x, i) => bytes.writeInt16LE(Math.round(x * 32767), 44 + 2 * i));
  writeFileSync(path, bytes);
}

const folder = mkdtempSync(join(tmpdir(), 'make-speech-'));
const round = (seconds) => Math.round(seconds * 1000) / 1000;
const heard = script.map((line) => {
  const samples = speak(line, folder);
  add(line.at, samples.length / RATE, (_, i) => samples[i]);
  const end = round(line.at + samples.length / RATE);
  return { start: line.at, end, speech: true, text: line.text };
});
rmSync(folder, { recursive: true });

room();
typing(4.6, 4);
fan(8.7, 4.4);
chime(13.2);
heard.push(
  { start: 4.6, end: 5.4, speech: false, text: 'typing' },
  { start: 8.7, end: 13.1, speech: false, text: 'a fan' },
  { start: 13.2, end: 14.8, speech: false, text: 'a chime' },
);
heard.sort((a, b) => a.start - b.start);

if (sound.some((x) => Math.abs(x) >= 1)) throw new Error('the sum is too loud for 16 bits');
writeWav(join(assets, 'speech.wav'), sound);
writeFileSync(
  join(assets, 'speech.json'),
  `${JSON.stringify({ sampleRate: RATE, seconds: LENGTH, heard }, null, 2)}\n`,
);
for (const { start, end, text } of heard) console.log(start.toFixed(3), end.toFixed(3), text);
