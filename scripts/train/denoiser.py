#!/usr/bin/env python3
"""Trains the denoiser of the page "Clean voice": demo/assets/denoiser.safetensors and denoiser.json.

    apt-get install python3-torch flite espeak-ng libopenblas0     # Debian 12: torch 1.13.0a0, flite 2.2, espeak-ng 1.51
    /usr/bin/python3 scripts/train/denoiser.py

Without OpenBLAS the products are about 16 times slower. Speech is synthetic: sentences of a small grammar, spoken by voices of Flite and espeak-ng. Noise is computed: white, pink,
shaped, hum, fan, clicks, babble. All seeds are fixed. Another version of PyTorch, or a CPU with other vector
instructions, may round differently.

The network sees magnitudes of a short-time Fourier transform (16 kHz, 512 samples, hop 256, square root of a Hann
window) as log10(|X| + 0.001), and gives a factor between 0 and 1 for each bin:

    257 -> dense 64, relu -> GRU 80 -> GRU 80 -> dense 257, sigmoid

It is judged by SI-SDR (Le Roux et al. 2019, https://arxiv.org/abs/1811.02508) on sentences, words and voices that it has not
heard.
"""

import argparse
import json
import struct
import subprocess
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy
import torch
from torch import nn

ASSETS = Path(__file__).resolve().parent.parent.parent / "demo" / "assets"
SEED = 20261201
RATE, SIZE, HOP = 16_000, 512, 256
BINS = SIZE // 2 + 1
FLOOR = 1e-3  # of magnitudes, before the logarithm
DENSE, HIDDEN, LAYERS = 64, 80, 2
STEPS, BATCH, SECONDS, RATE_OF_LEARNING = 2000, 16, 2, 3e-3
SENTENCES, HELD_OUT = 300, 60
SNRS = (0, 5, 10)  # dB, of the evaluation

FLITE = ("awb", "rms", "kal16")
LANGUAGES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "de", "fr", "it", "es", "pl", "sv")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "f1", "f2", "f3", "f5")
HELD_OUT_VOICES = (("flite", "slt"), ("espeak", "en-gb-x-gbcwmd+f4"), ("espeak", "en-us-nyc+m7"))

WORDS = {
    "who": "the baker|my neighbour|a young sailor|the old doctor|her brother|every student|the night guard|his teacher"
    "|a tired driver|the quiet farmer|our captain|the small child|a famous singer|the judge",
    "does": "carried|painted|forgot|repaired|counted|lifted|found|bought|measured|followed|washed|borrowed|opened|lost",
    "what": "the yellow bicycle|five heavy boxes|a silver watch|the broken window|three letters|a jar of honey"
    "|the green umbrella|his winter shoes|a loud machine|the last ticket|some fresh bread|the wooden ladder",
    "where": "near the station|behind the church|on the bridge|under a chestnut tree|at the edge of the village"
    "|in the crowded market|beside the harbour|across the valley|between two rivers|outside the theatre",
    "when": "yesterday evening|before sunrise|after the storm|on Thursday|during the long winter|at half past nine"
    "|while it was raining|as soon as the bell rang|in the middle of June|without saying a word",
}
HELD_OUT_WORDS = {
    "who": "an astronomer|the postman|their cousin|a jealous king|this engineer",
    "does": "described|dropped|polished|wrapped|chose",
    "what": "an orange kite|sixteen candles|the rusty engine|a bowl of cherries|our telescope",
    "where": "above the fireplace|along the beach|inside the museum|at the airport|below the waterfall",
    "when": "last autumn|just in time|every Monday|for the third time|once again",
}


def sentences(words, count, generator):
    """Sentences of random words."""
    lists = {part: choices.split("|") for part, choices in words.items()}
    pick = lambda part: lists[part][generator.integers(len(lists[part]))]
    made = []
    for _ in range(count):
        first = f"{pick('who')} {pick('does')} {pick('what')} {pick('where')}"
        made.append(f"{pick('when')}, {first}." if generator.random() < 0.5 else f"{first} {pick('when')}.")
    return made


def resample(samples, rate):
    """To 16 kHz, by cutting or filling the spectrum of the whole."""
    if rate == RATE:
        return samples
    length = round(len(samples) * RATE / rate)
    spectrum = numpy.fft.rfft(samples)
    bins = min(len(spectrum), length // 2 + 1)
    kept = numpy.zeros(length // 2 + 1, complex)
    kept[:bins] = spectrum[:bins]
    return numpy.fft.irfft(kept, length) * length / len(samples)


def speak(text, voice):
    """The samples of a sentence: float32 at 16 kHz, root of the mean square 0.1, without the silence around it."""
    engine, name, *options = voice
    command = {
        "flite": ["flite", "-voice", name, "-t", text, "-o", "/dev/stdout"],
        "espeak": ["espeak-ng", "-v", name, *options, "--stdout", text],
    }[engine]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(BytesIO(data)) as sound:
        rate = sound.getframerate()
    start = data.index(b"data") + 8  # what stdout gets has no length in its header
    samples = numpy.frombuffer(data[start : len(data) - (len(data) - start) % 2], "<i2") / 32768
    loud = numpy.flatnonzero(abs(samples) > 0.02 * abs(samples).max())
    samples = resample(samples[loud[0] : loud[-1] + 1], rate)
    return (samples * 0.1 / numpy.sqrt(numpy.mean(samples**2))).astype(numpy.float32)


def training_voice(number, generator):
    """Every third sentence by Flite, the others by espeak-ng at a pitch and speed of their own."""
    if number % 3 == 0:
        return ("flite", FLITE[number // 3 % len(FLITE)])
    language, variant = LANGUAGES[number % len(LANGUAGES)], VARIANTS[generator.integers(len(VARIANTS))]
    pitch, speed = generator.integers(25, 75), generator.integers(130, 190)
    return ("espeak", f"{language}+{variant}", "-p", str(pitch), "-s", str(speed))


def synthesize(words, count, voice_of, generator):
    texts = sentences(words, count, generator)
    voices = [voice_of(number, generator) for number in range(count)]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(speak, texts, voices))


def level(samples):
    return samples / (numpy.sqrt(numpy.mean(samples**2)) + 1e-9)


def shaped(length, gain, generator):
    """Gaussian noise whose spectrum has a gain; `gain` is called with Hz."""
    spectrum = numpy.fft.rfft(generator.standard_normal(length))
    frequencies = numpy.fft.rfftfreq(length, 1 / RATE)
    return numpy.fft.irfft(spectrum * gain(frequencies), length)


def white(length, generator, _):
    return generator.standard_normal(length)


def pink(length, generator, _):
    slope = generator.uniform(0.7, 1.3) / 2
    return shaped(length, lambda hz: 1 / numpy.maximum(hz, 30) ** slope, generator)


def coloured(length, generator, _):
    """A random smooth spectrum, with a loudness that wanders."""
    corners = numpy.linspace(0, RATE / 2, 9)
    gains = generator.uniform(-18, 6, 9)
    noise = shaped(length, lambda hz: 10 ** (numpy.interp(hz, corners, gains) / 20), generator)
    steps = generator.uniform(-5, 5, 2 + length // (RATE // 2))
    wander = numpy.interp(numpy.arange(length), numpy.linspace(0, length, len(steps)), steps)
    return noise * 10 ** (wander / 20)


def hum(length, generator, _):
    """The mains and its harmonics, with a little hiss."""
    pitch = generator.choice([50, 60, 100, 120]) * generator.uniform(0.99, 1.01)
    time_ = numpy.arange(length) / RATE
    total = 0.02 * generator.standard_normal(length)
    for harmonic in range(1, 1 + generator.integers(4, 24)):
        amplitude = generator.uniform(0.1, 1) / harmonic ** generator.uniform(0.4, 1.2)
        total = total + amplitude * numpy.sin(2 * numpy.pi * (harmonic * pitch * time_ + generator.random()))
    return total


def fan(length, generator, _):
    corner = generator.uniform(200, 900)
    air = level(shaped(length, lambda hz: 1 / (1 + (hz / corner) ** 2), generator))
    return air + generator.uniform(0.1, 0.5) * level(hum(length, generator, None))


def clicks(length, generator, _):
    """Keys that are struck: short bursts, each in a resonance of its own, over a faint room."""
    total = 0.01 * generator.standard_normal(length)
    at = generator.integers(0, RATE // 4)
    while at < length:
        count = min(RATE // 25, length - at)
        time_ = numpy.arange(count) / RATE
        tone = numpy.sin(2 * numpy.pi * generator.uniform(800, 5000) * time_)
        burst = numpy.exp(-time_ / generator.uniform(0.002, 0.008))
        total[at : at + count] += generator.uniform(0.3, 1) * burst * (tone + generator.standard_normal(count))
        at += int(RATE * generator.uniform(0.04, 0.3))
    return total


def babble(length, generator, speech):
    """Six to ten voices at once."""
    total = numpy.zeros(length)
    for _ in range(generator.integers(6, 11)):
        total += generator.uniform(0.5, 1) * passage(speech, length, generator, 0.1)
    return total


NOISES = (white, pink, coloured, hum, fan, clicks, babble)


def passage(speech, length, generator, pause=0.5):
    """Sentences one after the other, with pauses of up to so many seconds, from anywhere in the first one on."""
    parts, filled = [], 0
    while filled < length:
        samples = speech[generator.integers(len(speech))]
        if not parts:
            samples = samples[generator.integers(len(samples) // 2) :]
        silence = numpy.zeros(generator.integers(1, int(pause * RATE)), numpy.float32)
        parts += [samples, silence]
        filled += len(samples) + len(silence)
    return numpy.concatenate(parts)[:length]


def mix(speech, noise, snr):
    """The two at a ratio in dB of their energies."""
    return speech, speech + level(noise) * numpy.sqrt(numpy.mean(speech**2)) * 10 ** (-snr / 20)


def example(speech, generator):
    """Clean and noisy samples of a training example, at any loudness."""
    length = int(SECONDS * RATE)
    clean = passage(speech, length, generator)
    noise = level(NOISES[generator.integers(len(NOISES))](length, generator, speech))
    if generator.random() < 0.3:
        second = level(NOISES[generator.integers(len(NOISES))](length, generator, speech))
        noise = noise + generator.uniform(0.2, 1) * second
    snr = 40 if generator.random() < 0.04 else generator.uniform(-6, 18)
    clean, noisy = mix(clean, noise, snr)
    gain = 10 ** (generator.uniform(-24, 8) / 20)
    return clean * gain, noisy * gain


WINDOW = torch.sin(torch.pi * torch.arange(SIZE) / SIZE)


def analyse(samples):
    """[B, N] -> complex [B, T, 257], as src/audio/stft.ts: the first window has one hop of sound, the others are silence."""
    padded = nn.functional.pad(samples, (SIZE - HOP, SIZE - HOP))
    return torch.fft.rfft(padded.unfold(1, SIZE, HOP) * WINDOW)


def synthesize_samples(spectra, length):
    """The inverse of `analyse`, by overlap-add: the squares of the windows add up to 1."""
    frames = torch.fft.irfft(spectra, SIZE) * WINDOW
    halves = frames.reshape(frames.shape[0], frames.shape[1], 2, HOP)
    total = halves[:, 1:, 0] + halves[:, :-1, 1]
    return total.reshape(total.shape[0], -1)[:, :length]


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.input = nn.Linear(BINS, DENSE)
        self.rnn = nn.GRU(DENSE, HIDDEN, LAYERS, batch_first=True)
        self.output = nn.Linear(HIDDEN, BINS)

    def forward(self, features):
        hidden, _ = self.rnn(torch.relu(self.input(features)))
        return torch.sigmoid(self.output(hidden))


def features_of(spectra):
    return torch.log10(spectra.abs() + FLOOR)


def prepare(clean, noisy):
    """What the loss needs of the spectra of a batch, S and X: features, |X|, |X|^2, Re(X S*), the energy of S, sqrt(|S|)."""
    target, spectra = analyse(clean), analyse(noisy)
    power = spectra.real**2 + spectra.imag**2
    magnitudes = power.sqrt()
    both = spectra.real * target.real + spectra.imag * target.imag
    power_of_target = target.real**2 + target.imag**2
    return (
        torch.log10(magnitudes + FLOOR),
        magnitudes,
        power,
        both,
        power_of_target.sum((1, 2)),
        (power_of_target + 1e-12) ** 0.25,
    )


def loss_of(model, features, magnitudes, power, both, wanted, root_of_target):
    """The error of the spectra in dB, and of the roots of their magnitudes, to which quiet parts count too."""
    mask = model(features)
    error = (mask * (mask * power - 2 * both)).sum((1, 2)) + wanted
    scale = (wanted / features[0].numel()) ** 0.25
    root = (mask * magnitudes + 1e-6).sqrt()
    quiet = (((root - root_of_target) / scale[:, None, None]) ** 2).mean()
    return (10 * torch.log10(error / wanted + 1e-3)).mean() + 4 * quiet


def si_sdr(estimate, target):
    """Scale-invariant signal-to-distortion ratio in dB."""
    part = (estimate @ target) / (target @ target) * target
    return float(10 * torch.log10((part @ part) / ((estimate - part) @ (estimate - part))))


def evaluate(model, speech):
    """Mean SI-SDR before and after for each noise and ratio, on voices and sentences that are held out."""
    rows = []
    for noise in NOISES:
        for snr in SNRS:
            generator = numpy.random.default_rng([SEED, 2, snr, NOISES.index(noise)])
            before, after = [], []
            for number in range(12):
                length = 4 * RATE
                clean = passage(speech[number::12], length, generator)
                clean, noisy = mix(clean, noise(length, generator, speech), snr)
                clean, noisy = (torch.tensor(x, dtype=torch.float32)[None] for x in (clean, noisy))
                with torch.no_grad():
                    spectra = analyse(noisy)
                    estimate = synthesize_samples(model(features_of(spectra)) * spectra, length)
                before.append(si_sdr(noisy[0], clean[0]))
                after.append(si_sdr(estimate[0], clean[0]))
            before, after = float(numpy.mean(before)), float(numpy.mean(after))
            rows.append({"noise": noise.__name__, "snr": snr, "before": round(before, 2), "after": round(after, 2)})
            print(f"{noise.__name__:9s} {snr:3d} dB: SI-SDR {before:6.2f} -> {after:6.2f} dB, {after - before:+.2f}")
    return rows


def normalize_input(model, speech):
    """The first layer begins as one of features with mean 0 and deviation 1; the file needs no constants for that."""
    generator = numpy.random.default_rng([SEED, 3])
    noisy = numpy.stack([example(speech, generator)[1] for _ in range(64)])
    features = features_of(analyse(torch.tensor(noisy, dtype=torch.float32))).reshape(-1, BINS)
    mean, deviation = features.mean(0), features.std(0)
    with torch.no_grad():
        model.input.weight /= deviation
        model.input.bias -= model.input.weight @ mean


def train(model, speech, steps):
    generator = numpy.random.default_rng([SEED, 1])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE_OF_LEARNING)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE_OF_LEARNING, steps, pct_start=0.1)
    sum_, begin = 0.0, time.monotonic()
    for step in range(1, steps + 1):
        pairs = [example(speech, generator) for _ in range(BATCH)]
        loss = loss_of(model, *prepare(*(torch.tensor(numpy.stack(x), dtype=torch.float32) for x in zip(*pairs))))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        sum_ += loss.item()
        if step % 50 == 0:
            print(f"step {step}: loss {sum_ / 50:.3f}, {time.monotonic() - begin:.0f} s", flush=True)
            sum_ = 0.0


def write_safetensors(path, tensors):
    """The format: https://github.com/huggingface/safetensors#format"""
    header, chunks, offset = {}, [], 0
    for name, tensor in tensors.items():
        data = tensor.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def main():
    parser = argparse.ArgumentParser(description="Trains the denoiser of the demo.")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer for a trial, which writes nothing")
    steps = parser.parse_args().steps
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so that the sums do not depend on how the work is divided
    begin = time.monotonic()
    speech = synthesize(WORDS, SENTENCES, training_voice, numpy.random.default_rng([SEED, 4]))
    voice_of = lambda number, _: HELD_OUT_VOICES[number % len(HELD_OUT_VOICES)]
    held_out = synthesize(HELD_OUT_WORDS, HELD_OUT, voice_of, numpy.random.default_rng([SEED, 5]))
    print(f"{sum(map(len, speech)) / RATE / 60:.1f} minutes of speech, {time.monotonic() - begin:.0f} s")
    model = Denoiser()
    normalize_input(model, speech)
    train(model, speech, steps)
    model.eval()
    minutes = round((time.monotonic() - begin) / 60, 1)
    rows = evaluate(model, held_out)
    gain = round(float(numpy.mean([row["after"] - row["before"] for row in rows])), 2)
    print(f"mean gain {gain} dB at {min(SNRS)} to {max(SNRS)} dB, trained in {minutes} minutes")
    if steps != STEPS:
        return
    write_safetensors(ASSETS / "denoiser.safetensors", model.state_dict())
    report = {"seed": SEED, "steps": STEPS, "minutes": minutes, "gain": gain, "heldOut": rows}
    (ASSETS / "denoiser.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
