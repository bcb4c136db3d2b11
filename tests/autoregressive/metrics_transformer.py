"""As autoregressive/recurrent, of tokens with several bytes."""

import math

from tests.autoregressive.metrics_recurrent import TOLERANCE, bits  # noqa: F401
from tests.support.metrics import mean

NAMES = ("pydoc", "shakespeare")


def evaluate(e, data):
    tokens = data.batch()["tokens"]
    spent = bits(e.network, tokens)
    lengths = e.tokenizer().lengths()
    written = sum(lengths[token] for token in tokens[:, 1:].flatten().tolist())
    return {"bits_per_byte": sum(spent) / written, "nats_per_token": mean(spent) * math.log(2)}
