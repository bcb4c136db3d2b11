"""sample RUN --count N --out DIR: a file for each sample, as tools that judge samples read them, in batches.

Each batch has random numbers of its own, from the seed and its place: a command that was stopped draws, when it is repeated, the
batches that are missing, and ends in the same files.
"""

import json
import sys
import time

from practice_torch.commands.run_folder import writing
from practice_torch.engine.errors import RunError

MANIFEST = "samples.json"
IN_LOG = 5.0  # seconds between two lines of progress


def write_samples(experiment, folder, asked, device):
    """Draw and write what is missing of `asked` (see its keys below); returns how many samples were drawn now.

    RunError if the folder has other files than those of this very command, or the model draws nothing that is one file a sample.
    """
    import torch

    from practice_torch.engine.batches.order import seed_of
    from practice_torch.engine.storage.run import write_json

    count, batch, seed = asked["count"], asked["batch"], asked["seed"]
    done = first = _begun(folder, asked)
    started = said = time.perf_counter()
    while done < count:
        size = min(batch, count - done)
        experiment.generator = torch.Generator(device).manual_seed(seed_of(seed, "sample", done // batch))
        torch.manual_seed(seed_of(seed, "sample", done // batch, "torch"))
        artifacts = _one_each(experiment, size)
        with writing(folder):
            for number, artifact in enumerate(artifacts, start=done):
                name = f"{number:0{len(str(count - 1))}d}{artifact.suffix}"
                artifact.save(folder / f".{name}")
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


def _one_each(experiment, size):
    """One artifact for each of `size` samples: images, sounds or texts."""
    import torch

    from practice_torch.engine.artifacts import Audio, ImageGrid, Text

    drawn = experiment.sample(size)
    images = [image for part in drawn.values() if isinstance(part, ImageGrid) for image in part.images]
    if len(images) == size:
        return [_Image(image) for image in images]
    sounds = [part for part in drawn.values() if isinstance(part, Audio)]
    sounds = [Audio(sound, part.sample_rate) for part in sounds for sound in torch.atleast_2d(part.samples)]
    if len(sounds) == size:
        return sounds
    if all(isinstance(part, Text) for part in drawn.values()):  # several texts are one artifact
        return [part for _ in range(size) for part in experiment.sample(1).values()]
    kinds = ", ".join(f"{name} ({type(part).__name__})" for name, part in drawn.items())
    raise RunError(f"{size} samples are drawn as {kinds}, which is no file for each; leave --out out")


class _Image:
    """One image [C, H, W] in 0..1, in its own pixels: a grid would be enlarged and framed."""

    suffix = ".png"

    def __init__(self, image):
        self.image = image

    def save(self, path):
        from PIL import Image

        pixels = self.image.detach().float().cpu().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path, format="PNG")
