"""Score prediction: from noise to score and to the data's mean, the loss of score matching, and mixtures with an exact score."""

import torch
from torch import nn

from practice_torch.arguments import require, require_rank, require_same_shape, require_timesteps, require_values
from practice_torch.mathematics.levels import as_rows, level_at, per_example
from practice_torch.mathematics.mixture import log_joint, mean_of_data, require_components
from practice_torch.networks.perceptron import perceptron
from practice_torch.networks.time_embedding import sinusoidal_time_embedding


def score_from_noise(noise, t, alpha_bar):
    r"""-noise / sqrt(1 - a_t): the gradient of log q(x_t | x_0) for the noise of x_t, of log q(x_t) for its mean E(noise | x_t).

    Raises ValueError if t is not an integer in 1..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2020, section 3.2; Luo 2022.
    [B, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, noise, t=t)
    return noise * per_example(-(1 - level_at(t, alpha_bar)).rsqrt(), noise)


def tweedie_mean(x_t, score, t, alpha_bar):
    r"""E(x_0 | x_t) = (x_t + (1 - a_t) grad log q(x_t)) / sqrt(a_t): the data that the score points to.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: pure noise does not
    tell the data.  Source: Efron 2011; Luo 2022.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, score=score)
    require_timesteps(alpha_bar, x_t, t=t)
    kept = level_at(t, alpha_bar)
    require_values("alpha_bar[t]", kept, lambda a: a > 0, "positive: where no signal is left, the score does not tell the data")
    return torch.addcmul(x_t, per_example(1 - kept, x_t), score) * per_example(kept.rsqrt(), x_t)


def denoising_score_matching_loss(x0, noise, sigma, score_fn):
    r"""1/2 ||sigma score_fn(x_0 + sigma noise, sigma) + noise||^2, summed over all axes but the first.

    That is sigma^2 times the squared distance from the score of q(x | x_0) = N(x_0, sigma^2 I), -noise/sigma; score_fn(x, sigma)
    -> score, sigma: [B].

    Raises ValueError if the shapes differ, sigma is not positive, or score_fn returns another shape.
    Source: Vincent 2011, section 4.2; Song & Ermon 2019, eq. 5 and 6.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(x0=x0, noise=noise)
    require_rank(1, sigma=sigma)
    require(len(sigma) == len(x0), f"sigma has {len(sigma)} entries; it must have one for each of the {len(x0)} examples")
    require_values("sigma", sigma, lambda sigma: sigma > 0, "positive: without noise there is nothing to remove")
    deviation = per_example(sigma, x0)
    score = score_fn(torch.addcmul(x0, deviation, noise), sigma)
    found, wanted = list(score.shape), list(x0.shape)
    require(found == wanted, f"score_fn returned shape {found}; it must return that of x0, {wanted}")
    return as_rows(torch.addcmul(noise, deviation, score)).square().sum(1) / 2


def diffused_mixture(means, log_vars, t, alpha_bar):
    r"""The mixture after t steps: means sqrt(a_t) m_k and log-variances log(a_t e^l_k + 1 - a_t); the weights stay.

    At t = 0 it is what it was. A log-variance of -inf is a point of data.
    Raises ValueError if the shapes do not fit, t is not an integer in 0..T, or alpha_bar is no schedule.
    Source: Song & Ermon 2019; Luo 2022.
    [K, D], [K], [B], [T+1] -> [B, K, D], [B, K]
    """
    require_rank(2, means=means)
    require_components(means, log_vars)
    require_timesteps(alpha_bar, lowest=0, t=t)
    kept = level_at(t, alpha_bar)[:, None]
    log_noised = log_vars.where(t[:, None] == 0, _log_lerp_exp(log_vars, kept))
    return kept.sqrt()[:, :, None].to(means.dtype) * means, log_noised.to(log_vars.dtype)


def mixture_log_prob(x, means, log_vars, log_weights):
    r"""log sum_k w_k N(x; m_k, e^l_k I), nats; one mixture for all x, or one for each.

    Raises ValueError if the shapes do not fit, or the weights of log_weights do not sum to one.
    Source: Bishop 2006, section 2.3.9.
    [B, D], [..., K, D], [..., K], [K] -> [B]
    """
    return log_joint(x, means, log_vars, log_weights)[0].logsumexp(1)


def mixture_score(x, means, log_vars, log_weights):
    r"""grad_x log sum_k w_k N(x; m_k, e^l_k I) = sum_k p(k | x) (m_k - x) e^-l_k.

    Raises ValueError if the shapes do not fit, or the weights of log_weights do not sum to one.
    Source: Song & Ermon 2019, section 3.2.
    [B, D], [..., K, D], [..., K], [K] -> [B, D]
    """
    joint, scaled, deviations = log_joint(x, means, log_vars, log_weights)
    return torch.einsum("bk,bkd->bd", joint.softmax(1) / deviations, scaled)


def empirical_posterior_mean(x_t, data, t, alpha_bar):
    r"""sum_i w_i x_i, w = softmax_i(-||x_t - sqrt(a_t) x_i||^2 / (2 (1 - a_t))): E(x_0 | x_t) if the N data were all there is.

    Raises ValueError if the shapes do not fit, there are no data, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Karras et al. 2022, appendix B.3.
    [B, ...], [N, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, x_t, t=t)
    kept = level_at(t, alpha_bar)
    return mean_of_data(x_t, data, kept.sqrt(), 1 - kept)


def _log_lerp_exp(log_var, kept):
    """log(a e^l + 1 - a), to the last digit also near 0: for l near 0, and for a near 0."""
    gentle = log_var.abs() < 0.5
    # expm1's own slope, expm1 + 1, has no digits left where e^l is small
    growth = log_var.where(gentle, 0.0).expm1().where(gentle, log_var.exp() - 1)
    change = kept * growth
    small = change.abs() < 0.5
    return change.where(small, 0.0).log1p().where(small, (kept * log_var.exp() + (1 - kept)).where(~small, 1.0).log())


class VelocityNetwork(nn.Module):
    """x_t [B, D], t [B] -> the velocity cos noise - sin x_0, which is of the order of one at every level of noise."""

    def __init__(self, dim, hidden, frequencies):
        super().__init__()
        self.features = 2 * frequencies
        self.body = perceptron(dim + self.features, hidden, hidden, hidden, dim, activation=nn.SiLU)

    def forward(self, x, t):
        return self.body(torch.cat([x, sinusoidal_time_embedding(t.to(x.dtype), dim=self.features)], 1))
