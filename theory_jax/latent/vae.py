"""The variational autoencoder (lecture 18): what its loss bounds, and what each of its two terms is.

Letters: m and v are the mean and log-variance of q(z | x), l a decoder's logits, s = sigma^2 a decoder's variance.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from flax import nnx
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_rank, require_same_shape, require_unit_interval, require_values
from theory_jax.derivation import Derivation
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from theory_jax.latent.reparameterization import reparameterize

# The encoder's log-variance stays within (-10, 10).
_LOG_VAR_LIMIT = 10.0


def bernoulli_log_likelihood(x, logits):
    r"""log p(x) of independent Bernoulli pixels with success probability sigma(logits), in nats.

    sum_d [ x log sigma(logits) + (1 - x) log sigma(-logits) ]

    Raises ValueError if the shapes differ or x leaves [0, 1].  Source: Kingma & Welling 2014, appendix C.1.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, logits=logits)
    require_unit_interval(x=x)
    # Success and failure may swap names, (x, l) -> (1 - x, -l). Name them so that no logit is positive: then x l - softplus(l)
    # subtracts nothing large from anything large, and a confident right answer is e^l away from 0, not 0.
    flip = logits > 0
    logits = jnp.where(flip, -logits, logits)
    x = jnp.where(flip, 1 - x, x)
    return jnp.sum(x * logits - jax.nn.softplus(logits), axis=-1)


def gaussian_log_likelihood(x, mean, log_var):
    r"""log N(x; mean, e^log_var), diagonal, in nats.

    -1/2 sum_d [ log 2 pi + log_var + (x - mean)^2 e^-log_var ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix C.2.
    [B, D], [B, D], [B, D] -> [B]
    """
    return jnp.negative(gaussian_negative_log_likelihood(x, mean, log_var))


def kl_to_standard_normal(mean, log_var):
    r"""KL(N(mean, e^log_var) || N(0, I)), diagonal, in nats.

    1/2 sum_l [ mean^2 + e^log_var - 1 - log_var ]

    This is gaussian_kl_divergence at mean_q = log_var_q = 0, in a form that keeps its relative accuracy as the KL vanishes:
    expm1(v) - v still subtracts v from v (1 + v/2), and at v = 1e-9 in float32 nothing is left.

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, L], [B, L] -> [B]
    """
    require_rank(2, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    return jnp.sum(mean**2 / 2 + _exponential_remainder(log_var) / 2, axis=-1)


def _exponential_remainder(v):
    """e^v - 1 - v = v^2 int_0^1 (1 - u) e^{uv} du: Taylor's remainder, where 8 Gauss-Legendre nodes are exact for |v| < 1."""
    near = jnp.abs(v) < 1
    nodes, weights = np.polynomial.legendre.leggauss(8)
    nodes, weights = (nodes + 1) / 2, weights / 2
    small = jnp.where(near, v, 0)
    # A sum of 8 scalars times an array, unrolled: the Python floats take on v's own precision.
    integral = sum(float(w * (1 - u)) * jnp.exp(float(u) * small) for u, w in zip(nodes, weights, strict=True))
    large = jnp.where(near, 1, v)
    return jnp.where(near, small**2 * integral, jnp.expm1(large) - large)


def negative_elbo(x, logits, mean, log_var):
    r"""The negative evidence lower bound of a Bernoulli decoder and a standard normal prior, in nats.

    KL(N(mean, e^log_var) || N(0, I)) - log p(x | z), with logits = decoder(z) and one z drawn from N(mean, e^log_var)

    Raises ValueError if shapes differ or x leaves [0, 1].  Source: Kingma & Welling 2014, eq. 10.
    [B, D], [B, D], [B, L], [B, L] -> [B]
    """
    rate = kl_to_standard_normal(mean, log_var)
    distortion = -bernoulli_log_likelihood(x, logits)
    require(
        rate.shape == distortion.shape,
        f"mean has {rate.shape[0]} rows; it must have one for each of the {distortion.shape[0]} rows of x",
    )
    return rate + distortion


def calibrated_gaussian_negative_log_likelihood(x, mean):
    r"""-log N(x; mean, s I) at the one variance s per example that is best for it, s = mse(x, mean), in nats.

    D/2 (log 2 pi + log mse + 1),  mse = 1/D sum_d (x - mean)^2

    Raises ValueError if the shapes differ or an example is equal to its mean, reconstructed exactly (its density is unbounded).
    Source: Rybkin, Daniilidis & Levine 2021 (sigma-VAE).
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, mean=mean)
    distance = jnp.abs(x - mean)
    require_values(
        "mean",
        distance.max(axis=-1),
        lambda largest: largest > 0,
        "different from x somewhere in the row (shown is the largest residual): the best variance would be 0",
    )
    dims = x.shape[-1]
    # log mse = logsumexp(2 log |r|) - log D: squares are never formed, so none underflows. A residual of 0 contributes e^-inf;
    # its logarithm is not taken, or its gradient would be NaN.
    exact = distance == 0
    log_squares = jnp.where(exact, -jnp.inf, 2 * jnp.log(jnp.where(exact, 1, distance)))
    return dims / 2 * (math.log(2 * math.pi / dims) + logsumexp(log_squares, axis=-1) + 1)


class VariationalAutoencoder(nnx.Module):
    """Perceptrons both ways: pixels -> N(mean, e^log_var) over latents, latents -> logits of pixels."""

    def __init__(self, *, num_pixels: int, hidden_dims: tuple[int, ...], latent_dim: int, rngs: nnx.Rngs):
        def linear(inputs, outputs):
            return nnx.Linear(inputs, outputs, param_dtype=jnp.result_type(float), rngs=rngs)

        self.encoder = nnx.List([])
        width = num_pixels
        for hidden in hidden_dims:
            self.encoder.append(linear(width, hidden))
            width = hidden
        self.mean = linear(width, latent_dim)
        self.log_var = linear(width, latent_dim)
        self.decoder = nnx.List([])
        width = latent_dim
        for hidden in hidden_dims[::-1]:
            self.decoder.append(linear(width, hidden))
            width = hidden
        self.logits = linear(width, num_pixels)

    def encode(self, x):
        """Mean and log-variance of q(z | x): [B, D] -> [B, L], [B, L]."""
        h = x
        for layer in self.encoder:
            h = jax.nn.silu(layer(h))
        # A clamp would do for the forward pass, but it has no gradient outside its range: an encoder that overshoots once would
        # hear neither the KL nor the likelihood again. limit tanh(. / limit) is the identity to first order, and never deaf.
        return self.mean(h), _LOG_VAR_LIMIT * jnp.tanh(self.log_var(h) / _LOG_VAR_LIMIT)

    def decode(self, z):
        """Logits of the pixels of p(x | z): [B, L] -> [B, D]."""
        h = z
        for layer in self.decoder:
            h = jax.nn.silu(layer(h))
        return self.logits(h)

    def __call__(self, x, noise):
        """Logits at z = mean + e^(log_var / 2) noise, and q's parameters: [B, D], [B, L] -> [B, D], [B, L], [B, L]."""
        mean, log_var = self.encode(x)
        return self.decode(reparameterize(noise, mean, log_var)), mean, log_var


derivation = Derivation(
    title="The variational autoencoder: one bound, two terms",
    lectures=(18,),
    sources=(
        "Kingma & Welling 2014, Auto-Encoding Variational Bayes, eq. 10 and appendix B",
        "Rezende, Mohamed & Wierstra 2014, Stochastic backpropagation and approximate inference in deep generative models",
        "Rybkin, Daniilidis & Levine 2021, Simple and effective VAE training with calibrated decoders",
    ),
)

_random = np.random.default_rng(18)
_x = jnp.array((_random.uniform(size=(5, 4)) < 0.5).astype(float))
_logits = jnp.array(2 * _random.normal(size=(5, 4)))
_mean = jnp.array(_random.normal(size=(5, 3)))
_log_var = jnp.array(_random.normal(size=(5, 3)))
_real = jnp.array(_random.normal(size=(5, 4)))
_reconstruction = jnp.array(_real + 0.3 * _random.normal(size=(5, 4)))

# A decoder small enough to integrate over: one latent, four pixels. And for each of 16 images an encoder's opinion of it.
_weight, _bias = jnp.array([1.4, -0.9, 0.4, 1.1]), jnp.array([0.2, -0.5, 1.0, -1.1])
_images = jnp.array([[i >> d & 1 for d in range(4)] for i in range(16)], dtype=float)
_encoder_mean = (_images - 0.5) @ jnp.array([[0.7], [-0.4], [0.1], [0.8]])
_encoder_log_var = -1.8 - 0.3 * _images @ jnp.array([[1.0], [0.2], [0.0], [-0.5]])


def _decoder(z):
    """Logits of the four pixels: [N] -> [N, 4]."""
    return jnp.tanh(z)[:, None] * _weight + _bias


def _normal_nodes(count):
    """Nodes and weights of Gauss-Hermite quadrature for the expectation under N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return jnp.array(nodes), jnp.array(weights / np.sqrt(2 * np.pi))


def _gap_and_grid():
    """For each image: -ELBO by quadrature, and log p(x, z) and log q(z | x) on a grid of 20 001 z."""
    nodes, weights = _normal_nodes(80)
    grid = jnp.linspace(-12.0, 12.0, 20001)

    def of_one_image(x, m, v):
        z = m + jnp.exp(v / 2) * nodes
        rows = jnp.broadcast_to(x, (z.size, 4))
        repeated = (jnp.broadcast_to(a, (z.size, 1)) for a in (m, v))
        loss = weights @ negative_elbo(rows, _decoder(z), *repeated)
        column = grid[:, None]
        zeros = jnp.zeros_like(column)
        log_joint = bernoulli_log_likelihood(jnp.broadcast_to(x, (grid.size, 4)), _decoder(grid))
        log_joint += gaussian_log_likelihood(column, zeros, zeros)
        return loss, log_joint, gaussian_log_likelihood(column, zeros + m, zeros + v)

    loss, log_joint, log_q = jax.vmap(of_one_image)(_images, _encoder_mean, _encoder_log_var)
    return loss, log_joint, log_q, grid


@derivation.numeric(
    r"\mathrm{KL}(\mathcal{N}(m, e^{v})\,\|\,\mathcal{N}(0,1)) = \mathbb{E}_q[\log q(z) - \log p(z)]"
    r" = \tfrac12\left(m^2 + e^{v} - 1 - v\right)",
    because="log q - log p = (z^2 - (z - m)^2 e^-v - v) / 2. Under q the second moment of z is m^2 + e^v and that of the "
    "standardized z is 1, so the expectation is elementary: the KL term of a VAE needs no samples. The dimensions of a diagonal "
    "Gaussian are independent, so their divergences add.",
)
def the_kl_is_an_expectation():
    nodes, weights = _normal_nodes(80)
    z = _mean[..., None] + jnp.exp(_log_var / 2)[..., None] * nodes
    flat = z.reshape(-1, 80)
    repeated = [jnp.broadcast_to(a[..., None], z.shape).reshape(-1, 80) for a in (_mean, _log_var)]

    # One number at a time: 80 nodes are 80 separate values of log q and log p.
    def log_density(z, mean, log_var):
        column = (a.reshape(-1, 1) for a in (z, mean, log_var))
        return gaussian_log_likelihood(*column).reshape(z.shape)

    log_ratio = log_density(flat, *repeated) - log_density(flat, jnp.zeros_like(flat), jnp.zeros_like(flat))
    return kl_to_standard_normal(_mean, _log_var), (log_ratio @ weights).reshape(_mean.shape).sum(-1)


@derivation.symbolic(
    r"e^{v} - 1 - v = v^2 \int_0^1 (1 - u)\, e^{u v}\, du",
    because="Taylor's theorem at 0 with the remainder as an integral. The integrand is positive for u < 1, whatever v is: the "
    "remainder is v^2 times a positive number, and vanishes only where v does.",
)
def the_remainder_is_a_square_times_a_positive_integral():
    u = sympy.symbols("u", positive=True)
    v = sympy.symbols("v", nonzero=True, real=True)
    return sympy.exp(v) - 1 - v, v**2 * sympy.integrate((1 - u) * sympy.exp(u * v), (u, 0, 1))


@derivation.bound(
    r"\mathrm{KL}(\mathcal{N}(m, e^{v})\,\|\,\mathcal{N}(0, I)) \ge 0 \quad\text{with equality iff}\quad m = 0,\ v = 0",
    because="The divergence is half a sum of m^2 and of e^v - 1 - v, and neither is ever negative. So a posterior costs nothing "
    "only if it is the prior, which is to say: if it tells nothing about x.",
)
def the_kl_vanishes_only_at_the_prior():
    tiny = jnp.array([[1e-7, 0.0, 0.0], [0.0, 1e-7, 0.0], [0.0, 0.0, -1e-7], [0.0, 0.0, -30.0], [0.0, 0.0, 5.0]])
    kl = jnp.concatenate([kl_to_standard_normal(_mean, _log_var), kl_to_standard_normal(0 * tiny, tiny)])
    smallest_positive = jnp.full(kl.shape, 1e-15)
    at_the_prior = kl_to_standard_normal(jnp.zeros((5, 3)), jnp.zeros((5, 3)))
    return smallest_positive, kl, (at_the_prior, jnp.zeros(5))


@derivation.autodiff(
    r"\frac{\partial}{\partial l}\left[x \log\sigma(l) + (1 - x)\log\sigma(-l)\right] = x - \sigma(l)",
    because="log sigma(l) has slope sigma(-l) = 1 - sigma(l), and log sigma(-l) has slope -sigma(l). What the decoder receives "
    "is the difference between the pixel and its probability: bounded, and zero only where they agree.",
)
def the_decoder_receives_pixel_minus_probability():
    gradient = jax.grad(lambda logits: bernoulli_log_likelihood(_x, logits).sum())(_logits)
    return gradient, _x - jax.nn.sigmoid(_logits)


@derivation.numeric(
    r"x l - \mathrm{softplus}(l) = x \log p + (1 - x)\log(1 - p), \qquad p = \sigma(l)",
    because="log sigma(-l) = -softplus(l) and log sigma(l) = l - softplus(l). Both sides are the same function, but the right "
    "one rounds p to 1 from l = 37 on (l = 17 in float32) and answers -inf: train on logits, never on probabilities.",
)
def the_stable_form_is_the_naive_one():
    p = jax.nn.sigmoid(_logits)
    return bernoulli_log_likelihood(_x, _logits), jnp.sum(_x * jnp.log(p) + (1 - _x) * jnp.log(1 - p), axis=-1)


@derivation.bound(
    r"-\mathrm{ELBO}(x) = \mathrm{KL}(q(z|x)\,\|\,p(z)) - \mathbb{E}_q \log p(x|z) \;\ge\; -\log p(x)",
    because="Jensen's inequality under q: log p(x) = log E_q[p(x, z) / q(z)] >= E_q log[p(x, z) / q(z)]. The bound is tight "
    "where q is the posterior: a decoder that ignores z has the prior as its posterior, and q = p(z) attains log p(x).",
)
def the_loss_is_above_the_surprise():
    loss, log_joint, _, grid = _gap_and_grid()
    surprise = -jnp.log(jnp.trapezoid(jnp.exp(log_joint), grid, axis=-1))
    constant = jnp.broadcast_to(_bias, (16, 4))
    deaf_decoder = negative_elbo(_images, constant, jnp.zeros((16, 1)), jnp.zeros((16, 1)))
    return surprise, loss, (deaf_decoder, -bernoulli_log_likelihood(_images, constant))


@derivation.numeric(
    r"-\mathrm{ELBO}(x) + \log p(x) = \mathrm{KL}(q(z|x)\,\|\,p(z|x))",
    because="Insert p(x, z) = p(z|x) p(x): the ELBO is log p(x) + E_q log[p(z|x) / q(z|x)]. Training the encoder alone moves q "
    "toward the true posterior, since p(x) does not depend on q; training both trades likelihood against this gap.",
)
def the_gap_is_the_divergence_from_the_posterior():
    loss, log_joint, log_q, grid = _gap_and_grid()
    log_marginal = jnp.log(jnp.trapezoid(jnp.exp(log_joint), grid, axis=-1))
    log_posterior = log_joint - log_marginal[:, None]
    divergence = jnp.trapezoid(jnp.exp(log_q) * (log_q - log_posterior), grid, axis=-1)
    return loss + log_marginal, divergence


@derivation.numeric(
    r"\|x - m\|^2 + \beta\,\mathrm{KL} = \beta\left[\mathrm{KL} - \log\mathcal{N}(x; m, s I)\right]"
    r" - \tfrac{\beta D}{2}\log 2\pi s, \qquad s = \tfrac{\beta}{2}",
    because="-log N(x; m, s I) = ||x - m||^2 / (2s) + (D/2) log(2 pi s); multiply by beta = 2s. A squared-error loss with a "
    "weight on the KL is a Gaussian VAE with that much noise: choosing beta is choosing how precise the decoder claims to be. "
    "Averaging the error over D pixels divides it by D, and so multiplies beta by D without saying so.",
)
def the_weight_of_a_squared_error_is_a_noise_variance():
    beta = 0.37
    kl = kl_to_standard_normal(_mean, _log_var)
    variance = jnp.full(_real.shape, beta / 2)
    gaussian_loss = kl - gaussian_log_likelihood(_real, _reconstruction, jnp.log(variance))
    left = jnp.sum((_real - _reconstruction) ** 2, axis=-1) + beta * kl
    return left, beta * gaussian_loss - beta / 2 * jnp.sum(jnp.log(2 * jnp.pi * variance), axis=-1)


@derivation.autodiff(
    r"\frac{\partial}{\partial \log s}\left[-\log\mathcal{N}(x; m, s I)\right] = 0"
    r" \quad\text{at}\quad s^* = \tfrac1D\|x - m\|^2",
    because="The derivative in log s is (D - ||x - m||^2 / s) / 2. It vanishes at the mean squared error, and rises through "
    "zero: the best noise variance is the error that the decoder really makes, and need not be tuned.",
)
def the_best_variance_is_the_mean_squared_error():
    def loss(log_s):
        return -gaussian_log_likelihood(_real, _reconstruction, jnp.broadcast_to(log_s[:, None], _real.shape)).sum()

    best = jnp.log(jnp.mean((_real - _reconstruction) ** 2, axis=-1))
    return jax.grad(loss)(best), jnp.zeros(5)


@derivation.numeric(
    r"\min_s -\log\mathcal{N}(x; m, s I) = \tfrac{D}{2}\left(\log 2\pi + \log\tfrac1D\|x - m\|^2 + 1\right)",
    because="At s* the quadratic term is D/2, whatever the error. What is left of the error is its logarithm: halving it gains "
    "the same (D/2) log 2 nats at any scale, so this loss needs no weight against the KL.",
)
def the_calibrated_loss_has_the_best_variance_in_it():
    best = jnp.log(jnp.mean((_real - _reconstruction) ** 2, axis=-1, keepdims=True))
    at_best = -gaussian_log_likelihood(_real, _reconstruction, jnp.broadcast_to(best, _real.shape))
    return calibrated_gaussian_negative_log_likelihood(_real, _reconstruction), at_best


if __name__ == "__main__":
    derivation.main()
