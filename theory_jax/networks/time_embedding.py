"""Time as a vector, for networks conditioned on the noise level."""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_positive, require_rank, widened


def sinusoidal_time_embedding(t, *, dim, max_period=10000.0):
    r"""[sin(t f_i), cos(t f_i)] with the frequencies f_i = max_period^(-i / (dim/2 - 1)), i = 0..dim/2-1: sines first.

    t may be real. The first frequency is 1 and the last 1/max_period; dim = 2 has the first alone. Integers become the default
    floating type.

    Raises ValueError unless dim is even and positive and max_period is positive.  Source: Vaswani et al. 2017, section 3.5;
    Ho et al. 2020, appendix B.
    [B] -> [B, dim]
    """
    require_rank(1, t=t)
    require(dim > 0 and dim % 2 == 0, f"dim is {dim}; it must be even and at least 2, for pairs of a sine and a cosine")
    require_positive(max_period=max_period)
    t = t if jnp.issubdtype(t.dtype, jnp.floating) else widened(t).astype(float)
    frequencies = np.geomspace(1.0, 1.0 / max_period, dim // 2)  # a ladder of equal ratios, in float64 for any t
    angles = jnp.outer(t, jnp.asarray(frequencies, dtype=t.dtype))
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=1)
