"""The loss of DDPM: the squared error of the predicted noise, unweighted, weighted by the ELBO, and with a variance."""

from practice_torch.arguments import as_int64, require_same_shape, require_timesteps
from practice_torch.diffusion._arguments import require_signal, require_variance
from practice_torch.diffusion.elbo import gaussian_kl
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.reverse_process import (
    interpolated_log_variance,
    posterior_log_variance,
    posterior_mean,
    reverse_mean_from_noise,
)
from practice_torch.mathematics.levels import as_rows, beta_at, level_at, per_example


def squared_error(prediction, target):
    r"""||prediction - target||^2, summed over all axes but the first.

    Raises ValueError if the shapes differ.
    [B, ...], [B, ...] -> [B]
    """
    require_same_shape(target=target, prediction=prediction)
    return as_rows(prediction - target).square().sum(1)


def simple_loss(x0, t, noise, denoise_fn, alpha_bar):
    r"""||noise - denoise_fn(x_t, t)||^2 at x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, summed over all axes but the first.

    denoise_fn(x, t) -> predicted noise, t: [B].  This is the loss of one level; the caller draws t and averages.
    Raises ValueError if the shapes differ, also that of the prediction, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 14.
    [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, x0, t=t)
    t = as_int64(t)
    return squared_error(denoise_fn(forward_sample(x0, t, noise, alpha_bar), t), noise)


def variational_weight(t, alpha_bar, *, variance="large"):
    r"""beta_t^2 / (2 sigma_t^2 (1 - beta_t) (1 - a_t)): what the ELBO multiplies the simple loss of level t >= 2 with.

    sigma_t^2 is beta_t ("large") or beta~_t = (1 - a_(t-1))/(1 - a_t) beta_t ("small").
    Raises ValueError if t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, where the weight is infinite, or variance
    is another word.  Source: Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, lowest=2, t=t)
    require_variance(variance)
    before, after = level_at(t - 1, alpha_bar), level_at(t, alpha_bar)
    require_signal("alpha_bar[t]", after)
    noise_share = 1 - (after if variance == "large" else before)  # the remainder of (1 - a_t) sigma_t^2 / beta_t
    return beta_at(t, alpha_bar) * before / (2 * after * noise_share)


def variational_loss(x0, t, noise, denoise_fn, alpha_bar, *, variance="large"):
    r"""variational_weight times simple_loss: what the network can still lower of the ELBO's term L_(t-1), t >= 2; nats.

    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, or variance is another
    word.  Source: Ho et al. 2020, eq. 8 and 12.
    [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    weight = variational_weight(t, alpha_bar, variance=variance)
    return weight.to(x0.dtype) * simple_loss(x0, t, noise, denoise_fn, alpha_bar)


def learned_variance_loss(x0, x_t, t, noise_pred, v, alpha_bar):
    r"""KL(q(x_(t-1) | x_t, x_0) || N(mean, e^l)), t >= 2, l the log-variance that v interpolates; nats.

    The mean is that of noise_pred, which gets no gradient here: it learns from the simple loss, only the variance from this one.
    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, or a_t = 0.
    Source: Nichol & Dhariwal 2021, section 3.1.
    [B, ...], [B, ...], [B], [B, ...], [B, ...], [T+1] -> [B]
    """
    require_same_shape(x0=x0, x_t=x_t, noise_pred=noise_pred, v=v)
    require_timesteps(alpha_bar, x0, lowest=2, t=t)
    log_var_q = per_example(posterior_log_variance(t, alpha_bar), x_t).expand_as(x_t)
    mean_p = reverse_mean_from_noise(x_t, noise_pred.detach(), t, alpha_bar)
    return gaussian_kl(posterior_mean(x0, x_t, t, alpha_bar), log_var_q, mean_p, interpolated_log_variance(v, t, alpha_bar))
