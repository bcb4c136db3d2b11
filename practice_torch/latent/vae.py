"""The variational autoencoder: two likelihoods, the KL to the prior, the negative evidence lower bound, and a network."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_rank, require_same_shape, require_unit_interval, require_values
from practice_torch.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.mathematics.elementary import exp_above_tangent

# An encoder's log-variance stays within (-10, 10): standard deviations between e^-5 and e^5.
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
    # log sigma(l) = min(l, 0) + log sigma(|l|) and the like for -l: the part that can be large is a product that is exactly
    # zero where x agrees with the logit's sign, so a confident right answer keeps its e^-|l| instead of rounding to zero.
    # |l| is spelled with where, because the derivative of abs is 0 at 0 and a decoder may start at logits of exactly 0.
    positive = logits > 0
    magnitude = torch.where(positive, logits, -logits)
    return ((x - positive.to(x.dtype)) * logits + functional.logsigmoid(magnitude)).sum(dim=-1)


def gaussian_log_likelihood(x, mean, log_var):
    r"""log N(x; mean, e^log_var), diagonal, in nats.

    -1/2 sum_d [ log 2 pi + log_var + (x - mean)^2 e^-log_var ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix C.2.
    [B, D], [B, D], [B, D] -> [B]
    """
    return -gaussian_negative_log_likelihood(x, mean, log_var)


def kl_to_standard_normal(mean, log_var):
    r"""KL(N(mean, e^log_var) || N(0, I)), diagonal, in nats.

    1/2 sum_l [ mean^2 + e^log_var - 1 - log_var ]

    The general gaussian_kl_divergence at a standard normal q has the same value, but must subtract numbers of size 1; this one
    keeps its relative accuracy down to a KL of 1e-30, which is where a unit that the model does not use lives.

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, L], [B, L] -> [B]
    """
    require_rank(2, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    return 0.5 * (mean.square() + exp_above_tangent(log_var)).sum(dim=-1)


def negative_elbo(x, logits, mean, log_var):
    r"""The negative evidence lower bound of a Bernoulli decoder and a standard normal prior, in nats.

    KL(N(mean, e^log_var) || N(0, I)) - log p(x | z), with logits = decoder(z) and one z drawn from N(mean, e^log_var)

    Raises ValueError if shapes differ or x leaves [0, 1].  Source: Kingma & Welling 2014, eq. 10.
    [B, D], [B, D], [B, L], [B, L] -> [B]
    """
    log_likelihood = bernoulli_log_likelihood(x, logits)
    kl = kl_to_standard_normal(mean, log_var)
    require(kl.shape == log_likelihood.shape, f"mean has {kl.shape[0]} rows; it must have one for each of the {len(x)} of x")
    return kl - log_likelihood


def calibrated_gaussian_negative_log_likelihood(x, mean):
    r"""-log N(x; mean, s I) at the one variance s per example that is best for it, s = mse(x, mean), in nats.

    D/2 (log 2 pi + log mse + 1),  mse = 1/D sum_d (x - mean)^2

    Raises ValueError if the shapes differ or an example is equal to its mean, reconstructed exactly (its density is unbounded).
    Source: Rybkin, Daniilidis & Levine 2021 (sigma-VAE).
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, mean=mean)
    residual = x - mean
    scale = residual.detach().abs().amax(dim=-1)
    differs = "different from x somewhere in the row (shown is the largest residual): the best variance would be 0"
    require_values("mean", scale, lambda scale: scale > 0, differs)
    # Squares are taken of residuals in units of the largest: a residual of 1e-25 must not underflow in float32. The unit cancels,
    # hence it carries no gradient.
    log_mse = (residual / scale.unsqueeze(-1)).square().mean(dim=-1).log() + 2 * scale.log()
    return x.shape[-1] / 2 * (math.log(2 * math.pi) + log_mse + 1)


class VariationalAutoencoder(nn.Module):
    """Perceptrons both ways: pixels -> N(mean, e^log_var) over latents, latents -> logits of pixels.

    conditions: further inputs of the encoder and of the decoder, behind the pixels and behind the latents.
    """

    def __init__(self, *, num_pixels: int, hidden_dims: tuple[int, ...], latent_dim: int, conditions: int = 0):
        super().__init__()
        down = (num_pixels + conditions, *hidden_dims)
        up = (latent_dim + conditions, *reversed(hidden_dims))
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(down[:-1], down[1:], strict=True))
        self.mean = nn.Linear(down[-1], latent_dim)
        self.log_var = nn.Linear(down[-1], latent_dim)
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(up[:-1], up[1:], strict=True))
        self.logits = nn.Linear(up[-1], num_pixels)

    def encode(self, x):
        """Mean and log-variance of q(z | x): [B, D] -> [B, L], [B, L]."""
        for layer in self.encoder:
            x = functional.silu(layer(x))
        # Bounded by tanh, not by clamp: outside its range a clamp has no gradient, so a log-variance that once overshoots would
        # never be called back, by the KL or by anything else. The tanh has slope 1 at 0 and always some slope.
        return self.mean(x), _LOG_VAR_LIMIT * torch.tanh(self.log_var(x) / _LOG_VAR_LIMIT)

    def decode(self, z):
        """Logits of the pixels of p(x | z): [B, L] -> [B, D]."""
        for layer in self.decoder:
            z = functional.silu(layer(z))
        return self.logits(z)

    def forward(self, x, noise):
        """Logits at z = mean + e^(log_var / 2) noise, and q's parameters: [B, D], [B, L] -> [B, D], [B, L], [B, L]."""
        mean, log_var = self.encode(x)
        return self.decode(reparameterize(noise, mean, log_var)), mean, log_var
