"""Prepared images at scale: does anything grow with their number, and how many cores feed an H100?

    python -m benchmarks.training.prepared_images [--counts 2000 20000 200000] [--folder DIR]

Made-up JPEGs of mixed sizes (64 to 256 a side, a few hundred pictures over and over, each file with another end) in tar archives
are prepared, and loaded in its own process: seconds until the first batch, anonymous memory (pages of the mapped files are
the system's cache, which it takes back), and batches of 128 squares with random crops on one thread. The last also of pictures of
500x375, as ImageNet's. Files of twice their size lie in DIR (default: a temporary folder) until the end.
Result: benchmarks/results/prepared_images.json.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.measuring.turns import RESULTS
from practice_torch.data import images
from practice_torch.data.preparation import prepare_images
from practice_torch.engine.costs.environment import environment

PICTURES = 300
BATCH = 128
OCTAVES, GROWTH = 6, 1.2  # a picture of 500x375 then takes 70 kB
STEP = 0.024  # seconds of an H100 for a batch of the CIFAR U-Net, by estimate
SIDES = (32, 64)
BATCHES = 15


def pictures(sizes, generator):
    """JPEGs (quality 90) with a spectrum like that of photographs: noise of every octave, proportional to its scale."""
    for width, height in sizes:
        total, weights = np.zeros((height, width, 3)), [GROWTH**octave for octave in range(OCTAVES)]
        for octave in range(OCTAVES):
            across, down = (max(2, side >> octave) for side in (width, height))
            coarse = Image.fromarray(generator.integers(0, 256, (down, across, 3), dtype=np.uint8))
            total += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), float) * weights[octave] / sum(weights)
        file = io.BytesIO()
        Image.fromarray(total.astype(np.uint8)).save(file, "JPEG", quality=90)
        yield file.getvalue()


def write_tar(path, count, encoded):
    """Write `count` of the pictures, with labels; every file has its number after its end, so that no two are equal."""
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            for name, content in (
                (f"{number:07}.jpg", encoded[number % len(encoded)] + number.to_bytes(8, "little")),
                (f"{number:07}.cls", str(number % 10).encode()),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def prepared(folder, count, encoded, name):
    """(the prepared folder, the cost of preparing it) of this many images."""
    source, out = folder / f"{name}.tar", folder / name
    write_tar(source, count, encoded)
    began, cpu = time.perf_counter(), time.process_time()
    manifest = prepare_images.prepare([source], out, prepare_images.Options(workers=1), lambda line: None).manifest
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu, "bytes": source.stat().st_size}
    source.unlink()
    assert manifest["count"] == count
    return out, took


def loaded(folder, side):
    """What loading takes in a new process, and then getting batches."""
    words = [sys.executable, "-m", "benchmarks.training.prepared_images", "--measure", str(folder), "--side", str(side)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def measure(folder, side):
    """In the new process: seconds of loading and of batches, and memory."""
    torch.set_num_threads(1)
    before = anonymous()
    began, cpu = time.perf_counter(), time.process_time()
    train, _ = images.load(folder, image_size=side)
    found = {"load_seconds": time.perf_counter() - began, "load_cpu_seconds": time.process_time() - cpu, "count": len(train)}
    found["memory_after_loading"] = anonymous() - before
    generator = torch.Generator().manual_seed(0)
    cpu = []
    for number in range(BATCHES):
        indices = torch.randint(len(train), (BATCH,), generator=generator)
        began = time.process_time()
        train.batch(indices, torch.arange(number * BATCH, (number + 1) * BATCH))
        cpu.append(time.process_time() - began)
    found["memory_after_batches"] = anonymous() - before
    found["images_per_cpu_second"] = BATCH / float(np.median(cpu))
    found["cores_for_an_h100"] = BATCH / STEP / found["images_per_cpu_second"]
    return found


def anonymous():
    """Bytes of memory that belong to this process alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 20_000, 200_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure, asked.side)))
        return 0
    began, generator, result = time.perf_counter(), np.random.default_rng(0), {"batch": BATCH, "step_seconds": STEP, "sets": {}}
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        small = list(pictures(generator.integers(64, 257, (PICTURES, 2)), generator))
        large = list(pictures([(500, 375)] * 30, generator))
        sets = [(f"{count} of 64 to 256 a side", count, small) for count in asked.counts] + [("2000 of 500x375", 2000, large)]
        for name, count, encoded in sets:
            folder, took = prepared(Path(temporary), count, encoded, name.replace(" ", "-"))
            took["peak_memory"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            result["sets"][name] = {"prepare": took, "load": {side: loaded(folder, side) for side in SIDES}}
            for side, each in result["sets"][name]["load"].items():
                memory = ", ".join(f"{each[key] / 1e6:.0f}" for key in ("memory_after_loading", "memory_after_batches"))
                print(
                    f"{name:28s} {side}x{side}: loaded in {each['load_cpu_seconds']:.2f} CPU s; {memory} MB, then and after "
                    f"{BATCHES} batches; {each['images_per_cpu_second']:.0f} images/s, {each['cores_for_an_h100']:.1f} cores"
                )
            print(f"    prepared in {took['cpu_seconds']:.0f} CPU s, {took['bytes'] / 1e6:.0f} MB", flush=True)
            for path in folder.iterdir():
                path.unlink()
    result["environment"] = environment(torch.device("cpu"), time.perf_counter() - began)
    (RESULTS / "prepared_images.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
