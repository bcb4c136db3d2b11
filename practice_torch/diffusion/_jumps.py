"""A jump of DDIM from level t to level s: the step itself, what its noise is made of, and how much of it may be new."""

from practice_torch.arguments import require_at_least, require_values
from practice_torch.mathematics.levels import level_at, per_example


def step(x_t, noise_pred, noise, t, s, alpha_bar, eta, clip):
    """ddim_step without its checks, for loops that have made them."""
    kept, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
    signal, noisy = per_example(kept.sqrt(), x_t), per_example((1 - kept).sqrt(), x_t)
    x0 = (x_t - noisy * noise_pred) / signal
    if clip is not None:
        x0 = x0.clamp(-clip, clip)
        noise_pred = (x_t - signal * x0) / noisy
    fresh, rest = deviations(t, s, alpha_bar, eta)
    return per_example(before.sqrt(), x_t) * x0 + per_example(rest, x_t) * noise_pred + per_example(fresh, x_t) * noise


def deviations(t, s, alpha_bar, eta):
    """sigma, and sqrt(1 - a_s - sigma^2) for the noise that stays, [B]; both the constant 0 at s = 0, without slopes of roots."""
    fresh, rest = (variance.where(s > 0, 1.0).sqrt().where(s > 0, 0.0) for variance in variances(t, s, alpha_bar, eta))
    return eta * fresh, rest


def variances(t, s, alpha_bar, eta):
    """sigma^2 for eta = 1, and 1 - a_s - sigma^2 as a sum: the difference would cancel where little of x_t's noise stays."""
    kept, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
    noisier = (1 - before) / (1 - kept)
    return noisier * (before - kept) / before, (1 - before) * ((1 - eta**2) + eta**2 * noisier * kept / before)


def require_eta(t, s, alpha_bar, eta):
    """The standard deviation of a jump's noise: at most all the noise of level s."""
    require_at_least(0, eta=eta)
    if eta > 1:  # up to 1 some of the old noise always stays
        rest = variances(t, s, alpha_bar, eta)[1]
        require_values(f"1 - a_s - sigma^2 at eta = {eta}", rest, lambda rest: rest >= 0, "at least 0: choose a smaller eta")
