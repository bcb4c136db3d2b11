r"""Selective state spaces: the scan of Mamba, its mixer and its block, on whole sequences or one token at a time.

D channels of N states each. a [D, N]: the diagonal of A in every channel; step_size [B, T, D], b and c [B, T, N]: from tokens.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_shape, require_values
from practice_torch.networks.linear import in_own_precision
from practice_torch.networks.linear_cross_entropy import next_token_loss
from practice_torch.state_space._conditioned import embedded
from practice_torch.state_space._selective_scan import scan


def inverse_softplus(x):
    r"""x + log(1 - e^-x), of which the softplus log(1 + e^y) is x: the bias at which a step begins.

    Raises ValueError if x is not positive.  Source: Gu & Dao 2023, section 3.6.
    [...] -> [...]
    """
    require_values("x", x, lambda x: x > 0, "positive")
    return x + torch.log(-torch.expm1(-x))


def discretize_selective(inputs, step_size, b, a):
    r"""e^(step_d a_dn) and step_d b_n u_d: what is kept of each state at each token, and what is added to it.

    Raises ValueError if the shapes do not fit or step_size is negative.  Source: Gu & Dao 2023, section 3.1 and algorithm 2.
    [B, T, D], [B, T, D], [B, T, N], [D, N] -> [B, T, D, N], [B, T, D, N]
    """
    require_rank(3, inputs=inputs)
    _require_system(inputs, step_size, a, b=b)
    return _discretized(inputs, step_size, b, a)


def selective_step(inputs, step_size, b, c, state, a, skip):
    r"""h' = e^(step_size a) h + step_size b u,  y_d = sum_n c_n h'_dn + skip_d u_d: one token.

    Raises ValueError if the shapes do not fit or step_size is negative.  Source: Gu & Dao 2023, algorithm 2.
    [B, D], [B, D], [B, N], [B, N], [B, D, N], [D, N], [D] -> [B, D], [B, D, N]
    """
    require_rank(2, inputs=inputs)
    _require_system(inputs, step_size, a, b=b, c=c)
    require_shape((*inputs.shape, a.shape[1]), state=state)
    require_shape(a.shape[:1], skip=skip)
    kept, added = _discretized(inputs, step_size, b, a)
    state = torch.addcmul(added, kept, state)
    return torch.addcmul((state @ c.unsqueeze(-1)).squeeze(-1), skip, inputs), state


def selective_scan(inputs, step_size, b, c, initial, a, skip):
    r"""selective_step for t = 1, ..., T: all outputs, and the last state, with which to go on.

    Gradients are computed by hand, and states again, so that none is kept. In half precision the states are float32.

    Raises ValueError if the shapes do not fit, inputs has no step in time, or step_size is negative.
    Source: Gu & Dao 2023, algorithm 2.
    [B, T, D], [B, T, D], [B, T, N], [B, T, N], [B, D, N], [D, N], [D] -> [B, T, D], [B, D, N]
    """
    require_rank(3, inputs=inputs)
    require(inputs.shape[1] > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, T, D] with at least one step in time")
    _require_system(inputs, step_size, a, b=b, c=c)
    require_shape((len(inputs), *a.shape), initial=initial)
    require_shape(a.shape[:1], skip=skip)
    return _scan(inputs, step_size, b, c, initial, a, skip)


def mamba_mixer(x, parameters):
    r"""W_o (selective_scan(u) silu(z)): what a Mamba block does between its norm and its skip path.

    (u, z) = W_i x; u = silu(causal convolution of u, channel by channel); (r, b, c) = W_p u; step = softplus(W_s r + bias);
    a = -e^log_negative_a. Parameters: input_weight [2D, E], convolution_weight [D, K], convolution_bias [D], projection_weight
    [R+2N, D], step_weight [D, R], step_bias [D], log_negative_a [D, N], skip [D], output_weight [E, D].

    Raises ValueError if x has not three axes or no step in time, or one of the parameters is missing or has another shape: the
    message names input_weight, say.  Source: Gu & Dao 2023, section 3.4 and figure 3.
    [B, T, E], {[...]} -> [B, T, E]
    """
    _require_mixer(x, parameters)
    p = parameters
    content, gate = _content(x, p)
    step, b, c = _chosen(content, p)
    start = content.new_zeros(len(x), *p["log_negative_a"].shape)
    outputs, _ = _scan(content, step, b, c, start, -p["log_negative_a"].exp(), p["skip"])
    return functional.linear(outputs * functional.silu(gate), p["output_weight"])


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
        self.step.bias = nn.Parameter(inverse_softplus(steps).to(self.step.weight.dtype))
        self.log_negative_a = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))
        self.output = nn.Linear(channels, width, bias=False)

    def forward(self, x):
        """[B, T, E] -> [B, T, E]"""
        return x + mamba_mixer(self.norm(x), self.parameters_by_name())

    def left(self, x):
        r"""step_s e^(a (step_(s+1) + ... + step_T)): the weight of every token s in the last state, [B, T, E] -> [B, T, D, N]."""
        p = self.parameters_by_name()
        step = _chosen(_content(self.norm(x), p)[0], p)[0]
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
        step, b, c = _chosen(content, p)
        outputs, state = selective_step(content, step, b, c, state, -self.log_negative_a.exp(), self.skip)
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


def _discretized(inputs, step_size, b, a):
    return (step_size.unsqueeze(-1) * a).exp(), (step_size * inputs).unsqueeze(-1) * b.unsqueeze(-2)


def _scan(inputs, step_size, b, c, initial, a, skip):
    dtype = torch.promote_types(inputs.dtype, torch.float32)  # half precision would lose small steps next to large states
    with in_own_precision(inputs.device.type):
        outputs, last = scan(*(array.to(dtype) for array in (inputs, step_size, b, c, initial, a)))
    return torch.addcmul(outputs, skip.to(dtype), inputs.to(dtype)).to(inputs.dtype), last


def _content(x, p):
    """Inputs of the scan, and the gate after it: [B, T, E] -> [B, T, D], [B, T, D]"""
    kernel = p["convolution_weight"].unsqueeze(1)
    content, gate = functional.linear(x, p["input_weight"]).chunk(2, dim=-1)
    padded = functional.pad(content.mT, (kernel.shape[2] - 1, 0))
    return functional.silu(functional.conv1d(padded, kernel, p["convolution_bias"], groups=len(kernel)).mT), gate


def _chosen(content, p):
    """step, b and c of tokens: [..., D] -> [..., D], [..., N], [..., N]"""
    rank, states = p["step_weight"].shape[1], p["log_negative_a"].shape[1]
    low, b, c = functional.linear(content, p["projection_weight"]).split([rank, states, states], dim=-1)
    # from 40 on log(1 + e^x) is x to the last digit of float64, which it is not from torch's threshold of 20 on
    return functional.softplus(functional.linear(low, p["step_weight"], p["step_bias"]), threshold=40), b, c


def _require_system(inputs, step_size, a, **projections):
    """inputs and step_size [..., D], a [D, N], and projections [..., N]."""
    require_shape(inputs.shape, step_size=step_size)
    require_rank(2, a=a)
    require(len(a) == inputs.shape[-1], f"a has shape {list(a.shape)}; it must have {inputs.shape[-1]} rows, one a channel")
    require_shape((*inputs.shape[:-1], a.shape[1]), **projections)
    require_values("step_size", step_size, lambda step_size: step_size >= 0, "at least 0")


def _require_mixer(x, parameters):
    require_rank(3, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must be [B, T, E] with at least one step in time")
    axes = {"skip": 1, "convolution_weight": 2, "step_weight": 2, "log_negative_a": 2}
    for name in (*axes, "input_weight", "convolution_bias", "projection_weight", "step_bias", "output_weight"):
        require(name in parameters, f"{name} is missing; parameters has {', '.join(sorted(parameters)) or 'nothing'}")
    for name, rank in axes.items():
        require_rank(rank, **{name: parameters[name]})
    skip, taps, rank, states = (parameters[name].shape[-1] for name in axes)
    require(taps > 0, "convolution_weight has no tap; it must have at least one")
    for name, shape in {
        "input_weight": (2 * skip, x.shape[2]),
        "convolution_weight": (skip, taps),
        "convolution_bias": (skip,),
        "projection_weight": (rank + 2 * states, skip),
        "step_weight": (skip, rank),
        "step_bias": (skip,),
        "log_negative_a": (skip, states),
        "output_weight": (x.shape[2], skip),
    }.items():
        require_shape(shape, **{name: parameters[name]})
