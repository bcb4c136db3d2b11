"""Prepared text of 0.2, 2 and 20 GB: start-up, memory and batches a second, streamed and in memory; and what tokenizing takes.

    python -m benchmarks.training.streamed_text [--gigabytes 0.2 2 20] [--written 0.5] [--text 40] [--batches 200] [--folder DIR]

The tokens are made up: uint16, of a vocabulary of 50257 numbers, in shards of 64 MiB, which are removed afterwards. Sets of more
than --written gigabytes are sparse files: pages of zeros, which the system makes without reading the disk. Each set is
measured in its own process, on one thread, by batches of 480 windows of 1024 tokens and their successors at random places:
first with no page of the set in memory, then again, with the pages that the first round has left. Memory is what the process
itself holds (RssAnon) and the mapped pages that it has touched (RssFile), which the system takes back when it needs them.

A GPT of 124M parameters consumes, by estimate, 32 windows in 66 ms on an H100 (at 370e12 FLOP/s, of which it needs 6 a parameter
and token): the goal is to read windows faster than that, on one core.
Result: benchmarks/results/streamed_text.json.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring.turns import RESULTS
from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data import text
from practice_torch.data.preparation import prepare_text, preparing
from practice_torch.data.preparation.labels import no_labels
from practice_torch.data.preparation.shard_files import shard_file
from practice_torch.engine.costs.environment import environment

CONTEXT, BATCH, VOCABULARY = 1024, 480, 50257
SHARD = 2**26
GOAL = 32 / 0.066  # windows a second


def made_up(folder, gigabytes, sparse):
    """A prepared folder of random tokens, or of zeros that take no place on the disk."""
    tokenizer = BytePairTokenizer(((0, 0),) * (VOCABULARY - 256)).content().encode()
    tokens = prepare_text.Tokens("diptych", folder / prepare_text.FILE, BytePairTokenizer, "")
    count = round(10**9 * gigabytes / 2)
    block = np.random.default_rng(0).integers(0, VOCABULARY, min(count, SHARD // 2), dtype=np.uint16)

    def write(folder, name, job):
        size, turned = job
        with shard_file(folder, name) as file:
            if sparse:
                file.file.truncate(2 * size)
                file.size = 2 * size
            else:
                file.write(np.roll(block, turned)[:size])
            file.facts["count"] = size

    sizes = [min(SHARD // 2, count - start) for start in range(0, count, SHARD // 2)]
    jobs = [(f"shard-{number:05d}.bin", 2 * size, (size, number)) for number, size in enumerate(sizes)]
    about = {"library": tokens.library, "file": prepare_text.FILE, "bytes": len(tokenizer)}
    about["sha256"] = hashlib.sha256(tokenizer).hexdigest()
    same = {"dtype": "uint16", "vocabulary": VOCABULARY, "tokenizer": about}
    preparing.prepare_shards(
        folder,
        "text",
        asked={"source": ["made up"], "options": {}, "inputs": ""},
        stamp="",
        jobs=lambda _: (jobs, same, no_labels()),
        write=write,
        workers=1,
        facts=lambda same, *_: same,
        say=print,
        keep={prepare_text.FILE: tokenizer},
    )


def measure(folder, batches, resident):
    """What one process sees of a prepared folder."""
    torch.set_num_threads(1)
    for path in Path(folder).glob("shard-*"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = memory()
    began, cpu = time.perf_counter(), time.process_time()
    train, _ = text.load(folder, context=CONTEXT, level="token")
    found = {"start_seconds": time.perf_counter() - began, "start_cpu_seconds": time.process_time() - cpu}
    if resident:
        began, cpu = time.perf_counter(), time.process_time()
        train = train.resident()
        found |= {"read_seconds": time.perf_counter() - began, "read_cpu_seconds": time.process_time() - cpu}
    found["windows"] = len(train)
    for when in ("first", "again"):
        generator = torch.Generator().manual_seed(0)
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(batches):
            train.batch(torch.randint(len(train), (BATCH,), generator=generator))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        found[when] = {"batches_per_second": batches / wall, "batches_per_cpu_second": batches / cpu}
    found["megabytes"] = {name: round((value - before[name]) / 1e3, 1) for name, value in memory().items()}
    return found


def memory():
    """Kilobytes that this process holds: {RssAnon, RssFile}."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: int(line.split()[1]) for line in lines if (name := line.split(":")[0]) in ("RssAnon", "RssFile")}


def tokenizing(folder, megabytes):
    """Seconds and CPU seconds for each megabyte of made-up words, as bytes and as byte pairs, with two processes."""
    generator = np.random.default_rng(0)
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", np.uint8)
    sizes = generator.integers(1, 12, 200_000)
    words = [letters[np.minimum(generator.geometric(0.12, size), 26) - 1].tobytes() for size in sizes]
    path = folder / "words.txt"
    with open(path, "wb") as file:
        while file.tell() < 10**6 * megabytes:
            chosen = np.minimum(generator.zipf(1.2, 200_000), len(words)) - 1
            file.write(b" ".join(words[number] for number in chosen.tolist()) + b"\n")
    found = {"megabytes": path.stat().st_size / 1e6}
    for tokens, more in (("bytes", {}), ("learned", {"merges": 8192, "sample": 16})):
        options = prepare_text.Options(tokens=tokens, workers=2, **more)
        began, cpu = time.perf_counter(), processor()
        prepared = prepare_text.prepare([str(path)], folder / tokens, options, print, BytePairTokenizer)
        seconds, spent = time.perf_counter() - began, processor() - cpu
        found[tokens] = {
            "seconds": seconds,
            "cpu_seconds": spent,
            "tokens": prepared.manifest["count"],
            "megabytes_per_cpu_second": found["megabytes"] / spent,
        }
    return found


def processor():
    """CPU seconds of this process and of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.2, 2, 20])
    parser.add_argument("--written", type=float, default=0.5, help="gigabytes from which on the files are sparse")
    parser.add_argument("--text", type=float, default=40, help="megabytes of text to tokenize")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where the sets are written (default: the system's folder for such)")
    parser.add_argument("--measure", nargs=3, metavar=("DIR", "BATCHES", "RESIDENT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        folder, batches, resident = arguments.measure
        print(json.dumps(measure(folder, int(batches), resident == "resident")))
        return 0
    began, measured = time.perf_counter(), {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as root:
        for gigabytes in arguments.gigabytes:
            folder = Path(root, f"{gigabytes:g}")
            made_up(folder, gigabytes, sparse=gigabytes > arguments.written)
            sides = ["streamed"] + ["resident"] * (gigabytes <= 2)  # tokens take four bytes each in memory
            for side in sides:
                command = [sys.executable, "-m", __spec__.name, "--measure", folder, str(arguments.batches), side]
                answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                measured[f"{gigabytes:g} GB {side}"] = found = json.loads(answer)
                rates = ", ".join(f"{found[when]['batches_per_second']:.1f} {when}" for when in ("first", "again"))
                start = f"{gigabytes:g} GB {side}: start {found['start_seconds']:.3f} s"
                print(f"{start}, batches/s {rates}, {found['megabytes']} MB", flush=True)
            for path in folder.iterdir():
                path.unlink()
        words = tokenizing(Path(root), arguments.text)
        print(json.dumps(words))
    streamed = [found for name, found in measured.items() if name.endswith("streamed")]
    windows = min(BATCH * found["again"]["batches_per_cpu_second"] for found in streamed)
    result = {
        "what": "prepared text: batches of 480 windows of 1024 tokens, streamed from the disk and from memory",
        "written_gigabytes": arguments.written,
        "measured": measured,
        "tokenizing": words,
        "windows_per_cpu_second": windows,
        "goal": GOAL,
        "environment": environment(torch.device("cpu"), time.perf_counter() - began),
    }
    (RESULTS / "streamed_text.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"{windows:.0f} windows a CPU second; a 124M GPT consumes {GOAL:.0f} a second {'' if windows > GOAL else 'MISSED'}")
    return 0 if windows > GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
