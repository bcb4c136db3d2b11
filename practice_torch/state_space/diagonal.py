r"""Diagonal state spaces, S4D: kernels of complex modes as one real matrix product a channel, layers by FFT, and single steps.

A = -e^log_negative_real + i imaginary, B = 1, C = output_weights, and the step e^log_step of a channel, during which the input is
held. Each of the M modes represents itself and its conjugate.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_at_least, require_rank, require_shape
from practice_torch.networks.linear import in_own_precision
from practice_torch.state_space._conditioned import embedded
from practice_torch.state_space._fourier import causal_product
from practice_torch.state_space._hold import exponentials, held, product

STEPS = 1e-3, 1e-1  # between which a channel's step begins


def initial_eigenvalues(*, order, kind):
    r"""-1/2 + i omega_n for n = 0..N/2 - 1, N = order: one of each conjugate pair of N eigenvalues.

    linear: omega_n = pi n.  inverse: omega_n = N/pi (N/(2n + 1) - 1), which falls.  legs: the positive frequencies of HiPPO-LegS
    without its low rank, i.e. of S with S_nk = -1/2 sqrt((2n + 1)(2k + 1)) for n > k and S_kn = -S_nk, ascending.

    Raises ValueError if order is not a positive even number or kind is none of these.
    Source: Gu et al. 2022b, section 4 and its table of initializations.
    -> complex [M]
    """
    require(order > 0 and order % 2 == 0, f"order is {order}; it must be a positive even number: eigenvalues come in pairs")
    n = torch.arange(order // 2, dtype=torch.float64)
    match kind:
        case "linear":
            frequencies = math.pi * n
        case "inverse":
            frequencies = order / math.pi * (order / (2 * n + 1) - 1)
        case "legs":
            below = torch.arange(1, 2 * order, 2, dtype=torch.float64).sqrt()
            below = torch.outer(below, below).tril(-1) / 2
            # the singular values of a skew-symmetric matrix are the frequencies, each twice, the largest first
            frequencies = torch.linalg.svdvals(below - below.mT)[::2].flip(0)
        case _:
            raise ValueError(f"kind is {kind!r}; it must be one of linear, inverse, legs")
    frequencies = frequencies.to(torch.get_default_dtype())
    return torch.complex(torch.full_like(frequencies, -0.5), frequencies)


def diagonal_kernel(output_weights, log_step, log_negative_real, imaginary, *, length):
    r"""K_l = 2 Re sum_m C_m (e^(step A_m) - 1)/A_m e^(step A_m l), l = 0..length-1: the response to an input of 1 at time 0.

    Raises ValueError if the shapes do not fit or length < 1.  Source: Gu et al. 2022b, section 3.
    complex [H, M], [H], [H, M], [H, M] -> [H, L]
    """
    require_at_least(1, length=length)
    _require_modes(output_weights, log_step, log_negative_real, imaginary)
    return _kernel(output_weights.real, output_weights.imag, log_step, log_negative_real, imaginary, length)


def diagonal_step(inputs, state, output_weights, log_step, log_negative_real, imaginary):
    r"""x' = e^(step A) x + (e^(step A) - 1)/A u and y = 2 Re sum_m C_m x'_m: one output of every channel, and the next state.

    Raises ValueError if the shapes do not fit.  Source: Gu et al. 2022b, section 3.
    [B, H], complex [B, H, M], complex [H, M], [H], [H, M], [H, M] -> [B, H], complex [B, H, M]
    """
    require_rank(2, inputs=inputs)
    _require_modes(output_weights, log_step, log_negative_real, imaginary)
    modes = held(-log_negative_real.exp(), imaginary, log_step.exp().unsqueeze(1))
    exponents, gains = (torch.complex(*parts) for parts in modes)
    require_shape((len(inputs), len(log_step)), inputs=inputs)
    require_shape((len(inputs), *output_weights.shape), state=state)
    state = torch.addcmul(gains * inputs.unsqueeze(2), exponents.exp(), state)
    return 2 * (output_weights * state).sum(2).real, state


def state_space_layer(inputs, output_weights, log_step, log_negative_real, imaginary, skip):
    r"""y = K * u + skip u: the causal convolution of every channel with its diagonal_kernel, by FFT, and the input itself.

    Raises ValueError if the shapes do not fit or inputs has no step.  Source: Gu et al. 2022b, section 3.
    [B, H, T], complex [H, M], [H], [H, M], [H, M], [H] -> [B, H, T]
    """
    require_rank(3, inputs=inputs)
    require(inputs.shape[2] > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, H, T] with at least one step")
    _require_modes(output_weights, log_step, log_negative_real, imaginary)
    require_shape((len(inputs), len(log_step), inputs.shape[2]), inputs=inputs)
    require_shape(log_step.shape, skip=skip)
    return _layer(inputs, output_weights.real, output_weights.imag, log_step, log_negative_real, imaginary, skip)


def _layer(inputs, output_real, output_imaginary, log_step, log_negative_real, imaginary, skip):
    """state_space_layer of the parts of output_weights: no complex number outside of the transforms."""
    kernel = _kernel(output_real, output_imaginary, log_step, log_negative_real, imaginary, inputs.shape[2])
    return torch.addcmul(causal_product(inputs, kernel), inputs, skip.unsqueeze(1))


def _kernel(output_real, output_imaginary, log_step, log_negative_real, imaginary, length):
    """diagonal_kernel in real arithmetic, [H, M], [H, M], [H], [H, M], [H, M] -> [H, L]."""
    exponents, gains = held(-log_negative_real.exp(), imaginary, log_step.exp().unsqueeze(1))
    weights = product((output_real, output_imaginary), gains)
    # e^(zl) at l = far + near is e^(z far) e^(z near): 2 sqrt(L) exponentials a mode in place of L, and a product of matrices
    block = math.isqrt(length - 1) + 1
    near = torch.arange(block, device=log_step.device)
    far = torch.arange(0, length, block, device=log_step.device)
    parts = exponentials(exponents, torch.cat((near, far)))
    near, far = zip(*(part.split([len(near), len(far)], -1) for part in parts), strict=True)
    far = product([2 * part.unsqueeze(2) for part in weights], far)
    # of the complex product the real part alone
    with in_own_precision(log_step.device.type):  # autocast would round the kernel, which all of a sequence meets
        kernel = torch.cat((far[0], -far[1]), 1).mT @ torch.cat(near, 1)
    return kernel.flatten(1)[:, :length]


def _require_modes(output_weights, log_step, log_negative_real, imaginary):
    """The shapes are those of [H, M] modes."""
    require_rank(2, output_weights=output_weights)
    require_shape(output_weights.shape[:1], log_step=log_step)
    require_shape(output_weights.shape, log_negative_real=log_negative_real, imaginary=imaginary)


class S4DBlock(nn.Module):
    """x + W_o (S4D(u) silu(v)) + b_o, where (u, v) = W_i norm(x) + b_i have 2 E channels each, every one with M modes.

    All of a sequence at once by `forward`, or one step after the other by `step`, from `start`.
    """

    def __init__(self, width, *, modes=16, kind="linear"):
        super().__init__()
        channels = 2 * width
        eigenvalues = initial_eigenvalues(order=2 * modes, kind=kind).expand(channels, -1)
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.expand = nn.Linear(width, 2 * channels)
        self.log_step = nn.Parameter(torch.empty(channels).uniform_(*map(math.log, STEPS)))
        self.log_negative_real = nn.Parameter((-eigenvalues.real).log())
        self.imaginary = nn.Parameter(eigenvalues.imag.clone())
        # two real parameters: optimizers, checkpoints and changes of the dtype treat them as any other
        self.output_real = nn.Parameter(torch.randn(channels, modes) * 0.5**0.5)
        self.output_imaginary = nn.Parameter(torch.randn(channels, modes) * 0.5**0.5)
        self.skip = nn.Parameter(torch.ones(channels))
        self.project = nn.Linear(channels, width)

    def system(self):
        """The parameters of every channel, as the functions above take them."""
        return torch.complex(self.output_real, self.output_imaginary), self.log_step, self.log_negative_real, self.imaginary

    def forward(self, x):
        """[B, T, E] -> [B, T, E]"""
        driven, gate = self._expanded(x)
        modes = self.output_real, self.output_imaginary, self.log_step, self.log_negative_real, self.imaginary
        return self._joined(x, _layer(driven.mT, *modes, self.skip).mT, gate)

    def start(self, batch):
        """The state before the first step, [B, 2 E, M]: zeros."""
        return torch.complex(self.output_real, self.output_imaginary).detach().new_zeros(batch, *self.output_real.shape)

    def step(self, x, state):
        """forward of one more step: [B, E], [B, 2 E, M] -> [B, E], [B, 2 E, M]"""
        driven, gate = self._expanded(x)
        heard, state = diagonal_step(driven, state, *self.system())
        return self._joined(x, heard + self.skip * driven, gate), state

    def _expanded(self, x):
        driven, gate = self.expand(self.norm(x)).chunk(2, -1)
        return driven.to(self.skip.dtype), gate  # phases of a long kernel need float32, also where matrix products do not

    def _joined(self, x, heard, gate):
        return x + self.project(heard * functional.silu(gate))


class S4DDecoder(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: S4DBlocks between an embedding, and a norm and a linear head.

    condition [B]: a token for each sequence, of which the embedding is added to that of all its tokens.
    """

    def __init__(self, *, vocabulary_size, width, layers, modes=16, kind="linear"):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.blocks = nn.ModuleList(S4DBlock(width, modes=modes, kind=kind) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocabulary_size)

    def forward(self, tokens, condition=None):
        """[B, T], [B] -> [B, T, V]: logits[:, t] scores the token after tokens[:, t], given it and those before."""
        x = embedded(self.embedding, tokens, condition)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def start(self, batch):
        """The state before the first token, a list of those of the blocks."""
        return [block.start(batch) for block in self.blocks]

    def step(self, tokens, states, condition=None):
        """forward of one more token, at the same cost however many there were: [B], states, [B] -> [B, V], states"""
        x, following = embedded(self.embedding, tokens, condition), []
        for block, state in zip(self.blocks, states, strict=True):
            x, state = block.step(x, state)
            following.append(state)
        return self.head(self.norm(x)), following
