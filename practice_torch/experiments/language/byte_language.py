"""Language models of bytes with a state: trained on whole windows, sampled byte by byte at the same cost for every byte."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.engine.artifacts import Text
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.language.generation import generate_from_state

_LONGER = 4  # length of a sample in training windows: a state has no context length


class ByteLanguageModel(nn.Module):
    """Next-byte prediction: mean negative log-likelihood, nats a byte.

    network gives the logits [B, T, 256] of tokens [B, T], and the same one token after the other: from start(batch), the state
    before the first token, by step(tokens [B], state), which returns logits [B, 256] and the next state. It ends in a `head`.
    rates: those of the phase, where parameters have their own learning rates.
    """

    explains = {"bits_per_byte": Metric("bits per byte", "-log2 p of held-out text per byte, windows begin without a past")}

    def __init__(self, recipe, network, *, rates):
        super().__init__()
        self.recipe, self.generator, self.network = recipe, None, network
        self.phases = (Phase("train", ("network",), rates=rates),)

    def forward(self, batch, phase):
        """The windows' bytes but the last predict all but the first."""
        return self._loss(batch["tokens"]), {}

    def evaluate(self, data):
        """Bits per held-out byte."""
        losses = [self._loss(data.batch(some)["tokens"]) * len(some) for some in torch.arange(len(data)).split(64)]
        return {"bits_per_byte": sum(losses).item() / len(data) / math.log(2)}

    def evaluation_weight(self, data):
        """Windows: all have equally many bytes."""
        return len(data)

    def preview(self, data):
        """Text generated after a line's end."""
        return self.sample(1)

    def sample(self, count):
        """`count` texts, drawn byte by byte from the state, several times as long as the windows of the training."""
        length = _LONGER * self.recipe.context
        uniforms = torch.rand(count, length, generator=self.generator, device=self.network.head.weight.device)
        first = torch.full((count,), ord("\n"), device=uniforms.device)
        written = generate_from_state(self.network, first, uniforms, kinds=256)
        texts = (bytes(row).decode(errors="replace") for row in written.tolist())
        caption = f"{count} x {length} bytes, drawn one by one from a state of constant size."
        return {"text": Text("\n\n".join(texts), caption, tuple(texts))}

    def _loss(self, tokens):
        logits = self.network(tokens[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
