#!/usr/bin/env python3
"""Writes test/golden/pytorch/: small recurrent models with the outputs that PyTorch gives for them.

Building and testing the package do not need this script: the files are in the repository. Run it to add a case:

    apt-get install python3-torch python3-onnx     # Debian 12: torch 1.13.0a0, onnx 1.12.0
    /usr/bin/python3 scripts/make-goldens.py

It replaces the whole folder. Each case has its own seed and PyTorch runs on one thread, so two runs on one machine
write the same bytes. Another version of PyTorch, or a CPU with other vector instructions, may round differently; then
the weights of trained models change, and the files of a case still agree with each other.

For each case:

    NAME.safetensors      the state_dict, as `safetensors.torch.save_file(model.state_dict(), ...)` would write it
    NAME.onnx             the same module through torch.onnx.export, opset 14, with free sizes for time and batch
    NAME.io.safetensors   one or two calls with different lengths and batches: "0.in.x", "0.out.y", "1.in.x", ...
    index.json            versions, and for each case its seed, its `architecture` for loadModel, and whether PyTorch
                          exports it: `"onnx": true`, or the reason why not
"""

import contextlib
import io
import json
import random
import shutil
import struct
import sys
import warnings
from pathlib import Path

import numpy
import onnx
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FOLDER = Path(__file__).resolve().parent.parent / "test" / "golden" / "pytorch"
MAX_BYTES = 300_000  # of the whole folder
OPSET = 14

TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


def write_safetensors(path, tensors):
    """The format: https://github.com/huggingface/safetensors#format"""
    header, chunks, offset = {}, [], 0
    for name, tensor in tensors.items():
        array = numpy.ascontiguousarray(tensor.detach().numpy())
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": TYPES[str(array.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def zero_states(rnn, x):
    """The default initial states. For packed input torch.onnx.export fixes the batch size of its own zeros."""
    rows = rnn.num_layers * (2 if rnn.bidirectional else 1)
    batch = x.shape[0 if rnn.batch_first else 1]
    zeros = [torch.zeros(rows, batch, rnn.proj_size or rnn.hidden_size)]
    return [*zeros, torch.zeros(rows, batch, rnn.hidden_size)] if rnn.mode == "LSTM" else zeros


class Sequence(nn.Module):
    """One recurrent module, with or without initial states and lengths."""

    def __init__(self, kind, *, initial=False, packed=False, **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(**options)
        self.initial, self.packed = initial, packed

    def state_dict_of_module(self):
        return self.rnn.state_dict()

    def forward(self, x, *more):
        rnn, more = self.rnn, list(more)
        steps = x.shape[1 if rnn.batch_first else 0]
        if self.packed:
            lengths = more.pop()
            if not self.initial:
                more = zero_states(rnn, x)
            x = pack_padded_sequence(x, lengths, rnn.batch_first, enforce_sorted=False)
        state = None
        if more:
            state = tuple(more) if rnn.mode == "LSTM" else more[0]
        y, state = rnn(x, state)
        if self.packed:
            y, _ = pad_packed_sequence(y, rnn.batch_first, total_length=steps)
        return (y, *state) if rnn.mode == "LSTM" else (y, state)


def sequence_inputs(module, lengths, steps, batch):
    """Standard normal input and states, by name."""
    rnn = module.rnn
    directions = 2 if rnn.bidirectional else 1
    inputs = {"x": torch.randn((batch, steps, rnn.input_size) if rnn.batch_first else (steps, batch, rnn.input_size))}
    if module.initial:
        rows = directions * rnn.num_layers
        inputs["h0"] = torch.randn(rows, batch, rnn.proj_size or rnn.hidden_size)
        if rnn.mode == "LSTM":
            inputs["c0"] = torch.randn(rows, batch, rnn.hidden_size)
    if module.packed:
        inputs["lengths"] = torch.tensor(lengths)
    return inputs


def sequence_axes(module):
    time, batch = (1, 0) if module.rnn.batch_first else (0, 1)
    axes = {name: {time: "T", batch: "B"} for name in ("x", "y")}
    axes.update({name: {1: "B"} for name in ("h0", "c0", "hn", "cn")})
    axes["lengths"] = {0: "B"}
    return axes


def outputs_of(module):
    return ["y", "hn", "cn"] if module.rnn.mode == "LSTM" else ["y", "hn"]


def architecture_of(module):
    """The options that a state_dict does not hold, as PyTorchArchitecture names them."""
    rnn = module.rnn
    found = {}
    if rnn.batch_first:
        found["batchFirst"] = True
    if module.initial:
        found["initialState"] = True
    if module.packed:
        found["lengths"] = True
    if rnn.mode == "RNN_RELU":
        found["nonlinearity"] = "relu"
    return found


class MemoryModel(nn.Module):
    """Names the first symbol of a sequence at its end."""

    symbols = 4

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(self.symbols, 4)
        self.gru = nn.GRU(4, 12)
        self.fc = nn.Linear(12, self.symbols)

    def forward(self, x):
        y, hn = self.gru(self.emb(x))
        return self.fc(y[-1]), hn

    def train_once(self):
        x = torch.randint(self.symbols, (random.randint(2, 12), 64))
        return nn.functional.cross_entropy(self(x)[0], x[0])

    def learned(self):
        x = torch.randint(self.symbols, (12, 500))
        return bool((self(x)[0].argmax(1) == x[0]).all())


class TagModel(nn.Module):
    """Two tags for each symbol: whether it occurs again later, and whether it occurred before."""

    symbols = 5

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(self.symbols, 6)
        self.lstm = nn.LSTM(6, 12, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(24, 2)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.emb(x), lengths, True, enforce_sorted=False)
        y, _ = self.lstm(packed, tuple(zero_states(self.lstm, x)))
        y, _ = pad_packed_sequence(y, True, total_length=x.shape[1])
        return torch.sigmoid(self.fc(y))

    @staticmethod
    def example(batch, steps=8):
        lengths = torch.randint(1, steps + 1, (batch,))
        lengths[0] = steps
        x = torch.randint(TagModel.symbols, (batch, steps))
        same = (x[:, :, None] == x[:, None, :]) & (torch.arange(steps)[None, None, :] < lengths[:, None, None])
        later = (same & torch.ones(steps, steps).triu(1).bool()).any(2)
        before = (same & torch.ones(steps, steps).tril(-1).bool()).any(2)
        inside = torch.arange(steps)[None, :] < lengths[:, None]
        return x, lengths, torch.stack([later, before], 2).float(), inside

    def train_once(self):
        x, lengths, want, inside = self.example(64)
        return nn.functional.binary_cross_entropy(self(x, lengths)[inside], want[inside])

    def learned(self):
        x, lengths, want, inside = self.example(300)
        return bool(((self(x, lengths) > 0.5) == (want > 0.5))[inside].float().mean() > 0.995)


RHYME = "peter piper picked a peck of pickled peppers. "
LETTERS = "".join(sorted(set(RHYME)))


class TextModel(nn.Module):
    """A character model that has memorised one sentence."""

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(LETTERS), 6)
        self.lstm = nn.LSTM(6, 16, num_layers=2)
        self.fc = nn.Linear(16, len(LETTERS))

    def forward(self, x, h0, c0):
        y, (hn, cn) = self.lstm(self.emb(x), (h0, c0))
        return self.fc(y), hn, cn

    @staticmethod
    def zeros(batch):
        return torch.zeros(2, batch, 16), torch.zeros(2, batch, 16)

    ids = torch.tensor([LETTERS.index(letter) for letter in RHYME * 2])

    def train_once(self):
        y, _, _ = self(self.ids[:-1, None], *self.zeros(1))
        return nn.functional.cross_entropy(y[:, 0], self.ids[1:])

    def learned(self):
        return self.generate(RHYME[0], 2 * len(RHYME) - 1) == (RHYME * 2)[1:]

    @torch.no_grad()
    def generate(self, start, count):
        """Greedy decoding: the most likely letter at each step, from zero states."""
        state, letter, text = self.zeros(1), LETTERS.index(start), ""
        for _ in range(count):
            y, *state = self(torch.tensor([[letter]]), *state)
            letter = int(y[0, 0].argmax())
            text += LETTERS[letter]
        return text


def train(model, max_steps=3000):
    """Trains with Adam until the model has learned its task; exits if it does not."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(max_steps):
        if step % 50 == 0:
            with torch.no_grad():
                if model.learned():
                    return step
        loss = model.train_once()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
    sys.exit(f"{type(model).__name__} has not learned its task in {max_steps} steps")


def export(path, module, inputs, outputs, axes):
    """Writes the ONNX file. Returns True, or PyTorch's reason for refusing."""
    names = [*inputs, *outputs]
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                str(path),
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=outputs,
                dynamic_axes={name: axes[name] for name in names if name in axes},
            )
    except Exception as error:  # PyTorch has no common class for these
        path.unlink(missing_ok=True)
        return str(error).strip().split(". ")[0]
    onnx.checker.check_model(onnx.load(str(path)))
    return True


def write_case(name, module, state_dict, calls, outputs, axes, entry):
    """Writes the files of one case; `calls` holds inputs by name. Returns its entry of the index."""
    module.eval()
    write_safetensors(FOLDER / f"{name}.safetensors", state_dict)
    files = {}
    with torch.no_grad():
        for call, inputs in enumerate(calls):
            results = module(*inputs.values())
            results = results if isinstance(results, tuple) else (results,)
            files.update({f"{call}.in.{key}": value for key, value in inputs.items()})
            files.update({f"{call}.out.{key}": value for key, value in zip(outputs, results)})
        write_safetensors(FOLDER / f"{name}.io.safetensors", files)
        exported = export(FOLDER / f"{name}.onnx", module, calls[0], outputs, axes)
    return {"name": name, **entry, "calls": len(calls), "onnx": exported}


LENGTHS = {4: [6, 2, 5, 1], 3: [2, 6, 4]}  # by batch; one row has all steps


def sequence_cases():
    """Name, kind and options of the layers with random weights; `scale` multiplies all of them."""
    for kind in ("RNN", "LSTM", "GRU"):
        low = kind.lower()
        yield f"{low}", kind, {}
        yield f"{low}_two_layers", kind, {"num_layers": 2}
        yield f"{low}_two_layers_bidirectional_states", kind, {"num_layers": 2, "bidirectional": True, "initial": True}
        yield f"{low}_batch_first_no_bias", kind, {"batch_first": True, "bias": False}
        yield f"{low}_packed_bidirectional", kind, {"bidirectional": True, "packed": True}
        yield f"{low}_saturating", kind, {"scale": 8.0}
        yield f"{low}_long", kind, {"steps": 200, "batch": 1, "hidden_size": 8}
    yield "rnn_relu_two_layers", "RNN", {"nonlinearity": "relu", "num_layers": 2}
    yield "rnn_relu_bidirectional", "RNN", {"nonlinearity": "relu", "bidirectional": True, "batch_first": True}
    packed = {"num_layers": 2, "packed": True, "initial": True, "batch_first": True, "batch": 3}
    yield "lstm_packed_two_layers_states", "LSTM", packed
    yield "lstm_projection", "LSTM", {"proj_size": 3}
    projected = {"proj_size": 2, "num_layers": 2, "bidirectional": True, "initial": True}
    yield "lstm_projection_two_layers_bidirectional_states", "LSTM", projected


def write_sequence(seed, name, kind, options):
    torch.manual_seed(seed)
    options = {"input_size": 3, "hidden_size": 5, **options}
    scale, steps, batch = options.pop("scale", 1.0), options.pop("steps", 6), options.pop("batch", 4)
    module = Sequence(kind, **options)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter *= scale
    calls = [sequence_inputs(module, LENGTHS.get(batch), steps, batch)]
    if steps < 100:
        calls.append(sequence_inputs(module, [3, 1], 3, 2))  # the same model with other sizes
    entry = {"seed": seed, "module": f"nn.{kind}", **({"scale": scale} if scale != 1 else {})}
    entry["architecture"] = architecture_of(module)
    state_dict = module.state_dict_of_module()
    return write_case(name, module, state_dict, calls, outputs_of(module), sequence_axes(module), entry)


def write_trained(seed):
    """Trains and writes the trained models; the first has this seed, the others the next ones."""

    def begin(model_type, offset):
        torch.manual_seed(seed + offset)
        random.seed(seed + offset)
        model = model_type()
        return model, {"seed": seed + offset, "trainedSteps": train(model)}

    memory, entry = begin(MemoryModel, 0)
    layers = [
        {"type": "embedding", "name": "emb"},
        {"type": "gru", "name": "gru", "output": "last", "returnState": True},
        {"type": "linear", "name": "fc"},
    ]
    calls = [{"x": torch.randint(4, (steps, batch))} for steps, batch in ((12, 6), (5, 3))]
    axes = {"x": {0: "T", 1: "B"}, "y": {0: "B"}, "hn": {1: "B"}}
    entry = {**entry, "module": "Embedding, nn.GRU, last step, Linear", "architecture": {"layers": layers}}
    yield write_case("trained_memory_gru", memory, memory.state_dict(), calls, ["y", "hn"], axes, entry)

    tags, entry = begin(TagModel, 1)
    layers = [
        {"type": "embedding", "name": "emb"},
        {"type": "lstm", "name": "lstm", "batchFirst": True, "lengths": True},
        {"type": "linear", "name": "fc", "activation": "sigmoid"},
    ]
    calls = [dict(zip(("x", "lengths"), TagModel.example(batch, steps))) for batch, steps in ((5, 8), (2, 4))]
    axes = {"x": {0: "B", 1: "T"}, "y": {0: "B", 1: "T"}, "lengths": {0: "B"}}
    entry = {**entry, "module": "Embedding, packed bidirectional nn.LSTM, Linear", "architecture": {"layers": layers}}
    yield write_case("trained_tags_lstm", tags, tags.state_dict(), calls, ["y"], axes, entry)

    text, entry = begin(TextModel, 2)
    layers = [
        {"type": "embedding", "name": "emb"},
        {"type": "lstm", "name": "lstm", "initialState": True},
        {"type": "linear", "name": "fc"},
    ]
    calls = [
        {"x": torch.randint(len(LETTERS), (7, 2)), "h0": torch.randn(2, 2, 16), "c0": torch.randn(2, 2, 16)},
        dict(zip(("x", "h0", "c0"), (TextModel.ids[: len(RHYME), None], *TextModel.zeros(1)))),
    ]
    axes = {"x": {0: "T", 1: "B"}, "y": {0: "T", 1: "B"}, **{name: {1: "B"} for name in ("h0", "c0", "hn", "cn")}}
    entry = {
        **entry,
        "module": "Embedding, two-layer nn.LSTM, Linear",
        "architecture": {"layers": layers},
        "letters": LETTERS,
        "start": RHYME[0],
        "text": text.generate(RHYME[0], 60),  # greedy decoding from zero states
    }
    yield write_case("trained_text_lstm", text, text.state_dict(), calls, ["y", "hn", "cn"], axes, entry)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    cases = [write_sequence(seed, *case) for seed, case in enumerate(sequence_cases(), 1)]
    cases += write_trained(100)
    index = {
        "madeBy": "scripts/make-goldens.py",
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "opset": OPSET,
        "cases": cases,
    }
    (FOLDER / "index.json").write_text(json.dumps(index, indent=2) + "\n")
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{len(cases)} cases, {size} bytes in {FOLDER}")
    if size > MAX_BYTES:
        sys.exit(f"more than {MAX_BYTES} bytes")


if __name__ == "__main__":
    main()
