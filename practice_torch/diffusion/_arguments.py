"""Checks of arguments that several topics of diffusion share."""

from practice_torch.arguments import require, require_values


def require_clip(clip):
    """The clipping bound of data: positive, or None."""
    require(clip is None or clip > 0, f"clip is {clip}; it must be positive, or None for no clipping")


def require_noises(x_T, noises, count, of_what):
    """A tensor like x_T for each of the draws."""
    require(x_T.ndim >= 1, "x_T has no axes; the first one is the batch")
    given, wanted = list(noises.shape), [count, *x_T.shape]
    require(given == wanted, f"noises has shape {given}; it must be {wanted}: one tensor like x_T for each of {count} {of_what}")


def require_signal(name, levels):
    """Require some signal at every level: without it, a prediction of the noise does not determine the data."""
    require_values(name, levels, lambda a: a > 0, "positive: where no signal is left, the noise does not tell the data")


def require_variance(variance):
    """The name of one of the two reverse variances."""
    require(variance in ("large", "small"), f"variance is {variance!r}; it must be 'large' or 'small'")
