"""Contracts of the score of noised data, and of mixtures with an exact score (lectures 33 and 34)."""

import numpy as np

from shared_specs.diffusion._cases import (
    BAD_TIMES,
    EARLY,
    FOUR,
    IMAGES,
    LEVELS,
    NO_STEP,
    ONE,
    OTHER,
    PIXELS,
    SCHEDULE,
    TO_NOISE,
    TOO_FEW,
    X,
    Y,
    at,
    column,
    rejects_schedules,
    rejects_times,
)
from shared_specs.rows import (
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_by_inputs,
    full,
    given,
    integers,
    log_of,
    log_simplex,
    normal,
    uniform,
    zeros,
)

TIMES, ENDS, FROM_ZERO = np.array([2, 6, 3, 1, 5]), np.array([1, 4, 2, 4, 3]), np.array([0, 4, 2, 4, 0])
# Late enough for no datum to have all the weight.
LATE = np.array([4, 6, 3, 5, 6])
PEAKED = "where one datum has nearly all the weight, the slope is nothing but the rounding of a difference"
# Four components in three dimensions.
MIXTURE = {"means": normal(4, 3), "log_vars": normal(4), "log_weights": log_simplex(4)}
MIXTURES = {"means": normal(5, 4, 3), "log_vars": normal(5, 4), "log_weights": log_simplex(4)}
UNUSED = log_of([0.3, 0.0, 0.1, 0.6])
# Two components in two dimensions, three points; answers by mpmath.
TWO = given(
    x=[[0.0, 1.0], [1.0, -1.0], [2.0, 0.0]],
    means=[[1.0, 1.0], [-1.0, 0.0]],
    log_vars=log_of([0.25, 4.0]),
    log_weights=log_of([0.25, 0.75]),
)


def rejects(function, times, **arrays):
    """The refusals that all functions of time share: times that are none, schedules that are none."""
    good = arrays | {"t": np.array([1, 2]), "alpha_bar": SCHEDULE}
    yield from rejects_times(function, good, times)
    yield from rejects_schedules(function, good)


def agrees_on_mixtures(function):
    """The cases that density and score share."""
    yield Agree(function, "regular", given(x=X, **MIXTURE))
    yield Agree(function, "a mixture for each", given(x=X, **MIXTURES))
    yield Agree(function, "a component without weight", given(x=X, **MIXTURE | {"log_weights": UNUSED}))
    yield Agree(function, "far from everything", given(x=normal(5, 3, mean=60.0), **MIXTURE))
    yield Agree(
        function, "far out, where everything is", given(x=normal(5, 3, mean=60.0), **MIXTURE | {"means": normal(4, 3, mean=60.0)})
    )
    yield Agree(function, "hardly any width", given(x=X, **MIXTURE | {"log_vars": normal(4, mean=-30.0)}))
    yield Agree(function, "wide and narrow", given(x=X, **MIXTURE | {"log_vars": [-30.0, 0.0, 1e-3, 12.0]}))
    yield Agree(function, "one component", given(x=X, means=normal(1, 3), log_vars=normal(1), log_weights=log_simplex(1)))


def rejects_on_mixtures(function):
    good = {"x": zeros(5, 3), "means": zeros(4, 3), "log_vars": zeros(4), "log_weights": log_of([0.25] * 4)}
    bad = {
        "x": {"a bare number for each": zeros(5)},
        "means": {"other dimensions": zeros(4, 2), "mixtures for others": zeros(6, 4, 3), "one mean without an axis": zeros(3)},
        "log_vars": {"too few": zeros(3), "one for each dimension": zeros(4, 3), "one set for each of x": zeros(5, 4)},
        "log_weights": {
            "too many": log_of([0.2] * 5),
            "too much": log_of([0.5] * 4),
            "not logarithms": full(4, value=0.25),
            "no weight at all": log_of([0.0] * 4),
            "one set for each of x": log_simplex(5, 4),
        },
    }
    for name, cases in bad.items():
        for case, array in cases.items():
            yield Rejects(function, f"{name}: {case}", given(**good | {name: array}), blames=name)


def a_network(x, sigma):
    """A score that knows its noise level, with operators only."""
    level = at(x, sigma)
    return level - x / (1 + level * level) - x * x * x / 10


def simple(x, sigma):
    return at(x, sigma) - x


def of_one_point(x, sigma):
    """The score of data that are all 0.7."""
    level = at(x, sigma)
    return (0.7 - x) / (level * level)


SPEC = (
    # The score from the noise.
    Agree("score_from_noise", "regular", given(noise=X, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("score_from_noise", "images", given(noise=IMAGES, t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("score_from_noise", "audio, eight-bit times",
          given(noise=normal(3, 2, 7), t=np.array([6, 1, 2], np.uint8), alpha_bar=SCHEDULE)),
    Agree("score_from_noise", "as many numbers as examples", given(noise=normal(5, 5), t=TIMES, alpha_bar=SCHEDULE)),
    Agree("score_from_noise", "one step, one example, one number", given(noise=normal(1), t=[1], alpha_bar=ONE)),
    Agree("score_from_noise", "noise alone", given(noise=X, t=ENDS, alpha_bar=TO_NOISE)),
    Agree("score_from_noise", "hardly any noise yet", given(noise=X, t=TIMES, alpha_bar=EARLY)),
    Anchor(
        "score_from_noise", "roots of 0.6, 0.8 and 1", given(noise=OTHER, t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[-5 / 6, -5 / 3], [1.25, -2.5], [-1.5, 0.5], [2.5, -3.75]], source="by hand",
        near_misses={
            "the other sign": [[5 / 6, 5 / 3], [-1.25, 2.5], [1.5, -0.5], [-2.5, 3.75]],
            "not divided by the deviation": [[-0.5, -1.0], [1.0, -2.0], [-1.5, 0.5], [2.0, -3.0]],
            "divided by the variance": [[-25 / 18, -25 / 9], [1.5625, -3.125], [-1.5, 0.5], [3.125, -4.6875]],
            "times the deviation": [[-0.3, -0.6], [0.8, -1.6], [-1.5, 0.5], [1.6, -2.4]],
        },
    ),
    *rejects("score_from_noise", BAD_TIMES | NO_STEP | TOO_FEW, noise=zeros(2, 3)),
    # Tweedie.
    Agree("tweedie_mean", "regular", given(x_t=X, score=Y, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("tweedie_mean", "images", given(x_t=IMAGES, score=PIXELS, t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("tweedie_mean", "one step, one example, one number", given(x_t=normal(1), score=normal(1), t=[1], alpha_bar=ONE)),
    Agree("tweedie_mean", "hardly any noise yet", given(x_t=X, score=Y, t=TIMES, alpha_bar=EARLY)),
    Agree("tweedie_mean", "nearly nothing is left",
          given(x_t=X, score=Y, t=TIMES, alpha_bar=[1.0, 0.9, 0.42, 0.36, 0.31, 1e-6, 1e-9]), differentiate=("x_t", "score")),
    Anchor(
        "tweedie_mean", "roots of 0.8 and 0.6", given(x_t=FOUR, score=OTHER, t=[1, 2, 2, 1], alpha_bar=LEVELS),
        gives=[[1.475, -2.05], [59 / 15, 89 / 30], [74 / 15, 17 / 15], [4.1, 0.1]], source="by hand",
        near_misses={
            "the other sign": [[1.025, -2.95], [91 / 15, -1.3], [26 / 15, 2.2], [5.9, -2.6]],
            "the deviation for the variance": [[1.625, -1.75], [11 / 3, 3.5], [16 / 3, 1.0], [3.5, 1.0]],
            "not divided by the signal": [[1.18, -1.64], [2.36, 1.78], [2.96, 0.68], [3.28, 0.08]],
            "divided by the level": [[1.84375, -2.5625], [59 / 9, 89 / 18], [74 / 9, 17 / 9], [5.125, 0.125]],
        },
    ),
    Law.equal("the data, from the score of what they were noised to", given(x0=X, noise=Y, t=TIMES),
              left=lambda f, x0, noise, t: f.tweedie_mean(
                  column(SCHEDULE[t]) ** 0.5 * x0 + column(1 - SCHEDULE[t]) ** 0.5 * noise,
                  f.score_from_noise(noise, t, SCHEDULE), t, SCHEDULE),
              right=lambda f, x0, noise, t: x0),
    Law.equal("of Gaussian data: between the prior's mean and what was seen",
              given(x=X, mean=normal(1, 3), t=TIMES),
              left=lambda f, x, mean, t: [f.tweedie_mean(x, f.mixture_score(x, m, v, np.zeros(1)), t, SCHEDULE) for m, v in [
                  f.diffused_mixture(mean, np.log([0.4]), t, SCHEDULE)]][0],
              right=lambda f, x, mean, t: (mean / 0.4 + np.sqrt(column(SCHEDULE[t])) / column(1 - SCHEDULE[t]) * x)
              / (1 / 0.4 + column(SCHEDULE[t]) / column(1 - SCHEDULE[t]))),
    Rejects("tweedie_mean", "score has another shape", given(x_t=zeros(2, 3), score=zeros(2, 4), t=[1, 2], alpha_bar=SCHEDULE),
            blames="score"),
    Rejects("tweedie_mean", "noise alone does not tell the data",
            given(x_t=zeros(2, 3), score=zeros(2, 3), t=[1, 4], alpha_bar=TO_NOISE), blames="alpha_bar[t] is 0"),
    *rejects("tweedie_mean", BAD_TIMES | NO_STEP | TOO_FEW, x_t=zeros(2, 3), score=zeros(2, 3)),
    # The loss.
    Agree("denoising_score_matching_loss", "regular",
          given(x0=X, noise=Y, sigma=uniform(5, low=0.2, high=3.0), score_fn=a_network)),
    Agree("denoising_score_matching_loss", "images", given(x0=IMAGES, noise=PIXELS, sigma=[0.3, 1.7], score_fn=a_network)),
    Agree("denoising_score_matching_loss", "as many numbers as examples",
          given(x0=normal(5, 5), noise=normal(5, 5), sigma=uniform(5, low=0.2, high=3.0), score_fn=a_network)),
    Agree("denoising_score_matching_loss", "numbers",
          given(x0=normal(5), noise=normal(5), sigma=uniform(5, low=0.2, high=3.0), score_fn=a_network)),
    Agree("denoising_score_matching_loss", "from hardly any noise to much",
          given(x0=X, noise=Y, sigma=[1e-6, 1e-3, 0.01, 10.0, 1e3], score_fn=simple)),
    Anchor(
        "denoising_score_matching_loss", "the score sigma - x",
        given(x0=[[1.0, -2.0], [0.0, 3.0]], noise=[[1.0, 0.5], [-2.0, 1.0]], sigma=[2.0, 0.5], score_fn=simple),
        gives=[21.625, 0.90625], source="by hand: sigma score + noise is (-1, 6.5) and (-1.25, -0.5)",
        near_misses={
            "the target's other sign": [19.625, 6.90625], "not weighted by sigma^2": [5.40625, 3.625],
            "without the half": [43.25, 1.8125], "the mean over dimensions": [10.8125, 0.453125],
            "the score of the clean data": [40.625, 1.5625], "sigma^2 times the noise": [22.625, 1.1953125],
            "the mean over the batch": [11.265625, 11.265625],
        },
    ),
    Law.equal("the exact score of one point of data loses nothing", given(noise=Y, sigma=uniform(5, low=0.2, high=3.0)),
              left=lambda f, noise, sigma: np.sqrt(f.denoising_score_matching_loss(
                  np.full((5, 3), 0.7), noise, sigma, of_one_point)),
              right=0.0),
    Rejects("denoising_score_matching_loss", "noise has another shape",
            given(x0=zeros(2, 3), noise=zeros(2, 4), sigma=[1.0, 2.0], score_fn=simple), blames="noise"),
    Rejects("denoising_score_matching_loss", "a sigma too few",
            given(x0=zeros(2, 3), noise=zeros(2, 3), sigma=[1.0], score_fn=simple), blames="sigma"),
    Rejects("denoising_score_matching_loss", "one sigma for all",
            given(x0=zeros(2, 3), noise=zeros(2, 3), sigma=np.array(1.0), score_fn=simple), blames="sigma"),
    Rejects("denoising_score_matching_loss", "no noise",
            given(x0=zeros(2, 3), noise=zeros(2, 3), sigma=[1.0, 0.0], score_fn=simple), blames="sigma is 0"),
    Rejects("denoising_score_matching_loss", "less than no noise",
            given(x0=zeros(2, 3), noise=zeros(2, 3), sigma=[-1.0, 1.0], score_fn=simple), blames="sigma is -1"),
    Rejects("denoising_score_matching_loss", "a score for each example only",
            given(x0=zeros(2, 3), noise=zeros(2, 3), sigma=[1.0, 2.0], score_fn=lambda x, sigma: sigma), blames="score_fn"),
    # Noised mixtures.
    Agree("diffused_mixture", "regular", given(means=normal(4, 3), log_vars=normal(4), t=TIMES, alpha_bar=SCHEDULE)),
    Agree("diffused_mixture", "numbers, eight-bit times", given(means=normal(4, 1), log_vars=normal(4),
                                                              t=np.array([6, 1, 0], np.uint8), alpha_bar=SCHEDULE)),
    Agree("diffused_mixture", "one component, one step, one time", given(means=normal(1, 3), log_vars=normal(1), t=[1],
                                                                      alpha_bar=ONE)),
    Agree("diffused_mixture", "as it was, and noise alone", given(means=normal(4, 3), log_vars=normal(4), t=FROM_ZERO,
                                                                alpha_bar=TO_NOISE), differentiate=("means", "log_vars")),
    Agree("diffused_mixture", "hardly any width", given(means=normal(4, 3), log_vars=normal(4, mean=-30.0), t=TIMES,
                                                       alpha_bar=SCHEDULE)),
    Agree("diffused_mixture", "points of data", given(means=normal(4, 3), log_vars=full(4, value=-np.inf), t=TIMES,
                                                     alpha_bar=SCHEDULE)),
    Agree("diffused_mixture", "nearly as wide as the noise",
          given(means=normal(4, 3), log_vars=normal(4, scale=1e-6), t=TIMES, alpha_bar=SCHEDULE)),
    Agree("diffused_mixture", "hardly any noise yet", given(means=normal(4, 3), log_vars=[-30.0, -3.0, 0.3, 12.0], t=TIMES,
                                                           alpha_bar=EARLY)),
    Agree("diffused_mixture", "nearly nothing is left",
          given(means=normal(4, 3), log_vars=[-30.0, -3.0, 0.3, 12.0], t=TIMES,
                alpha_bar=[1.0, 0.9, 0.42, 0.36, 0.31, 1e-6, 1e-9]), differentiate=("means", "log_vars")),
    Anchor(
        "diffused_mixture", "roots of 1, 0.8, 0.6 and 0",
        given(means=[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], log_vars=log_of([0.25, 4.0, 1.0]), t=[0, 1, 2, 3], alpha_bar=LEVELS),
        gives=([[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], [[0.8, -1.6], [2.4, 0.4], [0.0, 3.2]],
                [[0.6, -1.2], [1.8, 0.3], [0.0, 2.4]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]],
               log_of([[0.25, 4.0, 1.0], [0.52, 2.92, 1.0], [0.73, 2.08, 1.0], [1.0, 1.0, 1.0]])),
        source="by hand",
        near_misses={
            "no noise added": ([[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], [[0.8, -1.6], [2.4, 0.4], [0.0, 3.2]],
                                [[0.6, -1.2], [1.8, 0.3], [0.0, 2.4]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]],
                               log_of([[0.25, 4.0, 1.0], [0.16, 2.56, 0.64], [0.09, 1.44, 0.36], [0.0, 0.0, 0.0]])),
            "levels for their roots": ([[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], [[0.64, -1.28], [1.92, 0.32], [0.0, 2.56]],
                                        [[0.36, -0.72], [1.08, 0.18], [0.0, 1.44]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]],
                                       log_of([[0.25, 4.0, 1.0], [0.52, 2.92, 1.0], [0.73, 2.08, 1.0], [1.0, 1.0, 1.0]])),
            "variances": ([[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], [[0.8, -1.6], [2.4, 0.4], [0.0, 3.2]],
                           [[0.6, -1.2], [1.8, 0.3], [0.0, 2.4]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]],
                          [[0.25, 4.0, 1.0], [0.52, 2.92, 1.0], [0.73, 2.08, 1.0], [1.0, 1.0, 1.0]]),
            "log-variances mixed": ([[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], [[0.8, -1.6], [2.4, 0.4], [0.0, 3.2]],
                                     [[0.6, -1.2], [1.8, 0.3], [0.0, 2.4]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]],
                                    log_of([[0.25, 4.0, 1.0], [0.25**0.64, 4**0.64, 1.0], [0.25**0.36, 4**0.36, 1.0],
                                            [1.0, 1.0, 1.0]])),
        },
    ),
    Law.equal("at t = 0 it is as it was, to the last bit", given(means=normal(4, 3), log_vars=normal(4, mean=-30.0)),
              left=lambda f, means, log_vars: np.concatenate([(found == wanted).ravel() for found, wanted in zip(
                  f.diffused_mixture(means, log_vars, np.zeros(2, int), SCHEDULE), (means, log_vars), strict=True)]),
              right=True),
    Law.equal("from its current state", given(means=normal(4, 3), log_vars=normal(4)),
              left=lambda f, means, log_vars: [np.concatenate([m[0], v[0][:, None]], 1) for s in [
                  f.diffused_mixture(means, log_vars, np.array([2]), SCHEDULE)] for m, v in [
                      f.diffused_mixture(s[0][0], s[1][0], np.array([1]), np.array([1.0, 0.36 / 0.8]))]][0],
              right=lambda f, means, log_vars: [np.concatenate([m[0], v[0][:, None]], 1) for m, v in [
                  f.diffused_mixture(means, log_vars, np.array([5]), SCHEDULE)]][0]),
    Rejects("diffused_mixture", "means without dimensions",
            given(means=zeros(4), log_vars=zeros(4), t=[1, 2], alpha_bar=SCHEDULE), blames="means"),
    Rejects("diffused_mixture", "log_vars too few", given(means=zeros(4, 3), log_vars=zeros(3), t=[1, 2], alpha_bar=SCHEDULE),
            blames="log_vars"),
    Rejects("diffused_mixture", "log_vars for each dimension",
            given(means=zeros(4, 3), log_vars=zeros(4, 3), t=[1, 2], alpha_bar=SCHEDULE), blames="log_vars"),
    Rejects("diffused_mixture", "a time without an axis",
            given(means=zeros(4, 3), log_vars=zeros(4), t=np.array(2), alpha_bar=SCHEDULE), blames="t "),
    *rejects("diffused_mixture", BAD_TIMES, means=zeros(4, 3), log_vars=zeros(4)),
    # Density and score of a mixture.
    *agrees_on_mixtures("mixture_log_prob"),
    Anchor(
        "mixture_log_prob", "two components in the plane", TWO,
        gives=[-3.1059958287136272, -4.1335165314669508, -4.3738078697317063], source="mpmath, 30 digits",
        near_misses={
            "without the normalizer": [-0.48137296289719909, -0.91247318537072359, -1.3940513277824949],
            "the normalizer of one dimension": [-1.9413736009821565, -2.5239324995675113, -2.9522410813643368],
            "without the half": [-3.8625263964132968, -4.7618514051226537, -5.7450211315839488],
            "the deviation for the variance": [-2.7260937920344155, -3.9869077864722842, -4.071007453507652],
            "components alike": [-2.8374932556546484, -4.5323409239713298, -4.3990666301971464],
            "the average of the logarithms": [-3.2185242469692908, -4.9997742469692908, -4.3747742469692908],
        },
    ),
    Law.normalized("the density integrates to one", given(means=normal(4, 1), log_vars=normal(4), log_weights=log_simplex(4)),
                   total=lambda f, means, log_vars, log_weights: np.exp(f.mixture_log_prob(
                       np.linspace(-30, 30, 1201)[:, None], means, log_vars, log_weights)).sum() * 0.05),
    Law.equal("moved with its mixture", given(x=X, c=normal(3), **MIXTURE),
              left=lambda f, x, c, means, *rest: np.concatenate([f.mixture_log_prob(x + c, means + c, *rest)[:, None],
                                                                 f.mixture_score(x + c, means + c, *rest)], 1),
              right=lambda f, x, c, means, *rest: np.concatenate([f.mixture_log_prob(x, means, *rest)[:, None],
                                                                  f.mixture_score(x, means, *rest)], 1)),
    Law.at_least("at least as dense as a component and its weight", given(x=X, **MIXTURE),
                 left=lambda f, x, means, log_vars, log_weights: f.mixture_log_prob(x, means, log_vars, log_weights)[:, None],
                 right=lambda f, x, means, log_vars, log_weights: np.stack([
                     log_weights[k] + f.mixture_log_prob(x, means[k : k + 1], log_vars[k : k + 1], np.zeros(1))
                     for k in range(4)], 1)),
    *rejects_on_mixtures("mixture_log_prob"),
    *agrees_on_mixtures("mixture_score"),
    Anchor(
        "mixture_score", "two components in the plane", TWO,
        gives=[[1.7942638420329227, -0.12974918576276926], [-0.49833429648873589, 0.27581840442459367],
               [-1.5017028342621704, 0.92517271909190205]],
        source="mpmath, 30 digits",
        near_misses={
            "the other sign": [[-1.7942638420329227, 0.12974918576276926], [0.49833429648873589, -0.27581840442459367],
                               [1.5017028342621704, -0.92517271909190205]],
            "divided by the deviation": [[0.70250814237230744, -0.25949837152553851], [-0.99666859297747178, 0.51165992457884876],
                                         [-1.6156465898864878, 0.46258635954595102]],
            "not divided": [[-0.037993486102154045, -0.51899674305107702], [-1.9933371859549436, 1.0033314070225282],
                            [-2.537413640454049, 0.23129317977297551]],
            "components alike": [[2.8757753135156403, -0.066130863910844687], [-0.49503596391555131, 0.32694255930895473],
                                 [-2.2918634859185975, 1.8976781365151969]],
            "shares before anything was seen": [[0.8125, -0.1875], [-0.375, 2.1875], [-1.5625, 1.0]],
            "shares without the normalizers": [[-0.017299349977815066, -0.23631172646928324],
                                               [-0.49989556736716499, 0.25161870580894272],
                                               [-0.80998936172907543, 0.073833060589631303]],
        },
    ),
    Law.equal("the score is the slope of the log-density", given(x=X, **MIXTURES),
              left=lambda f, x, *mixture: f.gradient("mixture_log_prob", x, *mixture),
              right=lambda f, x, *mixture: f.mixture_score(x, *mixture)),
    Law.equal("of one Gaussian: straight to its mean", given(x=X, mean=normal(1, 3), log_var=normal(1)),
              left=lambda f, x, mean, log_var: f.mixture_score(x, mean, log_var, np.zeros(1)),
              right=lambda f, x, mean, log_var: (mean - x) * np.exp(-log_var)),
    Law.unbiased("the score of its own draws averages to zero", given(),
                 samples=lambda f, rng, draws: (lambda k, z: f.mixture_score(
                     np.array([[0.0, 2.0], [1.0, -1.0]])[k] + np.array([0.5, 1.0])[k][:, None] * z,
                     np.array([[0.0, 2.0], [1.0, -1.0]]), 2 * np.log([0.5, 1.0]), np.log([0.3, 0.7])))(
                         (rng.uniform(size=draws) < 0.7).astype(int), rng.standard_normal((draws, 2))),
                 expected=lambda f: np.zeros(2), draws=20_000, detects=0.1),
    *rejects_on_mixtures("mixture_score"),
    # The denoiser of a finite set.
    Agree("empirical_posterior_mean", "regular", given(x_t=X, data=normal(7, 3), t=LATE, alpha_bar=SCHEDULE)),
    Agree("empirical_posterior_mean", "images",
          given(x_t=IMAGES, data=normal(6, 3, 4, 5, scale=0.3), t=[6, 5], alpha_bar=SCHEDULE)),
    Agree("empirical_posterior_mean", "numbers", given(x_t=normal(5), data=normal(7), t=LATE, alpha_bar=SCHEDULE)),
    Agree("empirical_posterior_mean", "one datum", given(x_t=X, data=normal(1, 3), t=TIMES, alpha_bar=SCHEDULE)),
    Agree("empirical_posterior_mean", "one datum twice",
          given(x_t=X, data=[[0.5, 1.0, 0.3], [0.5, 1.0, 0.3], [-0.5, 0.2, 0.4]], t=LATE, alpha_bar=SCHEDULE)),
    Agree("empirical_posterior_mean", "noise alone", given(x_t=X, data=normal(7, 3), t=ENDS, alpha_bar=[1.0, 0.5, 0.3, 0.2, 0.0]),
          differentiate=("x_t", "data")),
    Agree("empirical_posterior_mean", "hardly any noise yet", given(x_t=X, data=normal(7, 3), t=TIMES, alpha_bar=EARLY),
          no_gradient=PEAKED),
    Agree("empirical_posterior_mean", "far from the data", given(x_t=normal(5, 3, mean=60.0), data=normal(7, 3), t=TIMES,
                                                         alpha_bar=SCHEDULE), no_gradient=PEAKED),
    Agree("empirical_posterior_mean", "data far from zero",
          given(x_t=normal(5, 3, mean=60.0), data=normal(7, 3, mean=60.0), t=TIMES, alpha_bar=SCHEDULE), no_gradient=PEAKED),
    Anchor(
        "empirical_posterior_mean", "three data in the plane",
        given(x_t=FOUR, data=[[0.0, 1.0], [2.0, -1.0], [-1.0, -2.0]], t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[1.7065949009947492, -1.0976652955148611], [1.9444413573858736, -0.94496848898251145], [1 / 3, -2 / 3],
               [1.9993780201476999, -0.99951084222773911]],
        source="mpmath, 30 digits",
        near_misses={
            "without the half": [[1.9651780444201053, -1.0116073100538037], [1.9983917730899907, -0.99839184651435145],
                                 [1 / 3, -2 / 3], [1.9999998601781741, -0.9999998645911979]],
            "levels for their roots": [[1.5659628359782358, -1.1441616245075232], [1.8224234703043957, -0.83987995979360147],
                                       [1 / 3, -2 / 3], [1.983146236173792, -0.99130518269920097]],
            "the deviation for the variance": [[1.3711011537848302, -1.2036690978681654],
                                               [1.8884400450303673, -0.8914806485511335], [1 / 3, -2 / 3],
                                               [1.9965011620616511, -0.99754450437920809]],
            "data not shrunk": [[1.8243636216964789, -1.058507938669922], [1.981747668572595, -0.98174908606164768],
                                [0.99908853360932742, -0.00091146639067258451], [1.9999924437582072, -0.99999258104284751]],
            "the mean of the noised": [[1.3652759207957994, -0.87813223641188887], [1.1666648144315241, -0.56698109338950687],
                                       [0.0, 0.0], [1.1996268120886199, -0.59970650533664347]],
            "the nearest": [[2.0, -1.0], [2.0, -1.0], [0.0, 1.0], [2.0, -1.0]],
        },
    ),
    Law.equal("Tweedie's mean of a mixture of points", given(x=X, data=normal(7, 3), t=TIMES),
              left=lambda f, x, data, t: f.empirical_posterior_mean(x, data, t, SCHEDULE),
              right=lambda f, x, data, t: f.tweedie_mean(x, f.mixture_score(
                  x, *f.diffused_mixture(data, np.full(7, -np.inf), t, SCHEDULE), np.full(7, -np.log(7))), t, SCHEDULE)),
    Law.at_least("inside the data's box", given(x=X, data=normal(7, 3), t=TIMES),
                 left=lambda f, x, data, t: [np.stack([y - data.min(0), data.max(0) - y]) for y in [
                     f.empirical_posterior_mean(3 * x, data, t, SCHEDULE)]][0],
                 right=0.0),
    Law.equal("moved with its data", given(x=X, data=normal(7, 3), c=normal(3), t=TIMES),
              left=lambda f, x, data, c, t: f.empirical_posterior_mean(
                  x + np.sqrt(column(SCHEDULE[t])) * c, data + c, t, SCHEDULE),
              right=lambda f, x, data, c, t: f.empirical_posterior_mean(x, data, t, SCHEDULE) + c),
    Law.equal("with hardly any noise it returns the datum that was noised", given(data=normal(7, 3), noise=normal(5, 3)),
              left=lambda f, data, noise: f.empirical_posterior_mean(
                  1e-3 * noise + np.sqrt(1 - 1e-6) * data[:5], data, np.full(5, 1), np.array([1, 1 - 1e-6])),
              right=lambda f, data, noise: data[:5]),
    Rejects("empirical_posterior_mean", "data of another shape",
            given(x_t=zeros(2, 3), data=zeros(7, 4), t=[1, 2], alpha_bar=SCHEDULE), blames="data"),
    Rejects("empirical_posterior_mean", "data without an axis for the dimensions",
            given(x_t=zeros(2, 3), data=zeros(7), t=[1, 2], alpha_bar=SCHEDULE), blames="data"),
    Rejects("empirical_posterior_mean", "no data", given(x_t=zeros(2, 3), data=zeros(0, 3), t=[1, 2], alpha_bar=SCHEDULE),
            blames="data"),
    *rejects("empirical_posterior_mean", BAD_TIMES | NO_STEP | TOO_FEW, x_t=zeros(2, 3), data=zeros(7, 3)),
    # The network.
    Model("VelocityNetwork", "points on the plane", given(x=normal(5, 2), t=integers(5, low=1, high=20)), steps=0,
          sizes=dict(dim=2, hidden=7, frequencies=3), initial={"*": begins_by_inputs()}),
)  # fmt: skip
