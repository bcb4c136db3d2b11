"""Sound generation: a diffusion model and flow matching of equal size and training, sampled in few and in many steps."""

from functools import partial

import torch

from practice_torch.engine.artifacts import Audio
from practice_torch.engine.estimate import FRACTION, mean_interval
from practice_torch.experiments.codes.sound_codes import nearest_note
from practice_torch.experiments.diffusion import training as diffusion
from practice_torch.experiments.flows import flow_matching
from practice_torch.experiments.judging.image_judge import Judge, references
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from practice_torch.experiments.sampling.flow_sampling import Solving
from practice_torch.pictures.diffusion import few_steps
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

DIFFUSION, FLOW = "diffusion", "flow matching"
NOISE, REAL = "noise", "real sounds"
COUNTS = (1, 2, 5, 10, 20, 50)  # steps of DDIM and of Euler's method: each calls the network once
FEW, MANY = 5, 20
COUNT = 104  # samples of every way: 8 of each note
SHOWN = 16

COLUMNS = {
    "class_accuracy": Column("fraction", "sounds that a support vector machine takes for the requested class", "higher"),
    "semitone": Column("fraction", "sounds whose strongest frequency is within a semitone of the requested note", "higher"),
    "frechet_distance": Column(
        "squared distance", "Gaussians fitted to 20 principal components of log-spectrograms, of held-out sounds", "lower"
    ),
}


def judge(trainings, say):
    """Samples of both models in every number of steps, between noise and held-out sounds."""
    one = trainings[DIFFUSION]
    experiment, frequencies = one.experiment, one.train_data.description.get("frequencies")
    known, fresh = (data.batch(references(len(data))) for data in (one.train_data, one.held_out_data))
    (known, known_label), (fresh, fresh_label) = (experiment.examples(batch) for batch in (known, fresh))
    of_spectra = experiment.medium.judged_as
    expert, real, rows = Judge(of_spectra(known), known_label), of_spectra(fresh), {}

    def row(role, x, label):
        cells = {} if x is fresh else {"frechet_distance": expert.frechet_distance(of_spectra(x), real)}
        if experiment.classes:
            cells["class_accuracy"] = mean_interval((expert.classify(of_spectra(x)) == label.cpu()).double(), FRACTION)
        if experiment.classes and frequencies:
            heard = nearest_note(x[:, 0].cpu(), frequencies, one.recipe.sample_rate)
            cells["semitone"] = mean_interval(((heard - label.cpu()).abs() <= 1).double(), FRACTION)
        return Row(role, cells)

    asked = experiment.labels(min(COUNT, one.recipe.judged_samples))
    rows[NOISE] = row("floor", call_isolated(one, "noise", lambda experiment: experiment.noise(len(asked))), asked)
    shown = {}
    for name, training in trainings.items():
        for count in COUNTS:
            say(f"{len(asked)} samples: {title(name, count)}")
            samples = call_isolated(training, f"samples in {count} steps", partial(_drawn, label=asked, count=count))
            rows[title(name, count)] = row("model", samples, asked)
            if count in (FEW, MANY):
                shown[title(name, count).replace(", ", "_").replace(" ", "_")] = _audible(training, samples, asked, count)
    rows[REAL] = row("ceiling", fresh, fresh_label)
    distances = {name: [rows[title(name, count)].cells["frechet_distance"] for count in COUNTS] for name in trainings}
    return Findings(COLUMNS, rows, {"steps": few_steps(COUNTS, distances)} | shown)


def title(name, count):
    """The row of a model and a number of steps."""
    return f"{name}, {count} step{'s' if count > 1 else ''}"


def _drawn(experiment, label, count):
    """Sounds in the network's units, one for each label, in this many calls of the network."""
    if isinstance(experiment, diffusion.DiffusionExperiment):
        return experiment.drawn(label, Drawing(sampler="ddim", steps=min(count, experiment.recipe.num_steps)))
    return experiment.drawn(label, Solving("euler", count))


def _audible(training, samples, label, count):
    """Samples of different classes, one after another."""
    some = torch.linspace(0, len(label) - 1, min(SHOWN, len(label))).round().long()
    sounds = samples[some, 0].cpu() / training.recipe.gain
    return Audio(sounds, training.recipe.sample_rate, f"Drawn in {count} steps, one after another")


def read(rows):
    """Findings from the numbers of the table."""

    def of(name, count, column):
        return _value(rows[title(name, count)].cells[column])

    distance = {name: {count: of(name, count, "frechet_distance") for count in COUNTS} for name in (DIFFUSION, FLOW)}
    best, noise = {name: min(COUNTS, key=distance[name].get) for name in distance}, rows[NOISE].cells["frechet_distance"]
    sentences = [
        f"The Frechet distance to held-out sounds is least in {best[FLOW]} steps of flow matching, "
        f"{distance[FLOW][best[FLOW]]:.0f}, and in {best[DIFFUSION]} steps of diffusion, "
        f"{distance[DIFFUSION][best[DIFFUSION]]:.0f}; in {MANY} steps it is {distance[FLOW][MANY]:.0f} and "
        f"{distance[DIFFUSION][MANY]:.0f}. Noise has {noise:.0f}."
    ]
    expectations = [
        Expectation(
            f"In {FEW} steps or more, flow matching is nearer to held-out sounds than diffusion in as many",
            all(distance[FLOW][count] < distance[DIFFUSION][count] for count in COUNTS if count >= FEW),
        ),
        Expectation(
            "Every distance is less than a fifth of the noise's",
            all(value < noise / 5 for values in distance.values() for value in values.values()),
        ),
    ]
    if "class_accuracy" in rows[REAL].cells:
        right = {name: {count: of(name, count, "class_accuracy") for count in COUNTS} for name in distance}
        most = max(COUNTS, key=right[DIFFUSION].get)
        sentences.append(
            f"A support vector machine takes {right[FLOW][FEW]:.0%} of the sounds that flow matching draws in {FEW} steps for "
            f"the requested class, {right[FLOW][2]:.0%} of those in 2 and {right[FLOW][1]:.0%} of those in one; of "
            f"diffusion's {right[DIFFUSION][FEW]:.0%}, {right[DIFFUSION][2]:.0%} and {right[DIFFUSION][1]:.0%}, at most "
            f"{right[DIFFUSION][most]:.0%}, and {_value(rows[REAL].cells['class_accuracy']):.0%} of held-out ones."
        )
        expectations.append(
            Expectation(
                f"Flow matching has the requested class in {FEW} steps more often than diffusion in any number",
                right[FLOW][FEW] > right[DIFFUSION][most],
            )
        )
    if "semitone" in rows[REAL].cells:
        near = {name: of(name, 1, "semitone") for name in distance}
        sentences.append(
            f"Already in one step, the strongest frequency of {near[FLOW]:.0%} and {near[DIFFUSION]:.0%} of the sounds is "
            f"within a semitone of the requested note, where noise has it in {_value(rows[NOISE].cells['semitone']):.0%}: more "
            "steps tell neighboring notes apart."
        )
    return Reading(tuple(sentences), tuple(expectations))


def _value(cell):
    return getattr(cell, "value", cell)


PROJECT = Project(
    title="Sound generation",
    question="A diffusion model and flow matching learn notes with the same network in equally many steps, and are judged alike. "
    "How near do their sounds come to real ones, have they the requested note, and how many steps does it take to draw "
    "them?",
    models={DIFFUSION: Model(diffusion, "notes"), FLOW: Model(flow_matching, "notes")},
    judge=judge,
    read=read,
)
