"""Denoising diffusion implicit models: one trained network, a family of samplers, among them one without noise."""

from practice_torch.arguments import require, require_same_shape, require_timesteps, require_values, values_are_free
from practice_torch.diffusion.ancestral_sampling import _require_clip, _require_signal
from practice_torch.levels import level_at, per_example


def ddim_sigma(t, s, alpha_bar, *, eta):
    r"""sigma = eta sqrt((1 - a_s)/(1 - a_t)) sqrt(1 - a_t/a_s): the noise of a step from level t to level s < t; 0 at s = 0.

    eta = 0 adds none, eta = 1 as much as an ancestral step does.
    Raises ValueError if t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, eta is negative, or so large that
    sigma^2 > 1 - a_s: more noise than there is at s.  Source: Song, Meng & Ermon 2021, eq. 16.
    [B], [B], [T+1] -> [B]
    """
    _require_jump(alpha_bar, None, t, s, eta)
    return _deviations(t, s, alpha_bar, eta)[0]


def non_markovian_mean(x0, x_t, t, s, alpha_bar, *, eta):
    r"""Mean of q_sigma(x_s | x_t, x_0): sqrt(a_s) x_0 + sqrt(1 - a_s - sigma^2) (x_t - sqrt(a_t) x_0)/sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, eta is negative,
    or so large that sigma^2 > 1 - a_s.  Source: Song, Meng & Ermon 2021, eq. 7.
    [B, ...], [B, ...], [B], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, x_t=x_t)
    _require_jump(alpha_bar, x_t, t, s, eta)
    kept, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
    scale = _deviations(t, s, alpha_bar, eta)[1] / (1 - kept).sqrt()  # how much of x_t stays
    return per_example(before.sqrt() - scale * kept.sqrt(), x0) * x0 + per_example(scale, x_t) * x_t


def ddim_step(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None):
    r"""x_s = sqrt(a_s) x_0^ + sqrt(1 - a_s - sigma^2) noise^ + sigma noise: from level t to any level s < t; x_0^ at s = 0.

    x_0^ = (x_t - sqrt(1 - a_t) noise_pred)/sqrt(a_t), clipped to [-clip, clip] if clip is given, and noise^ is the noise that x_t
    has beside this x_0^: noise_pred itself where nothing was clipped.
    Raises ValueError if the shapes differ, t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, a_t = 0 (the noise
    does not tell the data there), eta is negative or so large that sigma^2 > 1 - a_s, or clip is not positive.
    Source: Song, Meng & Ermon 2021, eq. 12.
    [B, ...], [B, ...], [B, ...], [B], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred, noise=noise)
    _require_jump(alpha_bar, x_t, t, s, eta)
    _require_signal("alpha_bar[t]", level_at(t, alpha_bar))
    _require_clip(clip)
    return _step(x_t, noise_pred, noise, t, s, alpha_bar, eta, clip)


def _step(x_t, noise_pred, noise, t, s, alpha_bar, eta, clip):
    """ddim_step without its checks, for loops that have made them."""
    kept, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
    signal, noisy = per_example(kept.sqrt(), x_t), per_example((1 - kept).sqrt(), x_t)
    x0 = (x_t - noisy * noise_pred) / signal
    if clip is not None:
        x0 = x0.clamp(-clip, clip)
        noise_pred = (x_t - signal * x0) / noisy
    fresh, rest = _deviations(t, s, alpha_bar, eta)
    return per_example(before.sqrt(), x_t) * x0 + per_example(rest, x_t) * noise_pred + per_example(fresh, x_t) * noise


def _deviations(t, s, alpha_bar, eta):
    """sigma, and sqrt(1 - a_s - sigma^2) for the noise that stays, [B]; both the constant 0 at s = 0, without slopes of roots."""
    fresh, rest = (variance.where(s > 0, 1.0).sqrt().where(s > 0, 0.0) for variance in _variances(t, s, alpha_bar, eta))
    return eta * fresh, rest


def _variances(t, s, alpha_bar, eta):
    """sigma^2 for eta = 1, and 1 - a_s - sigma^2 as a sum: the difference would cancel where little of x_t's noise stays."""
    kept, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
    noisier = (1 - before) / (1 - kept)
    return noisier * (before - kept) / before, (1 - before) * ((1 - eta**2) + eta**2 * noisier * kept / before)


def _require_jump(alpha_bar, x, t, s, eta):
    require_timesteps(alpha_bar, x, t=t)
    require_timesteps(alpha_bar, x, lowest=0, s=s)
    require_same_shape(t=t, s=s)
    if values_are_free(t):
        require_values("s", s, lambda s: s < t, "below t: a step leads toward the data")
    _require_eta(t, s, alpha_bar, eta)


def _require_eta(t, s, alpha_bar, eta):
    require(eta >= 0, f"eta is {eta}; it must be at least 0")
    if eta > 1:  # up to 1 some of the old noise always stays
        rest = _variances(t, s, alpha_bar, eta)[1]
        require_values(f"1 - a_s - sigma^2 at eta = {eta}", rest, lambda rest: rest >= 0, "at least 0: choose a smaller eta")
