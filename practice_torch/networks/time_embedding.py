"""Embeddings of the noise level, for networks that are conditional on it."""

import math

import torch

from practice_torch.arguments import require, require_positive, require_rank


def sinusoidal_time_embedding(t, *, dim, max_period=10000.0):
    r"""[sin(t f_i), cos(t f_i)] with the frequencies f_i = max_period^(-i / (dim/2 - 1)), i = 0..dim/2-1: sines first.

    t may be real. The first frequency is 1 and the last 1/max_period; dim = 2 has the first alone. Integers become the default
    floating type.

    Raises ValueError unless dim is even and positive and max_period is positive.  Source: Vaswani et al. 2017, section 3.5;
    Ho et al. 2020, appendix B.
    [B] -> [B, dim]
    """
    require_rank(1, t=t)
    require(dim >= 2 and dim % 2 == 0, f"dim is {dim}; it must be even and at least 2: a sine and a cosine for each frequency")
    require_positive(max_period=max_period)
    t = t if t.is_floating_point() else t.to(torch.get_default_dtype())
    step = -math.log(max_period) / max(dim // 2 - 1, 1)
    angles = t[:, None] * torch.exp(step * torch.arange(dim // 2, dtype=t.dtype, device=t.device))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
