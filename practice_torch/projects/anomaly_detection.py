"""Anomaly detection: digits of an unseen class, detuned notes and shuffled lines, found by models of normal data."""

from functools import partial

import torch

from practice_torch.data.text_set import Vocabulary
from practice_torch.engine.artifacts import Text
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import FRACTION, interval
from practice_torch.experiments.autoregressive import ngram
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.latent import anomaly_detection
from practice_torch.experiments.latent.anomaly_detection import labeled
from practice_torch.latent.anomaly_detection import (
    area_under_roc,
    average_precision,
    false_positive_rate_at_recall,
    robust_z_score,
)
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

FEWEST_LETTERS = 20  # of a line that is judged: rules and tables, in another order, are still rules
HYPHENS = "-"
MEASURES = {"auroc": area_under_roc, "average_precision": average_precision}
COLUMNS = {
    "auroc": Column("fraction", "probability that an anomaly has a higher score than a normal example; chance has 0.5"),
    "average_precision": Column("fraction", "mean precision at each anomaly's score; chance has the anomalies' share"),
    "share": Column("fraction", "anomalies among what is ranked"),
    "false_positive_rate": Column("fraction", "normal examples above the score that finds 95% of the anomalies"),
}
CHANCE, INK, CLASSIFIER = "chance", "digits, left out: ink", "digits, left out: a classifier that has seen the class"
WORDS = {"negative_elbo": "-ELBO", "reconstruction": "reconstruction", "typicality": "typicality", "bits": "bits per byte"}
# displayed results of each model: kind of anomaly -> scores
RANKED = {
    "digits": {
        "left_out": ("negative_elbo", "reconstruction", "typicality"),
        "noise": ("negative_elbo",),
        "simple": ("negative_elbo", "typicality"),
    },
    "notes": {
        "detuned": ("negative_elbo", "reconstruction"),
        "click": ("negative_elbo",),
        "simple": ("negative_elbo", "typicality"),
    },
    "text": {"shuffled": ("bits", "typicality"), "simple": ("bits", "typicality")},
}


def judge(trainings, say):
    """Every score of every kind of anomaly, between chance and a classifier that has seen the class."""
    generator = torch.Generator().manual_seed(seed_of(trainings["digits"].recipe.seed, "project"))
    rows, shown = {CHANCE: Row("floor", {"auroc": 0.5, "false_positive_rate": 0.95})}, {}

    def row(role, normal, anomalous):
        cells = {
            name: interval(
                lambda *both, measure=measure: measure(*labeled(*both)), normal, anomalous, generator=generator, within=FRACTION
            )
            for name, measure in MEASURES.items()
        }
        # a rate at one threshold jumps as the threshold does: an interval by its standard deviation would mean nothing
        cells["false_positive_rate"] = false_positive_rate_at_recall(*labeled(normal, anomalous)).item()
        return Row(role, cells | {"share": len(anomalous) / (len(normal) + len(anomalous))})

    rows[INK] = row("floor", *call_isolated(trainings["digits"], "ink", partial(_ink, trainings["digits"].held_out_data)))
    for name, kinds in RANKED.items():
        say(f"scores of {name}")
        training = trainings[name]
        see = _of_lines if name == "text" else type(training.experiment).ranked
        found = call_isolated(training, "scores", lambda experiment, see=see, data=training.held_out_data: see(experiment, data))
        for kind, scores in kinds.items():
            for score in scores:
                rows[title(name, kind, score)] = row("model", found["normal"][score], found[kind][score])
        if name != "text":
            preview = call_isolated(training, "preview", lambda experiment, data=training.held_out_data: experiment.preview(data))
            shown |= {f"{name}_{kind}": artifact for kind, artifact in preview.items()}
    say("a classifier that has seen the class")
    rows[CLASSIFIER] = row("ceiling", *_classified(trainings["digits"]))
    shown["lines"] = call_isolated(trainings["text"], "lines", partial(_shown_lines, trainings["text"].held_out_data))
    return Findings(COLUMNS, rows, {"auroc": ranking(rows, "auroc", "AUROC")} | shown)


def title(name, kind, score):
    """The title of a row."""
    return f"{name}, {kind.replace('_', ' ')}: {WORDS[score]}"


# ---------------------------------------------------------------------------------------------------- digits


def _ink(data, experiment):
    """Number of white pixels, for normal examples and for the excluded class."""
    batch = data.batch()
    white, normal = experiment.medium.view(batch).sum(1).double().cpu(), experiment.medium.normal(batch).cpu()
    return white[normal], white[~normal]


def _classified(training):
    """Score of a support vector machine, trained on all classes, for the class that the model never saw."""
    known, fresh = (data.batch(torch.arange(len(data))) for data in (training.train_data, training.held_out_data))
    said = Judge(known["image"].cpu(), known["label"].cpu()).evidence(fresh["image"].cpu())[:, training.recipe.anomaly]
    of_class = fresh["label"].cpu() == training.recipe.anomaly
    return said[~of_class], said[of_class]


# ---------------------------------------------------------------------------------------------------- text


def lines_of(data):
    """The lines of a text that have letters enough."""
    lines = Vocabulary(None).decode(data.stream.cpu()).split("\n")
    return [line for line in lines if sum(map(str.isalpha, line)) >= FEWEST_LETTERS]


def shuffled(line, generator):
    """The characters of a line in another order."""
    return "".join(line[place] for place in torch.randperm(len(line), generator=generator).tolist())


def bits_of_lines(experiment, lines):
    """Bits per byte of each line under counts, [N]: every line follows as many line ends as the context is long."""
    before = b"\n" * (experiment.recipe.order - 1)
    parts = [line.encode() for line in lines]
    stream = torch.tensor(list(b"".join(before + part for part in parts)), device=experiment.windows.device)
    bits, sums, begin = experiment.bits(stream[None])[0].double().cpu(), [], 0
    for part in parts:  # the first bit of the stream is that of the first byte behind the first line ends
        sums.append(bits[begin : begin + len(part)].mean())
        begin += len(part) + len(before)
    return torch.stack(sums)


def _of_lines(experiment, data):
    lines = lines_of(data)
    kept, tested = lines[::2], lines[1::2]
    generator = experiment.generator if experiment.generator.device.type == "cpu" else None
    kinds = {
        "normal": tested,
        "shuffled": [shuffled(line, generator) for line in tested],
        "simple": [HYPHENS * len(line) for line in tested],
    }
    reference = bits_of_lines(experiment, kept)
    found = {kind: bits_of_lines(experiment, some) for kind, some in kinds.items()}
    return {kind: {"bits": bits, "typicality": robust_z_score(bits, reference).abs()} for kind, bits in found.items()}


def _shown_lines(data, experiment):
    line = max(lines_of(data)[:40], key=len)
    kinds = {"normal": line, "shuffled": shuffled(line, torch.Generator().manual_seed(0)), "simple": HYPHENS * len(line)}
    bits = bits_of_lines(experiment, list(kinds.values())).tolist()
    listed = [f"{value:5.2f}  {kind:9} {text}" for value, (kind, text) in zip(bits, kinds.items(), strict=True)]
    return Text("\n".join(listed), "Bits per byte of a line, of its characters in another order, and of as many hyphens")


# ---------------------------------------------------------------------------------------------------- reading


def read(rows):
    """Findings from the numbers of the table."""
    auroc = {name: getattr(row.cells["auroc"], "value", row.cells["auroc"]) for name, row in rows.items()}
    of = lambda *words: auroc[title(*words)]  # noqa: E731
    likelihood = {"digits": "negative_elbo", "notes": "negative_elbo", "text": "bits"}
    simple = {name: of(name, "simple", score) for name, score in likelihood.items()}
    mended = {name: of(name, "simple", "typicality") for name in simple}
    helped = [name for name in simple if mended[name] > 0.9]
    sentences = (
        f"By -ELBO, a digit of the class that the model never saw scores higher than a normal one with a probability of "
        f"{of('digits', 'left_out', 'negative_elbo'):.2f}; counting white pixels gives {auroc[INK]:.2f}, a classifier that has "
        f"seen the class {auroc[CLASSIFIER]:.2f}. Random pixels are the easier question "
        f"({of('digits', 'noise', 'negative_elbo'):.3f}).",
        f"Notes with partials moved by a few hertz have {of('notes', 'detuned', 'negative_elbo'):.2f}, clicks "
        f"{of('notes', 'click', 'negative_elbo'):.2f}; lines of shuffled characters {of('text', 'shuffled', 'bits'):.3f}.",
        "The known failure: what is simpler than the data is likelier than the data. Examples smoothed with their neighbors, and "
        f"lines of hyphens, score higher than normal examples with a probability of {_listed(simple)}: far below one half, a "
        "threshold from above never flags them.",
        f"Typicality, the distance of the score from its usual value on either side, gives them {_listed(mended)}. It finds them "
        f"for {' and '.join(helped) or 'none of the three'}; where their scores are within the spread of normal ones, no "
        f"threshold on one score can. The price is paid by the others: the unseen class falls to "
        f"{of('digits', 'left_out', 'typicality'):.2f}.",
    )
    expectations = (
        Expectation("Digits of the unseen class: 0.7 or more by -ELBO", of("digits", "left_out", "negative_elbo") >= 0.7),
        Expectation("Random pixels: 0.99 or more", of("digits", "noise", "negative_elbo") >= 0.99),
        Expectation("Detuned notes: 0.9 or more", of("notes", "detuned", "negative_elbo") >= 0.9),
        Expectation("Shuffled lines: 0.99 or more", of("text", "shuffled", "bits") >= 0.99),
        Expectation(
            "By likelihood alone, simple examples seem more normal than normal ones in all three", max(simple.values()) < 0.5
        ),
        Expectation("Typicality finds simple notes and simple lines: 0.9 or more", min(mended["notes"], mended["text"]) >= 0.9),
    )
    return Reading(sentences, expectations)


def _listed(numbers):
    return ", ".join(f"{number:.2f} ({name})" for name, number in numbers.items())


PROJECT = Project(
    title="Anomaly detection",
    question="A model learns what normal examples look like. Is what it finds unlikely an anomaly? Three models are asked: of "
    "digits without one class, of notes, and of text; each is shown anomalies that look strange, and some that look too simple.",
    models={
        "digits": Model(anomaly_detection, "digits"),
        "notes": Model(anomaly_detection, "notes"),
        "text": Model(ngram, "5-gram"),
    },
    judge=judge,
    read=read,
)
