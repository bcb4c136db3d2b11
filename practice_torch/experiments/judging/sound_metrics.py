"""The Frechet audio distance of sounds that a model draws, by the frames of a small network that tells their classes.

A class-conditional model draws as many sounds of each class. They are compared in rounds, one of each class, with rounds of real
sounds: a few notes more of one pitch than of another would otherwise be most of the distance. Every other real sound or round is
in the reference, and those between are judged as the samples are. Where there are no classes, the frames are log-mel columns.
"""

import torch

from practice_torch.engine.errors import RunError
from practice_torch.engine.estimate import POSITIVE, interval
from practice_torch.evaluation.frechet_audio_distance import frechet_audio_distance
from practice_torch.experiments.judging.extractors import column_classifier, log_mel_columns
from practice_torch.experiments.judging.feature_metrics import FEWEST, recombined

_ROUNDS = 4  # at least, of a sound of each class: of which half-samples are taken


@torch.autocast("cpu", enabled=False)
def of_sounds(artifacts, train, held_out, classes, generator):
    """The comparison and the metric of Audio artifacts and real sounds, as sample_metrics returns them."""
    length = min(artifacts[0].samples.shape[-1], train["audio"].shape[-1])
    drawn = [torch.atleast_2d(part.samples)[:, :length].float().cpu() for part in artifacts]
    known, fresh = (batch["audio"].float().cpu().flatten(1)[:, :length] for batch in (train, held_out))
    labels = [batch["label"].cpu() for batch in (train, held_out)] if len(classes) > 1 else None
    features, compared = log_mel_columns(length, artifacts[0].sample_rate), "log-mel columns"
    if labels:
        features, recognized = _of_classifier(features, (known, fresh), labels, len(classes))
        compared = f"the hidden layer of a network of {compared} that recognizes {recognized:.0%} of the held-out sounds"
    kinds, real = 1, torch.cat([known, fresh])
    if len(drawn) > 1:  # an artifact for each class
        kinds = len(classes)
        real = _rounds([real[torch.cat(labels) == k] for k in range(kinds)])
        drawn = _rounds(drawn)[: len(drawn[0]) if len(drawn) == kinds else 0]
    else:
        real, drawn = real[:, None], drawn[0][:, None]
    fewest, each = (_ROUNDS, f" of each of {kinds} classes") if kinds > 1 else (FEWEST, "")
    if len(drawn) < fewest:
        raise RunError(f"{len(drawn)} samples{each} are too few to be judged; give --samples {fewest * kinds} or more")
    if len(real) < 2 * fewest:
        raise RunError(f"{len(real)} real sounds{each} are too few to judge samples by; at least {2 * fewest} are needed")
    count = min(len(drawn), len(real) // 2)
    baseline = recombined(known, generator)[: count * kinds, None]
    reference = _of_rounds(features, real[::2])
    sets = {"samples": drawn[:count], "baseline": baseline, "real": real[1::2][:count]}
    return f"of {count * kinds} sounds {compared}", {
        "frechet_audio_distance": {
            name: interval(_distance, _of_rounds(features, part), reference, generator=generator, within=POSITIVE)
            for name, part in sets.items()
        }
    }


def _of_classifier(columns, sounds, labels, classes):
    """The hidden layer of a classifier of the first sounds, as a function of sounds; how many of the second it tells."""
    network = column_classifier(columns, sounds[0], labels[0], classes)
    right = network(columns(sounds[1])).argmax(1) == labels[1]
    return lambda sounds: network.hidden(columns(sounds)), right.double().mean().item()


def _rounds(groups):
    """Rounds from sounds of every class [N_k, T]: the first of each class, the second of each, ...: [N, K, T]"""
    count = min(len(part) for part in groups)
    return torch.stack([part[:count] for part in groups], 1)


def _of_rounds(frames, rounds):
    """[N, K, T] -> [N, K, D, S]"""
    return frames(rounds.flatten(0, 1)).unflatten(0, rounds.shape[:2])


def _distance(x, y):
    """The Frechet audio distance of rounds, [N, K, D, S] each."""
    return frechet_audio_distance(x.flatten(0, 1), y.flatten(0, 1))
