"""A jump of DDIM from level t to level s: what its noise is made of, and how much of it may be new."""

import jax.numpy as jnp

from theory_jax.arguments import require_at_least, require_values, widened
from theory_jax.mathematics.levels import level_at


def shares(t, s, alpha_bar, eta):
    """(1 - a_t/a_s)/(1 - a_t), which times eta^2 is the new noise's share; and the old noise's, as a sum without cancellation.
    At s = 0 there is no noise to share, and nothing here has a slope."""
    t, s = widened(t), widened(s)
    a_t, a_s = level_at(t, alpha_bar), level_at(s, alpha_bar)
    new = (a_s - a_t) / (a_s * (1 - a_t))
    old = (1 - eta**2) + eta**2 * a_t * (1 - a_s) / (a_s * (1 - a_t))
    return jnp.where(s == 0, 1.0, new), jnp.where(s == 0, 1.0, old)


def require_eta(t, s, alpha_bar, eta):
    """The standard deviation of a jump's noise: at most all the noise of level s."""
    require_at_least(0, eta=eta)
    if eta > 1:  # up to 1 some of the old noise is always left
        _, old = shares(t, s, alpha_bar, eta)
        require_values(f"the old noise's share at eta = {eta}", old, lambda share: share >= 0, "at least 0: choose a smaller eta")
