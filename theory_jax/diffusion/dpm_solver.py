"""DPM-Solver and DPM-Solver++: steps of order one and two along the probability flow, with its linear part solved exactly.

lambda is half of the log-SNR, log(alpha/sigma), and rises from the noise to the data; alpha = sqrt(sigmoid(2 lambda)) is the
weight of the data and sigma = sqrt(sigmoid(-2 lambda)) that of the noise. A step goes from s to t, and h = lambda_t - lambda_s.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_one_each, require_rank, require_same_shape, require_values
from theory_jax.diffusion.noise_schedules import log_snr
from theory_jax.mathematics.levels import per_example


def half_log_snr(alpha_bar):
    r"""lambda = 1/2 (log a - log(1 - a)) = log(sqrt(a)/sqrt(1 - a)): +inf at a = 1, -inf at a = 0.

    Raises ValueError for an alpha_bar outside [0, 1].  Source: Lu et al. 2022a (DPM-Solver), section 3.1.
    [...] -> [...]
    """
    return log_snr(alpha_bar) / 2


def first_order_step(x, x0_pred, lambda_from, lambda_to):
    r"""x_t = sigma_t/sigma_s x - alpha_t (e^-h - 1) x0_pred: DDIM's step with eta = 0; exact if x0_pred is constant on the way.

    Raises ValueError if the shapes of x and x0_pred differ, or each example does not have a finite lambda_to above a finite
    lambda_from.  Source: Lu et al. 2022a (DPM-Solver), section 4.1; Lu et al. 2022b (DPM-Solver++), section 4.1.
    [B, ...], [B, ...], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, x0_pred=x0_pred)
    _require_rising(x, lambda_from=lambda_from, lambda_to=lambda_to)
    return _step(x, x0_pred, lambda_from, lambda_to)


def multistep_second_order_step(x, x0_pred, x0_pred_before, lambda_before, lambda_from, lambda_to):
    r"""x_t = sigma_t/sigma_s x - alpha_t (e^-h - 1) D, D = (1 + 1/(2r)) x0_pred - 1/(2r) x0_pred_before, r = h_before/h.

    D continues the line through the last two predictions to the middle of the step; h_before = lambda_from - lambda_before.

    Raises ValueError if the shapes of x and the predictions differ, or each example does not have finite lambda_before <
    lambda_from < lambda_to.  Source: Lu et al. 2022b (DPM-Solver++), algorithm 2 (2M).
    [B, ...], [B, ...], [B, ...], [B], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, x0_pred=x0_pred, x0_pred_before=x0_pred_before)
    _require_rising(x, lambda_before=lambda_before, lambda_from=lambda_from, lambda_to=lambda_to)
    share = (lambda_to - lambda_from) / (2 * (lambda_from - lambda_before))
    return _step(x, x0_pred + per_example(share, x) * (x0_pred - x0_pred_before), lambda_from, lambda_to)


def singlestep_second_order_step(x, lambda_from, lambda_to, denoise_fn):
    r"""x_t = alpha_t/alpha_s x - sigma_t (e^h - 1) e(x_m, m), x_m = alpha_m/alpha_s x - sigma_m (e^(h/2) - 1) e(x, lambda_s).

    e = denoise_fn(x, lambda: [B]) is a prediction of the noise (not of the data, as in multistep_sample), and m is the middle of
    the step.

    Raises ValueError unless each example has a finite lambda_to above a finite lambda_from, and denoise_fn returns the shape of
    x.  Source: Lu et al. 2022a (DPM-Solver), algorithm 1 (DPM-Solver-2).
    [B, ...], [B], [B] -> [B, ...]
    """
    _require_rising(x, lambda_from=lambda_from, lambda_to=lambda_to)
    middle = (lambda_from + lambda_to) / 2
    halfway = _noise_step(x, _predicted(x, lambda_from, denoise_fn), lambda_from, middle)
    return _noise_step(x, _predicted(halfway, middle, denoise_fn), lambda_from, lambda_to)


def multistep_sample(x, lambdas, denoise_fn, *, lower_order_final=True):
    r"""x from lambdas[0] to lambdas[S] in S steps of DPM-Solver++ 2M, with one evaluation of denoise_fn for each of them.

    denoise_fn(x, lambda: [B]) is a prediction of the data (not of the noise, as in singlestep_second_order_step). The first step
    is of order one, having no prediction before it; the last one, too, if lower_order_final.

    Raises ValueError unless lambdas are two or more, finite and rising, and denoise_fn returns the shape of x.
    Source: Lu et al. 2022b (DPM-Solver++), algorithm 2.
    [B, ...], [S+1] -> [B, ...]
    """
    shares = _extrapolations(lambdas, lower_order_final)

    def advance(carry, given):
        x, before = carry
        share, now, after = given
        now, after = jnp.full(len(x), now), jnp.full(len(x), after)
        x0 = _predicted(x, now, denoise_fn)
        return (_step(x, x0 + share.astype(x.dtype) * (x0 - before), now, after), x0), None

    (x, _), _ = jax.lax.scan(advance, (x, jnp.zeros_like(x)), (shares, lambdas[:-1], lambdas[1:]))
    return x


def _extrapolations(lambdas, lower_order_final):
    """1/(2r) of every step, and 0 where it is of order one, [S]."""
    require_rank(1, lambdas=lambdas)
    require(len(lambdas) > 1, f"lambdas has {len(lambdas)} entries; it must have at least two")
    require_values("lambdas", lambdas, jnp.isfinite, "finite: at the data itself the prediction is the result")
    require_values("lambdas", jnp.diff(lambdas), lambda h: h > 0, "rising all the way (shown: a step)")
    lengths = jnp.diff(lambdas)
    shares = jnp.append(jnp.zeros(1, lengths.dtype), lengths[1:] / (2 * lengths[:-1]))
    return shares.at[-1].set(0.0) if lower_order_final else shares


def _step(x, x0, now, after):
    (_, noise), (signal_after, noise_after) = _weights(now), _weights(after)
    return per_example(noise_after / noise, x) * x - per_example(signal_after * jnp.expm1(now - after), x) * x0


def _noise_step(x, noise_pred, now, after):
    (signal, _), (signal_after, noise_after) = _weights(now), _weights(after)
    return per_example(signal_after / signal, x) * x - per_example(noise_after * jnp.expm1(after - now), x) * noise_pred


def _weights(half_log_snr):
    """alpha and sigma."""
    return jnp.sqrt(jax.nn.sigmoid(2 * half_log_snr)), jnp.sqrt(jax.nn.sigmoid(-2 * half_log_snr))


def _predicted(x, level, denoise_fn):
    found = denoise_fn(x, level)
    require(
        jnp.shape(found) == jnp.shape(x),
        f"denoise_fn returned shape {list(jnp.shape(found))}; it must return that of x, {list(jnp.shape(x))}",
    )
    return found


def _require_rising(x, **levels):
    """One finite value of every name for each example, each above the one before."""
    require_one_each(x, **levels)
    before = None
    for name, level in levels.items():
        require_values(name, level, jnp.isfinite, "finite")
        if before is not None:
            require_values(name, level, lambda level, least=levels[before]: level > least, f"above {before}")
        before = name
