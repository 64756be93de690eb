"""Adds PyTorch's LSTM and GRU on cuDNN to a file of results: the shapes that are named in it, in float32
with tf32 off and on, and in float16. Two times each: on the GPU by CUDA events, many runs in a row; and end
to end, the input from the host and the result back to it, which is what our own times are."""

import json
import re
import statistics
import sys
import time

SECONDS = 0.3  # of each measurement
MODES = [("fp32", False), ("tf32", True), ("fp16", False)]


def shape_of(name):
    found = re.fullmatch(r"(lstm|gru)-h(\d+)-b(\d+)-t(\d+)(?:-l(\d+))?(-bi)?(-before)?", name)
    cell, hidden, batch, steps, layers, both, before = found.groups()
    if before:
        raise ValueError("cuDNN has no GRU that resets before the product")
    return cell, int(hidden), int(batch), int(steps), int(layers or 1), both is not None


def median_ms(run, seconds):
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < 5 or (time.perf_counter() < end and len(samples) < 1000):
        samples.append(run())
    return statistics.median(samples)


def measure(torch, name, mode, tf32):
    cell, hidden, batch, steps, layers, both = shape_of(name)
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    dtype = torch.float16 if mode == "fp16" else torch.float32
    torch.manual_seed(1)
    kind = torch.nn.LSTM if cell == "lstm" else torch.nn.GRU
    layer = kind(hidden, hidden, layers, bidirectional=both).to("cuda", dtype).eval()
    x_host = torch.rand(steps, batch, hidden).to(dtype).pin_memory()
    x = x_host.cuda()
    y_host = layer(x)[0].cpu().pin_memory()

    def on_gpu(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            layer(x)
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / repeats

    def end_to_end():
        start = time.perf_counter()
        x.copy_(x_host, non_blocking=True)
        y_host.copy_(layer(x)[0], non_blocking=True)
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    warm = time.perf_counter() + 0.3  # clocks rise within that time
    while time.perf_counter() < warm:
        once = on_gpu(3)
    repeats = max(1, min(200, int(20 / max(once, 1e-3))))
    return {
        "shape": name,
        "mode": mode,
        "gpuMs": median_ms(lambda: on_gpu(repeats), SECONDS),
        "endToEndMs": median_ms(end_to_end, SECONDS),
    }


def measure_all(names):
    try:
        import torch
    except ImportError:
        return {"skipped": "no PyTorch: python3 -c 'import torch' fails"}
    if not torch.cuda.is_available():
        return {"skipped": f"PyTorch {torch.__version__} sees no CUDA device"}
    found = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "device": torch.cuda.get_device_name(),
        "rows": [],
    }
    print(f"cuDNN {found['cudnn']} on {found['device']}; ms on the GPU, and end to end")
    with torch.inference_mode():
        for name in names:
            cells = []
            for mode, tf32 in MODES:
                try:
                    row = measure(torch, name, mode, tf32)
                    cells.append(f"{mode} {row['gpuMs']:8.4f} {row['endToEndMs']:8.4f}")
                except Exception as error:  # a shape that fails is reported, the others go on
                    row = {"shape": name, "mode": mode, "failure": str(error).split("\n")[0]}
                    cells.append(f"{mode} {row['failure']}")
                found["rows"].append(row)
            print(f"{name:24}", "  ".join(cells), flush=True)
    return found


if __name__ == "__main__":
    path = sys.argv[1]
    with open(path) as file:
        results = json.load(file)
    results["cudnn"] = measure_all(results["shapes"])
    if "skipped" in results["cudnn"]:
        print("cuDNN:", results["cudnn"]["skipped"])
    with open(path, "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
