"""Image generation: a class-conditional diffusion model, sampled in several ways, between a baseline and real images."""

from functools import partial

import torch

from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import FRACTION, POSITIVE, mean_interval
from practice_torch.evaluation.memorization import nearest_distance
from practice_torch.experiments.diffusion import training as diffusion
from practice_torch.experiments.judging.feature_metrics import recombined
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.judging.sample_metrics import sample_metrics
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

FEW, MANY = 5, 20  # DDIM steps
DDIM, FAST, ANCESTRAL, GUIDED = f"DDIM, {MANY} steps", f"DDIM, {FEW} steps", "ancestral, all steps", "DDIM, guidance 2"
BASELINE, REAL = "independent pixels", "real images"
COUNT = 500  # samples of every way; distances of fewer are larger, also those of real images
SHOWN, COPIES = 80, 12

COLUMNS = {
    "frechet_distance": Column(
        "squared distance", "Gaussians fitted to 20 principal components of samples, of held-out images", "lower"
    ),
    "precision": Column("fraction", "samples that lie among the held-out images", "higher"),
    "recall": Column("fraction", "held-out images that lie among the samples", "higher"),
    "class_accuracy": Column("fraction", "samples that a support vector machine takes for the requested class", "higher"),
    "nearest_ratio": Column("ratio", "distance to the nearest training image, by that of held-out images; a copy has 0"),
}
COMPARED = ("frechet_distance", "precision", "recall")


def judge(trainings, say):
    """Samples of every way, next to pixels drawn independently and next to real images."""
    (training,) = trainings.values()
    experiment, recipe = training.experiment, training.recipe
    train, held_out = (data.batch(torch.arange(min(len(data), 5000))) for data in (training.train_data, training.held_out_data))
    known, fresh = (batch["image"].float().cpu() for batch in (train, held_out))
    labels = [batch["label"].cpu() for batch in (train, held_out)] if experiment.classes else None
    generator = torch.Generator().manual_seed(seed_of(recipe.seed, "project"))
    asked = experiment.labels(min(COUNT, recipe.judged_samples, len(known)))
    samples = {}
    for name, how in ways(recipe.num_steps, guided=labels is not None and recipe.drop_probability > 0).items():
        say(f"{len(asked)} samples: {name}")
        draw = partial(_drawn, label=asked, how=how)
        samples[name] = call_isolated(training, "samples", draw).cpu()

    say("metrics of the samples")
    expert = Judge(known, labels and labels[0])
    of_fresh = nearest_distance(fresh.flatten(1), known.flatten(1))
    rows = {}

    def row(name, role, images, asked_for, **cells):
        if labels:
            cells["class_accuracy"] = mean_interval((expert.classify(images) == asked_for.cpu()).double(), FRACTION)
        cells["nearest_ratio"] = mean_interval(nearest_distance(images.flatten(1), known.flatten(1)) / of_fresh.mean(), POSITIVE)
        rows[name] = Row(role, cells)

    data = training.train_data, training.held_out_data
    measured = {
        name: sample_metrics({"samples": ImageGrid(images, 10)}, experiment, *data, generator)[1]
        for name, images in samples.items()
    }
    of = lambda name, kind: {metric: measured[name][metric][kind] for metric in COMPARED}  # noqa: E731
    row(BASELINE, "floor", recombined(known, generator)[: len(asked)], asked, **of(DDIM, "baseline"))
    for name, images in samples.items():
        row(name, "model", images, asked, **of(name, "samples"))
    row(REAL, "ceiling", fresh, labels and labels[1], **of(DDIM, "real"))
    shown = {"frechet_distances": ranking(rows, "frechet_distance", "Frechet distance to held-out images")}
    every = torch.linspace(0, len(asked) - 1, min(SHOWN, len(asked))).round().long()
    columns = max(1, len(every) // max(1, len(experiment.classes)))
    for name, images in samples.items():
        caption = f"{name}: a row for each class" if labels else name
        shown[name.replace(", ", "_").replace(" ", "_")] = ImageGrid(images[every], columns, caption)
    return Findings(COLUMNS, rows, shown | {"nearest_training_images": nearest_below(samples[DDIM], known)})


def ways(levels, guided):
    """The samplers of a model with this many levels."""
    steps = {name: min(count, levels) for name, count in ((FAST, FEW), (DDIM, MANY))}
    found = {name: Drawing(sampler="ddim", steps=count) for name, count in steps.items()} | {ANCESTRAL: Drawing()}
    return found | ({GUIDED: Drawing(sampler="ddim", steps=steps[DDIM], guidance=2.0)} if guided else {})


def _drawn(experiment, label, how):
    """Pixels in 0..1, one image for each label."""
    return experiment.medium.judged_as(experiment.drawn(label, how))


def nearest_below(samples, known):
    """Some samples, and below each the training image that is nearest to it."""
    some = samples[torch.linspace(0, len(samples) - 1, min(COPIES, len(samples))).round().long()]
    nearest = known[torch.cdist(some.flatten(1), known.flatten(1)).argmin(1)]
    return ImageGrid(torch.cat([some, nearest]), len(some), f"Samples ({DDIM}), and below each the nearest training image")


def read(rows):
    """Findings from the numbers of the table."""

    def of(name, column):
        cell = rows[name].cells[column]
        return getattr(cell, "value", cell)

    distance = {name: of(name, "frechet_distance") for name in rows}
    sentences = [
        f"Drawn by DDIM in {MANY} steps, images are at a Frechet distance of {distance[DDIM]:.3f} from held-out ones; as many "
        f"real images are at {distance[REAL]:.3f}, and images with independently drawn pixels, each from "
        f"its own values, at {distance[BASELINE]:.2f}.",
        f"{FEW} steps give {distance[FAST]:.3f}, all steps of the ancestral sampler {distance[ANCESTRAL]:.3f}: "
        + (
            "the number of steps matters more than the noise that is added in them."
            if abs(distance[ANCESTRAL] - distance[DDIM]) < abs(distance[FAST] - distance[DDIM])
            else "here the sampler matters as much as the number of its steps."
        ),
        f"Samples are {of(DDIM, 'nearest_ratio'):.2f} times as far from the training images as held-out images are: "
        + ("they are no copies." if of(DDIM, "nearest_ratio") >= 0.9 else "nearer than they should be, which copies are, too."),
    ]
    expectations = [
        Expectation("DDIM's distance is less than a fifth of the baseline's", distance[DDIM] < distance[BASELINE] / 5),
        Expectation(f"{MANY} steps of DDIM are better than {FEW}", distance[DDIM] < distance[FAST]),
        Expectation(
            "Samples are at least 0.95 times as far from the training images as held-out images are",
            of(DDIM, "nearest_ratio") >= 0.95,
        ),
    ]
    if GUIDED in rows:
        accuracy = {name: f"{of(name, 'class_accuracy'):.0%}" for name in (DDIM, GUIDED, REAL)}
        less = "clearer samples are less diverse" if of(GUIDED, "recall") < of(DDIM, "recall") else "it costs no diversity here"
        sentences.append(
            f"A support vector machine recognizes the requested class in {accuracy[DDIM]} of the samples, with guidance 2 "
            f"in {accuracy[GUIDED]}, and in {accuracy[REAL]} of real images. Guidance changes the recall from "
            f"{of(DDIM, 'recall'):.2f} to {of(GUIDED, 'recall'):.2f}: {less}."
        )
        expectations += [
            Expectation("93% of the samples or more are of the requested class", of(DDIM, "class_accuracy") >= 0.93),
            Expectation("Guidance lowers the recall", of(GUIDED, "recall") < of(DDIM, "recall")),
        ]
    return Reading(tuple(sentences), tuple(expectations))


PROJECT = Project(
    title="Image generation",
    question="A denoising diffusion model learns images of ten classes. How near do its samples come to real images, are they of "
    "the requested class, are they copies of the training images, and what does it cost to draw them in fewer steps?",
    models={"diffusion": Model(diffusion, "digits")},
    judge=judge,
    read=read,
)
