"""Contracts of DPM-Solver's steps and of the sampler DPM-Solver++ 2M (Lu et al. 2022)."""

import numpy as np

from shared_specs.diffusion._cases import IMAGES, X, Y, at, column
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

INF = np.inf
LOG_2 = float(np.log(2.0))
BEFORE = uniform(5, low=-3.0, high=-1.5)
FROM = uniform(5, low=-1.0, high=0.0)
TO = uniform(5, low=0.3, high=2.0)
GRID = [-1.5, -1.1, -0.2, 0.1, 0.9, 1.3]  # no two steps are equal
FAR, FAR_END = [-20.0, 19.0], [-18.5, 20.0]
ON_NORMAL_DATA = 0.8 * 2**0.5  # x0 of N(0, 4) at x = 1, lambda = 0: alpha c/V x = 4 sqrt(1/2)/(5/2)


def bent(x, level):
    """A prediction that is no straight line, neither in x nor in the level."""
    return 0.9 * x / (1 + x * x / 10) + at(x, level) / 5 - at(x, level * level) / 20


def itself(x, level):
    """x as its own prediction, at every level."""
    return x * 1.0


def at_home(x, level):
    """Data that are all 3."""
    return x * 0 + 3.0


def ones(x, level):
    """Noise that is all 1."""
    return x * 0 + 1.0


def half_and_level(x, level):
    """x/2 + lambda."""
    return x / 2 + at(x, level)


def cut(x, level):
    """A prediction that loses an entry."""
    return x[:, 1:]


def _weights(level):
    """alpha and sigma of half a log-SNR."""
    return (1 / (1 + np.exp(-2 * level))) ** 0.5, (1 / (1 + np.exp(2 * level))) ** 0.5


def _normal_noise(x, level):
    """The best prediction of the noise for data N(0, 4): sigma x/V with V = 4 alpha^2 + sigma^2."""
    odds = np.e ** at(x, 2 * level)  # alpha^2/sigma^2
    return (1 + odds) ** 0.5 / (4 * odds + 1) * x


def _normal_data(x, level):
    """The best prediction of data N(0, 4): 4 alpha x/V."""
    odds = np.e ** at(x, 2 * level)
    return 4 * (odds * (1 + odds)) ** 0.5 / (4 * odds + 1) * x


def _exact(x, start, end):
    """The image of x under the flow of data N(0, 4), which keeps x in units of the deviation."""
    before, after = (1 + 3 * _weights(level)[0] ** 2 for level in (start, end))
    return x * (after / before) ** 0.5


def _end(f, x, levels, of_order):
    """x after steps between the levels, one after the other."""
    for now, after in zip(levels[:-1], levels[1:], strict=True):
        now, after = np.full(len(x), now), np.full(len(x), after)
        if of_order == 1:
            x = f.first_order_step(x, _normal_data(x, now), now, after)
        else:
            x = f.singlestep_second_order_step(x, now, after, _normal_noise)
    return x


def _order(name, order, solved):
    return Law.limit(
        f"{name}: order {order:g} on normal data",
        given(x=[[1.0, -2.0]]),
        at=(1 / 8, 1 / 16, 1 / 32),
        order=order,
        value=lambda f, h, x: solved(f, x, np.linspace(-1.0, 1.0, round(2 / h) + 1)),
        limit=lambda f, x: _exact(x, -1.0, 1.0),
    )


def _two_m(f, x, levels, denoise):
    """DPM-Solver++ 2M from its two steps, of order one at both ends."""
    before, levels = None, [np.full(len(x), level) for level in levels]
    for i in range(len(levels) - 1):
        x0 = denoise(x, levels[i])
        if i in (0, len(levels) - 2):
            x = f.first_order_step(x, x0, levels[i], levels[i + 1])
        else:
            x = f.multistep_second_order_step(x, x0, before, levels[i - 1], levels[i], levels[i + 1])
        before = x0
    return x


SPEC = (
    # The clock.
    Agree("half_log_snr", "regular", given(alpha_bar=uniform(3, 5, low=0.02, high=0.98))),
    Agree("half_log_snr", "near both ends", given(alpha_bar=[1e-5, 0.01, 0.5, 1 - 1e-5])),
    Agree("half_log_snr", "both ends", given(alpha_bar=[1.0, 0.5, 0.0]), no_gradient="the slope is infinite at 0 and 1"),
    Anchor("half_log_snr", "odds of 1/4, 1, 4 and infinity", given(alpha_bar=[0.2, 0.5, 0.8, 1.0]),
           gives=[-LOG_2, 0.0, LOG_2, INF], source="by hand: alpha/sigma is 1/2, 1, 2",
           near_misses={"the log-SNR itself": [-2 * LOG_2, 0.0, 2 * LOG_2, INF], "noise over signal": [LOG_2, 0.0, -LOG_2, -INF],
                        "a for its root": [np.log(0.2), np.log(0.5), np.log(0.8), 0.0]}),
    Rejects("half_log_snr", "more than everything", given(alpha_bar=[0.5, 1.5]), blames="alpha_bar"),
    # A step of order one.
    Agree("first_order_step", "regular", given(x=X, x0_pred=Y, lambda_from=FROM, lambda_to=TO)),
    Agree("first_order_step", "images, far out", given(x=IMAGES, x0_pred=normal(2, 3, 4, 5), lambda_from=FAR, lambda_to=FAR_END),
          differentiate=("x", "x0_pred")),
    Agree("first_order_step", "a very short step from 0", given(
        x=zeros(2, 3), x0_pred=normal(2, 3), lambda_from=[0.0, 0.0], lambda_to=[1e-8, 1e-6]), differentiate=("x", "x0_pred")),
    Anchor("first_order_step", "from 0 to log 2 on data N(0, 4)", given(
        x=[[1.0]], x0_pred=[[ON_NORMAL_DATA]], lambda_from=[0.0], lambda_to=[LOG_2]),
           gives=[[1.8 * 0.4**0.5]], source="sigma^2 from 1/2 to 1/5, alpha^2 = 4/5, 1 - e^-h = 1/2: sqrt(2/5) (1 + 4/5)",
           near_misses={"a step of the log-SNR itself": [[2.2 * 0.4**0.5]],
                        "e^-h - 1 added": [[0.2 * 0.4**0.5]], "e^h - 1": [[2.6 * 0.4**0.5]],
                        "the noise's step": [[1.6**0.5 - 0.2**0.5 * ON_NORMAL_DATA]],
                        "alpha of the start": [[0.4**0.5 + 0.4]], "not scaled": [[1 + 0.8 * 0.4**0.5]],
                        "squares for roots": [[0.4 + 0.4 * ON_NORMAL_DATA]]}),
    Law.equal("it is DDIM's step without noise", given(x=X, x0=Y, now=FROM, after=TO),
              left=lambda f, x, x0, now, after: f.first_order_step(x, x0, now, after),
              right=lambda f, x, x0, now, after: column(_weights(after)[0]) * x0 + column(_weights(after)[1]) * (
                  x - column(_weights(now)[0]) * x0) / column(_weights(now)[1])),
    Law.equal("two steps with one prediction are one step", given(x=X, x0=Y, begin=BEFORE, now=FROM, after=TO),
              left=lambda f, x, x0, begin, now, after: f.first_order_step(
                  f.first_order_step(x, x0, begin, now), x0, now, after),
              right=lambda f, x, x0, begin, now, after: f.first_order_step(x, x0, begin, after)),
    Rejects("first_order_step", "another shape", given(x=zeros(2, 3), x0_pred=zeros(2, 2), lambda_from=[0.0, 0.0],
            lambda_to=[1.0, 1.0]), blames="x0_pred"),
    Rejects("first_order_step", "toward the noise", given(x=zeros(2, 3), x0_pred=zeros(2, 3), lambda_from=[0.0, 1.0],
            lambda_to=[1.0, 0.5]), blames="lambda_to"),
    Rejects("first_order_step", "no step", given(x=zeros(2, 3), x0_pred=zeros(2, 3), lambda_from=[0.0, 1.0],
            lambda_to=[1.0, 1.0]), blames="lambda_to"),
    Rejects("first_order_step", "to the data themselves", given(x=zeros(2, 3), x0_pred=zeros(2, 3), lambda_from=[0.0, 1.0],
            lambda_to=[1.0, INF]), blames="lambda_to"),
    Rejects("first_order_step", "one level for all", given(x=zeros(2, 3), x0_pred=zeros(2, 3), lambda_from=[0.0],
            lambda_to=[1.0, 1.0]), blames="lambda_from"),
    # A step of order two, with the prediction before.
    Agree("multistep_second_order_step", "regular", given(
        x=X, x0_pred=Y, x0_pred_before=normal(5, 3), lambda_before=BEFORE, lambda_from=FROM, lambda_to=TO)),
    Agree("multistep_second_order_step", "images, far out", given(
        x=IMAGES, x0_pred=normal(2, 3, 4, 5), x0_pred_before=normal(2, 3, 4, 5), lambda_before=[-20.0, 15.0],
        lambda_from=[-19.0, 19.0], lambda_to=[-16.0, 20.0]), differentiate=("x", "x0_pred", "x0_pred_before")),
    Agree("multistep_second_order_step", "very short steps around 0", given(
        x=zeros(2, 3), x0_pred=normal(2, 3), x0_pred_before=normal(2, 3), lambda_before=[-2e-8, -1e-6], lambda_from=[0.0, 0.0],
        lambda_to=[1e-8, 3e-6]), differentiate=("x", "x0_pred", "x0_pred_before")),
    Anchor("multistep_second_order_step", "a step half as long as the one before", given(
        x=[[1.0]], x0_pred=[[2.0]], x0_pred_before=[[1.0]], lambda_before=[-2 * LOG_2], lambda_from=[0.0], lambda_to=[LOG_2]),
           gives=[[0.4**0.5 + 0.8**0.5 / 2 * 2.25]], source="r = 2, D = 5/4 * 2 - 1/4 = 9/4; sqrt(2/5) + sqrt(1/5) 9/4",
           near_misses={"r inverted": [[0.4**0.5 + 0.8**0.5 / 2 * 3.0]], "plus and minus exchanged": [[
               0.4**0.5 + 0.8**0.5 / 2 * 1.75]], "to the end of the step": [[0.4**0.5 + 0.8**0.5 / 2 * 2.5]],
               "order one": [[0.4**0.5 + 0.8**0.5]], "steps taken to be equal": [[0.4**0.5 + 0.8**0.5 / 2 * 2.5]],
               "the mean of both": [[0.4**0.5 + 0.8**0.5 / 2 * 1.5]]}),
    Anchor("multistep_second_order_step", "equal steps on data N(0, 4)", given(
        x=[[1.0]], x0_pred=[[ON_NORMAL_DATA]], x0_pred_before=[[0.4 * 5**0.5]], lambda_before=[-LOG_2], lambda_from=[0.0],
        lambda_to=[LOG_2]), gives=[[0.4**0.5 + 0.2**0.5 * (1.2 * 2**0.5 - 0.2 * 5**0.5)]],
           source="x0 = 4 sqrt(2)/5, before 2 sqrt(5)/5; the exact value is sqrt(34)/5 = 1.1662, this 1.1914",
           near_misses={"order one": [[1.8 * 0.4**0.5]], "the noise form with the same guess": [[1.1751744044572487]],
                        "plus and minus exchanged": [[0.4**0.5 + 0.2**0.5 * (0.4 * 2**0.5 + 0.2 * 5**0.5)]]}),
    Law.equal("a prediction that has not changed: order one", given(x=X, x0=Y, begin=BEFORE, now=FROM, after=TO),
              left=lambda f, x, x0, begin, now, after: f.multistep_second_order_step(x, x0, x0, begin, now, after),
              right=lambda f, x, x0, begin, now, after: f.first_order_step(x, x0, now, after)),
    Law.equal("a prediction that rises with lambda: order one with its value in the middle",
              given(x=X, x0=Y, slope=normal(5, 3), begin=BEFORE, now=FROM, after=TO),
              left=lambda f, x, x0, slope, begin, now, after: f.multistep_second_order_step(
                  x, x0, x0 + slope * column(begin - now), begin, now, after),
              right=lambda f, x, x0, slope, begin, now, after: f.first_order_step(
                  x, x0 + slope * column(after - now) / 2, now, after)),
    Rejects("multistep_second_order_step", "another shape", given(
        x=zeros(2, 3), x0_pred=zeros(2, 3), x0_pred_before=zeros(2, 2), lambda_before=[-1.0, -1.0], lambda_from=[0.0, 0.0],
        lambda_to=[1.0, 1.0]), blames="x0_pred_before"),
    Rejects("multistep_second_order_step", "a prediction from later", given(
        x=zeros(2, 3), x0_pred=zeros(2, 3), x0_pred_before=zeros(2, 3), lambda_before=[-1.0, 0.5], lambda_from=[0.0, 0.0],
        lambda_to=[1.0, 1.0]), blames="lambda_from"),
    Rejects("multistep_second_order_step", "toward the noise", given(
        x=zeros(2, 3), x0_pred=zeros(2, 3), x0_pred_before=zeros(2, 3), lambda_before=[-1.0, -1.0], lambda_from=[0.0, 0.0],
        lambda_to=[1.0, -0.5]), blames="lambda_to"),
    Rejects("multistep_second_order_step", "a prediction at pure noise", given(
        x=zeros(2, 3), x0_pred=zeros(2, 3), x0_pred_before=zeros(2, 3), lambda_before=[-1.0, -INF], lambda_from=[0.0, 0.0],
        lambda_to=[1.0, 1.0]), blames="lambda_before"),
    # A step of order two by itself.
    Agree("singlestep_second_order_step", "regular", given(x=X, lambda_from=FROM, lambda_to=TO, denoise_fn=bent)),
    Agree("singlestep_second_order_step", "images, far out", given(
        x=IMAGES, lambda_from=FAR, lambda_to=FAR_END, denoise_fn=bent), differentiate=("x",)),
    Anchor("singlestep_second_order_step", "from 0 to log 4", given(
        x=[[1.0]], lambda_from=[0.0], lambda_to=[2 * LOG_2], denoise_fn=itself),
           gives=[[(32 / 17) ** 0.5 - 3 * (1 / 17) ** 0.5 * (1.6**0.5 - 0.2**0.5)]],
           source="x_m = sqrt(8/5) - sqrt(1/5) in the middle, log 2; then sqrt(32/17) - sqrt(1/17) 3 x_m",
           near_misses={"order one": [[(32 / 17) ** 0.5 - 3 * (1 / 17) ** 0.5]],
                        "two steps": [[((20 / 17) ** 0.5 - (1 / 17) ** 0.5) * (1.6**0.5 - 0.2**0.5)]],
                        "data in place of noise": [[(2 / 17) ** 0.5 + 0.75 * (16 / 17) ** 0.5 * (0.4**0.5 + 0.2**0.5)]],
                        "the mean of both predictions": [[
                            (32 / 17) ** 0.5 - 3 * (1 / 17) ** 0.5 * (1 + 1.6**0.5 - 0.2**0.5) / 2]],
                        "added": [[(32 / 17) ** 0.5 + 3 * (1 / 17) ** 0.5 * (1.6**0.5 + 0.2**0.5)]]}),
    Anchor("singlestep_second_order_step", "a prediction that tells the level", given(
        x=[[0.0]], lambda_from=[0.0], lambda_to=[2 * LOG_2], denoise_fn=half_and_level),
           gives=[[-3 * (1 / 17) ** 0.5 * LOG_2]], source="the first prediction is 0, so x_m = 0; the second is log 2",
           near_misses={"the first level as argument": [[0.0]], "the last level as argument": [[-6 * (1 / 17) ** 0.5 * LOG_2]]}),
    Law.equal("noise that is constant on the way: exact", given(x0=Y, now=FROM, after=TO),
              left=lambda f, x0, now, after: f.singlestep_second_order_step(
                  column(_weights(now)[0]) * x0 + column(_weights(now)[1]), now, after, ones),
              right=lambda f, x0, now, after: column(_weights(after)[0]) * x0 + column(_weights(after)[1])),
    Rejects("singlestep_second_order_step", "toward the noise", given(
        x=zeros(2, 3), lambda_from=[0.0, 1.0], lambda_to=[1.0, 0.5], denoise_fn=bent), blames="lambda_to"),
    Rejects("singlestep_second_order_step", "from pure noise", given(
        x=zeros(2, 3), lambda_from=[0.0, -INF], lambda_to=[1.0, 0.5], denoise_fn=bent), blames="lambda_from"),
    Rejects("singlestep_second_order_step", "one level for all", given(
        x=zeros(2, 3), lambda_from=[0.0, 0.0], lambda_to=[1.0], denoise_fn=bent), blames="lambda_to"),
    Rejects("singlestep_second_order_step", "a prediction that loses an entry", given(
        x=zeros(2, 3), lambda_from=[0.0, 0.0], lambda_to=[1.0, 1.0], denoise_fn=cut), blames="denoise_fn"),
    # The whole way.
    Agree("multistep_sample", "regular", given(x=X, lambdas=GRID, denoise_fn=bent)),
    Agree("multistep_sample", "order two to the end", given(x=X, lambdas=GRID, denoise_fn=bent, lower_order_final=False)),
    Agree("multistep_sample", "two steps", given(x=X, lambdas=[-1.0, 0.2, 0.7], denoise_fn=bent)),
    Agree("multistep_sample", "one step", given(x=X, lambdas=[-1.0, 0.5], denoise_fn=bent, lower_order_final=False)),
    Agree("multistep_sample", "images, from far to far", given(
        x=IMAGES, lambdas=[-20.0, -4.0, 0.0, 3.0, 20.0], denoise_fn=_normal_data), differentiate=("x",)),
    Anchor("multistep_sample", "two steps of log 2, and one of log 4", given(
        x=[[1.0]], lambdas=[-LOG_2, 0.0, LOG_2, 3 * LOG_2], denoise_fn=itself, lower_order_final=False),
           gives=[[1.3866453588116199]], source="by hand: x = 1.144123; D = 1.216184, x = 1.267501; D = 2x - 1.144123 = 1.390879",
           near_misses={"order one at the end": [[1.2948263359]], "order one": [[1.2619047344]],
                        "r inverted": [[1.3177810917]]}),
    Law.equal("it is its steps, of order one at both ends", given(x=X),
              left=lambda f, x: f.multistep_sample(x, np.array(GRID), bent),
              right=lambda f, x: _two_m(f, x, np.array(GRID), bent)),
    Law.equal("to a point: exact, for all steps", given(noise=X),
              left=lambda f, noise: f.multistep_sample(
                  3 * _weights(GRID[0])[0] + noise * _weights(GRID[0])[1], np.array(GRID), at_home, lower_order_final=False),
              right=lambda f, noise: 3 * _weights(GRID[-1])[0] + noise * _weights(GRID[-1])[1]),
    _order("steps of order one", 1.0, lambda f, x, levels: _end(f, x, levels, 1)),
    _order("midpoint", 2.0, lambda f, x, levels: _end(f, x, levels, 2)),
    _order("2M", 2.0, lambda f, x, levels: f.multistep_sample(x, levels, _normal_data)),
    Rejects("multistep_sample", "one level", given(x=zeros(2, 3), lambdas=[0.0], denoise_fn=bent), blames="lambdas"),
    Rejects("multistep_sample", "toward the noise", given(x=zeros(2, 3), lambdas=[1.0, 0.5, 0.0], denoise_fn=bent),
            blames="lambdas"),
    Rejects("multistep_sample", "to the data themselves", given(x=zeros(2, 3), lambdas=[-1.0, 0.5, INF], denoise_fn=bent),
            blames="lambdas"),
    Rejects("multistep_sample", "levels for each example", given(x=zeros(2, 3), lambdas=[[-1.0, 0.5], [-1.0, 0.5]],
            denoise_fn=bent), blames="lambdas"),
    Rejects("multistep_sample", "a prediction that loses an entry", given(x=zeros(2, 3), lambdas=[-1.0, 0.5], denoise_fn=cut),
            blames="denoise_fn"),
)  # fmt: skip
