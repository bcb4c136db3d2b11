"""sample RUN --count N --out DIR: a file for each sample, as tools that judge samples read them, in batches.

Each batch has random numbers of its own, from the seed and its place: a command that was stopped draws, when it is repeated, the
batches that are missing, and ends in the same files.
"""

import json
import sys
import time

from PIL import Image

from practice_torch.commands.drawing import seed_sampling
from practice_torch.commands.judging.items import one_each, texts_of
from practice_torch.commands.run_folder import writing
from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.run import write_json

MANIFEST = "samples.json"
IN_LOG = 5.0  # seconds between two lines of progress


def write_samples(experiment, folder, asked):
    """Draw and write what is missing of `asked` (see its keys below); returns how many samples were drawn now.

    RunError if the folder has other files than those of this very command, or the model draws nothing that is one file a sample.
    """
    count, batch, device = asked["count"], asked["batch"], experiment.generator.device
    done = first = _begun(folder, asked)
    started = said = time.perf_counter()
    while done < count:
        size = min(batch, count - done)
        seed_sampling(experiment, device, asked["seed"], done // batch)
        artifacts = _drawn(experiment, size)
        with writing(folder):
            for number, artifact in enumerate(artifacts, start=done):
                name = f"{number:0{len(str(count - 1))}d}{artifact.suffix}"
                _save(artifact, folder / f".{name}")
                (folder / f".{name}").replace(folder / name)
            done += size
            write_json(folder / MANIFEST, asked | {"drawn": done})
        now = time.perf_counter()
        if now - said >= IN_LOG or done == count and now - started >= IN_LOG:
            rate, said = (done - first) / (now - started), now
            print(f"{done:,} of {count:,} samples, {rate:.3g} a second, {(count - done) / rate:.0f} s left", file=sys.stderr)
    return done - first


def _begun(folder, asked):
    """The number of samples that are there; makes the folder."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    if not names:
        return 0
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        drawn = found.pop("drawn")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise RunError(f"{folder} is not empty, and {MANIFEST} in it describes no samples; name a new folder") from None
    if found != asked:
        name = next(key for key in (*asked, *found) if found.get(key) != asked.get(key))
        raise RunError(
            f"{folder} holds samples of {name} {found.get(name)!r}, and this command asks for {asked.get(name)!r}; "
            "name a new folder, or repeat the command that began it"
        )
    return drawn


def _drawn(experiment, size):
    """One artifact for each of `size` samples: images, sounds or texts."""
    drawn = experiment.sample(size)
    for kind in (ImageGrid, Audio):
        found = [one for part in drawn.values() if isinstance(part, kind) for one in one_each(part)]
        if len(found) == size:
            return found
    if all(isinstance(part, Text) for part in drawn.values()):
        return texts_of(experiment, size)
    kinds = ", ".join(f"{name} ({type(part).__name__})" for name, part in drawn.items())
    raise RunError(f"{size} samples are drawn as {kinds}, which is no file for each; leave --out out")


def _save(artifact, path):
    """An image in its own pixels: its grid would be enlarged and framed."""
    if not isinstance(artifact, ImageGrid):
        return artifact.save(path)
    pixels = artifact.images[0].detach().float().cpu().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path, format="PNG")
