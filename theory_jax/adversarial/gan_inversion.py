"""Inversion by optimization (lecture 12): the code of an image by descent, when it is found, and when it cannot be.

G is the generator, z a code, and a mask is True at the pixels that are seen.
"""

import jax
import jax.numpy as jnp

from theory_jax.adversarial.latent_regression import linear_generator_inverse
from theory_jax.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_unit_interval,
)


def inversion_objective(x, reconstruction, z, mask, *, prior_weight):
    r"""sum over the seen pixels of (x - reconstruction)^2, plus prior_weight |z|^2; hidden pixels may hold anything.

    With the variance of the pixels' noise as prior_weight it is -log p(z|x), up to a factor and a constant.

    Raises ValueError if the batch sizes or the shapes of x, reconstruction and mask differ, mask does not hold truth values, or
    prior_weight is negative.  Source: Creswell & Bharath 2018, eq. 2; Yeh et al. 2017, section 3.
    [B, D], [B, D], [B, L], [B, D] -> [B]
    """
    require_rank(2, x=x, z=z)
    require_same_shape(x=x, reconstruction=reconstruction, mask=mask)
    require(len(z) == len(x), f"z has {len(z)} rows; it must have one for each of the {len(x)} rows of x")
    dtype = jnp.result_type(mask)
    require(jnp.issubdtype(dtype, jnp.bool_), f"mask has dtype {dtype}; it must hold truth values")
    require_at_least(0, prior_weight=prior_weight)
    residual = jnp.where(mask, x - reconstruction, 0.0)  # and not a product with the mask: a hidden pixel may hold NaN
    return jnp.sum(residual**2, axis=1) + prior_weight * jnp.sum(z**2, axis=1)


def invert_by_gradient_descent(x, initial_z, mask, generator_fn, *, learning_rate, num_steps, prior_weight=0.0):
    r"""z <- z - learning_rate * gradient of inversion_objective at G(z), `num_steps` times from initial_z, for each example.

    generator_fn maps codes [B, L] to images [B, D].

    Raises ValueError if the shapes of x, initial_z, mask and generator_fn(initial_z) do not fit, mask does not hold truth values,
    learning_rate is not positive, or num_steps or prior_weight is negative.
    Source: Lipton & Tripathi 2017; Creswell & Bharath 2018, algorithm 1.
    [B, D], [B, L], [B, D] -> [B, L]
    """
    require_rank(2, x=x, initial_z=initial_z)
    require(len(initial_z) == len(x), f"initial_z has {len(initial_z)} rows; it must have one for each of the {len(x)} rows of x")
    require_positive(learning_rate=learning_rate)
    require_at_least(0, num_steps=num_steps)

    def objective(z):
        made = generator_fn(z)
        mismatch = f"generator_fn makes images of shape {list(made.shape)}; it must be that of x, {list(x.shape)}"
        require(made.shape == x.shape, mismatch)
        return inversion_objective(x, made, z, mask, prior_weight=prior_weight).sum()

    objective(initial_z)  # its checks, also where no step is taken
    return jax.lax.fori_loop(0, num_steps, lambda _, z: z - learning_rate * jax.grad(objective)(z), initial_z)


def gauss_newton_step(z, residual, jacobian, *, damping):
    r"""z + (J^T J + damping I)^-1 J^T residual, where residual = x - G(z) and J is the Jacobian of G at z.

    Raises ValueError if the shapes of z, residual and jacobian do not fit, or damping is not positive.
    Source: Nocedal & Wright 2006, section 10.3 (Levenberg and Marquardt).
    [B, L], [B, D], [B, D, L] -> [B, L]
    """
    require_rank(2, z=z, residual=residual)
    require(len(residual) == len(z), f"residual has {len(residual)} rows; it must have one for each of the {len(z)} rows of z")
    require_shape((len(z), residual.shape[1], z.shape[1]), jacobian=jacobian)
    require_positive(damping=damping)

    def solved(residual, jacobian):
        return linear_generator_inverse(residual[None], jacobian, jnp.zeros_like(residual), ridge=damping)[0]

    return z + jax.vmap(solved)(residual, jacobian)


def stochastic_clip(z, uniforms, *, bound):
    r"""z where |z| <= bound, bound (2 uniforms - 1) elsewhere: what left the prior's range begins anew within it.

    Raises ValueError if the shapes differ, an entry of uniforms is outside [0, 1], or bound is not positive.
    Source: Lipton & Tripathi 2017, section 2.
    [B, L], [B, L] -> [B, L]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    require_positive(bound=bound)
    return jnp.where(jnp.abs(z) > bound, bound * (2 * uniforms - 1), z)
