"""Wrong forms of inpainting that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import inpainting as right
from practice_torch.diffusion.ancestral_sampling import ddpm_step
from practice_torch.diffusion.forward_process import forward_sample
from tests.support.mistakes import Mistake, after_checks


def _step(x_t, noise_pred, noise, x0_known, known_noise, mask, t, alpha_bar, *, variance="large", level=-1, noisy=True,
          own_noise=True, filled=True, choose=torch.where):  # fmt: skip
    reverse = ddpm_step(x_t, noise_pred, noise, t, alpha_bar, variance=variance)
    x0 = x0_known.masked_fill(~mask, 0) if filled else x0_known
    draw = (known_noise if own_noise else noise) * (1 if noisy else 0)
    return choose(mask, forward_sample(x0, t.long() + level, draw, alpha_bar), reverse)


def _by_product(mask, known, unknown):
    """mask known + (1 - mask) unknown: 0 times NaN is NaN."""
    share = mask.to(known.dtype)
    return share * known + (1 - share) * unknown


def _levels(*, num_steps, jump_length, num_resamples, lowest=1, highest=0, again=-1):
    left = dict.fromkeys(range(lowest, num_steps - jump_length + 1 + highest, jump_length), num_resamples + again)
    levels = [num_steps]
    while levels[-1] > 0:
        here = levels[-1]
        if left.get(here, 0) > 0:
            left[here] -= 1
            levels += range(here + 1, here + jump_length + 1)
        levels.append(levels[-1] - 1)
    return torch.tensor(levels)


def _gradient(x_t, known, mask, x0_fn, *, factor=0.5, slope=True, of_mask=True, mean=False, masked_input=False, first=True):
    with torch.enable_grad():
        x = x_t.detach().requires_grad_() if not x_t.requires_grad else x_t * 1
        x0 = x0_fn(x)
        if not slope:
            x0 = x0.detach() + x - x.detach()
        error = known - x0
        if first:
            error = error.masked_fill(~mask, 0) if of_mask else error.nan_to_num()
        total = error.square().masked_fill(~mask & of_mask, 0).sum() / (mask.sum() if mean else 1)
        found = torch.autograd.grad(-factor * total, x, create_graph=True)[0]
    return found.masked_fill(~mask, 0) if masked_input else found


def _wrong(function, name, form, **how):
    return Mistake(function, name, after_checks(right, function, lambda **given: form(**given, **how)))


MERGE, STEP, LEVELS, GRADIENT = "merge_known", "replacement_step", "resampling_schedule", "guidance_gradient"

MISTAKES = (
    _wrong(MERGE, "the mask inverted", lambda unknown, known, mask: torch.where(mask, unknown, known)),
    _wrong(MERGE, "multiplied by the mask", lambda unknown, known, mask: _by_product(mask, known, unknown)),
    _wrong(MERGE, "not known is zero", lambda unknown, known, mask: known.masked_fill(~mask, 0)),
    Mistake(MERGE, "a mask of numbers", lambda unknown, known, mask: right.merge_known(
        unknown, known, mask > 0), only_checks=True),
    _wrong(STEP, "the mask inverted", _step, choose=lambda mask, known, reverse: torch.where(mask, reverse, known)),
    _wrong(STEP, "multiplied by the mask, NaN and all", _step, filled=False, choose=_by_product),
    _wrong(STEP, "NaN in the slope of the schedule", _step, filled=False),
    _wrong(STEP, "known entries at the level of x_t", _step, level=0),
    _wrong(STEP, "known entries without noise", _step, noisy=False),
    _wrong(STEP, "known entries with the noise of the others", _step, own_noise=False),
    Mistake(STEP, "always the large variance", lambda x_t, noise_pred, noise, x0_known, known_noise, mask, t, alpha_bar, **how: (
        right.replacement_step(x_t, noise_pred, noise, x0_known, known_noise, mask, t, alpha_bar))),
    Mistake(STEP, "a mask of numbers", lambda x_t, noise_pred, noise, x0_known, known_noise, mask, t, alpha_bar, **how: (
        right.replacement_step(x_t, noise_pred, noise, x0_known, known_noise, mask > 0, t, alpha_bar, **how)), only_checks=True),
    _wrong(LEVELS, "from the data, too", _levels, lowest=0),
    _wrong(LEVELS, "from the level above", _levels, lowest=2),
    _wrong(LEVELS, "one place more", _levels, highest=1),
    _wrong(LEVELS, "once more", _levels, again=0),
    _wrong(LEVELS, "without repetitions", _levels, again=-1_000),
    Mistake(LEVELS, "any numbers", lambda *, num_steps, jump_length, num_resamples: right.resampling_schedule(
        num_steps=max(num_steps, 1), jump_length=max(jump_length, 1), num_resamples=max(num_resamples, 1)), only_checks=True),
    _wrong(GRADIENT, "without the half", _gradient, factor=1.0),
    _wrong(GRADIENT, "uphill in the error", _gradient, factor=-0.5),
    _wrong(GRADIENT, "without the network's slope", _gradient, slope=False),
    _wrong(GRADIENT, "masked after the square: 0 times NaN", _gradient, first=False),
    _wrong(GRADIENT, "of all entries", _gradient, of_mask=False),
    _wrong(GRADIENT, "the mean over known entries", _gradient, mean=True),
    _wrong(GRADIENT, "at known entries alone", _gradient, masked_input=True),
    _wrong(GRADIENT, "detached", lambda x_t, known, mask, x0_fn: _gradient(x_t, known, mask, x0_fn).detach()),
    Mistake(GRADIENT, "a mask of numbers", lambda x_t, known, mask, x0_fn: right.guidance_gradient(
        x_t, known, mask > 0, x0_fn), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(MERGE, "by indices", after_checks(right, MERGE, lambda unknown, known, mask: unknown.masked_scatter(
        mask, known[mask]))),
    Mistake(STEP, "of its two steps", after_checks(right, STEP, _step)),
    Mistake(LEVELS, "by counting what is left", after_checks(right, LEVELS, _levels)),
    Mistake(GRADIENT, "by autograd", after_checks(right, GRADIENT, _gradient)),
)  # fmt: skip
