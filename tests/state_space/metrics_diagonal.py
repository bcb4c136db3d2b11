"""Bytes as autoregressive/recurrent, sounds as autoregressive/wavenet, behind silence, pixels as autoregressive/pixelcnn."""

import torch

from tests.autoregressive import metrics_pixelcnn, metrics_recurrent, metrics_wavenet
from tests.autoregressive.metrics_recurrent import TOLERANCE  # noqa: F401
from tests.autoregressive.metrics_transformer import of_sequences

NAMES = ("pydoc", "notes", "digits")  # the rest is digits' on data that is downloaded
COUNT = metrics_pixelcnn.COUNT


def costs(e, codes, batch):
    found = []
    for k, row in enumerate(codes):
        before = torch.cat([torch.tensor([e.recipe.levels // 2]), row[:-1]])
        condition = e.recipe.levels + batch["label"][k : k + 1] if e.classes else None
        law = torch.distributions.Categorical(logits=e.network(before[None], condition)[0, :, : e.recipe.levels])
        found.append(-float(law.log_prob(row).sum()))
    return found


def log_probs(e, batch):
    """The first token of a sequence is its condition, too."""
    return of_sequences(e, batch, lambda tokens: e.network(tokens, tokens[:, 0]))


def logs(e, batch, phase):
    if "tokens" in batch:
        return {}
    return metrics_pixelcnn.logs(e, batch, phase, log_probs) if "image" in batch else metrics_wavenet.logs(e, batch, phase, costs)


def evaluate(e, data):
    batch = data.batch()
    if "tokens" in batch:
        return metrics_recurrent.evaluate(e, data)
    if "image" in batch:
        return metrics_pixelcnn.evaluate(e, data, log_probs)
    return metrics_wavenet.evaluate(e, data, costs)


def preview(e, data):
    batch = data.batch()
    if "tokens" in batch:
        return {}
    return metrics_pixelcnn.preview(e, data) if "image" in batch else metrics_wavenet.preview(e, data)
