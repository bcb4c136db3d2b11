"""The hierarchical VAE: the rate of each level, Gaussians relative to their prior, and the product of two Gaussians."""

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_shape, require_values
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.latent.reparameterization import reparameterize
from theory_jax.mathematics.elementary import exponential_remainder


def precision_weighted_product(mean_a, log_var_a, mean_b, log_var_b):
    r"""Mean and log-variance of the Gaussian that is proportional to N(z; mean_a, e^log_var_a) N(z; mean_b, e^log_var_b).

    Precisions add: 1/v = 1/v_a + 1/v_b, and the mean is v (mean_a / v_a + mean_b / v_b).

    Raises ValueError if the shapes differ.  Source: Sonderby et al. 2016, section 2.2.
    [B, L], [B, L], [B, L], [B, L] -> [B, L], [B, L]
    """
    require_rank(2, mean_a=mean_a)
    require_same_shape(mean_a=mean_a, log_var_a=log_var_a, mean_b=mean_b, log_var_b=log_var_b)
    # v / v_a = v_b / (v_a + v_b) is a sigmoid of the difference of the log-variances: no precision is formed.
    narrower = jnp.subtract(log_var_b, log_var_a)
    mean = jax.nn.sigmoid(narrower) * mean_a + jax.nn.sigmoid(-narrower) * mean_b
    return mean, -jnp.logaddexp(-log_var_a, -log_var_b)


def residual_gaussian_kl(delta_mean, delta_log_var, prior_log_var):
    r"""KL(N(m + delta_mean, v e^delta_log_var) || N(m, v)) with v = e^prior_log_var and any m, diagonal, in nats.

    1/2 sum_l [ delta_mean^2 / v + e^delta_log_var - 1 - delta_log_var ]

    Raises ValueError if the shapes differ.  Source: Vahdat & Kautz 2020, section 3.2.
    [B, L], [B, L], [B, L] -> [B]
    """
    require_rank(2, delta_mean=delta_mean)
    require_same_shape(delta_mean=delta_mean, delta_log_var=delta_log_var, prior_log_var=prior_log_var)
    standardized = delta_mean * jnp.exp(-prior_log_var / 2)
    return jnp.sum(standardized**2 + exponential_remainder(delta_log_var), axis=1) / 2


def hierarchical_kl(posterior_means, posterior_log_vars, prior_means, prior_log_vars):
    r"""KL(N(posterior_means[i], e^posterior_log_vars[i]) || N(prior_means[i], e^prior_log_vars[i])) of each level i, in nats.

    Column i is the divergence of level i, given the drawn latents of the level above it. Their sum is an unbiased estimate of
    the divergence of all levels if these latents are drawn from the posterior. Level i is [B, L_i].

    Raises ValueError if posterior_means is empty or has an array that is not [B, L_i], or posterior_log_vars, prior_means or
    prior_log_vars has another number of levels or other shapes.  Source: Sonderby et al. 2016, section 2.
    ([...]), ([...]), ([...]), ([...]) -> [B, M]
    """
    num_levels = len(posterior_means)
    require(num_levels >= 1, "posterior_means is empty; it must have an array for each level")
    others = {"posterior_log_vars": posterior_log_vars, "prior_means": prior_means, "prior_log_vars": prior_log_vars}
    for name, levels in others.items():
        require(
            len(levels) == num_levels, f"{name} has {len(levels)} levels; it must have those of posterior_means, {num_levels}"
        )
    for level, mean in enumerate(posterior_means):
        of_level = {f"posterior_means[{level}]": mean} | {f"{name}[{level}]": of[level] for name, of in others.items()}
        require_rank(2, **of_level)
        require_same_shape(**of_level)
        rows, wanted = len(mean), len(posterior_means[0])
        require(rows == wanted, f"posterior_means[{level}] has {rows} rows; it must have those of posterior_means[0], {wanted}")
    levels = zip(posterior_means, posterior_log_vars, prior_means, prior_log_vars, strict=True)
    return jnp.stack([gaussian_kl_divergence(*level) for level in levels], axis=1)


def hierarchical_negative_elbo(negative_log_likelihood, kl_levels, level_weights):
    r"""negative_log_likelihood + sum_m level_weights_m kl_levels_m, in nats: the loss of a VAE with M levels of latents.

    With all weights 1 it is the negative evidence lower bound; weights that rise from 0 are a warm-up of each level.

    Raises ValueError if negative_log_likelihood is not [B], kl_levels not [B, M], level_weights not [M], or a weight is negative.
    Source: Sonderby et al. 2016, section 2.
    [B], [B, M], [M] -> [B]
    """
    require_rank(1, negative_log_likelihood=negative_log_likelihood)
    require_rank(2, kl_levels=kl_levels)
    require_shape((len(negative_log_likelihood), kl_levels.shape[1]), kl_levels=kl_levels)
    require_shape((kl_levels.shape[1],), level_weights=level_weights)
    require_values("level_weights", level_weights, lambda w: w >= 0, "nonnegative")
    return negative_log_likelihood + jnp.sum(kl_levels * level_weights, axis=1)


def soft_clip(x, *, limit=5.0):
    r"""limit tanh(x / limit): within (-limit, limit), and to first order x near 0.

    Raises ValueError if limit is not positive.  Source: Vahdat & Kautz 2020, the authors' code.
    [B, ...] -> [B, ...]
    """
    require_positive(limit=limit)
    return limit * jnp.tanh(x / limit)


class LadderVariationalAutoencoder(nnx.Module):
    """Perceptrons from pixels up to the last level, and from there down to the pixels; the levels' widths are latent_dims.

    On the way up each level receives a message, mean and log-variance. The last level's is its posterior; the posterior of a
    level below is the precision-weighted product of its message and its prior, which is computed of the drawn level above.
    """

    def __init__(self, *, num_pixels: int, hidden_dim: int, latent_dims: tuple[int, ...], rngs: nnx.Rngs):
        def linear(inputs, outputs):
            return nnx.Linear(inputs, outputs, param_dtype=jnp.result_type(float), rngs=rngs)

        self.latent_dims = tuple(latent_dims)
        self.up = nnx.List([linear(hidden_dim if level else num_pixels, hidden_dim) for level in range(len(latent_dims))])
        self.messages = nnx.List([linear(hidden_dim, 2 * width) for width in latent_dims])
        self.down = nnx.List([linear(width, hidden_dim) for width in latent_dims[1:]])
        self.priors = nnx.List([linear(hidden_dim, 2 * width) for width in latent_dims[:-1]])
        self.decoder = linear(latent_dims[0], hidden_dim)
        self.logits = linear(hidden_dim, num_pixels)

    def encode(self, x):
        """Means and log-variances of the messages, from the first level to the last: [B, D] -> ([B, L_i]), ([B, L_i])."""
        means, log_vars, h = (), (), x
        for layer, message in zip(self.up, self.messages, strict=True):
            h = jax.nn.silu(layer(h))
            mean, log_var = _mean_and_log_var(message(h))
            means, log_vars = (*means, mean), (*log_vars, log_var)
        return means, log_vars

    def prior(self, level, above):
        """Mean and log-variance of p(z_i | z_{i+1}) of a level i below the last: [B, L_{i+1}] -> [B, L_i], [B, L_i]."""
        return _mean_and_log_var(self.priors[level](jax.nn.silu(self.down[level](above))))

    def decode(self, z):
        """Logits of the pixels of p(x | z_1): [B, L_1] -> [B, D]."""
        return self.logits(jax.nn.silu(self.decoder(z)))

    def draw(self, noise):
        """z_1 of the model: each level is drawn from its prior, given the level above: [B, L_1 + ...] -> [B, L_1]."""
        noises = self._of_levels(noise)
        z = noises[-1]
        for level in range(len(noises) - 2, -1, -1):
            z = reparameterize(noises[level], *self.prior(level, z))
        return z

    def __call__(self, x, noise):
        """Logits at drawn latents, and the rate of each level: [B, D], [B, L_1 + L_2 + ...] -> [B, D], [B, M]."""
        means, log_vars = self.encode(x)
        last = len(means) - 1
        rates, z = (), None
        for level in range(last, -1, -1):
            of_level = means[level], log_vars[level]
            prior = self.prior(level, z) if level < last else tuple(jnp.zeros_like(of) for of in of_level)
            posterior = precision_weighted_product(*prior, *of_level) if level < last else of_level
            z = reparameterize(self._of_levels(noise)[level], *posterior)
            rates = (gaussian_kl_divergence(*posterior, *prior), *rates)
        return self.decode(z), jnp.stack(rates, axis=1)

    def _of_levels(self, noise):
        ends = [sum(self.latent_dims[: level + 1]) for level in range(len(self.latent_dims))]
        return [noise[:, end - width : end] for end, width in zip(ends, self.latent_dims, strict=True)]


class ResidualLadder(nnx.Module):
    """Convolutions from images [B, C, H, W] up to the last level, and down again to `outputs` numbers for the law of each pixel.

    All levels have latent_dim channels at half the resolution. A posterior is relative to its prior, N(m + delta_mean,
    v e^delta_log_var) to N(m, v), as in NVAE; both depend on the drawn levels above, and the last level's prior on nothing.
    Inside, channels are last.
    """

    def __init__(self, *, colors: int, outputs: int, width: int, latent_dim: int, groups: int, cells: int, rngs: nnx.Rngs):
        def each(inputs, size, window):
            return nnx.List([_convolution(inputs, size, window, rngs) for _ in range(groups)])

        self.cells = cells
        self.halve = _convolution(colors, width, 4, rngs, strides=2, padding=1)
        self.up, self.down = (nnx.List([_ResidualCell(width, rngs) for _ in range(groups * cells)]) for _ in range(2))
        self.start = nnx.Param(jnp.zeros(width))
        self.seen, self.codes = each(width, width, 1), each(latent_dim, width, 1)
        self.posteriors, self.priors = each(width, 2 * latent_dim, 3), each(width, 2 * latent_dim, 1)
        self.enlarge, self.last = _convolution(width, width, 3, rngs), _ResidualCell(width, rngs)
        self.law = _convolution(width, outputs, 3, rngs)

    def __call__(self, x, noise):
        """The law at drawn latents, and the rate of each level: [B, C, H, W], [B, M, L, H/2, W/2] -> [B, O, H, W], [B, M]."""
        noise = jnp.moveaxis(noise, 2, -1)
        above, below = [self.halve(jnp.moveaxis(x, 1, -1))], jnp.zeros(noise.shape[2:4])[..., None] + self.start[...]
        for level in range(noise.shape[1]):
            above.append(self._cells(self.up, level, above[-1]))
        h, rates = jnp.broadcast_to(below, (len(x), *below.shape)), ()
        for level in range(noise.shape[1] - 1, -1, -1):
            m, log_v = _mean_and_log_var(self.priors[level](jax.nn.silu(h)), axis=-1)
            delta = _mean_and_log_var(self.posteriors[level](jax.nn.silu(above[level + 1] + self.seen[level](h))), axis=-1)
            rates = (residual_gaussian_kl(*(part.reshape(len(x), -1) for part in (*delta, log_v))), *rates)
            z = m + delta[0] + jnp.exp((log_v + delta[1]) / 2) * noise[:, level]
            h = self._cells(self.down, level, h + self.codes[level](z))
        doubled = jnp.repeat(jnp.repeat(h, 2, axis=1), 2, axis=2)
        law = self.law(jax.nn.silu(self.last(self.enlarge(doubled))))
        return jnp.moveaxis(law, -1, 1), jnp.stack(rates, axis=1)

    def _cells(self, cells, level, h):
        for number in range(level * self.cells, (level + 1) * self.cells):
            h = cells[number](h)
        return h


class _ResidualCell(nnx.Module):
    """x + outer(silu(inner(silu(x))))."""

    def __init__(self, width, rngs):
        self.inner, self.outer = _convolution(width, width, 3, rngs), _convolution(width, width, 3, rngs)

    def __call__(self, x):
        return x + self.outer(jax.nn.silu(self.inner(jax.nn.silu(x))))


def _convolution(inputs, outputs, window, rngs, **how):
    return nnx.Conv(inputs, outputs, (window, window), param_dtype=jnp.result_type(float), rngs=rngs, **how)


def _mean_and_log_var(h, axis=1):
    mean, log_var = jnp.split(h, 2, axis=axis)
    return mean, soft_clip(log_var)
