"""The beta-VAE and its relatives: a weight or a target for the rate, and the rate's three parts, estimated from a batch."""

import math

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_same_shape, require_shape, require_values


def beta_negative_elbo(negative_log_likelihood, kl, *, beta):
    r"""negative_log_likelihood + beta kl, in nats: the loss of a VAE with a weighted rate.

    Raises ValueError if negative_log_likelihood is not [B], kl has another shape, or beta is negative.
    Source: Higgins et al. 2017, eq. 4.
    [B], [B] -> [B]
    """
    _require_terms(negative_log_likelihood, kl)
    require_at_least(0, beta=beta)
    return negative_log_likelihood + beta * kl


def capacity_objective(negative_log_likelihood, kl, *, gamma, capacity):
    r"""negative_log_likelihood + gamma |kl - capacity|, in nats: the rate is drawn to the capacity from both sides.

    Raises ValueError if negative_log_likelihood is not [B], kl has another shape, or gamma or capacity is negative.
    Source: Burgess et al. 2018, eq. 8.
    [B], [B] -> [B]
    """
    _require_terms(negative_log_likelihood, kl)
    require_at_least(0, gamma=gamma, capacity=capacity)
    return negative_log_likelihood + gamma * (kl - capacity).abs()


def pairwise_latent_log_density(z, mean, log_var):
    r"""log N(z_bl; mean_nl, e^log_var_nl) of every point, Gaussian and latent, in nats; the latents are not summed.

    Raises ValueError if z or mean has not 2 axes, mean has not as many columns as z, or log_var has another shape than mean.
    Source: Chen et al. 2018, appendix C.
    [B, L], [N, L], [N, L] -> [B, N, L]
    """
    require_rank(2, z=z, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    width = z.shape[1]
    require(mean.shape[1] == width, f"mean has shape {list(mean.shape)}; it must have as many columns as z, {width}")
    # The exponential is that of N L numbers, not of the B N L pairs.
    scaled_square = (z.unsqueeze(1) - mean).square() * (-log_var).exp()
    return (scaled_square + (log_var + math.log(2 * math.pi))) / -2


def stratified_log_importance(*, batch_size, dataset_size):
    r"""log of the weights with which a batch estimates the density of all codes: row i is for a code of example i.

    1/N on the diagonal and (N - 1) / (N (B - 1)) elsewhere, B = batch_size, N = dataset_size; each row of weights sums to one.
    For a batch that is drawn without replacement, the weighted sum of the densities q(z_i|x_j) is q(z_i) on average.

    Raises ValueError if batch_size is below 2 or above dataset_size.
    Source: Chen et al. 2018, appendix C.2, averaged over the choice of the example that represents only itself.
    -> [B, B]
    """
    require_at_least(2, batch_size=batch_size)
    require(batch_size <= dataset_size, f"batch_size is {batch_size}; it must be at most dataset_size, {dataset_size}")
    other = math.log1p(-1 / dataset_size) - math.log(batch_size - 1)
    return torch.full((batch_size, batch_size), other).fill_diagonal_(-math.log(dataset_size))


def kl_decomposition(z, mean, log_var, log_importance):
    r"""The rate of each example, for one code z_i ~ q(z|x_i) of it, in three parts, in nats:

    log q(z_i|x_i) - log q(z_i), log q(z_i) - sum_l log q(z_il) and sum_l (log q(z_il) - log p(z_il))

    Their means over codes and data are the mutual information of example and code, the total correlation of the code, and the
    divergences of its coordinates from p = N(0, 1). q(z|x_j) = N(mean_j, e^log_var_j), and the density of all codes is
    q(z_i) = sum_j e^log_importance_ij q(z_i|x_j), with the same weights for each coordinate. For a batch the weights are
    stratified_log_importance, for a whole data set 1/N.

    Raises ValueError if z has not 2 axes, z has fewer than 2 rows, mean or log_var has another shape than z, or log_importance
    has not a row and a column for each.  Source: Chen et al. 2018, eq. 2; Hoffman & Johnson 2016.
    [B, L], [B, L], [B, L], [B, B] -> [B], [B], [B]
    """
    require_rank(2, z=z)
    require(len(z) >= 2, f"z has shape {list(z.shape)}; it must have at least 2 rows, to tell an example from the others")
    require_shape(z.shape, mean=mean, log_var=log_var)
    require_shape((len(z), len(z)), log_importance=log_importance)
    pairs = pairwise_latent_log_density(z, mean, log_var)
    own = pairs.diagonal(dim1=0, dim2=1).mT
    # Densities are taken relative to q(z_i|x_i), which is large where posteriors are sharp and cancels in two of the parts.
    relative = pairs - own.unsqueeze(1)
    joint = torch.logsumexp(log_importance + relative.sum(2), 1)
    marginals = torch.logsumexp(log_importance.unsqueeze(2) + relative, 1)
    log_prior = (z.square() + math.log(2 * math.pi)) / -2
    return -joint, joint - marginals.sum(1), (marginals + own - log_prior).sum(1)


def gaussian_total_correlation(covariance):
    r"""1/2 (sum_l log covariance_ll - log det covariance): KL(N(0, S) || N(0, diag S)) with S = covariance, in nats.

    Raises ValueError if covariance is not [B, L, L], or has a matrix that is not symmetric and positive definite.
    Source: Watanabe 1960; Cover & Thomas, section 8.4.
    [B, L, L] -> [B]
    """
    require_rank(3, covariance=covariance)
    size = covariance.shape[2]
    require_shape((len(covariance), size, size), covariance=covariance)
    variances = covariance.diagonal(dim1=1, dim2=2)
    require_values("covariance", variances, lambda v: v > 0, "positive on the diagonal")
    # Of the correlations: their determinant is 1 for independent coordinates of any scale.
    correlations = covariance / (variances.unsqueeze(1) * variances.unsqueeze(2)).sqrt()
    factor, failed = torch.linalg.cholesky_ex(correlations)

    def is_covariance(r):
        return ((r - r.mT).abs() <= 1e-5) & (failed == 0)[:, None, None]

    require_values("covariance", correlations, is_covariance, "symmetric and positive definite (correlations are shown)")
    return -factor.diagonal(dim1=1, dim2=2).log().sum(1)


def _require_terms(negative_log_likelihood, kl):
    require_rank(1, negative_log_likelihood=negative_log_likelihood)
    require_same_shape(negative_log_likelihood=negative_log_likelihood, kl=kl)
