"""The conditional variational autoencoder: the bound when a label is given, and ways to hand a network the label."""

import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_shape,
    require_values,
    widened,
)
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.latent.reparameterization import reparameterize
from theory_jax.latent.vae import VariationalAutoencoder, bernoulli_log_likelihood


def one_hot(labels, *, num_classes):
    r"""Rows with a 1 at the label and 0 elsewhere, in the backend's default floating type.

    Raises ValueError if num_classes is below 1, or an entry of labels is no integer in 0..num_classes-1.
    Source: Bishop 2006, section 4.1.3.
    [B] -> [B, K]
    """
    require_rank(1, labels=labels)
    return _indicators(labels, num_classes, jnp.result_type(float))


def concatenate_condition(x, labels, *, num_classes):
    r"""x, and after it the one-hot row of its label.

    Raises ValueError if labels has not one entry for each row of x, num_classes is below 1, or an entry of labels is no integer
    in 0..num_classes-1.  Source: Sohn, Lee & Yan 2015.
    [B, D], [B] -> [B, D+K]
    """
    require_rank(2, x=x)
    require_one_each(x, labels=labels)
    return jnp.concatenate([x, _indicators(labels, num_classes, x.dtype)], axis=1)


def condition_channels(image, labels, *, num_classes):
    r"""The channels of the image, and after them a plane for each class: 1 everywhere for the image's own label, else 0.

    Raises ValueError if image has not 4 axes, labels has not one entry for each image, num_classes is below 1, or an entry of
    labels is no integer in 0..num_classes-1.  Source: Mirza & Osindero 2014.
    [B, C, H, W], [B] -> [B, C+K, H, W]
    """
    require_rank(4, image=image)
    require_one_each(image, labels=labels)
    rows = _indicators(labels, num_classes, image.dtype)
    planes = jnp.broadcast_to(rows[:, :, None, None], (*rows.shape, *image.shape[2:]))
    return jnp.concatenate([image, planes], axis=1)


def conditional_negative_elbo(x, logits, mean, log_var, prior_mean, prior_log_var):
    r"""KL(N(mean, e^log_var) || N(prior_mean, e^prior_log_var)) - log p(x|z, y), Bernoulli, in nats.

    All but x are given the label: logits = decoder(z, y) with one z drawn from the posterior, and the prior is p(z|y).

    Raises ValueError if logits has another shape than x, x leaves [0, 1], log_var, prior_mean or prior_log_var has another shape
    than mean, or mean has another number of rows than x.  Source: Sohn, Lee & Yan 2015, eq. 4.
    [B, D], [B, D], [B, L], [B, L], [B, L], [B, L] -> [B]
    """
    rate = gaussian_kl_divergence(*_same_shapes(mean, log_var, prior_mean, prior_log_var))
    log_likelihood = bernoulli_log_likelihood(x, logits)
    require(
        len(rate) == len(log_likelihood), f"mean has {len(rate)} rows; it must have one for each of {len(log_likelihood)} of x"
    )
    return rate - log_likelihood


def feature_wise_modulation(h, scale, shift):
    r"""h (1 + scale) + shift, with a scale and a shift for every channel: at 0 and 0 nothing is changed.

    Raises ValueError if h has not 4 axes, or scale or shift is not [B, C].  Source: Perez et al. 2018, eq. 2.
    [B, C, H, W], [B, C], [B, C] -> [B, C, H, W]
    """
    require_rank(4, h=h)
    require_shape(h.shape[:2], scale=scale, shift=shift)
    return h * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


class ConditionalAutoencoder(VariationalAutoencoder):
    """The autoencoder of latent/vae with encoder, decoder and prior conditioned on a label.

    learned_prior: p(z|y) = N(prior_mean_y, e^prior_log_var_y), which begins as a standard normal; without, it remains one.
    """

    def __init__(
        self,
        *,
        num_pixels: int,
        num_classes: int,
        hidden_dims: tuple[int, ...],
        latent_dim: int,
        learned_prior: bool = False,
        rngs: nnx.Rngs,
    ):
        super().__init__(num_pixels=num_pixels, hidden_dims=hidden_dims, latent_dim=latent_dim, conditions=num_classes, rngs=rngs)
        self.num_classes, self.learned_prior = num_classes, learned_prior
        self.shape = (num_classes, latent_dim)
        if learned_prior:
            self.prior_mean, self.prior_log_var = (nnx.Param(jnp.zeros(self.shape)) for _ in range(2))

    def encode(self, x, labels):
        """Mean and log-variance of q(z | x, y): [B, D], [B] -> [B, L], [B, L]."""
        return super().encode(concatenate_condition(x, labels, num_classes=self.num_classes))

    def decode(self, z, labels):
        """Logits of the pixels of p(x | z, y): [B, L], [B] -> [B, D]."""
        return super().decode(concatenate_condition(z, labels, num_classes=self.num_classes))

    def prior(self, labels):
        """Mean and log-variance of p(z | y): [B] -> [B, L], [B, L]."""
        if not self.learned_prior:
            return jnp.zeros((len(labels), self.shape[1])), jnp.zeros((len(labels), self.shape[1]))
        # the row of the label, as a product with its indicators
        chosen = one_hot(labels, num_classes=self.num_classes)
        return chosen @ self.prior_mean[...], chosen @ self.prior_log_var[...]

    def __call__(self, x, labels, noise):
        """Logits at z = mean + e^(log_var / 2) noise, and the parameters of q and of the prior.

        [B, D], [B], [B, L] -> [B, D], [B, L], [B, L], [B, L], [B, L]
        """
        mean, log_var = self.encode(x, labels)
        return self.decode(reparameterize(noise, mean, log_var), labels), mean, log_var, *self.prior(labels)


def _indicators(labels, num_classes, dtype):
    require_at_least(1, num_classes=num_classes)
    require_integers(labels=labels)
    require_values("labels", labels, lambda y: (y >= 0) & (y < num_classes), f"in 0..{num_classes - 1}")
    return (widened(labels)[:, None] == jnp.arange(num_classes)).astype(dtype)


def _same_shapes(mean, log_var, prior_mean, prior_log_var):
    require_rank(2, mean=mean)
    require_shape(mean.shape, log_var=log_var, prior_mean=prior_mean, prior_log_var=prior_log_var)
    return mean, log_var, prior_mean, prior_log_var
