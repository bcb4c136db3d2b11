"""Texts as autoregressive/recurrent, of tokens with several bytes; pixels as autoregressive/pixelcnn, behind their class."""

import math

import torch

from tests.autoregressive import metrics_pixelcnn
from tests.autoregressive.metrics_recurrent import TOLERANCE, bits  # noqa: F401
from tests.support.metrics import mean

NAMES = ("pydoc", "shakespeare", "digits")
FIELDS = metrics_pixelcnn.FIELDS
COUNT = metrics_pixelcnn.COUNT


def log_probs(e, batch):
    """One image after another."""
    return of_sequences(e, batch, lambda tokens: e.network(tokens))


def of_sequences(e, batch, logits):
    """log p of each image under the logits of its tokens: its class, and then the pixels of each row, color by color."""
    levels, found = e.recipe.num_levels, []
    for image, label in zip(batch["image"], batch["label"].tolist(), strict=True):
        _, height, width = image.shape
        codes = [round(float(c) * (levels - 1)) for i in range(height) for j in range(width) for c in image[:, i, j]]
        begun = torch.tensor([[levels + (label if e.classes else 0), *codes[:-1]]])
        law = torch.distributions.Categorical(logits=logits(begun)[0, :, :levels])
        found.append(float(law.log_prob(torch.tensor(codes)).sum()))
    return found


def logs(e, batch, phase):
    return {} if "tokens" in batch else metrics_pixelcnn.logs(e, batch, phase, log_probs)


def preview(e, data):
    return {} if "tokens" in data.batch() else metrics_pixelcnn.preview(e, data)


def evaluate(e, data):
    if "image" in data.batch():
        return metrics_pixelcnn.evaluate(e, data, log_probs)
    tokens = data.batch()["tokens"]
    spent = bits(e.network, tokens)
    lengths = e.tokenizer().lengths()
    written = sum(lengths[token] for token in tokens[:, 1:].flatten().tolist())
    return {"bits_per_byte": sum(spent) / written, "nats_per_token": mean(spent) * math.log(2)}
