"""Families compared: likelihood, samples and cost of generative models of one set of digits, gray or binary, and of points."""

import csv
import math
from dataclasses import replace
from functools import partial

import torch

from practice_torch.data.points import MIXTURES, Points
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import POSITIVE, interval, mean_interval
from practice_torch.evaluation.memorization import nearest_distance
from practice_torch.experiments.judging.feature_metrics import recombined
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.judging.independent_pixels import codes_of, independent_bits
from practice_torch.experiments.judging.points import MODES, energy_distance, modes
from practice_torch.experiments.judging.sample_metrics import EXPLAINS, sample_metrics
from practice_torch.experiments.sampling.diffusion_studies import bits_of_images
from practice_torch.experiments.sampling.family_draws import drawn_by
from practice_torch.experiments.training.flows import known_log_density
from practice_torch.latent.gaussian_mixture import mixture_sample
from practice_torch.latent.vector_quantization import codebook_perplexity
from practice_torch.pictures.families import image_rows, point_squares
from practice_torch.pictures.ranking import ranking
from practice_torch.projects._comparison_families import (
    BY_PIXELS,
    DDPM,
    MODELS,
    OF_BINARY_DIGITS,
    OF_GRAY_DIGITS,
    OF_POINTS,
    POINTS,
    on_points,
)
from practice_torch.projects._comparison_reading import (
    BINARY_PIXELS,
    BINARY_REAL,
    BOUND,
    ESTIMATE,
    EXACT,
    KINDS,
    ONE_GAUSSIAN,
    PIXELS,
    REAL,
    REAL_POINTS,
    read,
    thresholded,
)
from practice_torch.projects.runner import Annotated, Column, Findings, Project, Row, Times, call_isolated

GRAY, BINARY, PLANE = "Digits of 17 gray levels", "Binary digits: pixels above 7/16 are 1", "8 Gaussians in the plane"
COUNT, COUNT_OF_POINTS = 500, 2048
SHOWN = 14  # digits of every model
RADIUS = 0.1  # about the center of a mode: 5 of its standard deviations
SAMPLED = ("frechet_distance", "precision", "recall")

COLUMNS = {
    "bits_per_dimension": Column(
        "bits",
        "-log2 p of a held-out digit, by its number of pixels. Bounds are from above; numbers "
        "of one kind are compared. A class-conditional model also pays for the class",
    ),
    "divergence": Column("nats", "mean of log q(x) - log p(x) over held-out points, q the density that they were drawn from"),
    "frechet_distance": Column(
        "squared distance", "Gaussians fitted to 20 principal components of samples, of held-out digits", "lower"
    ),
    "precision": Column("fraction", EXPLAINS["precision"].meaning, "higher"),
    "recall": Column("fraction", EXPLAINS["recall"].meaning, "higher"),
    "classes": Column(
        "classes", "e to the entropy of the classes that a support vector machine tells: 10 where they are alike", "higher"
    ),
    "nearest_ratio": Column("ratio", "distance to the nearest training digit, by that of held-out digits; a copy has 0"),
    "energy_distance": Column("distance", "2 E|x - y| - E|x - x'| - E|y - y'| of held-out points x and drawn points y", "lower"),
    "modes": Column("modes", MODES["modes"].meaning, "higher"),
    "high_quality": Column("fraction", f"samples within {RADIUS:g} of the center of a mode", "higher"),
    "spread": Column("ratio", MODES["spread"].meaning),
    "parameters": Column(
        "numbers", "that a draw reads: of a GAN the generator, of an autoencoder the decoder and the prior", "lower"
    ),
    "operations": Column("a sample", "multiplications and additions in products of matrices and in convolutions", "lower"),
}
TIMED = {
    "sampling": Column("seconds", f"for {COUNT} digits or {COUNT_OF_POINTS} points, drawn at once", "lower"),
    "training": Column("seconds", "for all updates at the fastest rate that the run logged, without evaluations", "lower"),
}


def judge(trainings, say):
    """Three tables: gray digits; binary digits, with the samples of the first table thresholded; points."""
    training, threshold = trainings["PixelCNN"], trainings["VAE"].recipe.threshold
    generator = torch.Generator().manual_seed(seed_of(training.recipe.seed, "project"))
    gray = [part.to("cpu") for part in (training.train_data, training.held_out_data)]
    binary = [replace(part, pixels=_binary(part.batch()["image"], threshold)) for part in gray]
    counts = dict.fromkeys(OF_POINTS, COUNT_OF_POINTS)
    drawn, seconds = {}, {}
    for name, (model, family) in (OF_GRAY_DIGITS | OF_BINARY_DIGITS | OF_POINTS).items():
        say(f"samples: {name}")
        draw = partial(drawn_by, family, count=counts.get(name, min(COUNT, len(gray[0]))))
        drawn[name] = call_isolated(trainings[model], f"samples, {name}", draw)
        seconds[name] = {"sampling": drawn[name].seconds, "training": training_seconds(trainings[model])}

    say("metrics of gray and of binary digits")
    last = training.recipe.num_levels - 1
    images = {name: (drawn[name].examples * last).round() / last for name in OF_GRAY_DIGITS}
    bits = {name: drawn[name].examples for name in OF_BINARY_DIGITS}
    bits |= {thresholded(name): _binary(shown, threshold) for name, shown in images.items()}
    rows = of_digits(GRAY, images, gray, (PIXELS, REAL), generator)
    rows |= of_digits(BINARY, bits, binary, (BINARY_PIXELS, BINARY_REAL), generator)
    say("likelihoods")
    for name, noted in likelihoods(trainings, gray, binary).items():
        rows[name].cells["bits_per_dimension"] = noted
    points = {name: drawn[name].examples for name in OF_POINTS}
    more, fresh = of_points(trainings, points, generator)
    rows |= more
    for name, found in drawn.items():
        rows[name].cells.update(parameters=found.parameters, operations=found.operations)

    shown = {
        "digits": _side_by_side(images, gray[1], "Samples of gray digits, rounded to their 17 levels"),
        "binary_digits": _side_by_side(bits, binary[1], "Samples of binary digits, and thresholded ones of gray digits"),
        "points": point_squares(
            {name.removeprefix(on_points("")): some for name, some in ({REAL_POINTS: fresh} | points).items()},
            "Points of 8 Gaussians, and samples of every model",
        ),
    }
    for figure, table in (("gray_distances", GRAY), ("binary_distances", BINARY)):
        of_table = {name: row for name, row in rows.items() if row.table == table}
        shown[figure] = ranking(of_table, "frechet_distance", f"Frechet distance: {table}")
    return Findings(COLUMNS, rows, shown, Times(TIMED, seconds))


def _binary(image, threshold):
    return (image > threshold).float()


def training_seconds(training):
    """Time of all updates of a run at the fastest rate in its times.csv: that of an idle machine."""
    with open(training.run.folder / "times.csv", encoding="utf-8", newline="") as file:
        rate = max(float(row["rate"]) for row in csv.DictReader(file))
    recipe, turns = training.recipe, sum(phase.times for phase in training.experiment.phases)
    return recipe.steps * recipe.accumulate * turns * min(recipe.batch_size, len(training.train_data)) / rate


# ---------------------------------------------------------------------------------------------------- digits


def of_digits(table, samples, data, ends, generator):
    """Rows of samples [N, C, H, W] by name, between independent pixels and real digits; data: (train, held-out)."""
    train, held_out = (part.batch() for part in data)
    known, fresh = train["image"], held_out["image"]
    expert = Judge(known, train["label"])
    usual = nearest_distance(fresh.flatten(1), known.flatten(1)).mean()
    num_classes = len(data[0].description["classes"])
    classes = partial(codebook_perplexity, num_codes=num_classes)
    count = min(map(len, samples.values()))
    measured = {name: sample_metrics({name: ImageGrid(some, 10)}, None, *data, generator)[1] for name, some in samples.items()}
    first = next(iter(measured))

    def row(role, name, kind, images):
        cells = {metric: measured[name][metric][kind] for metric in SAMPLED}
        cells["classes"] = interval(classes, expert.classify(images), generator=generator, within=(1.0, float(num_classes)))
        cells["nearest_ratio"] = mean_interval(nearest_distance(images.flatten(1), known.flatten(1)) / usual, POSITIVE)
        return Row(role, cells, table)

    floor, ceiling = ends
    rows = {floor: row("floor", first, "baseline", recombined(known, generator)[:count])}
    rows |= {name: row("model", name, "samples", some) for name, some in samples.items()}
    return rows | {ceiling: row("ceiling", first, "real", fresh)}


def likelihoods(trainings, gray, binary):
    """row -> bits per dimension of held-out digits, and what kind of number it is."""
    shape, classes = gray[0].description["shape"], gray[0].description["classes"]
    of_class, nat = math.log2(len(classes)) / math.prod(shape), 1 / (math.log(2) * math.prod(shape))
    found = {name: trainings[name].evaluate() for name in ("Real NVP", "MAF", *OF_BINARY_DIGITS)}
    return {
        PIXELS: Annotated(independent_bits(*gray, levels=trainings["PixelCNN"].recipe.num_levels), EXACT),
        **{name: Annotated(found[name]["bits_per_dimension"], BOUND) for name in ("Real NVP", "MAF")},
        DDPM: Annotated(_isolated_bits(trainings["diffusion"], _diffusion_bits) + of_class, BOUND),
        **{name: Annotated(_isolated_bits(trainings[name], _pixel_bits), EXACT) for name in BY_PIXELS},
        BINARY_PIXELS: Annotated(independent_bits(*binary, levels=2), EXACT),
        "RBM": Annotated(found["RBM"]["negative_log_likelihood"] * nat, ESTIMATE),
        "VAE": Annotated(found["VAE"]["negative_elbo"] * nat, BOUND),
        "conditional VAE": Annotated(found["conditional VAE"]["negative_elbo"] * nat + of_class, BOUND),
        "MADE": Annotated(found["MADE"]["nats_per_image"] * nat, EXACT),
    }


def _isolated_bits(training, bits):
    return call_isolated(training, "bits", partial(bits, training.held_out_data))


def _diffusion_bits(data, experiment):
    """The bound of a diffusion model on -log2 p(image | class), by the number of pixels."""
    return bits_of_images(experiment, data.batch()).double().sum(1).mean().item()


def _pixel_bits(data, experiment):
    """-log2 p(image) of a model of pixels, by their number: the sum over the classes, which are equally likely."""
    codes, classes = codes_of(data.batch()["image"], experiment.recipe.num_levels), len(experiment.classes)
    of_class = [experiment.log_prob(codes, torch.full((len(codes),), k, device=codes.device)) for k in range(classes)]
    log_prob = torch.stack(of_class).double().logsumexp(0) - math.log(classes)
    return -log_prob.mean().item() / (math.log(2) * codes[0].numel())


def _side_by_side(samples, held_out, caption):
    """A row of each model's samples, spread over all of them, and one of held-out digits."""
    some = {name: images[torch.linspace(0, len(images) - 1, SHOWN).round().long()] for name, images in samples.items()}
    some[REAL] = held_out.batch()["image"][:SHOWN]
    return image_rows({name: images.mean(1).numpy() for name, images in some.items()}, caption)


# ---------------------------------------------------------------------------------------------------- points


def of_points(trainings, samples, generator):
    """Rows of samples [N, 2] by name, between one Gaussian and the law of the points; and the held-out points."""
    mixture, training = MIXTURES[POINTS], trainings[on_points("Gaussian mixture")]
    description = training.train_data.description
    fresh, again = (mixture.draw(COUNT_OF_POINTS, generator) for _ in range(2))
    data = Points(fresh, description).to(training.device)
    found = {name: call_isolated(trainings[name], "points", partial(_evaluated, data)) for name in KINDS}
    of_mixture, log_q = found[on_points("Gaussian mixture")], known_log_density(fresh.double(), description).mean().item()
    of_mixture["divergence"] = of_mixture["nats"] + log_q
    one = training.experiment.mixture("one_")
    uniforms, noise = torch.rand(COUNT_OF_POINTS, generator=generator), torch.randn(fresh.shape, generator=generator)
    one_gaussian = mixture_sample(uniforms.double(), noise.double(), *(part.cpu() for part in one)).float()

    def row(role, points, **cells):
        within = modes(points, description["mixture"], RADIUS)
        cells |= {name: within[name] for name in ("modes", "high_quality", "spread")}
        return Row(role, cells | {"energy_distance": energy_distance(fresh, points)}, PLANE)

    rows = {ONE_GAUSSIAN: row("floor", one_gaussian, divergence=Annotated(of_mixture["one_gaussian"] + log_q, EXACT))}
    known = {name: {"divergence": Annotated(metrics["divergence"], KINDS[name])} for name, metrics in found.items()}
    rows |= {name: row("model", points, **known.get(name, {})) for name, points in samples.items()}
    return rows | {REAL_POINTS: row("ceiling", again)}, fresh


def _evaluated(data, experiment):
    return experiment.evaluate(data)


PROJECT = Project(
    title="Families compared",
    question="Every family of generative models learns the same digits, or the same points in the plane. Which models give a "
    "likelihood, and of what kind? Which samples are nearest to the data, and which miss a part of them? What do a sample and a "
    "training cost? Which model should one use?",
    models=MODELS,
    judge=judge,
    read=read,
)
