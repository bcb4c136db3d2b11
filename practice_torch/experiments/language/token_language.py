"""Language models of the tokens of a text: their loss, its evaluation, and the tokenizer that belongs to them."""

import math

import torch
from torch import nn

from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.language.tokens import kept_tokenizer, tokenizer_buffer


class TokenLanguageModel(nn.Module):
    """Next-token prediction: mean negative log-likelihood, nats a token. A subclass says how it writes.

    network(tokens [B, T], targets=[B, T]) is the loss. rates: those of the phase, where parameters have their own learning rates.
    """

    explains = {
        "bits_per_byte": Metric("bits per byte", "-log2 p of held-out text per byte, for any tokenizer"),
        "nats_per_token": Metric("nats per token", "-ln p of held-out text per token, comparable for equal tokenizers only"),
    }
    phases = (Phase("train", ("network",)),)

    def __init__(self, recipe, data, network):
        super().__init__()
        self.recipe, self.generator, self.network = recipe, None, network
        self.library = data.description.get("tokenizer", {}).get("library")
        self.kept, buffer = tokenizer_buffer(data, recipe.merges)
        self.register_buffer(self.kept, buffer)

    def forward(self, batch, phase):
        """The windows' tokens but the last predict all but the first."""
        tokens = batch["tokens"]
        return self.network(tokens[:, :-1], targets=tokens[:, 1:]), {}

    def count(self, batch, phase):
        """Tokens that are predicted."""
        return batch["tokens"][:, 1:].numel()

    def tokenizer(self):
        """The tokenizer of the text."""
        return kept_tokenizer(self.library, self.get_buffer(self.kept))

    def evaluate(self, data):
        """Bits per byte and nats per token. A window's first tokens have little context: a whole text would do better."""
        nats = sum(self(batch, "train")[0].item() * self.count(batch, "train") for batch in self._held_out(data))
        over = self.evaluation_weight(data)
        return {"bits_per_byte": nats / over["bits_per_byte"] / math.log(2), "nats_per_token": nats / over["nats_per_token"]}

    def evaluation_weight(self, data):
        """Bytes and tokens that are predicted."""
        lengths, predicted = self._lengths(), [batch["tokens"][:, 1:] for batch in self._held_out(data)]
        return {
            "bits_per_byte": sum(lengths[tokens].sum().item() for tokens in predicted),
            "nats_per_token": sum(tokens.numel() for tokens in predicted),
        }

    def _held_out(self, data):
        return (data.batch(indices) for indices in torch.arange(len(data)).split(64))

    def _device(self):
        return self.get_buffer(self.kept).device

    def _lengths(self):
        """Bytes of every token, [V]."""
        return torch.tensor(self.tokenizer().lengths(), device=self._device())
