"""Latent variable models: likelihood and posterior of a finite latent variable, and of the linear-Gaussian model, in nats."""

import math

import torch

from practice_torch.arguments import require, require_log_probs, require_rank, require_shape, require_values
from practice_torch.foundations.jensen import log_mean_exp


def discrete_log_marginal(log_likelihood, log_prior):
    r"""log p(x) = log sum_k p(z=k) p(x|z=k), in nats; -inf where no state can give the observation.

    Raises ValueError if there are no states, log_prior has not one entry for each of those of log_likelihood, or it does not
    sum to one.  Source: Bishop 2006, section 9.2.
    [B, K], [K] -> [B]
    """
    # of torch's own logsumexp a row of -inf has the slope NaN
    return log_mean_exp(_log_joint(log_likelihood, log_prior)) + math.log(len(log_prior))


def discrete_log_posterior(log_likelihood, log_prior):
    r"""log p(z=k|x) = log p(z=k) + log p(x|z=k) - log p(x), Bayes' rule, in nats.

    Raises ValueError if there are no states, log_prior has not one entry for each of those of log_likelihood, it does not sum
    to one, or a row of log_likelihood is impossible in every state that has a prior: then it has no posterior.
    Source: Bishop 2006, section 9.2.
    [B, K], [K] -> [B, K]
    """
    log_joint = _log_joint(log_likelihood, log_prior)
    possible = log_joint.amax(-1)
    require_values("log_likelihood", possible, lambda top: top > -torch.inf, "above -inf in some state that has a prior")
    # an impossible state stays impossible
    return log_joint.log_softmax(-1).masked_fill(log_joint == -torch.inf, -torch.inf)


def monte_carlo_log_marginal(log_likelihood):
    r"""log (1/S) sum_s p(x|z_s), in nats, with z_s drawn from the prior; its mean is below log p(x).

    Raises ValueError if log_likelihood has no samples.  Source: Burda et al. 2016, section 3.
    [B, S] -> [B]
    """
    require_rank(2, log_likelihood=log_likelihood)
    require(log_likelihood.shape[1] > 0, f"log_likelihood has shape {list(log_likelihood.shape)}; it must hold a sample of z")
    return log_mean_exp(log_likelihood)


def linear_gaussian_log_marginal(x, weight, mean, log_var):
    r"""log N(x; mean, W W^T + e^log_var I), in nats: z ~ N(0, I), x|z ~ N(W z + mean, e^log_var I), z integrated out.

    Raises ValueError if the shapes of weight, mean and log_var do not fit x.  Source: Tipping & Bishop 1999, eq. 4.
    [B, D], [D, L], [D], [] -> [B]
    """
    _require_linear(x, weight, mean, log_var)
    size, latents = weight.shape
    away, factor = x - mean, _factor(weight, log_var)
    z = torch.cholesky_solve((away @ weight).mT, factor).mT
    # y' C^-1 y is the least |y - W z|^2 / s + |z|^2 of all z: two sums of squares, where Woodbury's formula subtracts. No matrix
    # of D rows and columns is made.
    squares = (away - z @ weight.mT).square().sum(1) / log_var.exp() + z.square().sum(1)
    log_determinant = (size - latents) * log_var + 2 * factor.diagonal().log().sum()
    return -(squares + log_determinant + size * math.log(2 * math.pi)) / 2


def linear_gaussian_posterior(x, weight, mean, log_var):
    r"""p(z|x) of the same model: its mean M^-1 W^T (x - mean) and its covariance e^log_var M^-1, M = W^T W + e^log_var I.

    The covariance is the same for every x.

    Raises ValueError if the shapes of weight, mean and log_var do not fit x.  Source: Tipping & Bishop 1999, eq. 6.
    [B, D], [D, L], [D], [] -> [B, L], [L, L]
    """
    _require_linear(x, weight, mean, log_var)
    factor = _factor(weight, log_var)
    mean_z = torch.cholesky_solve(((x - mean) @ weight).mT, factor).mT
    return mean_z, log_var.exp() * torch.cholesky_inverse(factor)


def linear_gaussian_maximum_likelihood_covariance(x, *, latent_dim):
    r"""The covariance W W^T + s I that makes x most likely: U_q (Lambda_q - s I) U_q^T + s I, q = latent_dim, in units of x^2.

    Lambda_q and U_q are the q largest eigenvalues of the data's covariance, divided by N, and their vectors; s is the mean of
    the other eigenvalues. W itself is determined up to a rotation of z only.

    Raises ValueError if x has fewer than two rows, latent_dim is not in 0..D-1, or x has no variance outside latent_dim
    dimensions: the likelihood then has no upper bound.  Source: Tipping & Bishop 1999, eq. 7 and 8.
    [N, D] -> [D, D]
    """
    require_rank(2, x=x)
    count, size = x.shape
    require(count > 1, f"x has shape {list(x.shape)}; a covariance needs at least two rows")
    require(0 <= latent_dim < size, f"latent_dim is {latent_dim}; it must be in 0..{size - 1}, below the dimension of x")
    centered = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centered.mT @ centered / count)  # in rising order
    rest = size - latent_dim
    noise, top = values[:rest].mean(), vectors[:, rest:]
    least = size * torch.finfo(x.dtype).eps * values[-1].detach()
    require_values("x", noise, lambda noise: noise > least, "of positive variance (shown) outside of latent_dim dimensions")
    return top * (values[rest:] - noise) @ top.mT + noise * torch.eye(size, dtype=x.dtype, device=x.device)


def _factor(weight, log_var):
    """The Cholesky factor of M = W^T W + e^log_var I."""
    return torch.linalg.cholesky(weight.mT @ weight + log_var.exp() * torch.eye(weight.shape[1]).to(weight))


def _log_joint(log_likelihood, log_prior):
    require_rank(2, log_likelihood=log_likelihood)
    states = log_likelihood.shape[1]
    require(states > 0, f"log_likelihood has shape {list(log_likelihood.shape)}; it must have a column for each state")
    require_shape((states,), log_prior=log_prior)
    require_log_probs(log_prior=log_prior)
    return log_likelihood + log_prior


def _require_linear(x, weight, mean, log_var):
    require_rank(2, x=x, weight=weight)
    size = x.shape[1]
    require(weight.shape[0] == size, f"weight has shape {list(weight.shape)}; it must have a row for each of {size} columns of x")
    require_shape((size,), mean=mean)
    require_rank(0, log_var=log_var)
