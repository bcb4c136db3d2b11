"""Denoising diffusion implicit models: one trained network, a family of samplers, among them one without noise."""

from practice_torch.arguments import require_same_shape, require_timesteps, require_values, values_are_free
from practice_torch.diffusion._arguments import require_clip, require_signal
from practice_torch.diffusion._jumps import deviations, require_eta, step
from practice_torch.mathematics.levels import level_at, per_example


def ddim_sigma(t, s, alpha_bar, *, eta):
    r"""sigma = eta sqrt((1 - a_s)/(1 - a_t)) sqrt(1 - a_t/a_s): the noise of a step from level t to level s < t; 0 at s = 0.

    eta = 0 adds none, eta = 1 as much as an ancestral step does.
    Raises ValueError if t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, eta is negative, or so large that
    sigma^2 > 1 - a_s: more noise than there is at s.  Source: Song, Meng & Ermon 2021, eq. 16.
    [B], [B], [T+1] -> [B]
    """
    _require_jump(alpha_bar, None, t, s, eta)
    return deviations(t, s, alpha_bar, eta)[0]


def non_markovian_mean(x0, x_t, t, s, alpha_bar, *, eta):
    r"""Mean of q_sigma(x_s | x_t, x_0): sqrt(a_s) x_0 + sqrt(1 - a_s - sigma^2) (x_t - sqrt(a_t) x_0)/sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, eta is negative,
    or so large that sigma^2 > 1 - a_s.  Source: Song, Meng & Ermon 2021, eq. 7.
    [B, ...], [B, ...], [B], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, x_t=x_t)
    _require_jump(alpha_bar, x_t, t, s, eta)
    kept, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
    scale = deviations(t, s, alpha_bar, eta)[1] / (1 - kept).sqrt()  # how much of x_t stays
    return per_example(before.sqrt() - scale * kept.sqrt(), x0) * x0 + per_example(scale, x_t) * x_t


def ddim_step(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None):
    r"""x_s = sqrt(a_s) x_0^ + sqrt(1 - a_s - sigma^2) noise^ + sigma noise: from level t to any level s < t; x_0^ at s = 0.

    x_0^ = (x_t - sqrt(1 - a_t) noise_pred)/sqrt(a_t), clipped to [-clip, clip] if clip is given, and noise^ is the noise that x_t
    has next to this x_0^: noise_pred itself where nothing was clipped.
    Raises ValueError if the shapes differ, t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, a_t = 0 (the noise
    does not tell the data there), eta is negative or so large that sigma^2 > 1 - a_s, or clip is not positive.
    Source: Song, Meng & Ermon 2021, eq. 12.
    [B, ...], [B, ...], [B, ...], [B], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred, noise=noise)
    _require_jump(alpha_bar, x_t, t, s, eta)
    require_signal("alpha_bar[t]", level_at(t, alpha_bar))
    require_clip(clip)
    return step(x_t, noise_pred, noise, t, s, alpha_bar, eta, clip)


def _require_jump(alpha_bar, x, t, s, eta):
    require_timesteps(alpha_bar, x, t=t)
    require_timesteps(alpha_bar, x, lowest=0, s=s)
    require_same_shape(t=t, s=s)
    if values_are_free(t):
        require_values("s", s, lambda s: s < t, "below t: a step leads toward the data")
    require_eta(t, s, alpha_bar, eta)
