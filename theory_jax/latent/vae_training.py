"""Training a VAE (lecture 20): the linear VAE, where the ELBO's optima are known, and what keeps latents from collapsing.

Letters: W is the decoder's weight, V the encoder's, mu the decoder's mean, s = e^decoder_log_var its variance.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.arguments import require, require_at_least, require_rank, require_same_shape, require_values, widened
from theory_jax.derivation import Derivation
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from theory_jax.latent.vae import kl_to_standard_normal


def linear_kl_weight(steps, *, warmup_steps):
    r"""The weight of the KL at each step, rising linearly from 0 to 1 and staying there.

    min(step / warmup_steps, 1)

    Raises ValueError if warmup_steps < 1 or a step is negative.  Source: Bowman et al. 2016, section 3.1.
    [N] -> [N]
    """
    require_rank(1, steps=steps)
    require_values("steps", steps, lambda steps: steps >= 0, "at least 0")
    require_at_least(1, warmup_steps=warmup_steps)
    steps = widened(steps)
    return jnp.where(steps < warmup_steps, steps / warmup_steps, 1)


def cyclical_kl_weight(steps, *, cycle_length, ramp_fraction=0.5):
    r"""The weight of the KL at each step, rising from 0 to 1 within the first ramp_fraction of every cycle.

    min(((step mod cycle_length) / cycle_length) / ramp_fraction, 1)

    Raises ValueError if cycle_length < 1, ramp_fraction leaves (0, 1] or a step is negative.  Source: Fu et al. 2019, eqs. 6-7.
    [N] -> [N]
    """
    require_rank(1, steps=steps)
    require_values("steps", steps, lambda steps: steps >= 0, "at least 0")
    require_at_least(1, cycle_length=cycle_length)
    require(0 < ramp_fraction <= 1, f"ramp_fraction is {ramp_fraction}; it must be within (0, 1]")
    # The step is reduced before it is divided: the remainder of a count is exact, that of a quotient of a large count is not.
    return jnp.minimum(widened(steps) % cycle_length / cycle_length / ramp_fraction, 1)


def kl_per_dimension(mean, log_var):
    r"""KL(N(mean, e^log_var) || N(0, 1)) of every latent by itself, in nats.

    1/2 (mean^2 + e^log_var - 1 - log_var)

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, L], [B, L] -> [B, L]
    """
    require_rank(2, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    # A latent by itself is a Gaussian of one dimension: the batch of examples, mapped over the latents.
    one_latent = jax.vmap(lambda m, v: kl_to_standard_normal(m[:, None], v[:, None]), in_axes=1, out_axes=1)
    return one_latent(mean, log_var)


def free_bits_kl(kl_per_dimension, *, minimum):
    r"""The KL with a floor under every latent, in nats: up to the floor a latent is free, and gets no gradient.

    sum_l max(KL_l, minimum)

    The floor is per example; the paper's floor under the minibatch mean of a group is this function of that mean, with B = 1.

    Raises ValueError if minimum < 0.  Source: Kingma et al. 2016, appendix C.8.
    [B, L] -> [B]
    """
    require_rank(2, kl_per_dimension=kl_per_dimension)
    require_at_least(0, minimum=minimum)
    # Not jnp.maximum: where the two are equal it would pass half of the gradient, and a latent at the floor is free.
    return jnp.sum(jnp.where(kl_per_dimension <= minimum, minimum, kl_per_dimension), axis=1)


def latent_activity(mean):
    r"""Var_x(E_q[z_l]) over the data, biased (1/N): how much a latent's mean says about x. Above 0.01 it counts as active.

    Raises ValueError if mean has no rows.  Source: Burda, Grosse & Salakhutdinov 2016, section 5.
    [N, L] -> [L]
    """
    require_rank(2, mean=mean)
    require(mean.shape[0] > 0, f"mean has shape {list(mean.shape)}; a variance over the data needs at least 1 row")
    centered = mean - mean.mean(axis=0)
    return jnp.mean(centered**2, axis=0)


def linear_vae_negative_elbo(x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var):
    r"""The exact -ELBO, in nats, of the VAE whose decoder and encoder are linear.

    p(x|z) = N(W z + mu, s I),  s = e^decoder_log_var;  q(z|x) = N(V (x - mu), diag(e^posterior_log_var))

    KL(q || N(0, I)) - log N(x; W V (x - mu) + mu, s I) + 1/(2s) sum_l e^posterior_log_var_l ||w_l||^2

    Raises ValueError if the shapes do not fit.  Source: Lucas et al. 2019, section 4.
    [B, D], [D, L], [D], [], [L, D], [L] -> [B]
    """
    require_rank(2, x=x, weight=weight, encoder_weight=encoder_weight)
    require_rank(1, decoder_mean=decoder_mean, posterior_log_var=posterior_log_var)
    require_rank(0, decoder_log_var=decoder_log_var)
    pixels, latents = weight.shape
    for name, got, allowed in (
        ("x", x.shape[1], pixels),
        ("decoder_mean", decoder_mean.shape[0], pixels),
        ("encoder_weight", encoder_weight.shape, weight.shape[::-1]),
        ("posterior_log_var", posterior_log_var.shape[0], latents),
    ):
        require(got == allowed, f"{name} is for {got}; beside a weight of {list(weight.shape)} it must be for {allowed}")

    def of_one(x):
        z = encoder_weight @ (x - decoder_mean)
        rate = kl_to_standard_normal(z[None], posterior_log_var[None])[0]
        noise = jnp.full_like(x, decoder_log_var)
        return rate + gaussian_negative_log_likelihood(x[None], (weight @ z + decoder_mean)[None], noise[None])[0]

    # What z's own noise adds to the squared error: tr(W diag(e^v) W^T), the same for every x.
    spread = jnp.sum((weight * jnp.exp((posterior_log_var - decoder_log_var) / 2)) ** 2)
    return jax.vmap(of_one)(x) + spread / 2


derivation = Derivation(
    title="Training a VAE: what the linear case knows about collapse",
    lectures=(20,),
    sources=(
        "Lucas, Tucker, Grosse & Norouzi 2019, Don't blame the ELBO! A linear VAE perspective on posterior collapse",
        "Tipping & Bishop 1999, Probabilistic principal component analysis",
        "Bowman et al. 2016, Generating sentences from a continuous space: the warm-up of the KL",
        "Fu et al. 2019, Cyclical annealing schedule",
        "Kingma et al. 2016, Improved variational inference with inverse autoregressive flow: free bits",
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders: active units",
    ),
)

_random = np.random.default_rng(20)
_DATA, _PIXELS, _LATENTS = 40, 5, 2
_x = jnp.array(_random.normal(size=(_DATA, _PIXELS)) * np.array([2.0, 1.5, 0.8, 0.6, 0.5]) @ _random.normal(size=(5, 5)) + 0.7)
_mu = _x.mean(axis=0)
_eigenvalues, _eigenvectors = np.linalg.eigh(np.cov(_x.T, bias=True))  # ascending
_s = _eigenvalues[:-_LATENTS].mean()
_posteriors = tuple(jnp.array(scale * _random.normal(size=(6, 3))) for scale in (0.9, 0.5))
_COLLAPSED_SIZE = 2 * _PIXELS * _LATENTS + _LATENTS


def _some_model():
    """A linear VAE away from any optimum: W, mu, log s, V, v."""
    weight, encoder_weight = (jnp.array(_random.normal(size=shape)) for shape in ((_PIXELS, _LATENTS), (_LATENTS, _PIXELS)))
    return weight, jnp.array(_random.normal(size=_PIXELS)), jnp.array(-0.4), encoder_weight, jnp.array([-0.8, 0.3])


def _log_marginal(weight, mean, log_var):
    """log N(x; mu, W W^T + s I) of every data point."""
    covariance = weight @ weight.T + jnp.exp(log_var) * jnp.eye(_PIXELS)
    return jax.scipy.stats.multivariate_normal.logpdf(_x, mean, covariance)


def _with_exact_posterior(weight, log_var):
    """V and v of the exact posterior N(M^-1 W^T (x - mu), s M^-1), M = W^T W + s I, where M is diagonal."""
    m = jnp.sum(weight**2, axis=0) + jnp.exp(log_var)
    return weight.T / m[:, None], log_var - jnp.log(m)


def _principal_components():
    """The maximum-likelihood model of probabilistic PCA, as a linear VAE."""
    largest = slice(-_LATENTS, None)
    weight = jnp.array(_eigenvectors[:, largest] * np.sqrt(_eigenvalues[largest] - _s))
    log_var = jnp.log(_s)
    return weight, _mu, log_var, *_with_exact_posterior(weight, log_var)


@derivation.numeric(
    r"-\mathrm{ELBO}(x) = -\log\mathcal{N}(x; \mu, W W^\top + s I) + \mathrm{KL}(q(z|x)\,\|\,p(z|x))",
    because="A linear Gaussian model is the one VAE whose marginal and posterior are both known. The right side is written "
    "with their full covariances, the left side, in closed form and without a sample, from the reconstruction at the mean, "
    "the spread that the variance of z adds to it, and the KL to the prior.",
)
def the_loss_is_surprise_plus_gap():
    weight, mu, log_s, encoder_weight, v = _some_model()
    m = weight.T @ weight + jnp.exp(log_s) * jnp.eye(_LATENTS)
    precision = m / jnp.exp(log_s)
    offset = (_x - mu) @ (encoder_weight - jnp.linalg.solve(m, weight.T)).T
    quadratic = jnp.einsum("bi,ij,bj->b", offset, precision, offset)
    log_determinants = -jnp.linalg.slogdet(precision)[1] - v.sum()
    gap = 0.5 * (jnp.exp(v) @ jnp.diag(precision) + quadratic - _LATENTS + log_determinants)
    return linear_vae_negative_elbo(_x, weight, mu, log_s, encoder_weight, v), gap - _log_marginal(weight, mu, log_s)


@derivation.numeric(
    r"W^\top W \text{ diagonal} \;\Rightarrow\; \min_{V, v} -\mathrm{ELBO}(x) = -\log\mathcal{N}(x; \mu, W W^\top + s I)",
    because="The posterior covariance is s (W^T W + s I)^-1, diagonal when W^T W is. Then a diagonal q can be the posterior "
    "itself, and the gap closes. Rotating z keeps p(x) and breaks this: the diagonal encoder chooses axes where the "
    "likelihood does not.",
)
def a_diagonal_encoder_can_be_exact():
    weight = jnp.linalg.qr(_some_model()[0])[0] * jnp.array([1.7, 0.6])
    log_s = jnp.array(-0.4)
    loss = linear_vae_negative_elbo(_x, weight, _mu, log_s, *_with_exact_posterior(weight, log_s))
    return loss, -_log_marginal(weight, _mu, log_s)


@derivation.autodiff(
    r"\nabla_{W, \mu, \log s, V, v}\ \tfrac1N\sum_n -\mathrm{ELBO}(x_n) = 0"
    r" \quad\text{at}\quad W = U_q (\Lambda_q - s I)^{1/2},\ s = \text{mean discarded eigenvalue}",
    because="The columns of that W are orthogonal, so the bound is tight there (the step before). It touches the "
    "log-likelihood from below at the likelihood's own maximum, and where a bound touches, the gradients agree: the ELBO adds "
    "no bad stationary point there, and collapse cannot be blamed on it alone.",
)
def principal_components_are_stationary():
    optimum = _principal_components()
    gradients = jax.grad(_average_loss, argnums=(0, 1, 2, 3, 4))(*optimum)
    flat = jnp.concatenate([jnp.ravel(gradient) for gradient in gradients])
    return flat, jnp.zeros_like(flat)


@derivation.autodiff(
    r"\nabla_{W, V, v}\ \tfrac1N\sum_n -\mathrm{ELBO}(x_n) = 0 \quad\text{at}\quad W = 0,\ V = 0,\ v = 0, \text{ for every } s",
    because="With W = 0 the decoder is deaf, so the encoder has nothing to gain; with V = 0 the encoder is silent, so the "
    "decoder has nothing to hear. Each waits for the other: the collapsed model is always stationary.",
)
def the_collapsed_model_is_stationary():
    gradients = [jax.grad(_collapsed_loss)(jnp.zeros(_COLLAPSED_SIZE), log_s) for log_s in jnp.array([-1.0, 0.5, 3.0])]
    return jnp.stack(gradients), jnp.zeros((3, _COLLAPSED_SIZE))


@derivation.autodiff(
    r"\nabla^2_{w, e}\ \tfrac1N\sum_n -\mathrm{ELBO}(x_n)\Big|_{W=V=0}"
    r" \sim \bigoplus_\lambda \begin{pmatrix} 1/s & -\lambda/s \\ -\lambda/s & \lambda \end{pmatrix},"
    r" \qquad \det = \tfrac{\lambda}{s}\left(1 - \tfrac{\lambda}{s}\right)",
    because="Let a latent's decoder column w and encoder row e both point along a principal direction of variance lambda. To "
    "second order the noise of z costs w^2/(2s), the KL costs lambda e^2 / 2, and the reconstruction gains (lambda / s) w e. "
    "The gain wins somewhere exactly where the determinant is negative: lambda > s. (The log-variances are decoupled, with "
    "curvature 1/2.)",
)
def the_curvature_at_collapse():
    log_s = jnp.log(0.9 * _eigenvalues[-1])
    s = jnp.exp(log_s)
    measured = jnp.linalg.eigvalsh(jax.hessian(_collapsed_loss)(jnp.zeros(_COLLAPSED_SIZE), log_s))
    blocks = jnp.array([[[1 / s, -value / s], [-value / s, value]] for value in _eigenvalues])
    expected = jnp.concatenate([jnp.tile(jnp.linalg.eigvalsh(blocks).ravel(), _LATENTS), jnp.full(_LATENTS, 0.5)])
    return measured, jnp.sort(expected)


@derivation.bound(
    r"\text{collapse is a local minimum} \iff s \ge \lambda_{\max}",
    because="Just below lambda_max the Hessian has a negative direction, just above it has none, and at lambda_max the "
    "smallest eigenvalue is 0. A decoder that is allowed too much noise can explain the data as noise, and then nothing pulls "
    "a latent out of the prior: learn the noise, or start it small. (At lambda_max itself no W has a better likelihood than W "
    "= 0, and the loss is never below its own surprise.)",
)
def collapse_is_stable_only_under_large_noise():
    def smallest(factor):
        log_s = jnp.log(factor * _eigenvalues[-1])
        return jnp.linalg.eigvalsh(jax.hessian(_collapsed_loss)(jnp.zeros(_COLLAPSED_SIZE), log_s))[0]

    margin = 1e-3
    return jnp.array([smallest(0.95), margin]), jnp.array([-margin, smallest(1.05)]), (smallest(1.0), jnp.array(0.0))


@derivation.symbolic(
    r"\frac{\partial}{\partial v}\left[\beta\,\tfrac12(e^v - 1 - v) + \frac{w^2 e^v}{2 s}\right] = 0"
    r" \quad\text{at}\quad e^v = \frac{1}{1 + w^2/(\beta s)}",
    because="Only the KL and the spread of the reconstruction see the variance of a latent whose decoder column has norm w. "
    "The optimum compares what the latent carries, w^2/s, with what it is charged, beta.",
)
def the_best_posterior_variance():
    v = sympy.symbols("v", real=True)
    w, beta, s = sympy.symbols("w beta s", positive=True)
    charged = beta * (sympy.exp(v) - 1 - v) / 2 + w**2 * sympy.exp(v) / (2 * s)
    best = 1 / (1 + w**2 / (beta * s))
    return sympy.diff(charged, v).subs(v, sympy.log(best)), sympy.Integer(0)


@derivation.symbolic(
    r"\lim_{\beta \to 0} \frac{1}{1 + w^2/(\beta s)} = 0, \qquad \lim_{\beta \to \infty} \frac{1}{1 + w^2/(\beta s)} = 1",
    because="Warm-up starts at beta = 0, where the encoder is free to be exact: a deterministic autoencoder that uses every "
    "latent. As beta grows, noise returns, and at any beta a latent that carries little keeps the variance of the prior.",
)
def warm_up_starts_as_a_deterministic_autoencoder():
    w, beta, s = sympy.symbols("w beta s", positive=True)
    best = 1 / (1 + w**2 / (beta * s))
    return [sympy.limit(best, beta, end) for end in (0, sympy.oo)], [sympy.Integer(0), sympy.Integer(1)]


@derivation.autodiff(
    r"\nabla_v\ -\mathrm{ELBO} = 0 \quad\text{at}\quad e^{v_l} = \frac{1}{1 + \|w_l\|^2/(\beta s)}"
    r" \quad\text{with decoder variance } \beta s",
    because="Dividing the loss by beta moves the weight into the likelihood: a KL weighted with beta under noise s is, up to "
    "that factor, a plain VAE under noise beta s. The exact loss agrees.",
)
def a_weighted_kl_is_a_noisier_decoder():
    weight, mu, log_s, encoder_weight, _ = _some_model()
    noisier = log_s + jnp.log(0.2)
    best = -jnp.log1p(jnp.sum(weight**2, axis=0) / jnp.exp(noisier))
    return jax.grad(_average_loss, argnums=4)(weight, mu, noisier, encoder_weight, best), jnp.zeros(_LATENTS)


@derivation.bound(
    r"\sum_l \max(\mathrm{KL}_l, \lambda) \;\ge\; \max\left(\sum_l \mathrm{KL}_l,\ L\lambda\right)",
    because="Each term is at least KL_l and at least lambda. Equal to the KL where no latent is below the floor, to L lambda "
    "where none is above: the objective only ever overstates the rate, so it stays a bound.",
)
def free_bits_are_at_least_the_kl():
    kl = kl_per_dimension(*_posteriors)
    smaller = jnp.maximum(kl.sum(axis=1), 3 * 0.25)
    none_below, none_above = kl + 0.25, 0.25 * jnp.exp(-kl)
    tight = jnp.concatenate([none_below.sum(axis=1), jnp.full(6, 3 * 0.25)])
    return smaller, free_bits_kl(kl, minimum=0.25), (free_bits_kl(jnp.concatenate([none_below, none_above]), minimum=0.25), tight)


@derivation.autodiff(
    r"\frac{\partial}{\partial m_l} \sum_k \max(\mathrm{KL}_k, \lambda) = m_l\,\mathbf{1}[\mathrm{KL}_l > \lambda]",
    because="Below the floor the maximum is the constant lambda. The KL can no longer push a collapsed latent back to the "
    "prior; the likelihood alone decides whether it is used.",
)
def free_latents_feel_no_kl():
    mean, log_var = _posteriors
    gradient = jax.grad(lambda mean: free_bits_kl(kl_per_dimension(mean, log_var), minimum=0.25).sum())(mean)
    return gradient, mean * (0.5 * (mean**2 + jnp.exp(log_var) - 1 - log_var) > 0.25)


@derivation.exact(
    r"q(z_l|x) = p(z_l)\ \forall x \;\Rightarrow\; \mathrm{Var}_x\,\mathbb{E}_q[z_l] = 0,\ \mathrm{KL}_l = 0",
    because="A collapsed latent has mean 0 and variance 1 for every x: its mean does not move with x, and its divergence from "
    "the prior is exactly 0. The converse needs both: a mean that has drifted off zero without moving with x has no activity, "
    "but a KL.",
)
def a_collapsed_latent_is_inactive():
    mean, log_var = (a.at[:, 1].set(0.0) for a in _posteriors)
    collapsed = jnp.stack([latent_activity(mean)[1], kl_per_dimension(mean, log_var)[:, 1].sum()])
    return collapsed, jnp.zeros(2)


@derivation.exact(
    r"\beta(t) = \min\left(\frac{t \bmod C}{r C}, 1\right): \quad \beta(kC) = 0,\quad"
    r" \tfrac1C\,\#\{t < C : \beta(t) = 1\} = 1 - r",
    because="Each cycle starts again at 0, as an autoencoder whose latents are already informative, and after the ramp spends "
    "the rest of the cycle, a fraction 1 - r, on the true bound.",
)
def a_cycle_restarts_at_zero():
    weights = cyclical_kl_weight(jnp.arange(60), cycle_length=20, ramp_fraction=0.4).reshape(3, 20)
    return jnp.stack([weights[:, 0], jnp.sum(weights == 1, axis=1) / 20]), jnp.array([[0.0] * 3, [0.6] * 3])


def _average_loss(weight, mu, log_s, encoder_weight, v):
    return linear_vae_negative_elbo(_x, weight, mu, log_s, encoder_weight, v).mean()


def _collapsed_loss(parameters, log_s):
    """The average loss as a function of all of W, V and v in one vector; 0 is the collapsed model."""
    weight, encoder_weight, v = jnp.split(parameters, (_PIXELS * _LATENTS, 2 * _PIXELS * _LATENTS))
    return _average_loss(weight.reshape(_PIXELS, _LATENTS), _mu, log_s, encoder_weight.reshape(_LATENTS, _PIXELS), v)


if __name__ == "__main__":
    derivation.main()
