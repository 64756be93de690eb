#!/usr/bin/env python3
"""Writes test/golden/checkpoints/: files of torch.save, and what PyTorch reads in them.

Building and testing the package do not need this script: the files are in the repository.

    apt-get install python3-torch     # Debian 12: torch 1.13.0a0
    /usr/bin/python3 scripts/make-checkpoints.py

It replaces the whole folder. NAME.pt or NAME.pth has its tensors, dense, in NAME.safetensors; the model `net` has a
call of it in net.io.safetensors.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

import torch
from torch import nn

SCRIPTS = Path(__file__).resolve().parent
FOLDER = SCRIPTS.parent / "test" / "golden" / "checkpoints"
MAX_BYTES = 60_000  # of the whole folder


def write_safetensors(name, tensors):
    """With the writer of make-goldens.py, whose name is no module's."""
    spec = importlib.util.spec_from_file_location("make_goldens", SCRIPTS / "make-goldens.py")
    goldens = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(goldens)
    goldens.write_safetensors(FOLDER / f"{name}.safetensors", tensors)


class Net(nn.Module):
    """Two layers of an LSTM and a linear one."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0])


def strided():
    """Tensors that are not dense, or share a storage, and one of each element type."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return {
        "base": base,
        "transposed": base.t(),
        "rows": base[1:3],
        "columns": base[:, 1:4],
        "steps": base[::2, ::3],
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "repeated": base[:1].expand(3, 6),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.tensor([1.0, -1.0])),
        "double": torch.tensor([1 / 3, -2.0], dtype=torch.float64).flip(0),
        "half": torch.tensor([[0.5, 65504.0, -6e-8]] * 2, dtype=torch.float16).t(),
        "bfloat16": torch.tensor([0.5, 3e38, -1.0], dtype=torch.bfloat16),
        "int64": torch.tensor([-(2**62), 5]),
        "int32": torch.tensor([-(2**31), 5], dtype=torch.int32),
        "int16": torch.tensor([-(2**15), 5], dtype=torch.int16),
        "int8": torch.tensor([-128, 5], dtype=torch.int8),
        "uint8": torch.tensor([255, 5], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
    }


def main():
    torch.manual_seed(13)
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    net = Net()
    weights = net.state_dict()

    def save(name, value, **options):
        torch.save(value, FOLDER / name, **options)

    save("net.pt", weights)
    save("net-legacy.pth", weights, _use_new_zipfile_serialization=False)
    save("net-protocol4.pt", weights, pickle_protocol=4)
    write_safetensors("net", weights)
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        write_safetensors("net.io", {"0.in.x": x, "0.out.y": net(x)})

    tensors = strided()
    save("strided.pt", tensors)
    save("strided-legacy.pth", tensors, _use_new_zipfile_serialization=False)
    dense = {name: tensor.float() if tensor.dtype == torch.bfloat16 else tensor for name, tensor in tensors.items()}
    write_safetensors("strided", dense)

    small = nn.GRU(1, 2)
    optimizer = torch.optim.Adam(small.parameters())
    loss = small(torch.ones(2, 1, 1))[0].sum()
    loss.backward()
    optimizer.step()
    training = {
        "epoch": 3,
        "loss": loss.detach(),
        "best": float("inf"),
        "size": loss.detach().shape,
        "model_state_dict": small.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
    }
    save("training.pt", training)
    write_safetensors("training", small.state_dict())
    save("averaged.pt", {"model": {"net": small.state_dict()}, "ema": small.state_dict(), "raw": weights})
    save("module.pt", small)
    torch.jit.script(nn.Linear(1, 1)).save(str(FOLDER / "script.pt"))

    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{size} bytes in {FOLDER}")
    if size > MAX_BYTES:
        sys.exit(f"more than {MAX_BYTES} bytes")


if __name__ == "__main__":
    main()
