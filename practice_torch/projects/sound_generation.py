"""Sound generation: six kinds of models of the same sounds, and how many steps diffusion and flow matching need."""

import json
import time
from functools import partial

import torch

from practice_torch.engine.artifacts import Audio
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import FRACTION, mean_interval
from practice_torch.evaluation.frechet_audio_distance import frechet_audio_distance
from practice_torch.experiments.adversarial import audio_gan
from practice_torch.experiments.autoregressive import wavenet
from practice_torch.experiments.codes.sound_codes import nearest_note
from practice_torch.experiments.diffusion import training as diffusion
from practice_torch.experiments.flows import flow_matching
from practice_torch.experiments.judging.extractors import column_classifier, log_mel_columns
from practice_torch.experiments.judging.feature_metrics import recombined
from practice_torch.experiments.judging.image_judge import Judge, references
from practice_torch.experiments.latent import vector_quantization
from practice_torch.experiments.media.units import Sounds
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from practice_torch.experiments.sampling.flow_sampling import Solving
from practice_torch.experiments.state_space import diagonal
from practice_torch.latent.vector_quantization import codebook_perplexity
from practice_torch.pictures.diffusion import few_steps
from practice_torch.pictures.ranking import ranking
from practice_torch.projects._sound_reading import (
    COUNTS,
    DIFFUSION,
    FEW,
    FLOW,
    INDEPENDENT,
    MANY,
    NOISE,
    REAL,
    S4D,
    VQ_VAE,
    WAVEGAN,
    WAVENET,
    read,
    title,
)
from practice_torch.projects.runner import Column, Findings, Model, Project, Row, Times, call_isolated

KINDS, STEPS = "Six kinds of models", "Diffusion and flow matching, by the number of steps"
TRAINED = 500  # steps of diffusion and of flow matching, of 1000 in their recipes: two CPU minutes, as the others take
COUNT = 104  # samples of every way: 8 of each note
SHOWN = 16
LOUDNESS = 0.25  # deviation of the noise

COLUMNS = {
    "class_accuracy": Column("fraction", "sounds that a support vector machine takes for the requested class", "higher"),
    "semitone": Column("fraction", "sounds whose strongest frequency is within a semitone of the requested note", "higher"),
    "classes": Column("classes", "e to the entropy of the classes that it takes them for: as many as are drawn alike", "higher"),
    "frechet_audio_distance": Column(
        "squared distance", "of the frames of a small network that tells the classes, to those of real sounds", "lower"
    ),
    "frechet_distance": Column(
        "squared distance", "Gaussians fitted to 20 principal components of log-spectrograms, of held-out sounds", "lower"
    ),
    "bits_per_sample": Column("bits", "-log2 p of a held-out sample as one of 256 mu-law codes, of models that have it", "lower"),
}
TIMED = {"sampling": Column("seconds of the processor", f"for {COUNT} sounds, drawn at once", "lower")}


class Listener:
    """Judges the first `length` samples of sounds [N, T]: it knows the training sounds, and compares with held-out ones."""

    def __init__(self, training, length):
        experiment, recipe = training.experiment, training.recipe
        batches = [data.batch(references(len(data))) for data in (training.train_data, training.held_out_data)]
        self.known, self.fresh = (batch["audio"][:, 0, :length].cpu() for batch in batches)
        self.rate, self.classes = recipe.sample_rate, experiment.classes
        self.frequencies = training.train_data.description.get("frequencies")
        self.medium = Sounds(1.0, self.rate)
        labels = [batch["label"].cpu() for batch in batches] if self.classes else [None, None]
        self.judge, self.fresh_label = Judge(self.spectra(self.known), labels[0]), labels[1]
        self.frames, real = log_mel_columns(length, self.rate), torch.cat([self.known, self.fresh])
        if self.classes:
            columns, network = self.frames, column_classifier(self.frames, self.known, labels[0], len(self.classes))
            self.frames = lambda sounds: network.hidden(columns(sounds))
            # halves with as many of each class: else a few more of one note would be most of the distance
            real = real[torch.cat(labels).argsort(stable=True)]
        self.reference, self.others = self.frames(real[::2]), real[1::2]

    def spectra(self, sounds):
        """The logarithms of their spectrograms."""
        return self.medium.judged_as(sounds[:, None])

    def audio_distance(self, sounds):
        """The Frechet audio distance to one half of the real sounds."""
        return frechet_audio_distance(self.frames(sounds), self.reference).item()

    def cells(self, sounds, label=None):
        """Columns of sounds; label: the requested classes, where there are some."""
        sounds = sounds[:, : self.known.shape[1]]
        of = self.spectra(sounds)
        found = {
            "frechet_audio_distance": self.audio_distance(sounds),
            "frechet_distance": self.judge.frechet_distance(of, self.spectra(self.fresh)),
        }
        if self.classes:
            called = self.judge.classify(of)
            found["classes"] = codebook_perplexity(called, num_codes=len(self.classes)).item()
            if label is not None:
                found["class_accuracy"] = mean_interval((called == label).double(), FRACTION)
                if self.frequencies:
                    heard = nearest_note(sounds, self.frequencies, self.rate)
                    found["semitone"] = mean_interval(((heard - label).abs() <= 1).double(), FRACTION)
        return found

    def audible(self, sounds, caption):
        """Some sounds one after another, one of each class where that fits; they are in the order of the classes, if any."""
        count = len(self.classes) if 1 < len(self.classes) <= SHOWN else SHOWN
        some = torch.linspace(0, len(sounds) - 1, min(count, len(sounds))).round().long()
        return Audio(sounds[some], self.rate, f"{caption}, one after another")

    def named(self):
        """The classes in words, for a caption."""
        return f", {self.classes[0]} to {self.classes[-1]}" if self.classes else ""


def judge(trainings, say):
    """Samples of all models between floors and held-out sounds; and of two of them in every number of steps."""
    say("a listener, who knows the training sounds")
    listener = Listener(trainings[DIFFUSION], min(training.recipe.length for training in trainings.values()))
    asked = trainings[DIFFUSION].experiment.labels(COUNT).cpu()
    rows, shown, seconds = _of_kinds(trainings, listener, asked, say)
    by_steps, few = _of_steps(trainings, listener, asked, say)
    distances = {name: [by_steps[title(name, n)].cells["frechet_distance"] for n in COUNTS] for name in (DIFFUSION, FLOW)}
    figures = {
        "audio_distance": ranking(rows, "frechet_audio_distance", "Frechet audio distance to real sounds"),
        "steps": few_steps(COUNTS, distances),
    }
    return Findings(COLUMNS, rows | by_steps, figures | shown | few, Times(TIMED, seconds))


def _of_kinds(trainings, listener, asked, say):
    """Rows of all models and of their floors and ceiling, sounds to hear, and the seconds of sampling."""
    generator = torch.Generator().manual_seed(seed_of(trainings[DIFFUSION].recipe.seed, "project"))
    noise = LOUDNESS * torch.randn(COUNT, listener.known.shape[1], generator=generator)
    mixed = recombined(listener.known, generator)[:COUNT]
    rows = {
        NOISE: Row("floor", listener.cells(noise, asked), KINDS),
        INDEPENDENT: Row("floor", listener.cells(mixed, asked[: len(mixed)]), KINDS),
    }
    order = listener.fresh_label.argsort(stable=True) if listener.classes else slice(None)
    named = listener.named()
    shown = {
        "real": listener.audible(listener.fresh[order], f"Held-out sounds{named}"),
        "noise": listener.audible(noise, "Noise"),
    }
    seconds = {}
    for name, training in trainings.items():
        say(f"{COUNT} samples: {name}")
        begin = time.process_time()
        sounds = call_isolated(training, "samples", _sampled)
        seconds[name] = {"sampling": time.process_time() - begin}
        rows[name] = Row("model", listener.cells(sounds, None if name == WAVEGAN else asked), KINDS)
        shown[name.replace(" ", "_")] = listener.audible(sounds, "Drawn" if name == WAVEGAN else f"Drawn{named}")
    for name in (WAVENET, S4D):
        found = json.loads((trainings[name].run.folder / "evaluation.json").read_text(encoding="utf-8"))["metrics"]
        rows[name].cells["bits_per_sample"] = found["bits_per_sample"]
        rows[INDEPENDENT].cells["bits_per_sample"] = found["unigram_bits"]
    of_real = listener.cells(listener.fresh, listener.fresh_label)
    del of_real["frechet_distance"]  # from themselves
    rows[REAL] = Row("ceiling", of_real | {"frechet_audio_distance": listener.audio_distance(listener.others)}, KINDS)
    return rows, shown, seconds


def _of_steps(trainings, listener, asked, say):
    """Rows of diffusion and of flow matching in every number of steps, and sounds of few."""
    rows, shown = {}, {}
    for name in (DIFFUSION, FLOW):
        for count in COUNTS:
            say(f"{COUNT} samples: {title(name, count)}")
            draw = partial(_in_steps, label=asked, count=count)
            sounds = call_isolated(trainings[name], f"samples in {count} steps", draw)
            rows[title(name, count)] = Row("model", listener.cells(sounds, asked), STEPS)
            if count == FEW:
                caption = f"Drawn in {FEW} steps{listener.named()}"
                shown[f"{name}_{FEW}_steps".replace(" ", "_")] = listener.audible(sounds, caption)
    return rows, shown


def _sampled(experiment):
    """Sounds [N, T] in the order of the classes, drawn as `sample` draws them, or in the usual number of steps."""
    if isinstance(experiment, (diffusion.DiffusionExperiment, flow_matching.MediaMatching)):
        return _in_steps(experiment, experiment.labels(COUNT), MANY)
    return torch.cat([part.samples.cpu() for part in experiment.sample(COUNT).values()])


def _in_steps(experiment, label, count):
    """Sounds [N, T], one for each label, in this many calls of the network."""
    label = label.to(experiment.device)
    if isinstance(experiment, diffusion.DiffusionExperiment):
        drawn = experiment.drawn(label, Drawing(sampler="ddim", steps=min(count, experiment.recipe.num_steps)))
    else:
        drawn = experiment.drawn(label, Solving("euler", count))
    return drawn[:, 0].cpu() / experiment.recipe.gain


PROJECT = Project(
    title="Sound generation",
    question="Models of six kinds learn the same notes: of mu-law codes, one by one, by convolutions or by a state space; of "
    "the codes of an autoencoder; of whole waveforms, by a game, by diffusion or by flow matching. Has what they draw the "
    "requested note, how near does it come to real sounds, and what does it take to draw it?",
    models={
        WAVENET: Model(wavenet, "notes"),
        S4D: Model(diagonal, "notes"),
        # by a metric that sounds without notes have, too
        VQ_VAE: Model(vector_quantization, "notes", changes={"metric": "squared_error", "direction": "lower"}),
        WAVEGAN: Model(audio_gan, "notes"),
        DIFFUSION: Model(diffusion, "notes", changes={"steps": TRAINED}),
        FLOW: Model(flow_matching, "notes", changes={"steps": TRAINED}),
    },
    judge=judge,
    read=read,
)
