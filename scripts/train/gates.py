#!/usr/bin/env python3
"""Trains the networks of demo/gates/, and writes demo/assets/gates.safetensors and demo/assets/gates.json.

Building and testing the package do not need this script: the files are in the repository. Run it to train again:

    apt-get install python3-torch     # Debian 12: torch 1.13.0a0
    /usr/bin/python3 scripts/train/gates.py

Three tasks, and an RNN, a GRU and an LSTM of 8 units for each, all trained alike: the same sequences, the same number of
updates, the same optimiser.

    recall   a letter of abcd, a passage of letters of uvwxyz, then "?": which letter came first? The loss is on the
             answer alone, so the gradient has to come back through the whole passage.
    count    brackets and letters: how many brackets are open after each character?
    signal   a curve: what comes next?

Each network is torch.nn.{RNN,GRU,LSTM} of one layer and a torch.nn.Linear. The seed is fixed and PyTorch runs on one
thread, so two runs on one machine write the same bytes.

gates.json holds what the page says of the networks: their figures on sequences that no network was trained on, also on
sequences longer than those of the training.
"""

import json
import math
import random
import struct
import time
from pathlib import Path

import numpy
import torch
from torch import nn

ASSETS = Path(__file__).resolve().parent.parent.parent / "demo" / "assets"
UNITS = 8
SEED = 3
CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

CUES, FILLERS = "abcd", "uvwxyz"
RECALL_ALPHABET = CUES + FILLERS + "?"
RECALL_DELAYS = (1, 40)  # letters between cue and question, in training
COUNT_ALPHABET = "()x"
COUNT_SCALE = 10  # the network's output is depth / 10
COUNT_DEPTH, COUNT_LENGTH = 10, 50  # in training
SIGNAL_LENGTH = 80


class Network(nn.Module):
    def __init__(self, cell, inputs, outputs):
        super().__init__()
        self.rnn = CELLS[cell](inputs, UNITS, batch_first=True)
        self.out = nn.Linear(UNITS, outputs)
        if cell == "lstm":  # gates of PyTorch: i f g o. A forget gate that begins open: https://proceedings.mlr.press/v37/jozefowicz15.html
            with torch.no_grad():
                self.rnn.bias_ih_l0[UNITS : 2 * UNITS].fill_(1.0)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


def one_hot(rows, alphabet):
    ids = torch.tensor([[alphabet.index(c) for c in row] for row in rows])
    return nn.functional.one_hot(ids, len(alphabet)).float()


def recall_batch(rng, size, delay):
    cues = [rng.choice(CUES) for _ in range(size)]
    rows = [cue + "".join(rng.choice(FILLERS) for _ in range(delay)) + "?" for cue in cues]
    return one_hot(rows, RECALL_ALPHABET), torch.tensor([CUES.index(c) for c in cues])


def count_batch(rng, size, length, deepest):
    rows, depths = [], []
    for _ in range(size):
        opening, depth, row, column = rng.uniform(0.25, 0.55), 0, "", []
        for _ in range(length):
            draw = rng.random()
            step = 1 if draw < opening else -1 if draw < 2 * min(opening, 0.4) else 0
            if not 0 <= depth + step <= deepest:
                step = 0
            depth += step
            row += {1: "(", -1: ")", 0: "x"}[step]
            column.append(depth / COUNT_SCALE)
        rows.append(row)
        depths.append(column)
    return one_hot(rows, COUNT_ALPHABET), torch.tensor(depths)


def curve(rng, length):
    """A curve between -1 and 1 of one of four kinds, with a period of 8 to 40 steps."""
    period, phase, height = rng.uniform(8, 40), rng.uniform(0, 1), rng.uniform(0.3, 0.95)
    turns = [(t / period + phase) % 1 for t in range(length + 1)]
    shape = {
        "sine": lambda u: math.sin(2 * math.pi * u),
        "square": lambda u: 1.0 if u < 0.5 else -1.0,
        "saw": lambda u: 2 * u - 1,
        "triangle": lambda u: 4 * abs(u - 0.5) - 1,
    }[rng.choice(["sine", "square", "saw", "triangle"])]
    return [height * shape(u) for u in turns]


def signal_batch(rng, size, length):
    curves = torch.tensor([curve(rng, length) for _ in range(size)])
    return curves[:, :-1, None], curves[:, 1:]


def recall_loss(network, rng):
    x, y = recall_batch(rng, 64, rng.randint(*RECALL_DELAYS))
    return nn.functional.cross_entropy(network(x)[:, -1], y)


def count_loss(network, rng):
    x, y = count_batch(rng, 64, COUNT_LENGTH, COUNT_DEPTH)
    return nn.functional.mse_loss(network(x)[..., 0], y)


def signal_loss(network, rng):
    x, y = signal_batch(rng, 64, SIGNAL_LENGTH)
    return nn.functional.mse_loss(network(x)[..., 0], y)


@torch.no_grad()
def recall_figures(network, rng):
    def share(delay):
        x, y = recall_batch(rng, 400, delay)
        return round((network(x)[:, -1].argmax(-1) == y).float().mean().item(), 3)

    return {str(delay): share(delay) for delay in (1, 5, 10, 20, 40, 100, 200)}


@torch.no_grad()
def count_figures(network, rng):
    def share(deepest, length):
        x, y = count_batch(rng, 200, length, deepest)
        right = (network(x)[..., 0] * COUNT_SCALE).round() == (y * COUNT_SCALE).round()
        return round(right.float().mean().item(), 3)

    return {f"{depth} in {length}": share(depth, length) for depth, length in ((10, 50), (10, 200), (20, 200))}


@torch.no_grad()
def signal_figures(network, rng):
    x, y = signal_batch(rng, 400, SIGNAL_LENGTH)
    error = (network(x)[..., 0] - y)[:, 20:].pow(2).mean().sqrt().item()
    same = (x[..., 0] - y)[:, 20:].pow(2).mean().sqrt().item()
    return {"rms error": round(error, 4), "rms error of repeating the last value": round(same, 4)}


TASKS = {
    "recall": (len(RECALL_ALPHABET), len(CUES), recall_loss, recall_figures, 6000),
    "count": (len(COUNT_ALPHABET), 1, count_loss, count_figures, 4000),
    "signal": (1, 1, signal_loss, signal_figures, 4000),
}


def train(task, cell):
    inputs, outputs, loss_of, figures_of, updates = TASKS[task]
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    network = Network(cell, inputs, outputs)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates, eta_min=2e-4)
    began = time.time()
    for _ in range(updates):
        optimiser.zero_grad()
        loss_of(network, rng).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    figures = figures_of(network, random.Random(SEED + 1000))
    print(task, cell, f"{time.time() - began:.0f} s", figures, flush=True)
    return network, figures


def write_safetensors(path, tensors):
    """The format: https://github.com/huggingface/safetensors#format"""
    header, chunks, offset = {}, [], 0
    for name, tensor in tensors.items():
        data = numpy.ascontiguousarray(tensor.detach().numpy()).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def main():
    torch.set_num_threads(1)
    tensors, report = {}, {"units": UNITS, "seed": SEED, "torch": torch.__version__, "tasks": {}}
    for task in TASKS:
        report["tasks"][task] = {"updates": TASKS[task][4], "figures": {}}
        for cell in CELLS:
            network, figures = train(task, cell)
            report["tasks"][task]["figures"][cell] = figures
            for name, tensor in network.state_dict().items():
                tensors[f"{task}.{cell}.{name}"] = tensor
    write_safetensors(ASSETS / "gates.safetensors", tensors)
    (ASSETS / "gates.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
