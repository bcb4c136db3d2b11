"""A linear VAE of five dimensions and two latents, and the figure of the one with one of each."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from theory_jax.latent.vae_training import linear_vae_negative_elbo

rng = np.random.default_rng(20)
DATA, PIXELS, LATENTS = 40, 5, 2
X = jnp.array(rng.normal(size=(DATA, PIXELS)) * np.array([2.0, 1.5, 0.8, 0.6, 0.5]) @ rng.normal(size=(5, 5)) + 0.7)
MEAN = X.mean(axis=0)
EIGENVALUES, EIGENVECTORS = np.linalg.eigh(np.cov(X.T, bias=True))  # ascending


def loss_surprise_and_gap():
    """Of a random VAE: the code's loss, the surprise by the full covariance, the divergence from the posterior: [40] each."""
    weight, encoder_weight = (jnp.array(rng.normal(size=shape)) for shape in ((PIXELS, LATENTS), (LATENTS, PIXELS)))
    mu, s, v = jnp.array(rng.normal(size=PIXELS)), 0.7, jnp.array([-0.8, 0.3])
    precision = weight.T @ weight / s + jnp.eye(LATENTS)
    offset = (X - mu) @ (encoder_weight - jnp.linalg.solve(s * precision, weight.T)).T
    spread = jnp.exp(v) @ jnp.diag(precision) - v.sum() - LATENTS - jnp.linalg.slogdet(precision)[1]
    gap = (spread + jnp.sum(offset @ precision * offset, axis=1)) / 2
    surprise = -jax.scipy.stats.multivariate_normal.logpdf(X, mu, weight @ weight.T + s * jnp.eye(PIXELS))
    return linear_vae_negative_elbo(X, weight, mu, jnp.log(s), encoder_weight, v), surprise, gap


def gradient_at_components(s):
    """The gradient of the average loss at the solution of probabilistic PCA, if its noise were s: [28]."""
    largest = slice(-LATENTS, None)
    weight = jnp.array(EIGENVECTORS[:, largest] * np.sqrt(EIGENVALUES[largest] - s))
    m = jnp.sum(weight**2, axis=0) + s
    parts = jax.grad(average_loss, argnums=(0, 1, 2, 3, 4))(weight, weight.T / m[:, None], jnp.log(s / m), MEAN, jnp.log(s))
    return jnp.concatenate([jnp.ravel(part) for part in parts])


def curvatures_at_collapse(s):
    """The eigenvalues of the Hessian of the average loss in the weights and the log-variances: [22]."""
    zero, place = ravel_pytree((jnp.zeros((PIXELS, LATENTS)), jnp.zeros((LATENTS, PIXELS)), jnp.zeros(LATENTS)))
    return jnp.linalg.eigvalsh(jax.hessian(lambda parameters: average_loss(*place(parameters), MEAN, jnp.log(s)))(zero))


def average_loss(weight, encoder_weight, v, mu, log_s):
    return linear_vae_negative_elbo(X, weight, mu, log_s, encoder_weight, v).mean()


def draw_two_noises(left, middle, right):
    """The average loss over both weights at two noises, and the best variance over the weight of the rate."""

    def loss_at(w, V, s):
        one, best_t = jnp.ones((1, 1)), s / (w**2 + s)
        return linear_vae_negative_elbo(2 * one, w * one, jnp.zeros(1), jnp.log(s), V * one, jnp.log(best_t) * one[0])[0]

    weights, encoders = np.meshgrid(np.linspace(-3, 3, 41), np.linspace(-1, 1, 41))
    for panel, noise, lowest in ((left, 1.0, 2.1121), (middle, 5.0, 2.1237)):
        losses = jax.vmap(loss_at, (0, 0, None))(weights.ravel(), encoders.ravel(), noise)
        levels = lowest + np.array([0.05, 0.1, 0.2, 0.4, 0.806, 1.6, 3.2])
        panel.contour(weights, encoders, np.asarray(losses).reshape(weights.shape), levels=levels)
        panel.plot([0], [0], "x", color="gray")
        panel.set(xlabel="$w$", ylabel="$V$", title=f"$s = {noise:g}$")
    left.plot([-math.sqrt(3), math.sqrt(3)], [-math.sqrt(3) / 4, math.sqrt(3) / 4], "o")
    betas = np.geomspace(0.01, 100, 60)
    right.semilogx(betas, 1 / (1 + 3 / betas))
    right.set(xlabel=r"$\beta$", ylabel="best $t$")


def escape(noises, steps):
    """Gradient descent on the loss of data with variance 4, from almost collapsed weights: weights of every step [steps, N]."""
    w, V, log_t = (np.full(len(noises), start) for start in (0.1, 0.1, 0.0))
    seen = []
    for _ in range(steps):
        seen.append((w, V, log_t))
        missed = 1 - w * V
        of_w, of_V = (w * np.exp(log_t) - 4 * V * missed) / noises, 4 * (V - w * missed / noises)
        of_t = ((w**2 / noises + 1) * np.exp(log_t) - 1) / 2
        w, V, log_t = w - 0.1 * of_w, V - 0.1 * of_V, log_t - 0.1 * of_t
    return (np.stack(part) for part in zip(*seen, strict=True))


def draw_escape(weights, losses):
    """Left: the best weights at every noise, and where descent arrives. Right: how far the loss is below that of collapse."""
    noises = np.linspace(1, 5.5, 10)
    fine = np.linspace(0, 4, 101)
    for sign in (1, -1):
        weights.plot(fine, sign * np.sqrt(4 - fine), color="gray", label="minimum" if sign == 1 else None)
    weights.plot([4, 6], [0, 0], color="gray")
    weights.plot([0, 4], [0, 0], "--", color="gray", label="saddle")
    weights.plot(noises, next(iter(escape(noises, 1000)))[-1], "o", color="C0", markersize=4, label="after 1000 steps")
    weights.set(xlabel="noise $s$", ylabel="$w$", ylim=(-2.2, 3.6))
    weights.legend(fontsize="small", loc="upper right")
    shown = np.array([1.0, 2.0, 3.0])
    path = [np.broadcast_to(part, (150, 3)).ravel() for part in (*escape(shown, 150), shown)]

    def loss_at(w, V, log_t, s):
        one = jnp.ones((1, 1))
        return linear_vae_negative_elbo(2 * one, w * one, jnp.zeros(1), jnp.log(s), V * one, log_t * one[0])[0]

    gained = (np.log(2 * np.pi * shown) + 4 / shown) / 2 - np.asarray(jax.vmap(loss_at)(*path)).reshape(150, 3)
    for noise, curve in zip(shown, gained.T, strict=True):
        losses.plot(curve, label=f"$s = {noise:g}$")
    losses.set(xlabel="step", ylabel="nats below collapse")
    losses.legend()
