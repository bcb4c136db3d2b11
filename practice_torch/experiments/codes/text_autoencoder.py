"""A variational autoencoder of text: one recurrent network reads a window into a code, another writes it from the code."""

from dataclasses import dataclass

import torch
from torch import nn

from practice_torch.arguments import as_int64
from practice_torch.autoregressive.recurrent import gru_cell
from practice_torch.latent.hierarchical_vae import soft_clip
from practice_torch.latent.reparameterization import reparameterize


class GatedRecurrentUnit(nn.Module):
    """gru_cell over a sequence, with its own parameters."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.input = nn.Linear(inputs, 3 * hidden)
        self.hidden = nn.Linear(hidden, 3 * hidden)

    def forward(self, x, h):
        """h of all times: [B, T, D], [B, H] -> [B, T, H]."""
        outputs = []
        for now in x.unbind(1):
            h = self.step(now, h)
            outputs.append(h)
        return torch.stack(outputs, 1)

    def step(self, x, h):
        """The next h: [B, D], [B, H] -> [B, H]."""
        return gru_cell(x, h, self.input.weight, self.hidden.weight, self.input.bias, self.hidden.bias)


class TextAutoencoder(nn.Module):
    """Tokens -> N(mean, e^log_var) over z by a GRU; z and the tokens before -> logits of each token by another.

    z is the decoder's first state, through a linear layer and tanh, and is read again next to every token.
    """

    def __init__(self, *, vocabulary_size: int, embedding: int, hidden: int, latent_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding)
        self.encoder = GatedRecurrentUnit(embedding, hidden)
        self.posterior = nn.Linear(hidden, 2 * latent_dim)
        self.first_state = nn.Linear(latent_dim, hidden)
        self.decoder = GatedRecurrentUnit(embedding + latent_dim, hidden)
        self.head = nn.Linear(hidden, vocabulary_size)

    def encode(self, tokens):
        """Mean and log-variance of q(z | tokens): [B, T] -> [B, L], [B, L]."""
        x = self.embedding(as_int64(tokens))
        last = self.encoder(x, x.new_zeros(len(x), self.posterior.in_features))[:, -1]
        mean, log_var = self.posterior(last).chunk(2, 1)
        return mean, soft_clip(log_var)

    def decode(self, z, inputs):
        """Logits of each token, given z and the inputs up to its own: [B, L], [B, T] -> [B, T, V]."""
        return self.head(self.decoder(self._read(z, inputs), self.start(z)))

    def start(self, z):
        """The decoder's state before the first input: [B, L] -> [B, H]."""
        return torch.tanh(self.first_state(z))

    def step(self, z, token, state):
        """decode of one more input: [B, L], [B], [B, H] -> [B, V], [B, H]."""
        state = self.decoder.step(self._read(z, token[:, None])[:, 0], state)
        return self.head(state), state

    def forward(self, tokens, inputs, noise):
        """Logits at a drawn z, and q's parameters: [B, T], [B, T], [B, L] -> [B, T, V], [B, L], [B, L]."""
        mean, log_var = self.encode(tokens)
        return self.decode(reparameterize(noise, mean, log_var), inputs), mean, log_var

    def _read(self, z, inputs):
        x = self.embedding(as_int64(inputs))
        return torch.cat([x, z[:, None].expand(-1, x.shape[1], -1)], 2)


@dataclass(frozen=True)
class Writer:
    """The decoder with fixed codes z [B, L], token by token, as generate_from_state takes it."""

    network: TextAutoencoder
    z: torch.Tensor

    def start(self, batch):
        """The state before the first token of each of the codes."""
        return self.network.start(self.z)

    def step(self, token, state):
        """Logits of the next token, and the next state."""
        return self.network.step(self.z, token, state)
