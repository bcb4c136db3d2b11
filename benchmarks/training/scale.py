"""Data past one machine: what preparing in parts, joining, opening and fetching take, at fractions of 15 TB and 1e9 images.

    python -m benchmarks.training.scale [--fractions 1e-5 1e-4] [--only text pairs images open fetch] [--folder DIR]

- text, images: sources of that fraction of 15 TB of text or of 1e9 images are prepared in four parts, one after another, each a
  command with one worker, and joined: CPU seconds, peak memory of each command, files, bytes. Then one part of more is
  prepared elsewhere, killed (SIGKILL) with about half of its shards written, and run again: its shards must be those of the
  joined folder, byte for byte. Sources are made up: hard links to one file of 0.5 GB of words, or to one archive of 5,000 JPEGs
  (64 to 160 a side). Text is prepared as bytes; byte pairs are measured on 64 MB, and then on twice as many.
- open: folders of the full size, 15 TB of tokens and 1e9 images in 16,384 shards. Those of text are sparse files, those of images
  links to one shard: what opening takes, and batches at random places.
- fetch: 268 MB in shards of 17 MB, from files that take 0, 50 or 200 ms for every request, and then 100 MB/s for each.

Result: benchmarks/results/scale.json, which runs of a part of it (--only) complete.
"""

import argparse
import datetime
import filecmp
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring.turns import RESULTS
from benchmarks.training.prepared_images import anonymous, pictures, write_tar
from practice_torch.data import images, text
from practice_torch.data.preparation import prepare_images, preparing_rows
from practice_torch.data.preparation.prepared import FORMAT, VERSION, digest_of, open_prepared
from practice_torch.engine.costs.environment import environment

SUBJECTS = ("text", "pairs", "images", "open", "fetch")
TEXT, IMAGES = 15e12, 10**9
PARTS = 4
SHARDS = 2**14
IN_ARCHIVE = 5000
CONTEXT, WINDOWS, BATCH = 1024, 480, 128
LATENCIES = (0, 0.05, 0.2)
RATE = 1e8  # bytes a second of one request
VOCABULARY = 50257
RESULT = RESULTS / "scale.json"


def words(path, size):
    """Write made-up English-like text."""
    generator = np.random.default_rng(0)
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", np.uint8)
    sizes = generator.integers(1, 12, 100_000)
    known = [letters[np.minimum(generator.geometric(0.12, size), 26) - 1].tobytes() for size in sizes]
    with open(path, "wb") as file:
        while file.tell() < size:
            chosen = np.minimum(generator.zipf(1.2, 200_000), len(known)) - 1
            file.write(b" ".join(known[number] for number in chosen.tolist()) + b"\n")


def ran(*arguments):
    """What a command takes: wall and CPU seconds, and its peak memory."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "practice_torch", *map(str, arguments)], stderr=subprocess.PIPE)
    complaint = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} failed: {complaint.decode()[-500:]}")
    return {"seconds": time.perf_counter() - began, "cpu_seconds": used.ru_utime + used.ru_stime, "peak": 1024 * used.ru_maxrss}


def killed_and_repeated(modality, sources, joined, elsewhere, options):
    """Shards of a part that was killed and repeated: how many there were at the kill, and in the end, and how many differ.

    joined: the whole folder, prepared in other parts and without a kill, of at least four shards.
    """
    of = max(2, min(4 * PARTS, len(list(joined.glob("shard-*"))) // 4))
    arguments = ("prepare", modality, sources, "--out", elsewhere, "--part", f"2/{of}", "--workers", 1, *options)
    command, folder = [sys.executable, "-m", "practice_torch", *map(str, arguments)], elsewhere / f"part-2-of-{of}"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(folder.glob("shard-*.json"))) < len(list(joined.glob("shard-*"))) // of // 2:
        time.sleep(0.02)
    process.kill()
    if not process.wait():
        raise SystemExit(f"{command} ended before it was killed: take a larger fraction")
    there = len(list(folder.glob("shard-*.json")))
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    shards = sorted(folder.glob("shard-*"))
    different = [shard.name for shard in shards if not filecmp.cmp(shard, joined / shard.name, shallow=False)]
    return {"part": f"2/{of}", "shards_at_the_kill": there, "shards": len(shards), "different": different}


def in_parts(modality, sources, out, *options):
    """What the parts, the join, and opening the result in a new process take."""
    parts = [
        ran("prepare", modality, sources, "--out", out, "--part", f"{number}/{PARTS}", "--workers", 1, *options)
        for number in range(1, PARTS + 1)
    ]
    joined = ran("prepare", "--join", out)
    manifest = json.loads((out / "manifest.json").read_text())
    found = {
        "parts": {
            "cpu_seconds": sum(part["cpu_seconds"] for part in parts),
            "seconds": sum(part["seconds"] for part in parts),
            "peaks": [part["peak"] for part in parts],
        },
        "join": joined,
        "count": manifest["count"],
        "shards": len(manifest["shards"]),
        "bytes": sum(shard["bytes"] for shard in manifest["shards"]),
        "files": len(list(out.iterdir())),
        "manifest_bytes": (out / "manifest.json").stat().st_size,
    }
    if found["shards"] >= 4:
        found["killed"] = killed_and_repeated(modality, sources, out, out.with_name("again"), options)
    return found | {"open": opened(out, modality)}


def opened(folder, modality):
    """Loading a folder in a new process, and batches of it."""
    command = [sys.executable, "-m", "benchmarks.training.scale", "--measure", str(folder), modality]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(folder, modality):
    """In the new process."""
    torch.set_num_threads(1)
    before, began, cpu = anonymous(), time.perf_counter(), time.process_time()
    if modality == "text":
        level = "byte" if open_prepared(folder).manifest["vocabulary"] == 256 else "token"
        train, _ = text.load(folder, context=CONTEXT, level=level)
    else:
        train, _ = images.load(folder, image_size=64, held_out=0.01)
    found = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu, "memory": anonymous() - before}
    generator, size = torch.Generator().manual_seed(0), WINDOWS if modality == "text" else BATCH
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(10):
        train.batch(torch.randint(len(train), (size,), generator=generator), torch.arange(number * size, (number + 1) * size))
    found |= {"examples_per_second": 10 * size / (time.perf_counter() - began)}
    found |= {"examples_per_cpu_second": 10 * size / (time.process_time() - cpu), "memory_after_batches": anonymous() - before}
    return found


# ---------------------------------------------------------------------------------------------------- parts of a fraction


def text_of(fraction, root):
    source, links = root / "words.txt", max(1, round(TEXT * fraction / 5e8))
    words(source, int(TEXT * fraction / links))
    (root / "texts").mkdir()
    for number in range(links):
        os.link(source, root / "texts" / f"{number:05}.txt")
    return in_parts("text", root / "texts", root / "out")


def pairs_of(megabytes, root):
    words(root / "words.txt", megabytes * 10**6)
    return in_parts("text", root / "words.txt", root / "out", "--tokens", "learned", "--merges", 8192, "--sample", 16)


def images_of(fraction, root):
    generator = np.random.default_rng(0)
    write_tar(root / "all.tar", IN_ARCHIVE, list(pictures(generator.integers(64, 161, (300, 2)), generator)))
    (root / "tars").mkdir()
    for number in range(round(IMAGES * fraction / IN_ARCHIVE)):
        os.link(root / "all.tar", root / "tars" / f"{number:06}.tar")
    return in_parts("images", root / "tars", root / "out")


# ---------------------------------------------------------------------------------------------------- full sizes, opened


def manifest_of(folder, modality, facts, shards):
    content = {"format": FORMAT, "version": VERSION, "modality": modality, "source": ["made up"], "options": {}, "inputs": ""}
    content |= facts | {"count": sum(shard["count"] for shard in shards), "shards": shards}
    (folder / "manifest.json").write_text(json.dumps(content | {"sha256": digest_of(content)}, indent=1) + "\n")


def text_at_full_size(folder):
    size = int(TEXT / SHARDS) // 2 * 2
    shards = []
    for number in range(SHARDS):
        shards.append({"file": f"shard-{number:05d}.bin", "count": size // 2, "bytes": size, "sha256": "0" * 64})
        with open(folder / shards[-1]["file"], "wb") as file:
            file.truncate(size)
    tokenizer = b"{}"
    (folder / "tokenizer.json").write_bytes(tokenizer)
    about = {"library": "tokenizers", "end_of_text": None, "file": "tokenizer.json", "bytes": len(tokenizer)}
    about["sha256"] = hashlib.sha256(tokenizer).hexdigest()
    manifest_of(folder, "text", {"dtype": "uint16", "vocabulary": VOCABULARY, "tokenizer": about}, shards)
    return opened(folder, "text") | {"manifest_bytes": (folder / "manifest.json").stat().st_size, "bytes": size * SHARDS}


def images_at_full_size(folder):
    generator, rows = np.random.default_rng(0), -(-IMAGES // SHARDS)
    write_tar(folder / "all.tar", rows, list(pictures([(16, 16)] * 20, generator)))
    own = folder / "own"
    preparing_rows.MOST_ROWS = rows
    prepare_images.prepare([folder / "all.tar"], own, prepare_images.Options(workers=1), print)
    whole = open_prepared(own)
    (folder / "out").mkdir()
    shards = []
    for number in range(SHARDS):
        shard, name = number % len(whole.paths), f"shard-{number:05d}-000.arrow"
        os.link(whole.paths[shard], folder / "out" / name)
        shards.append(whole.manifest["shards"][shard] | {"file": name})
    facts = {key: whole.manifest[key] for key in ("height", "width", "colored", "classes", "remarks")}
    manifest_of(folder / "out", "images", facts, shards)
    found = opened(folder / "out", "images")
    return found | {"manifest_bytes": (folder / "out" / "manifest.json").stat().st_size, "count": sum(s["count"] for s in shards)}


# ---------------------------------------------------------------------------------------------------- fetching


def fetched(root):
    """Megabytes a second that one process fetches from a slow store, and windows a second of a stream that begins empty."""
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    from practice_torch.data.remote.cache import Cache
    from practice_torch.engine.batches.order import Order
    from practice_torch.engine.batches.streaming import Stream

    class Slow(LocalFileSystem):
        protocol, latency = "slow", 0.0

        def cat_file(self, path, start=None, end=None, **options):
            content = super().cat_file(path.removeprefix("slow://"), start=start, end=end, **options)
            if self.latency:
                time.sleep(self.latency + len(content) / RATE)
            return content

    fsspec.register_implementation("slow", Slow, clobber=True)
    folder, count = root / "out", 16
    folder.mkdir()
    shards, block = [], np.random.default_rng(0).integers(0, 256, 2**24, dtype=np.uint8)
    for number in range(count):
        content = np.roll(block, number).tobytes()
        (folder / f"shard-{number:05d}.bin").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        shards.append({"file": f"shard-{number:05d}.bin", "count": len(content), "bytes": len(content), "sha256": digest})
    tokenizer = {"library": "bytes", "end_of_text": None}
    manifest_of(folder, "text", {"dtype": "uint8", "vocabulary": 256, "tokenizer": tokenizer}, shards)
    found = {}
    for latency in LATENCIES:
        Slow.latency = latency
        os.environ["DIPTYCH_CACHE"] = str(root / f"cache-{latency}")
        cache = Cache([(f"slow://{folder}/{shard['file']}", shard["bytes"], shard["sha256"]) for shard in shards])
        began, cpu = time.perf_counter(), time.process_time()
        cache.ahead(list(range(count)))
        cache.threads.shutdown()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        megabytes = sum(shard["bytes"] for shard in shards) / 1e6
        here = {"megabytes_per_second": megabytes / wall, "megabytes_per_cpu_second": megabytes / cpu}
        shutil.rmtree(root / f"cache-{latency}")
        train, _ = text.load(f"slow://{folder}", context=CONTEXT, level="byte")
        stream = Stream(train, Order(len(train), WINDOWS, 0, shards=train.order), torch.device("cpu"), 2)
        began = time.perf_counter()
        for number in range(40):
            stream[number]
            if not number:
                here["first_batch_seconds"] = time.perf_counter() - began
        here["windows_per_second"] = 40 * WINDOWS / (time.perf_counter() - began)
        found[f"{1000 * latency:g} ms"] = here
        stream.close()
        shutil.rmtree(root / f"cache-{latency}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fractions", type=float, nargs="+", default=[1e-5, 1e-4])
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=SUBJECTS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", nargs=2, metavar=("DIR", "MODALITY"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(*asked.measure)))
        return 0
    began = time.perf_counter()
    tasks = []
    if "pairs" in asked.only:
        tasks += [(f"text {megabytes} MB as byte pairs", pairs_of, megabytes) for megabytes in (64, 128)]
    if "text" in asked.only:
        tasks += [(f"text {fraction:g} of 15 TB", text_of, fraction) for fraction in asked.fractions]
    if "images" in asked.only:
        tasks += [(f"images {fraction:g} of 1e9", images_of, fraction) for fraction in asked.fractions]
    if "open" in asked.only:
        tasks += [("open 15 TB of tokens", text_at_full_size, None), ("open 1e9 images", images_at_full_size, None)]
    if "fetch" in asked.only:
        tasks += [("fetch", fetched, None)]
    for name, function, argument in tasks:
        with tempfile.TemporaryDirectory(dir=asked.folder) as root:
            found = function(*([] if argument is None else [argument]), Path(root))
        print(f"{name}: {json.dumps(found)}", flush=True)
        kept = json.loads(RESULT.read_text()) if RESULT.exists() else {"what": __doc__.splitlines()[0], "measured": {}}
        kept["environment"] = environment(torch.device("cpu"), time.perf_counter() - began)
        kept["measured"][name] = found | {"command": kept["environment"]["command"], "date": str(datetime.date.today())}
        RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
