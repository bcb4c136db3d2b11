"""Enhancement: digits are enlarged, denoised and completed by regression, GANs, diffusion and a PixelCNN; sounds get a band."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import torch

from practice_torch.adversarial.super_resolution import peak_signal_to_noise_ratio
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import ANY, FRACTION, POSITIVE, interval, mean_interval
from practice_torch.evaluation.frechet_distance import frechet_feature_distance
from practice_torch.experiments.adversarial import gan_inversion
from practice_torch.experiments.adversarial import super_resolution as adversarial
from practice_torch.experiments.autoregressive import pixelcnn
from practice_torch.experiments.diffusion import inpainting, super_resolution
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.latent import denoising_autoencoder
from practice_torch.projects._enhancing.methods import (
    FACTOR,
    SIGMA,
    completed,
    completed_pixel_by_pixel,
    denoised,
    denoised_by_autoencoder,
    denoised_by_training_images,
    denoised_in_steps,
    drawn,
    drawn_and_projected,
    drawn_in_null_space,
    enlarged,
    enlarged_by_code,
    generated,
    gray_below,
    lower_half,
    made_small,
    mean_below,
    mean_drawn,
    regression,
    repeated,
    same,
    upper_half,
)
from practice_torch.projects._enhancing.reading import COMPLETED, DENOISED, ENLARGED, READ, REAL, read, title
from practice_torch.projects._enhancing.sounds import SOUND_COLUMNS, judge_sounds
from practice_torch.projects.runner import Column, Findings, Model, Project, Row, call_isolated

SOUNDS = "perceptron"  # of sounds
MOST, SHOWN = 1000, 10  # held-out images that are restored, and that are shown
COLUMNS = {
    "peak_signal_to_noise": Column("dB", "mean PSNR of what is restored: of a completion, the half that is missing", "higher"),
    "class_accuracy": Column("fraction", "restored images whose class is recognized by a support vector machine", "higher"),
    "frechet_distance": Column(
        "squared distance", "between Gaussians fitted to restored and to training images, in 20 principal components", "lower"
    ),
    "observation_error": Column(
        "root mean square", f"of what is known less what the restored image has there; of a noisy image, {SIGMA:g} is right"
    ),
    "diversity": Column(
        "ratio", "mean squared distance of two draws, over that of a draw and the image: 1 for draws of the true law given what "
        "is known, 0 where there is one answer"
    ),
} | SOUND_COLUMNS  # fmt: skip


class Method(NamedTuple):
    """restore(experiment, observation) gives images, by the model of this name; draws: how many that differ are compared."""

    model: str
    restore: Callable
    draws: int = 1


class Task(NamedTuple):
    """What is known of images is observe(images), a linear function, and noise of the deviation sigma.

    floors: name -> observation to images. restored: the part of an image that is judged. shown: what a picture shows of the
    observation besides.
    """

    observe: Callable
    floors: dict[str, Callable]
    methods: dict[str, Method]
    sigma: float = 0.0
    restored: Callable = same
    shown: Mapping[str, Callable] = MappingProxyType({})


def tasks(known):
    """name -> Task, with baselines that are fitted to known images."""
    return {
        ENLARGED: Task(
            made_small,
            {"repeated pixels": repeated, "linear regression": regression(known, made_small)},
            {
                "squared error": Method("squared error", enlarged),
                "GAN": Method("GAN", enlarged),
                "conditional diffusion": Method("conditional diffusion", drawn, 2),
                "conditional diffusion, projected": Method("conditional diffusion", drawn_and_projected, 2),
                "conditional diffusion, mean of 8": Method("conditional diffusion", mean_drawn),
                "diffusion, projected in every step": Method("diffusion", drawn_in_null_space, 2),
                "latent optimization": Method("generator", enlarged_by_code, 2),
            },
        ),
        DENOISED: Task(
            same,
            {
                "noisy image": same,
                "linear regression": regression(known, same, sigma=SIGMA),
                "training images, weighted": denoised_by_training_images(known),
            },
            {
                "autoencoder": Method("autoencoder", denoised_by_autoencoder),
                "diffusion, mean": Method("diffusion", denoised),
                "diffusion, drawn": Method("diffusion", denoised_in_steps, 2),
                "latent optimization": Method("generator", partial(generated, observe=same, sigma=SIGMA), 2),
            },
            sigma=SIGMA,
        ),
        COMPLETED: Task(
            upper_half,
            {"mean of training images": mean_below(known), "linear regression": regression(known, upper_half)},
            {
                "diffusion, replacement": Method("diffusion", partial(completed, times=1), 2),
                "diffusion, RePaint": Method("diffusion", partial(completed, times=10), 2),
                "PixelCNN": Method("PixelCNN", completed_pixel_by_pixel, 2),
                "latent optimization": Method("generator", partial(generated, observe=upper_half), 2),
            },
            restored=lower_half,
            shown={"the upper half": gray_below},
        ),
    }


def judge(trainings, say):
    """Every task on the same held-out images: the baselines, every method, and the images themselves; and sounds."""
    training = next(iter(trainings.values()))
    train, held_out = training.train_data.batch(), training.held_out_data
    fresh = held_out.batch(torch.arange(min(len(held_out), MOST)))
    known, real, labels = train["image"].float(), fresh["image"].float(), fresh.get("label")
    expert = Judge(known.cpu(), train.get("label"))
    shown, rows, grids = _examples(labels, len(real)), {}, {}
    for table, task in tasks(known).items():
        generator = torch.Generator().manual_seed(seed_of(training.recipe.seed, f"project, {table}"))
        of_training, observation = (_observed(images, task, generator) for images in (known, real))
        found = {name: restore(observation)[None].cpu() for name, restore in task.floors.items()}
        for name, method in task.methods.items():
            say(f"{len(real)} images, {table}: {name}")
            found[name] = _draws(trainings[method.model], f"{table}, {name}", method, observation)
        found[REAL], observation = real[None].cpu(), observation.cpu()
        for name, draws in found.items():
            cells = {} if name == REAL else _distortion(draws, found[REAL][0], task.restored, generator)
            cells |= _realism(draws[0], labels, expert, generator) | _agreement(draws[0], task.observe, observation)
            role = "ceiling" if name == REAL else "floor" if name in task.floors else "model"
            rows[title(table, name)] = Row(role, {column: cells[column] for column in COLUMNS if column in cells}, table)
        if labels is not None:
            reader = Judge(of_training.cpu(), train["label"])
            rows[title(table, READ)] = Row("ceiling", {"class_accuracy": _recognized(observation, labels, reader)}, table)
        strips = {name: show(observation) for name, show in task.shown.items()}
        for name, draws in found.items():
            strips |= dict(zip((name, f"{name}, again"), draws, strict=False))
        grids[table] = _grid(strips, shown)
    of_sounds, heard = judge_sounds(trainings[SOUNDS], say)
    return Findings(COLUMNS, rows | of_sounds, grids | heard)


def _observed(images, task, generator):
    """What is known of images."""
    clean = task.observe(images)
    return clean + task.sigma * torch.randn(clean.shape, generator=generator).to(clean.device) if task.sigma else clean


def _draws(training, purpose, method, observation):
    """[K, N, C, H, W]: the method's images, as often as it is asked."""

    def see(experiment):
        return torch.stack([method.restore(experiment, observation) for _ in range(method.draws)])

    return call_isolated(training, purpose, see).cpu()


def _distortion(draws, real, restored, generator):
    """PSNR of the first draw, and how different two draws are; the part of an image that is restored alone counts."""
    parts, real = [restored(images) for images in draws], restored(real)
    cells = {"peak_signal_to_noise": mean_interval(peak_signal_to_noise_ratio(parts[0], real, data_range=1.0), ANY)}
    if len(parts) == 1:
        return cells | {"diversity": 0.0}
    squares = torch.stack([(parts[0] - other).flatten(1).square().sum(1) for other in (parts[1], real)], 1)
    share = lambda rows: rows[:, 0].mean() / rows[:, 1].mean()  # noqa: E731
    return cells | {"diversity": interval(share, squares, generator=generator, within=POSITIVE)}


def _realism(images, labels, expert, generator):
    """Whether the class is recognized, and the distance of the images' law from that of the training images."""
    features = [expert.features(some) for some in (images, torch.from_numpy(expert.examples))]
    cells = {"frechet_distance": interval(frechet_feature_distance, *features, generator=generator, within=POSITIVE)}
    if labels is not None:
        cells["class_accuracy"] = _recognized(images, labels, expert)
    return cells


def _recognized(images, labels, expert):
    return mean_interval((expert.classify(images) == labels.cpu()).double(), FRACTION)


def _agreement(images, observe, observation):
    """How far what is known of the restored images is from what is known of the real ones."""
    off = (observe(images) - observation).flatten(1).square().mean(1).sqrt()
    return {"observation_error": mean_interval(off.double().round(decimals=6), POSITIVE)}  # what rounding leaves is none


def _examples(labels, count):
    """Indices of the images that are shown: the first of each class, or the first."""
    if labels is None:
        return torch.arange(min(SHOWN, count))
    classes = labels.cpu().tolist()
    return torch.tensor([classes.index(kind) for kind in sorted(set(classes))[:SHOWN]])


def _grid(strips, shown):
    """A row of images for each strip."""
    rows = torch.cat([images[shown] for images in strips.values()])
    return ImageGrid(rows, len(shown), "From top to bottom: " + "; ".join(strips))


PROJECT = Project(
    title="Enhancement",
    question="Digits of which only the means of 2 x 2 pixels are known are enlarged, noisy ones are denoised, and missing lower "
    "halves are completed, by regression, by GANs, by diffusion models and pixel by pixel. Which method comes nearest to the "
    "image, which makes images that look like real ones, and which knows that there is more than one answer? And sounds of a low "
    "sample rate get the frequencies that they lack: what is known of these from those that are there?",
    models={
        "squared error": Model(adversarial, "digits_squared_error", changes={"factor": FACTOR}),
        "GAN": Model(adversarial, "digits", changes={"factor": FACTOR}),
        "conditional diffusion": Model(super_resolution, "digits"),
        "diffusion": Model(inpainting, "digits"),
        "autoencoder": Model(denoising_autoencoder, "digits", changes={"sigma": SIGMA}),
        "PixelCNN": Model(pixelcnn, "digits"),
        "generator": Model(gan_inversion, "digits"),
        SOUNDS: Model(denoising_autoencoder, "notes_bandwidth", keeps_data=True),
    },
    judge=judge,
    read=read,
)
