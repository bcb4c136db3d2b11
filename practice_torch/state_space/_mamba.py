"""Mamba's block, and the decoder of tokens that is made of such blocks."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least
from practice_torch.networks.linear_cross_entropy import next_token_loss
from practice_torch.state_space._conditioned import embedded
from practice_torch.state_space._selective_mixer import chosen, content_and_gate, inverse_of_softplus, mixed, stepped


class MambaBlock(nn.Module):
    """[B, T, E] -> [B, T, E]: x + mamba_mixer(RMSNorm(x)); `advance` is the same for one token after the other.

    expand: channels in the mixer for each of x. states: in each channel. taps: of the convolution. rank: of the projection that
    the step comes from, by default a sixteenth of the width. Steps begin between 0.001 and 0.1, decays as -1, ..., -states.
    """

    def __init__(self, *, width, expand=2, states=16, taps=4, rank=None):
        super().__init__()
        require_at_least(1, width=width, expand=expand, states=states, taps=taps)
        rank = -(-width // 16) if rank is None else rank
        require_at_least(1, rank=rank)
        channels = expand * width
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.input = nn.Linear(width, 2 * channels, bias=False)
        self.convolution = nn.Conv1d(channels, channels, taps, groups=channels)
        self.projection = nn.Linear(channels, rank + 2 * states, bias=False)
        self.step = nn.Linear(rank, channels)
        steps = torch.logspace(math.log10(1e-3), math.log10(1e-1), channels, dtype=torch.float64)
        self.step.bias = nn.Parameter(inverse_of_softplus(steps).to(self.step.weight.dtype))
        self.log_negative_a = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))
        self.output = nn.Linear(channels, width, bias=False)

    def forward(self, x):
        """[B, T, E] -> [B, T, E]"""
        return x + mixed(self.norm(x), self.parameters_by_name())

    def left(self, x):
        r"""step_s e^(a (step_(s+1) + ... + step_T)): the weight of every token s in the last state, [B, T, E] -> [B, T, D, N]."""
        p = self.parameters_by_name()
        step = chosen(content_and_gate(self.norm(x), p)[0], p)[0]
        later = functional.pad(step[:, 1:], (0, 0, 0, 1)).flip(1).cumsum(1).flip(1)
        return step.unsqueeze(-1) * (-later.unsqueeze(-1) * self.log_negative_a.exp()).exp()

    def start(self, batch):
        """The past before the first token, for `advance`: the convolution's last inputs [B, D, K-1] and the state [B, D, N]."""
        channels, states = self.log_negative_a.shape
        past = self.skip.new_zeros(batch, channels, self.convolution.kernel_size[0] - 1)
        return past, self.skip.new_zeros(batch, channels, states)

    def advance(self, x, past, state):
        """forward for the next token alone: [B, E] -> [B, E], and the past and state for the token after it."""
        p = self.parameters_by_name()
        content, gate = self.input(self.norm(x)).chunk(2, dim=-1)
        seen = torch.cat((past, content.unsqueeze(-1)), -1)
        content = functional.silu((seen * p["convolution_weight"]).sum(-1) + p["convolution_bias"])
        step, b, c = chosen(content, p)
        outputs, state = stepped(content, step, b, c, state, -self.log_negative_a.exp(), self.skip)
        return x + self.output(outputs * functional.silu(gate)), seen[:, :, 1:], state

    def parameters_by_name(self):
        """The parameters by the names of mamba_mixer."""
        layers = {name: getattr(self, name) for name in ("input", "projection", "step", "output")}
        return {f"{name}_weight": layer.weight for name, layer in layers.items()} | {
            "convolution_weight": self.convolution.weight.squeeze(1),
            "convolution_bias": self.convolution.bias,
            "step_bias": self.step.bias,
            "log_negative_a": self.log_negative_a,
            "skip": self.skip,
        }


class MambaDecoder(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: MambaBlocks between an embedding, and a norm and a linear head.

    All of a sequence at once by `forward`, or one token after the other by `step`, from `start`.
    condition [B]: a token for each sequence, of which the embedding is added to that of all its tokens.
    tied: the published network: the head is the embedding, without a bias, and the ends of the blocks begin smaller by the root
    of their number. vocabulary_multiple: the embedding gets rows of zeros up to a multiple of it, which stand for no token.
    """

    def __init__(
        self, *, vocabulary_size, width, layers, expand=2, states=16, taps=4, rank=None, tied=False, vocabulary_multiple=1
    ):
        super().__init__()
        require_at_least(1, vocabulary_size=vocabulary_size, layers=layers)
        self.vocabulary_size = vocabulary_size
        self.embedding = nn.Embedding(-(-vocabulary_size // vocabulary_multiple) * vocabulary_multiple, width)
        sizes = dict(width=width, expand=expand, states=states, taps=taps, rank=rank)
        self.blocks = nn.ModuleList(MambaBlock(**sizes) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = None if tied else nn.Linear(width, vocabulary_size)
        if tied:
            nn.init.normal_(self.embedding.weight, std=0.02)
            for block in self.blocks:
                block.output.weight.data /= math.sqrt(layers)
        nn.init.zeros_(self.embedding.weight[vocabulary_size:])

    def forward(self, tokens, condition=None, targets=None):
        """[B, T], [B] -> [B, T, V]: logits[:, t] scores the token after tokens[:, t], given it and those before.

        Given targets [B, T], of a tied head: the mean of -log p(target) in nats instead, of a large vocabulary without a table.
        """
        x = embedded(self.embedding, tokens, condition)
        for block in self.blocks:
            x = block(x)
        if targets is None:
            return self._logits(x)
        require(self.head is None, "targets are given; the head must be tied")
        return next_token_loss(self.norm(x), self.embedding.weight, targets, size=self.vocabulary_size)

    def _logits(self, x):
        """[..., E] -> [..., V]"""
        x = self.norm(x)
        return functional.linear(x, self.embedding.weight)[..., : self.vocabulary_size] if self.head is None else self.head(x)

    def left(self, tokens):
        """The weight of every token in the last state of each channel, block by block: [B, T] -> L times [B, T, D, N]."""
        x, found = self.embedding(as_int64(tokens)), []
        for block in self.blocks:
            found.append(block.left(x))
            x = block(x)
        return found

    def start(self, batch):
        """The state before the first token, a list of those of the blocks."""
        return [block.start(batch) for block in self.blocks]

    def step(self, tokens, states, condition=None):
        """forward of one more token, at the same cost however many there were: [B], states, [B] -> [B, V], states"""
        x, following = embedded(self.embedding, tokens, condition), []
        for block, memory in zip(self.blocks, states, strict=True):
            x, *memory = block.advance(x, *memory)
            following.append(memory)
        return self._logits(x), following
