"""DPM-Solver and DPM-Solver++: samplers of order two on a clock of half log-SNRs, lambda = log(alpha/sigma).

With alpha^2 + sigma^2 = 1 the clock gives both weights: alpha = sqrt(sigmoid(2 lambda)), sigma = sqrt(sigmoid(-2 lambda)). Steps
go from s to t, toward the data, and h = lambda_t - lambda_s is positive.
"""

import itertools

import torch

from practice_torch.arguments import (
    require,
    require_batch,
    require_one_each,
    require_rank,
    require_same_shape,
    require_values,
    values_are_free,
)
from practice_torch.diffusion.noise_schedules import log_snr
from practice_torch.mathematics.levels import per_example


def half_log_snr(alpha_bar):
    r"""lambda = 1/2 (log a - log(1 - a)) = log(sqrt(a)/sqrt(1 - a)): +inf at a = 1, -inf at a = 0.

    Raises ValueError for an alpha_bar outside [0, 1].  Source: Lu et al. 2022a (DPM-Solver), section 3.1.
    [...] -> [...]
    """
    return 0.5 * log_snr(alpha_bar)


def first_order_step(x, x0_pred, lambda_from, lambda_to):
    r"""x_t = sigma_t/sigma_s x - alpha_t (e^-h - 1) x0_pred: DDIM's step with eta = 0; exact if x0_pred is constant on the way.

    Raises ValueError if the shapes of x and x0_pred differ, or each example does not have a finite lambda_to above a finite
    lambda_from.  Source: Lu et al. 2022a (DPM-Solver), section 4.1; Lu et al. 2022b (DPM-Solver++), section 4.1.
    [B, ...], [B, ...], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, x0_pred=x0_pred)
    _require_order(x, lambda_from=lambda_from, lambda_to=lambda_to)
    return _toward(x, x0_pred, lambda_from, lambda_to)


def multistep_second_order_step(x, x0_pred, x0_pred_before, lambda_before, lambda_from, lambda_to):
    r"""x_t = sigma_t/sigma_s x - alpha_t (e^-h - 1) D, D = (1 + 1/(2r)) x0_pred - 1/(2r) x0_pred_before, r = h_before/h.

    D continues the line through the last two predictions to the middle of the step; h_before = lambda_from - lambda_before.

    Raises ValueError if the shapes of x and the predictions differ, or each example does not have finite lambda_before <
    lambda_from < lambda_to.  Source: Lu et al. 2022b (DPM-Solver++), algorithm 2 (2M).
    [B, ...], [B, ...], [B, ...], [B], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, x0_pred=x0_pred, x0_pred_before=x0_pred_before)
    _require_order(x, lambda_before=lambda_before, lambda_from=lambda_from, lambda_to=lambda_to)
    ahead = 0.5 * (lambda_to - lambda_from) / (lambda_from - lambda_before)
    return _toward(x, _continued(x0_pred, x0_pred_before, per_example(ahead, x)), lambda_from, lambda_to)


def singlestep_second_order_step(x, lambda_from, lambda_to, denoise_fn):
    r"""x_t = alpha_t/alpha_s x - sigma_t (e^h - 1) e(x_m, m), x_m = alpha_m/alpha_s x - sigma_m (e^(h/2) - 1) e(x, lambda_s).

    e = denoise_fn(x, lambda: [B]) is a prediction of the noise (not of the data, as in multistep_sample), and m is the middle of
    the step.

    Raises ValueError unless each example has a finite lambda_to above a finite lambda_from, and denoise_fn returns the shape of
    x.  Source: Lu et al. 2022a (DPM-Solver), algorithm 1 (DPM-Solver-2).
    [B, ...], [B], [B] -> [B, ...]
    """
    _require_order(x, lambda_from=lambda_from, lambda_to=lambda_to)
    middle = torch.lerp(lambda_from, lambda_to, 0.5)
    stage = _away(x, _call(denoise_fn, x, lambda_from), lambda_from, middle)
    return _away(x, _call(denoise_fn, stage, middle), lambda_from, lambda_to)


def multistep_sample(x, lambdas, denoise_fn, *, lower_order_final=True):
    r"""x from lambdas[0] to lambdas[S] in S steps of DPM-Solver++ 2M, with one evaluation of denoise_fn for each of them.

    denoise_fn(x, lambda: [B]) is a prediction of the data (not of the noise, as in singlestep_second_order_step). The first step
    is of order one, having no prediction before it; the last one, too, if lower_order_final.

    Raises ValueError unless lambdas are two or more, finite and rising, and denoise_fn returns the shape of x.
    Source: Lu et al. 2022b (DPM-Solver++), algorithm 2.
    [B, ...], [S+1] -> [B, ...]
    """
    require_batch(x=x)
    require_rank(1, lambdas=lambdas)
    steps = len(lambdas) - 1
    require(steps > 0, f"lambdas has {steps + 1} entries; it must have at least two")
    require_values("lambdas", lambdas, torch.isfinite, "finite: at the data itself the prediction is the result")
    lengths = lambdas.diff()
    require_values("lambdas", lengths, lambda h: h > 0, "rising all the way (shown: a step)")
    before = None
    for i, (now, after) in enumerate(itertools.pairwise(lambdas)):
        level = now.expand(len(x))
        x0 = _call(denoise_fn, x, level)
        guess = x0
        if i > 0 and not (lower_order_final and i == steps - 1):
            guess = _continued(x0, before, (0.5 * lengths[i] / lengths[i - 1]).to(x.dtype))
        x, before = _toward(x, guess, level, after.expand(len(x))), x0
    return x


def _continued(x0, before, share):
    """The line through two predictions, `share` of their distance beyond the second."""
    return torch.addcmul(x0, share, x0 - before)


def _toward(x, x0, now, after):
    """A step along which the prediction of the data stays as it is."""
    kept = ((-2 * after).sigmoid() / (-2 * now).sigmoid()).sqrt()
    added = (2 * after).sigmoid().sqrt() * torch.expm1(now - after)
    return per_example(kept, x) * x - per_example(added, x) * x0


def _away(x, noise, now, after):
    """A step along which the prediction of the noise stays as it is."""
    kept = ((2 * after).sigmoid() / (2 * now).sigmoid()).sqrt()
    removed = (-2 * after).sigmoid().sqrt() * torch.expm1(after - now)
    return per_example(kept, x) * x - per_example(removed, x) * noise


def _call(denoise_fn, x, level):
    prediction = denoise_fn(x, level)
    found, wanted = list(prediction.shape), list(x.shape)
    require(found == wanted, f"denoise_fn returned shape {found}; it must return that of x, {wanted}")
    return prediction


def _require_order(x, **levels):
    """One finite level of each kind for every example, from noise to data."""
    require_one_each(x, **levels)
    for name, level in levels.items():
        require_values(name, level, torch.isfinite, "finite")
    for (first, low), (second, high) in itertools.pairwise(levels.items()):
        if values_are_free(low):
            require_values(second, high, lambda high, low=low: high > low, f"above {first}")
