"""What must hold of inpainting: merging, the replacement step, RePaint's levels, and the gradient of guidance."""

import numpy as np

from shared_specs.diffusion._cases import FROM_ONE, IMAGES, ONE, PIXELS, SCHEDULE, TIMES, TO_NOISE, X, Y, rejects_schedules
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

NAN = np.nan
MASK = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 0]], dtype=bool)
HALF = np.zeros((2, 3, 4, 5), dtype=bool)
HALF[0, :, :2], HALF[1, 1] = True, True  # the upper half of one image, one channel of the other
BOTH = np.array([[True, False], [False, True]])
ONLY_KNOWN = [[1.0, NAN], [NAN, -1.0]]  # there is nothing where the mask is False
RATIOS = [1.0, 0.64, 0.16]  # betas of 0.36 and 0.75
STEP = {"x_t": X, "noise_pred": Y, "noise": normal(5, 3), "x0_known": normal(5, 3), "known_noise": normal(5, 3), "mask": MASK}
SMALL = {name: zeros(2, 3) for name in ("x_t", "noise_pred", "noise", "x0_known", "known_noise")}
PAIR = SMALL | {"mask": np.ones((2, 3), dtype=bool), "t": np.array([1, 2]), "alpha_bar": SCHEDULE}
BY_HAND = {"x_t": [[1.0, -2.0], [3.0, 0.5]], "noise_pred": [[0.5, 1.0], [-1.0, 2.0]], "noise": [[2.0, -1.0], [1.0, 0.5]],
           "known_noise": [[5.0, 7.0], [2.0, -3.0]], "t": [1, 2], "alpha_bar": RATIOS}  # fmt: skip
FIRST_MEAN, SECOND_MEAN = -3.25, 8.502659580554381  # (x - 0.6 e)/0.8, and 2 (x - 0.75/sqrt(0.84) e) + sqrt(0.75) z
LEVELS = [10, 9, 8, 7, 8, 9, 8, 7, 8, 9, 8, 7, 6, 5, 6, 7, 6, 5, 6, 7, 6, 5, 4, 3, 4, 5, 4, 3, 4, 5, 4, 3, 2, 1, 2, 3, 2, 1, 2, 3,
          2, 1, 0]  # fmt: skip


def mixed(x):
    """A prediction in which entries depend on each other, and no straight line."""
    return 0.6 * x / (1 + x * x / 8) + x.sum(-1)[..., None] / 10


def of_both(x):
    """x/2 + the sum of the row: (3/2 x1 + x2, x1 + 3/2 x2)."""
    return x / 2 + x.sum(-1)[..., None]


def cut(x):
    """A prediction that loses an entry."""
    return x[:, 1:]


def _levels(f, **how):
    return f.resampling_schedule(**how)


SPEC = (
    # Merging.
    Agree("merge_known", "regular", given(unknown=X, known=Y, mask=MASK)),
    Agree("merge_known", "images", given(unknown=IMAGES, known=PIXELS, mask=HALF)),
    Agree("merge_known", "nothing where it is not wanted", given(
        unknown=[[NAN, 2.0], [3.0, NAN]], known=ONLY_KNOWN, mask=BOTH), no_gradient="the arguments hold NaN"),
    Anchor("merge_known", "nothing where it is not wanted", given(
        unknown=[[NAN, 2.0], [3.0, NAN]], known=ONLY_KNOWN, mask=BOTH), gives=[[1.0, 2.0], [3.0, -1.0]], source="by hand",
           near_misses={"zeros": [[1.0, 0.0], [0.0, -1.0]]}),
    Law.equal("nothing known, everything known", given(x=X, y=Y),
              left=lambda f, x, y: np.stack([f.merge_known(x, y, MASK & False), f.merge_known(x, y, MASK | True)]),
              right=lambda f, x, y: np.stack([x, y])),
    Rejects("merge_known", "another shape", given(unknown=zeros(2, 3), known=zeros(2, 2), mask=np.ones((2, 3), bool)),
            blames="known"),
    Rejects("merge_known", "a mask for each example", given(unknown=zeros(2, 3), known=zeros(2, 3), mask=np.ones(2, bool)),
            blames="mask"),
    Rejects("merge_known", "shares", given(unknown=zeros(2, 3), known=zeros(2, 3), mask=zeros(2, 3)), blames="mask"),
    Rejects("merge_known", "counts", given(unknown=zeros(2, 3), known=zeros(2, 3), mask=np.ones((2, 3), int)), blames="mask"),
    # A step with replacement.
    Agree("replacement_step", "regular", given(**STEP, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("replacement_step", "small, images", given(
        x_t=IMAGES, noise_pred=PIXELS, noise=normal(2, 3, 4, 5), x0_known=normal(2, 3, 4, 5), known_noise=normal(2, 3, 4, 5),
        mask=HALF, t=[3, 2], alpha_bar=SCHEDULE, variance="small")),
    Agree("replacement_step", "the last step among others", given(**STEP, t=FROM_ONE, alpha_bar=SCHEDULE),
          differentiate=tuple(STEP)[:-1]),
    Agree("replacement_step", "one step, to the data", given(**STEP, t=np.ones(5, int), alpha_bar=ONE), differentiate=(
        tuple(STEP)[:-1])),
    Anchor("replacement_step", "betas of 0.36 and 0.75", given(
        **BY_HAND, x0_known=[[4.0, NAN], [NAN, -1.0]], mask=BOTH),
           gives=[[4.0, FIRST_MEAN], [SECOND_MEAN, -2.6]],
           source="by hand: the data at t = 1; 0.8 (-1) + 0.6 (-3) at t = 2; and two entries of the reverse process",
           near_misses={"the level of x_t": [[6.2, FIRST_MEAN], [SECOND_MEAN, -0.4 - 3 * 0.84**0.5]],
                        "known entries without noise": [[4.0, FIRST_MEAN], [SECOND_MEAN, -0.8]],
                        "the data at every level": [[4.0, FIRST_MEAN], [SECOND_MEAN, -1.0]],
                        "the noise of the other entries": [[4.0, FIRST_MEAN], [SECOND_MEAN, -0.5]],
                        "the small variance": [[4.0, FIRST_MEAN], [8.203580886283783, -2.6]]}),
    Anchor("replacement_step", "the small variance", given(
        **BY_HAND, x0_known=[[4.0, NAN], [NAN, -1.0]], mask=BOTH, variance="small"),
           gives=[[4.0, FIRST_MEAN], [8.203580886283783, -2.6]], source="beta~ of 9/28",
           near_misses={"the large variance": [[4.0, FIRST_MEAN], [SECOND_MEAN, -2.6]]}),
    Law.equal("missing entries of the known data have no influence and no gradient", given(**STEP, alpha_bar=SCHEDULE),
              left=lambda f, x_t, pred, noise, x0, known, mask, a: f.gradient(
                  "replacement_step", x_t, pred, noise, np.where(mask, x0, NAN), known, mask, TIMES, a, wrt=7)[1:],
              right=lambda f, x_t, pred, noise, x0, known, mask, a: f.gradient(
                  "replacement_step", x_t, pred, noise, x0, known, mask, TIMES, a, wrt=7)[1:]),
    Law.equal("known entries have the forward process's law: mean and deviation", given(x0=X, t=TIMES),
              left=lambda f, x0, t: np.stack([
                  f.replacement_step(x0, x0, x0, x0, np.full_like(x0, share), MASK | True, t, SCHEDULE) for share in (0.0, 1.0)]),
              right=lambda f, x0, t: np.sqrt(SCHEDULE[t - 1])[:, None] * x0
              + np.sqrt(1 - SCHEDULE[t - 1])[:, None] * np.array([0.0, 1.0])[:, None, None]),
    Law.equal("known entries do not depend on the model", given(x_t=X, other=Y, x0=normal(5, 3), noise=normal(5, 3)),
              left=lambda f, x_t, other, x0, noise: f.replacement_step(
                  x_t, other, x_t, x0, noise, MASK, TIMES, SCHEDULE)[MASK],
              right=lambda f, x_t, other, x0, noise: f.replacement_step(
                  other, x_t, other, x0, noise, MASK, TIMES, SCHEDULE)[MASK]),
    *(
        Rejects("replacement_step", f"{name} of another shape", given(**PAIR | {name: zeros(2, 4)}), blames=name)
        for name in ("noise_pred", "noise", "x0_known", "known_noise")
    ),
    Rejects("replacement_step", "a mask of another shape", given(**PAIR | {"mask": np.ones((2, 4), bool)}), blames="mask"),
    Rejects("replacement_step", "a mask of numbers", given(**PAIR | {"mask": zeros(2, 3)}), blames="mask"),
    Rejects("replacement_step", "no step leads to the data", given(**PAIR | {"t": np.array([2, 0])}), blames="t "),
    Rejects("replacement_step", "after the last step", given(**PAIR | {"t": np.array([1, 7])}), blames="t "),
    Rejects("replacement_step", "a time too few", given(**PAIR | {"t": np.array([1])}), blames="t "),
    Rejects("replacement_step", "no signal left", given(**PAIR | {"t": np.array([2, 4]), "alpha_bar": TO_NOISE}),
            blames="alpha_bar"),
    Rejects("replacement_step", "a third variance", given(**PAIR, variance="medium"), blames="variance"),
    *rejects_schedules("replacement_step", PAIR),
    # RePaint's levels.
    Agree("resampling_schedule", "regular", given(num_steps=10, jump_length=2, num_resamples=3), no_gradient="integers"),
    Agree("resampling_schedule", "jumps of 10, as published", given(num_steps=250, jump_length=10, num_resamples=10),
          no_gradient="integers"),
    Agree("resampling_schedule", "one step", given(num_steps=1, jump_length=1, num_resamples=4), no_gradient="integers"),
    Anchor("resampling_schedule", "ten levels, jumps of two, three times", given(num_steps=10, jump_length=2, num_resamples=3),
           gives=LEVELS, source="by hand: 16 moves up from 7, 5, 3 and 1, 43 levels",
           near_misses={"from the data to the noise": LEVELS[::-1],
                        "from the top, too": [10, 9, 8, 9, 10, 9, 8, *LEVELS[7:]],
                        "once less": [10, 9, 8, 7, 8, 9, 8, 7, 6, 5, 6, 7, 6, 5, 4, 3, 4, 5, 4, 3, 2, 1, 2, 3, 2, 1, *[0] * 17]}),
    Anchor("resampling_schedule", "single steps, twice", given(num_steps=3, jump_length=1, num_resamples=2),
           gives=[3, 2, 3, 2, 1, 2, 1, 0], source="by hand", near_misses={"from 0, too": [3, 2, 3, 2, 1, 0, 1, 0]}),
    Anchor("resampling_schedule", "a jump longer than the way", given(num_steps=3, jump_length=3, num_resamples=5),
           gives=[3, 2, 1, 0], source="no level is three below the first and not the data",
           near_misses={"from the data": [3, 0, 3, 0]}),
    Law.equal("each move is one level, from T to 0", given(),
              left=lambda f: np.abs(np.diff(_levels(f, num_steps=9, jump_length=3, num_resamples=4))) == 1, right=True),
    Law.equal("without repetitions straight down", given(),
              left=lambda f: _levels(f, num_steps=7, jump_length=2, num_resamples=1), right=lambda f: np.arange(7, -1, -1)),
    Law.equal("how many levels", given(),
              left=lambda f: np.array([len(_levels(f, num_steps=T, jump_length=J, num_resamples=U))
                                       for T, J, U in ((250, 10, 10), (17, 4, 3), (5, 1, 6), (5, 5, 6))]),
              right=lambda f: np.array([T + 1 + 2 * len(range(0, T - J, J)) * J * (U - 1)
                                        for T, J, U in ((250, 10, 10), (17, 4, 3), (5, 1, 6), (5, 5, 6))])),
    *(
        Rejects("resampling_schedule", f"no {name}", given(
            **{"num_steps": 5, "jump_length": 2, "num_resamples": 2} | {name: 0}), blames=name)
        for name in ("num_steps", "jump_length", "num_resamples")
    ),
    # Guidance.
    Agree("guidance_gradient", "regular", given(x_t=X, known=Y, mask=MASK, x0_fn=mixed)),
    Agree("guidance_gradient", "images", given(x_t=IMAGES, known=PIXELS, mask=HALF, x0_fn=mixed)),
    Anchor("guidance_gradient", "two entries that see each other", given(
        x_t=[[2.0, -1.0], [1.0, 1.0]], known=[[3.0, NAN], [NAN, 0.5]], mask=BOTH, x0_fn=of_both),
           gives=[[1.5, 1.0], [-2.0, -3.0]], source="x0 = (2, 1/2) and (5/2, 5/2): residuals 1 and -2, slopes (3/2, 1), (1, 3/2)",
           near_misses={"without the network's slope": [[1.0, 0.0], [0.0, -2.0]],
                        "uphill in the error": [[-1.5, -1.0], [2.0, 3.0]],
                        "without the half": [[3.0, 2.0], [-4.0, -6.0]], "known entries alone": [[1.5, 0.0], [0.0, -3.0]],
                        "divided by two entries": [[0.75, 0.5], [-1.0, -1.5]]}),
    Law.equal("missing entries of the known data have no influence", given(x_t=X, known=Y),
              left=lambda f, x_t, known: f.guidance_gradient(x_t, np.where(MASK, known, NAN), MASK, mixed),
              right=lambda f, x_t, known: f.guidance_gradient(x_t, known, MASK, mixed)),
    Law.equal("nothing known, nothing to do", given(x_t=X, known=Y),
              left=lambda f, x_t, known: f.guidance_gradient(x_t, known, MASK & False, mixed), right=0.0),
    Rejects("guidance_gradient", "another shape", given(
        x_t=zeros(2, 3), known=zeros(2, 2), mask=np.ones((2, 3), bool), x0_fn=mixed), blames="known"),
    Rejects("guidance_gradient", "a mask of numbers", given(
        x_t=zeros(2, 3), known=zeros(2, 3), mask=zeros(2, 3), x0_fn=mixed), blames="mask"),
    Rejects("guidance_gradient", "a mask for each example", given(
        x_t=zeros(2, 3), known=zeros(2, 3), mask=np.ones(2, bool), x0_fn=mixed), blames="mask"),
    Rejects("guidance_gradient", "a prediction that loses an entry", given(
        x_t=zeros(2, 3), known=zeros(2, 3), mask=np.ones((2, 3), bool), x0_fn=cut), blames="x0_fn"),
)  # fmt: skip
