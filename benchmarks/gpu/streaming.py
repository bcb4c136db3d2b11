"""The engine on data that worker processes stream from the disk, against a bare loop on data that lie on the device.

The GPT of `language`, on a prepared folder of made-up tokens (map, windows), and the U-Net of `diffusion`, on one of made-up
JPEGs of mixed sizes (decoding, random crops). Both sides are compiled and do the same work on the device; what the ratio lacks
to 1 is what streaming costs. The files are just written, so the system has them in memory: the disk's speed is not measured.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.gpu import diffusion, language
from benchmarks.gpu.comparison import compare
from benchmarks.gpu.random_data import random_images, random_tokens
from benchmarks.training import prepared_images, streamed_text
from practice_torch.engine.batches.datasets import load_data

GOALS = {"bare loop": 0.95}
TOKENS, PICTURES = 0.5, 20_000  # gigabytes, files


def workers_of(card):
    """As many as a recipe would ask for of this machine."""
    return 1 if card.toy else min(16, len(os.sched_getaffinity(0)))


def text(card, steps, folder):
    """Returns the exit code of the GPT."""
    size = language.TOY if card.toy else language.GPT
    size = size | {"vocabulary": streamed_text.VOCABULARY}
    streamed_text.made_up(folder, 1e-5 if card.toy else TOKENS, sparse=False)
    recipe = language.recipe_of(size, data=str(folder), placement="stream", workers=workers_of(card))
    data = load_data(recipe)
    resident = random_tokens(64 * size["batch"], size["context"], size["vocabulary"], card.device)
    return compare(
        card, "streamed tokens", f"a training step of {size['batch']} x {size['context']} tokens, GPT; the engine's are streamed",
        ("autoregressive/transformer", "shakespeare"), recipe, lambda: language.build(recipe, data[0]), data,
        {"bare loop": lambda: language.loop(language.our_network(size), recipe, resident, card)}, steps=steps,
        amount=size["batch"] * size["context"], unit="tokens", operations=language.operations(size), goals=GOALS, sizes=size,
        workers=recipe.workers,
    )  # fmt: skip


def images(card, steps, folder):
    """Returns the exit code of the U-Net."""
    size, generator = diffusion.TOY if card.toy else diffusion.CIFAR, np.random.default_rng(0)
    count, sides, different = (40, (16, 33), 4) if card.toy else (PICTURES, (64, 257), prepared_images.PICTURES)
    pictures = list(prepared_images.pictures(generator.integers(*sides, (different, 2)), generator))
    out, _ = prepared_images.prepared(folder, count, pictures, "pictures")
    recipe = diffusion.recipe_of(size, data=str(out), image_size=size["size"], placement="stream", workers=workers_of(card))
    data = load_data(recipe)
    resident = random_images(8 * size["batch"], size["size"], card.device)
    make = lambda: diffusion.our_network(size, dropout=recipe.dropout)  # noqa: E731
    return compare(
        card, "streamed images", f"a training step of {size['batch']} images, {size['size']} x {size['size']}, U-Net; "
        "the engine's are streamed", ("diffusion/training", "cifar10"), recipe, lambda: diffusion.build(recipe, data[0]), data,
        {"bare loop": lambda: diffusion.loop(make(), recipe, resident, card)}, steps=steps, amount=size["batch"], unit="images",
        operations=size["batch"] * diffusion.operations(make, size, backward=True), goals=GOALS, sizes=size,
        workers=recipe.workers,
    )  # fmt: skip


def measure(card, steps):
    """Returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("text", "images"):
            Path(folder, name).mkdir()
        return text(card, steps, Path(folder, "text")) | images(card, steps, Path(folder, "images"))
