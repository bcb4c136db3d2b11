"""The conditional variational autoencoder: its bound, ways to hand a network the label, and a network."""

import torch
from torch import nn

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_shape,
    require_values,
)
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import VariationalAutoencoder, bernoulli_log_likelihood


def one_hot(labels, *, num_classes):
    r"""Rows with a 1 at the label and 0 elsewhere, in the backend's default floating type.

    Raises ValueError if num_classes is below 1, or an entry of labels is no integer in 0..num_classes-1.
    Source: Bishop 2006, section 4.1.3.
    [B] -> [B, K]
    """
    require_rank(1, labels=labels)
    return _indicators(labels, num_classes, torch.get_default_dtype())


def concatenate_condition(x, labels, *, num_classes):
    r"""x, and after it the one-hot row of its label.

    Raises ValueError if labels has not one entry for each row of x, num_classes is below 1, or an entry of labels is no integer
    in 0..num_classes-1.  Source: Sohn, Lee & Yan 2015.
    [B, D], [B] -> [B, D+K]
    """
    require_rank(2, x=x)
    require_one_each(x, labels=labels)
    return torch.cat([x, _indicators(labels, num_classes, x.dtype)], 1)


def condition_channels(image, labels, *, num_classes):
    r"""The channels of the image, and after them a plane for each class: 1 everywhere for the image's own label, else 0.

    Raises ValueError if image has not 4 axes, labels has not one entry for each image, num_classes is below 1, or an entry of
    labels is no integer in 0..num_classes-1.  Source: Mirza & Osindero 2014.
    [B, C, H, W], [B] -> [B, C+K, H, W]
    """
    require_rank(4, image=image)
    require_one_each(image, labels=labels)
    planes = _indicators(labels, num_classes, image.dtype)[:, :, None, None]
    return torch.cat([image, planes.expand(-1, -1, *image.shape[2:])], 1)


def conditional_negative_elbo(x, logits, mean, log_var, prior_mean, prior_log_var):
    r"""KL(N(mean, e^log_var) || N(prior_mean, e^prior_log_var)) - log p(x|z, y), Bernoulli, in nats.

    All but x are given the label: logits = decoder(z, y) with one z drawn from the posterior, and the prior is p(z|y).

    Raises ValueError if logits has another shape than x, x leaves [0, 1], log_var, prior_mean or prior_log_var has another shape
    than mean, or mean has another number of rows than x.  Source: Sohn, Lee & Yan 2015, eq. 4.
    [B, D], [B, D], [B, L], [B, L], [B, L], [B, L] -> [B]
    """
    require_rank(2, x=x, mean=mean)
    require_shape(mean.shape, log_var=log_var, prior_mean=prior_mean, prior_log_var=prior_log_var)
    require(len(mean) == len(x), f"mean has {len(mean)} rows; it must have one for each of the {len(x)} rows of x")
    return gaussian_kl_divergence(mean, log_var, prior_mean, prior_log_var) - bernoulli_log_likelihood(x, logits)


def feature_wise_modulation(h, scale, shift):
    r"""h (1 + scale) + shift, with a scale and a shift for every channel: at 0 and 0 nothing is changed.

    Raises ValueError if h has not 4 axes, or scale or shift is not [B, C].  Source: Perez et al. 2018, eq. 2.
    [B, C, H, W], [B, C], [B, C] -> [B, C, H, W]
    """
    require_rank(4, h=h)
    require_shape(h.shape[:2], scale=scale, shift=shift)
    return torch.addcmul(shift[:, :, None, None], h, 1 + scale[:, :, None, None])


class ConditionalAutoencoder(VariationalAutoencoder):
    """The autoencoder of latent/vae with encoder, decoder and prior conditioned on a label.

    learned_prior: p(z|y) = N(prior_mean_y, e^prior_log_var_y), which begins as a standard normal; without, it remains one.
    """

    def __init__(
        self, *, num_pixels: int, num_classes: int, hidden_dims: tuple[int, ...], latent_dim: int, learned_prior: bool = False
    ):
        super().__init__(num_pixels=num_pixels, hidden_dims=hidden_dims, latent_dim=latent_dim, conditions=num_classes)
        self.num_classes, self.latent_dim = num_classes, latent_dim
        self.learned_prior = learned_prior
        if learned_prior:
            self.prior_mean = nn.Parameter(torch.zeros(num_classes, latent_dim))
            self.prior_log_var = nn.Parameter(torch.zeros(num_classes, latent_dim))

    def encode(self, x, labels):
        """Mean and log-variance of q(z | x, y): [B, D], [B] -> [B, L], [B, L]."""
        return super().encode(concatenate_condition(x, labels, num_classes=self.num_classes))

    def decode(self, z, labels):
        """Logits of the pixels of p(x | z, y): [B, L], [B] -> [B, D]."""
        return super().decode(concatenate_condition(z, labels, num_classes=self.num_classes))

    def prior(self, labels):
        """Mean and log-variance of p(z | y): [B] -> [B, L], [B, L]."""
        if self.learned_prior:
            return self.prior_mean[as_int64(labels)], self.prior_log_var[as_int64(labels)]
        standard = self.logits.weight.new_zeros(len(labels), self.latent_dim)
        return standard, standard

    def forward(self, x, labels, noise):
        """Logits at z = mean + e^(log_var / 2) noise, and the parameters of q and of the prior.

        [B, D], [B], [B, L] -> [B, D], [B, L], [B, L], [B, L], [B, L]
        """
        mean, log_var = self.encode(x, labels)
        return self.decode(reparameterize(noise, mean, log_var), labels), mean, log_var, *self.prior(labels)


def _indicators(labels, num_classes, dtype):
    require_at_least(1, num_classes=num_classes)
    require_integers(labels=labels)
    require_values("labels", labels, lambda y: (y >= 0) & (y < num_classes), f"in 0..{num_classes - 1}")
    classes = torch.arange(num_classes, device=labels.device)
    return (as_int64(labels).unsqueeze(1) == classes).to(dtype)
