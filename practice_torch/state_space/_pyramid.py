"""S4's network of pixels: layers of diagonal state spaces and feed-forward layers at several resolutions of time."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_at_least
from practice_torch.state_space._conditioned import embedded
from practice_torch.state_space.diagonal import STEPS, diagonal_step, initial_eigenvalues, state_space_layer


class PyramidDecoder(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: a Level between an embedding, and a norm and a linear head.

    All of a sequence at once by `forward`, or one token after the other by `step`, from `start`.
    factors: by how much each level is longer than the next, which has twice the width. layers: of state spaces, each with one of
    feed-forward, on both sides of every level and in the middle.
    condition [B]: a token for each sequence, of which the embedding is added to that of all its tokens.
    Source: Gu et al. 2022, appendix D.3.1; Goel et al. 2022, section 4.2, and its published code.
    """

    def __init__(self, *, vocabulary_size, width, layers, factors, modes=32, kind="legs", dropout=0.0):
        super().__init__()
        require_at_least(1, vocabulary_size=vocabulary_size, width=width, layers=layers, modes=modes)
        for factor in factors:
            require_at_least(1, factors=factor)
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.level = Level(width, layers, tuple(factors), dict(modes=modes, kind=kind), dropout)
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocabulary_size)

    def forward(self, tokens, condition=None):
        """[B, T], [B] -> [B, T, V]: logits[:, t] scores the token after tokens[:, t], given it and those before."""
        return self.head(self.norm(self.level(embedded(self.embedding, tokens, condition))))

    def start(self, batch):
        """The state before the first token."""
        return self.level.start(batch)

    def step(self, tokens, state, condition=None):
        """forward of one more token, at the same mean cost however many there were: [B], state, [B] -> [B, V], state"""
        x, state = self.level.step(embedded(self.embedding, tokens, condition), state)
        return self.head(self.norm(x)), state


class Level(nn.Module):
    """[B, T, E] -> [B, T, E]: layers, the next level at a fraction of the length, and layers again, each with its shortcut.

    A step of the next level sees all of a group of steps, and is seen by those of the next group: no step sees the future.
    """

    def __init__(self, width, layers, factors, system, dropout):
        super().__init__()

        def side():
            pairs = ((S4DLayer(width, dropout=dropout, **system), FeedForward(width, dropout)) for _ in range(layers))
            return nn.ModuleList(Residual(width, layer) for pair in pairs for layer in pair)

        self.width, self.factor = width, factors[0] if factors else None
        if factors:
            self.down, self.pool = side(), nn.Linear(factors[0] * width, 2 * width)
            self.inner = Level(2 * width, layers, factors[1:], system, dropout)
            self.spread = nn.Linear(2 * width, factors[0] * width)
        self.up = side()

    def forward(self, x):
        """[B, T, E] -> [B, T, E]"""
        kept, length = [x], x.shape[1]
        if self.factor is None:
            for layer in self.up:
                x = layer(x)
            return x + kept[0]
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        groups = functional.pad(x, (0, 0, 0, -length % self.factor)).unflatten(1, (-1, self.factor))
        spread = self.spread(self.inner(self.pool(groups.flatten(2))))
        later = functional.pad(spread[:, :-1], (0, 0, 1, 0))
        x = later.unflatten(2, (self.factor, -1)).flatten(1, 2)[:, :length] + kept.pop()
        for layer in self.up:
            x = layer(x) + kept.pop()
        return x

    def start(self, batch):
        """The state before the first step: of layers, the group so far, what the group before it left, the next level, layers."""
        up = [layer.start(batch) for layer in self.up]
        if self.factor is None:
            return [], [], [], None, up
        none = self.pool.weight.new_zeros(batch, self.width)
        return [layer.start(batch) for layer in self.down], [], [none] * self.factor, self.inner.start(batch), up

    def step(self, x, state):
        """forward of one more step: [B, E] -> [B, E], and the state after it."""
        before, group, left, below, after = state
        kept, down, up = [x], [], []
        for layer, memory in zip(self.down if self.factor else (), before, strict=True):
            x, memory = layer.step(x, memory)
            kept.append(x)
            down.append(memory)
        if self.factor is not None:
            group = [*group, x]
            x = left[len(group) - 1] + kept.pop()
        for layer, memory in zip(self.up, after, strict=True):
            x, memory = layer.step(x, memory)
            x = x if self.factor is None else x + kept.pop()
            up.append(memory)
        if self.factor is None:
            return x + kept[0], (down, group, left, below, up)
        if len(group) == self.factor:
            low, below = self.inner.step(self.pool(torch.cat(group, -1)), below)
            group, left = [], self.spread(low).chunk(self.factor, -1)
        return x, (down, group, left, below, up)


class Residual(nn.Module):
    """x + layer(LN(x))"""

    def __init__(self, width, layer):
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(width, eps=1e-5), layer

    def forward(self, x):
        """[..., E] -> [..., E]"""
        return x + self.layer(self.norm(x))

    def start(self, batch):
        """The state before the first step."""
        return self.layer.start(batch)

    def step(self, x, state):
        """forward of one more step: [B, E] -> [B, E], and the state after it."""
        y, state = self.layer.step(self.norm(x), state)
        return x + y, state


class FeedForward(nn.Module):
    """W_d gelu(W_u x + b_u) + b_d, of twice the width within."""

    def __init__(self, width, dropout):
        super().__init__()
        self.up, self.down, self.dropout = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.Dropout(dropout)

    def forward(self, x):
        """[..., E] -> [..., E]"""
        return self.down(self.dropout(functional.gelu(self.up(x))))

    def start(self, batch):
        """It has no state."""
        return None

    def step(self, x, state):
        """forward"""
        return self(x), state


class S4DLayer(nn.Module):
    """y sigma(z) of (y, z) = W gelu(S4D(x)) + b: each feature is a channel with its own modes, step, C and D.

    bidirectional: each channel has a second system, which reads the sequence from its end, up to the step after. Such a layer
    sees the future, so it has no steps.
    """

    def __init__(self, width, *, modes, kind, dropout=0.0, bidirectional=False):
        super().__init__()
        eigenvalues, systems = initial_eigenvalues(order=2 * modes, kind=kind), 1 + bidirectional
        self.bidirectional = bidirectional
        shape = systems * width, modes
        self.log_step = nn.Parameter(torch.empty(shape[0]).uniform_(*map(math.log, STEPS)))
        self.log_negative_real = nn.Parameter((-eigenvalues.real).log().expand(shape).clone())
        self.imaginary = nn.Parameter(eigenvalues.imag.expand(shape).clone())
        self.output_real = nn.Parameter(torch.randn(shape) * 0.5**0.5)
        self.output_imaginary = nn.Parameter(torch.randn(shape) * 0.5**0.5)
        self.skip = nn.Parameter(torch.randn(width))
        self.mix, self.dropout = nn.Linear(width, 2 * width), nn.Dropout(dropout)

    def system(self):
        """The parameters of every channel, as state_space_layer and diagonal_step take them."""
        return torch.complex(self.output_real, self.output_imaginary), self.log_step, self.log_negative_real, self.imaginary

    def forward(self, x):
        """[B, T, E] -> [B, T, E]"""
        u = x.to(self.skip.dtype).mT  # phases of a long kernel need float32, also where matrix products do not
        if not self.bidirectional:
            return self._mixed(state_space_layer(u, *self.system(), self.skip).mT)
        # the step itself is heard by the first system alone, and the second hears what comes after it
        both = torch.cat((u, functional.pad(u.flip(-1), (1, -1))), 1)
        heard = state_space_layer(both, *self.system(), torch.zeros_like(self.log_step))
        first, second = heard.chunk(2, 1)
        return self._mixed((first + second.flip(-1) + self.skip.unsqueeze(1) * u).mT)

    def start(self, batch):
        """The state before the first step, [B, E, M]: zeros."""
        return self.system()[0].detach().new_zeros(batch, *self.output_real.shape)

    def step(self, x, state):
        """forward of one more step: [B, E], [B, E, M] -> [B, E], [B, E, M]"""
        require(not self.bidirectional, "bidirectional layers hear what comes after a step; they have no steps")
        u = x.to(self.skip.dtype)
        heard, state = diagonal_step(u, state, *self.system())
        return self._mixed(heard + self.skip * u), state

    def _mixed(self, heard):
        return functional.glu(self.mix(self.dropout(functional.gelu(heard))), -1)
