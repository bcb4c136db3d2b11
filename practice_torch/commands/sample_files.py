"""sample RUN --count N --out DIR: a file for each sample, as tools that judge samples read them, in batches.

Each batch has random numbers of its own, from the seed and its place, and a file has its name only when it is complete: a command
that was stopped draws, when it is repeated, the batches that are missing, and ends in the same files. Several processes share the
batches, and write the same files as one.

Points, and with --format npz images and sounds, are one array: samples.npz with arr_0, images as [N, H, W, C] in uint8, which is
what tools that compute an FID take, sounds [N, T] and points [N, D] in float32. Until the last batch is drawn each has a file.
"""

import json
import sys
import time
import zipfile
from functools import partial

import numpy as np
import torch
from PIL import Image

from practice_torch.commands.drawing import seed_sampling
from practice_torch.commands.judging.items import one_each, texts_of
from practice_torch.commands.run_folder import writing
from practice_torch.engine.artifacts import Audio, Figure, ImageGrid, Text
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.run import write_json

MANIFEST = "samples.json"
ARRAY = "samples.npz"
BATCH = 500  # samples drawn at once, unless a command asks otherwise
IN_LOG = 5.0  # seconds between two lines of progress


def write_samples(experiment, folder, asked, processes):
    """Draw and write what is missing of `asked` (see its keys below); returns how many samples this process drew now.

    Several processes draw every count-th batch each, into the folder that all of them see. RunError if the folder has other files
    than those of this very command, or the model draws nothing that is one file a sample.
    """
    count, batch, device = asked["count"], asked["batch"], experiment.generator.device
    rank, ranks = processes.rank, processes.count
    there = processes.broadcast(lambda: _begun(folder, asked))
    drawn, started = 0, time.perf_counter()
    said = started
    starts = range(rank * batch, count, ranks * batch)
    for number, done in enumerate(starts):
        size = min(batch, count - done)
        stems = [_stem(sample, count) for sample in range(done, done + size)]
        if ARRAY in there or f"array-{stems[0]}" in there or there.issuperset(stems):
            continue
        seed_sampling(experiment, device, asked["seed"], done // batch)
        found = _drawn(experiment, size, asked.get("format"))
        with writing(folder):
            if isinstance(found, np.ndarray):
                _whole(folder / f"array-{stems[0]}.npz", partial(np.savez, arr_0=found))
            else:
                for stem, artifact in zip(stems, found, strict=True):
                    _whole(folder / f"{stem}{artifact.suffix}", partial(_save, artifact))
        drawn += size
        now, last = time.perf_counter(), number == len(starts) - 1
        if rank == 0 and (now - said >= IN_LOG or last and now - started >= IN_LOG):
            rate, said = drawn * ranks / (now - started), now
            left = (len(starts) - 1 - number) * batch * ranks / rate
            so_far = f"{min(count, done + ranks * batch):,} of {count:,} samples"
            print(f"{so_far}, {rate:.3g} a second, {left:.0f} s left", file=sys.stderr)
    processes.wait()
    processes.broadcast(lambda: _join(folder, -(-count // batch)))
    return drawn


def _stem(sample, count):
    """The name of a sample's file, without its suffix."""
    return f"{sample:0{len(str(count - 1))}d}"


def _begun(folder, asked):
    """The names, without suffixes, of the samples that are there; makes the folder, with its manifest."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    if not names:
        with writing(folder):
            write_json(folder / MANIFEST, asked)
        return set()
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        found["count"], found["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{folder} is not empty, and {MANIFEST} in it describes no samples; name a new folder") from None
    if found != asked:
        name = next(key for key in (*asked, *found) if found.get(key) != asked.get(key))
        raise RunError(
            f"{folder} holds samples of {name} {found.get(name)!r}, and this command asks for {asked.get(name)!r}; "
            "name a new folder, or repeat the command that began it"
        )
    return {ARRAY} if ARRAY in names else {name.partition(".")[0] for name in names if not name.startswith(".")}


def step_of(folder):
    """The step of the weights that drew the files of a folder; None if no command here has written them."""
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _join(folder, batches):
    """Make one array of those of all batches, and delete theirs."""
    parts = sorted(folder.glob("array-*.npz"))
    with writing(folder):
        if len(parts) == batches and not (folder / ARRAY).exists():
            _whole(folder / ARRAY, partial(np.savez, arr_0=np.concatenate([_read(part) for part in parts])))
        for part in parts if (folder / ARRAY).exists() else ():
            part.unlink()


def _read(part):
    try:
        with np.load(part, allow_pickle=False) as file:
            return file["arr_0"]
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise RunError(f"{part} cannot be read: delete it, and repeat the command that drew it") from None


def _whole(path, write):
    """Call write(path of another name), which then becomes this path: a file has its name only when it is complete."""
    aside = path.with_name(f".{path.name}")
    write(aside)
    aside.replace(path)


def _drawn(experiment, size, form):
    """`size` samples: one artifact for each of them, images, sounds or texts; or their array, of points and with the form npz."""
    drawn = experiment.sample(size)
    for kind in (ImageGrid, Audio):
        found = [one for part in drawn.values() if isinstance(part, kind) for one in one_each(part)]
        if len(found) == size:
            return _array(found) if form == "npz" else found
    points = [part.points for part in drawn.values() if isinstance(part, Figure) and part.points is not None]
    if [len(some) for some in points] == [size]:
        return points[0].detach().float().cpu().numpy()
    if all(isinstance(part, Text) for part in drawn.values()):
        if form == "npz":
            raise RunError("these samples are texts, which are no array: leave --format out, for a txt of each")
        return texts_of(experiment, size)
    kinds = ", ".join(f"{name} ({type(part).__name__})" for name, part in drawn.items())
    raise RunError(f"{size} samples are drawn as {kinds}, which is no file for each; leave --out out")


def _array(artifacts):
    """Images [N, H, W, C] in uint8, or sounds [N, T]."""
    if isinstance(artifacts[0], ImageGrid):
        return np.stack([_pixels(artifact) for artifact in artifacts])
    return torch.stack([artifact.samples for artifact in artifacts]).detach().float().cpu().numpy()


def _pixels(artifact):
    """The only image of a grid, [H, W, C] in uint8."""
    return artifact.images[0].detach().float().cpu().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()


def _save(artifact, path):
    """An image in its own pixels: its grid would be enlarged and framed."""
    if not isinstance(artifact, ImageGrid):
        return artifact.save(path)
    pixels = _pixels(artifact)
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path, format="PNG")
