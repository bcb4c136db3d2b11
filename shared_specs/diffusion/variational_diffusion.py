"""Contracts of variational diffusion, where the log-SNR takes the place of time (lectures 28 and 33)."""

import numpy as np

from shared_specs.diffusion._cases import IMAGES, PIXELS, X, Y
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, linspace, normal, scalar, zeros

NOISY, CLEAN = [-3.0, 0.4, 1.0, -0.7, 2.0], [1.5, 0.9, 4.0, -0.2, 2.3]
EXTREME = [-40.0, 40.0, 0.0, -20.0, 17.0]
EARLY, LATE = [40.0, 3.0, -39.999, 0.001, 20.0], [-40.0, 2.999, -40.0, 0.0, -5.0]
THREE, OTHER = [[1.0, -2.0], [3.0, 0.5], [2.0, 1.0]], [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]]
THREE_NOISY, THREE_CLEAN = [-1.0, 0.0, -2.0], [1.0, 2.0, -1.0]
VALUES = [-1.0, 0.0, 0.5, 2.0]
BAD_LEVELS = {"a level too few": [1.0], "a level for every entry": [[1.0, 2.0, 3.0]] * 2, "one level for all": np.array(1.0)}


def rejects(function, arrays, levels):
    """The refusals that the functions of two arrays share: another shape, and levels that are not one for each example."""
    good = dict.fromkeys(arrays, zeros(2, 3)) | {name: np.array(level) for name, level in levels.items()}
    for name in arrays[1:]:
        yield Rejects(function, f"{name} has another shape", given(**good | {name: zeros(2, 4)}), blames=arrays[0])
    for name in levels:
        for case, level in BAD_LEVELS.items():
            yield Rejects(function, f"{name}: {case}", given(**good | {name: np.array(level)}), blames=name)


def signal_and_noise(f, log_snr):
    """alpha and sigma: the images of x = 1 without noise, and of noise 1 without x."""
    one, zero = np.ones(len(log_snr)), np.zeros(len(log_snr))
    return f.variance_preserving_sample(one, zero, log_snr), f.variance_preserving_sample(zero, one, log_snr)


def share_of(f, t, s):
    """The weight of z_t in z_s: the posterior's mean at z = 1 and data 0."""
    return f.posterior(np.ones(len(t)), np.zeros(len(t)), t, s)[0]


def all_pairs(count):
    """Every pair of indices below count, [count^2, 2]."""
    return np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1).reshape(-1, 2)


def in_its_part(times):
    """Which n-th of [0, 1) each of n times is in. Half a millionth forgives the rounding at an edge, in float32 too."""
    return np.floor(len(times) * np.sort(times) + 5e-7 * len(times))


SPEC = (
    # The schedule.
    Agree("linear_log_snr", "regular", given(time=linspace(0.05, 0.95, 7), log_snr_max=13.3, log_snr_min=-5.0)),
    Agree("linear_log_snr", "both ends, any shape",
          given(time=[[0.0, 1.0, 0.5], [0.25, 1.0, 0.0]], log_snr_max=40.0, log_snr_min=-40.0)),
    Anchor("linear_log_snr", "quarters", given(time=[0.0, 0.25, 1.0], log_snr_max=6.0, log_snr_min=-2.0), gives=[6.0, 4.0, -2.0],
           source="by hand", near_misses={"upside down": [-2.0, 0.0, 6.0], "from the top by its whole": [6.0, 4.5, 0.0],
                                          "the difference, not from the top": [0.0, -2.0, -8.0]}),
    Law.equal("the ends, to the last bit", given(time=[0.0, 1.0]),
              left=lambda f, time: f.linear_log_snr(time, log_snr_max=7.5, log_snr_min=-3.25) == [7.5, -3.25], right=True),
    Law.at_least("noise only grows", given(time=linspace(0.0, 1.0, 7)),
                 left=lambda f, time: f.linear_log_snr(time, log_snr_max=7.5, log_snr_min=-3.25)[:-1],
                 right=lambda f, time: f.linear_log_snr(time, log_snr_max=7.5, log_snr_min=-3.25)[1:] + 1.0),
    Rejects("linear_log_snr", "before the beginning", given(time=[0.5, -0.1], log_snr_max=6.0, log_snr_min=-2.0), blames="time"),
    Rejects("linear_log_snr", "after the end", given(time=[1.1, 0.5], log_snr_max=6.0, log_snr_min=-2.0), blames="time"),
    Rejects("linear_log_snr", "upside down", given(time=[0.5, 0.1], log_snr_max=-2.0, log_snr_min=6.0), blames="log_snr_max"),
    Rejects("linear_log_snr", "no difference", given(time=[0.5, 0.1], log_snr_max=2.0, log_snr_min=2.0), blames="log_snr_max"),
    # The sample.
    Agree("variance_preserving_sample", "regular", given(x0=X, noise=Y, log_snr=NOISY)),
    Agree("variance_preserving_sample", "images", given(x0=IMAGES, noise=PIXELS, log_snr=[1.0, -2.0])),
    Agree("variance_preserving_sample", "as many numbers as examples",
          given(x0=normal(5, 5), noise=normal(5, 5), log_snr=NOISY)),
    Agree("variance_preserving_sample", "numbers", given(x0=normal(5), noise=normal(5), log_snr=NOISY)),
    Agree("variance_preserving_sample", "hardly any noise, hardly any data", given(x0=X, noise=Y, log_snr=EXTREME)),
    Anchor(
        "variance_preserving_sample", "log-SNR of 2, -1 and 0", given(x0=THREE, noise=OTHER, log_snr=[2.0, -1.0, 0.0]),
        gives=[[1.1111367806509487, -1.5317580378786582], [0.7007672359990436, 1.9693370848670353],
               [2.4748737341529163, 0.3535533905932738]],
        source="mpmath",
        near_misses={
            "half the log-SNR meant": [[1.0580224274302843, -1.8478195021282695], [0.09726538533972015, 2.0496446804460877],
                                       [2.4748737341529163, 0.3535533905932738]],
            "sigmoid for its root": [[0.9403985389889412, -1.6423912339336473], [0.07576568547998049, 1.5965878679450074],
                                     [1.75, 0.25]],
            "data and noise exchanged": [[0.8145117116091891, 0.24799237637189953], [2.0464632850676354, 1.4647010664663134],
                                         [2.4748737341529163, 0.3535533905932738]],
            "the variance for the deviation": [[0.9981093608061976, -1.7578128775681603],
                                               [0.8247282937692824, 1.7214149693265577], [2.164213562373095, 0.4571067811865475]],
        },
    ),
    Law.equal("it preserves variance", given(log_snr=EXTREME),
              left=lambda f, log_snr: sum(part**2 for part in signal_and_noise(f, log_snr)), right=1.0),
    Law.equal("the log of signal over noise is the log-SNR", given(log_snr=EXTREME),
              left=lambda f, log_snr: 2 * np.subtract(*np.log(signal_and_noise(f, log_snr))), right=lambda f, log_snr: log_snr),
    *rejects("variance_preserving_sample", ("x0", "noise"), {"log_snr": [1.0, 2.0]}),
    # The way back.
    Agree("posterior", "regular", given(z_t=X, x0=Y, log_snr_t=NOISY, log_snr_s=CLEAN)),
    Agree("posterior", "images", given(z_t=IMAGES, x0=PIXELS, log_snr_t=[1.0, -2.0], log_snr_s=[2.5, 2.0])),
    Agree("posterior", "numbers", given(z_t=normal(5), x0=normal(5), log_snr_t=NOISY, log_snr_s=CLEAN)),
    Agree("posterior", "from nearly nothing to nearly all, and by a thousandth",
          given(z_t=X, x0=Y, log_snr_t=LATE, log_snr_s=EARLY)),
    Agree("posterior", "standing still", given(z_t=X, x0=Y, log_snr_t=EXTREME, log_snr_s=EXTREME),
          no_gradient="the log-variance is -inf"),
    Agree("posterior", "to the data themselves", given(z_t=X, x0=Y, log_snr_t=NOISY, log_snr_s=np.full(5, np.inf)),
          no_gradient="the log-variance is -inf"),
    Anchor(
        "posterior", "steps of 2, 2 and 1", given(z_t=THREE, x0=OTHER, log_snr_t=THREE_NOISY, log_snr_s=THREE_CLEAN),
        gives=([[0.5927828160160054, 0.29304499143829144], [-0.27262315961013367, 1.7128012526708691],
                [1.5968716267950758, 0.3886671187312164]], [-1.4586751453870819, -2.2723414689118315, -0.7719368329053047]),
        source="mpmath",
        near_misses={
            "c and 1 - c exchanged": ([[1.4834482728842446, -2.735467896438304], [3.31586706066872, 0.8278398470616962],
                                       [2.1851287790040432, 0.8540885540019733]],
                                      [-1.4586751453870819, -2.2723414689118315, -0.7719368329053047]),
            "z not divided by alpha_t": ([[0.48536698053266814, 0.507876662404966], [-0.4304549700408443, 1.6864959509324173],
                                          [0.8732837703996629, 0.026873190533510043]],
                                         [-1.4586751453870819, -2.2723414689118315, -0.7719368329053047]),
            "c for sigma_s^2 c": ([[0.5927828160160054, 0.29304499143829144], [-0.27262315961013367, 1.7128012526708691],
                                   [1.5968716267950758, 0.3886671187312164]],
                                  [-0.14541345786885906, -0.14541345786885906, -0.4586751453870819]),
            "sigma_t for sigma_s": ([[0.5927828160160054, 0.29304499143829144], [-0.27262315961013367, 1.7128012526708691],
                                     [1.5968716267950758, 0.3886671187312164]],
                                    [-0.4586751453870819, -0.8385606384288044, -0.5856031564300543]),
            "the log-deviation": ([[0.5927828160160054, 0.29304499143829144], [-0.27262315961013367, 1.7128012526708691],
                                   [1.5968716267950758, 0.3886671187312164]],
                                  [-0.7293375726935409, -1.1361707344559158, -0.38596841645265234]),
        },
    ),
    Law.equal("the data's path leads back along itself", given(x0=X, t=NOISY, s=CLEAN),
              left=lambda f, x0, t, s: f.posterior(f.variance_preserving_sample(x0, 0 * x0, t), x0, t, s)[0],
              right=lambda f, x0, t, s: f.variance_preserving_sample(x0, 0 * x0, s)),
    Law.equal("what it adds and what was there make the noise of s", given(t=NOISY, s=CLEAN),
              left=lambda f, t, s: (share_of(f, t, s) * signal_and_noise(f, t)[1]) ** 2
              + np.exp(f.posterior(np.zeros(5), np.zeros(5), t, s)[1]),
              right=lambda f, t, s: signal_and_noise(f, s)[1] ** 2),
    Law.equal("two steps back are one", given(t=LATE, r=[0.5, 2.9995, -39.9995, 0.0004, 7.0], s=EARLY),
              left=lambda f, t, r, s: share_of(f, t, r) * share_of(f, r, s), right=lambda f, t, r, s: share_of(f, t, s)),
    Law.equal("where the levels are equal, z itself, to the last bit", given(z=X, x0=Y),
              left=lambda f, z, x0: f.posterior(z, x0, np.array(EXTREME), np.array(EXTREME))[0] == z, right=True),
    Law.equal("and its slope in the data is zero", given(z=X, x0=Y),
              left=lambda f, z, x0: f.gradient("posterior", z, x0, np.array(EXTREME), np.array(EXTREME), wrt=1), right=0.0),
    *rejects("posterior", ("z_t", "x0"), {"log_snr_t": [0.0, 1.0], "log_snr_s": [1.0, 2.0]}),
    Rejects("posterior", "forth instead of back",
            given(z_t=zeros(2, 3), x0=zeros(2, 3), log_snr_t=[0.0, 2.0], log_snr_s=[1.0, 1.0]), blames="log_snr_s is 1"),
    # The loss of a step.
    Agree("discrete_diffusion_loss", "regular", given(x0_pred=X, x0=Y, log_snr_s=CLEAN, log_snr_t=NOISY)),
    Agree("discrete_diffusion_loss", "images", given(x0_pred=IMAGES, x0=PIXELS, log_snr_s=[2.5, 2.0], log_snr_t=[1.0, -2.0])),
    Agree("discrete_diffusion_loss", "numbers", given(x0_pred=normal(5), x0=normal(5), log_snr_s=CLEAN, log_snr_t=NOISY)),
    Agree("discrete_diffusion_loss", "from nearly nothing to nearly all, and by a thousandth",
          given(x0_pred=X, x0=Y, log_snr_s=EARLY, log_snr_t=LATE)),
    Agree("discrete_diffusion_loss", "standing still", given(x0_pred=X, x0=Y, log_snr_s=EXTREME, log_snr_t=EXTREME)),
    Anchor(
        "discrete_diffusion_loss", "steps of 2, 2 and 1",
        given(x0_pred=THREE, x0=OTHER, log_snr_s=THREE_CLEAN, log_snr_t=THREE_NOISY),
        gives=[10.870611041205164, 58.30013690274218, 0.290680197418537],
        source="mpmath: squared distances of 9.25, 18.25 and 2.5",
        near_misses={
            "the difference's other sign": [-10.870611041205164, -58.30013690274218, -0.290680197418537],
            "without the half": [21.741222082410328, 116.60027380548436, 0.581360394837074],
            "a difference of log-SNRs": [9.25, 18.25, 1.25],
            "a difference of levels": [2.1372918523275453, 3.474773336548177, 0.18717312418484697],
            "the weight of a noise prediction": [29.549384457554257, 58.30013690274218, 2.1478522855738067],
            "the mean over dimensions": [5.435305520602582, 29.15006845137109, 0.1453400987092685],
        },
    ),
    Law.equal("the divergence of two ways back", given(guess=X, x0=Y, z=normal(5, 3), t=NOISY, s=CLEAN),
              left=lambda f, guess, x0, z, t, s: f.discrete_diffusion_loss(guess, x0, s, t),
              right=lambda f, guess, x0, z, t, s: ((f.posterior(z, x0, t, s)[0] - f.posterior(z, guess, t, s)[0]) ** 2).sum(1)
              / (2 * np.exp(f.posterior(z, x0, t, s)[1]))),
    Law.equal("what two steps cost with one guess, one step costs",
              given(guess=X, x0=Y, t=NOISY, r=[0.0, 0.5, 3.9, -0.7, 2.1], s=CLEAN),
              left=lambda f, guess, x0, t, r, s: f.discrete_diffusion_loss(guess, x0, s, r)
              + f.discrete_diffusion_loss(guess, x0, r, t),
              right=lambda f, guess, x0, t, r, s: f.discrete_diffusion_loss(guess, x0, s, t)),
    Law.at_least("never below zero", given(guess=X, x0=Y, t=LATE, s=EARLY),
                 left=lambda f, guess, x0, t, s: f.discrete_diffusion_loss(guess, x0, s, t), right=0.0),
    Law.equal("standing still costs nothing, to the last bit", given(guess=X, x0=Y, level=EXTREME),
              left=lambda f, guess, x0, level: f.discrete_diffusion_loss(guess, x0, level, level) == 0, right=True),
    *rejects("discrete_diffusion_loss", ("x0_pred", "x0"), {"log_snr_s": [1.0, 2.0], "log_snr_t": [0.0, 1.0]}),
    Rejects("discrete_diffusion_loss", "forth instead of back",
            given(x0_pred=zeros(2, 3), x0=zeros(2, 3), log_snr_s=[1.0, 1.0], log_snr_t=[0.0, 2.0]), blames="log_snr_s is 1"),
    # The loss of infinitely many.
    Agree("continuous_diffusion_loss", "regular", given(noise_pred=X, noise=Y, log_snr_slope=[-18.3, -0.5, -2.0, -1e-3, -40.0])),
    Agree("continuous_diffusion_loss", "images", given(noise_pred=IMAGES, noise=PIXELS, log_snr_slope=[-1.0, -2.0])),
    Agree("continuous_diffusion_loss", "numbers, and a schedule that rests",
          given(noise_pred=normal(5), noise=normal(5), log_snr_slope=[-1.0, 0.0, -2.0, 0.0, -3.0])),
    Anchor(
        "continuous_diffusion_loss", "slopes of -1, -2 and -4",
        given(noise_pred=THREE, noise=OTHER, log_snr_slope=[-1.0, -2.0, -4.0]),
        gives=[4.625, 18.25, 5.0], source="by hand: squared distances of 9.25, 18.25 and 2.5",
        near_misses={
            "the slope's own sign": [-4.625, -18.25, -5.0], "without the half": [9.25, 36.5, 10.0],
            "the simple loss": [9.25, 18.25, 2.5], "the mean over dimensions": [2.3125, 9.125, 2.5],
        },
    ),
    Law.limit("many short steps", given(guess=X, x0=Y, level=NOISY, speed=[1.0, 18.3, 3.0, 0.5, 2.0]),
              value=lambda f, h, guess, x0, level, speed: f.discrete_diffusion_loss(guess, x0, level + h * speed, level) / h,
              at=(4e-3, 2e-3, 1e-3),
              limit=lambda f, guess, x0, level, speed: f.continuous_diffusion_loss(
                  np.exp(level / 2)[:, None] * guess, np.exp(level / 2)[:, None] * x0, -speed), order=1),
    Law.equal("its slope is the error, weighted", given(guess=X, noise=Y, slope=[-18.3, -0.5, -2.0, -1e-3, -40.0]),
              left=lambda f, guess, noise, slope: f.gradient("continuous_diffusion_loss", guess, noise, slope),
              right=lambda f, guess, noise, slope: -slope[:, None] * (guess - noise)),
    *rejects("continuous_diffusion_loss", ("noise_pred", "noise"), {"log_snr_slope": [-1.0, -2.0]}),
    Rejects("continuous_diffusion_loss", "noise shrinks",
            given(noise_pred=zeros(2, 3), noise=zeros(2, 3), log_snr_slope=[-1.0, 2.0]), blames="log_snr_slope is 2"),
    # The decoder.
    Agree("reconstruction_log_prob", "regular",
          given(z0=X, x0_index=integers(5, 3, high=4), values=VALUES, log_snr_0=[2.0, 0.0, -1.0, 4.0, 1.0])),
    Agree("reconstruction_log_prob", "images, eight-bit indices",
          given(z0=IMAGES, x0_index=np.arange(120, dtype=np.uint8).reshape(2, 3, 4, 5) % 7, values=linspace(-1.0, 1.0, 7),
                log_snr_0=[3.0, 1.0])),
    Agree("reconstruction_log_prob", "numbers, two values",
          given(z0=normal(5), x0_index=[0, 1, 1, 0, 1], values=[-1.0, 1.0], log_snr_0=NOISY)),
    Agree("reconstruction_log_prob", "all but certain, and all but impossible",
          given(z0=[[-0.99, 0.51], [0.02, 1.97], [0.4, -1.2], [3.0, -0.01], [0.6, 0.24]],
                x0_index=[[0, 2], [1, 3], [3, 3], [0, 1], [2, 2]], values=VALUES, log_snr_0=[8.0, 6.0, 5.0, 4.0, 3.0])),
    Agree("reconstruction_log_prob", "no noise, no data",
          given(z0=X, x0_index=integers(5, 3, high=4), values=VALUES, log_snr_0=[40.0, -40.0, 13.3, -20.0, 25.0])),
    Anchor(
        "reconstruction_log_prob", "four values, unevenly spaced",
        given(z0=[[0.3, -1.2], [0.9, 2.5], [-0.4, 0.1]], x0_index=[[2, 0], [1, 3], [0, 2]], values=VALUES,
              log_snr_0=[2.0, 0.0, -1.0]),
        gives=[-0.5769472727692971, -1.5560943328400236, -2.2745017322229], source="mpmath",
        near_misses={
            "alpha forgotten": [-0.5971392006401969, -1.3194850015666526, -2.0565689446332684],
            "without the 2 of 2 sigma^2": [-0.46856663327971726, -1.9161818062202702, -1.9732777122978864],
            "the deviation for the variance": [-0.8665745918330026, -1.5445734451331887, -2.330997891686661],
            "alpha^2 for alpha": [-0.5620979870071752, -1.6890633892307014, -2.522665492825738],
            "a density, not a choice": [-0.11792321497411946, -3.133662073983925, -1.5515904504829363],
            "the mean over dimensions": [-0.28847363638464857, -0.7780471664200118, -1.13725086611145],
        },
    ),
    Law.normalized("a choice among pairs of values", given(z=normal(2), values=VALUES, levels=[-3.0, 1.0, 6.0]),
                   total=lambda f, z, values, levels: np.stack([
                       np.exp(f.reconstruction_log_prob(np.tile(z, (16, 1)), all_pairs(4), values, np.full(16, level))).sum()
                       for level in levels])),
    Law.equal("where nothing is left of the data, every value alike", given(z=X, index=integers(5, 3, high=4)),
              left=lambda f, z, index: f.reconstruction_log_prob(z, index, np.array(VALUES), np.full(5, -100.0)),
              right=-3 * np.log(4)),
    Agree("reconstruction_log_prob", "256 values",
          given(z0=normal(3, 2), x0_index=[[255, 0], [128, 254], [1, 255]], values=linspace(-1.0, 1.0, 256),
                log_snr_0=[1.0, 0.0, -2.0])),
    *(Rejects("reconstruction_log_prob", case, given(**dict(z0=zeros(2, 3), x0_index=np.zeros((2, 3), int), values=VALUES,
                                                            log_snr_0=[1.0, 2.0]) | change), blames=blames)
      for case, change, blames in (
          ("indices of another shape", {"x0_index": np.zeros((2, 4), int)}, "x0_index"),
          ("indices that are not integers", {"x0_index": np.zeros((2, 3))}, "x0_index"),
          ("an index too large", {"x0_index": np.array([[0, 1, 2], [3, 4, 0]])}, "x0_index is 4"),
          ("an index below zero", {"x0_index": np.array([[0, 1, 2], [3, -1, 0]])}, "x0_index is -1"),
          ("nothing to choose from", {"values": [1.0]}, "values"),
          ("values for each example", {"values": [VALUES, VALUES]}, "values"),
          ("a level too few", {"log_snr_0": [1.0]}, "log_snr_0"),
      )),
    # The times.
    Agree("low_discrepancy_times", "regular", given(u=scalar(0.3), batch_size=7)),
    Agree("low_discrepancy_times", "an even grid", given(u=scalar(0.0), batch_size=8)),
    Agree("low_discrepancy_times", "one", given(u=scalar(0.83), batch_size=1)),
    Agree("low_discrepancy_times", "one more than fits", given(u=scalar(0.71), batch_size=4)),
    Anchor("low_discrepancy_times", "four from 5/8", given(u=scalar(0.625), batch_size=4), gives=[0.625, 0.875, 0.125, 0.375],
           source="by hand", near_misses={"not wrapped": [0.625, 0.875, 1.125, 1.375],
                                          "the grid not moved": [0.0, 0.25, 0.5, 0.75],
                                          "ends included": [0.625, 0.9583333333333334, 0.2916666666666667, 0.625],
                                          "one time for all": [0.625, 0.625, 0.625, 0.625],
                                          "moved within the first part only": [0.15625, 0.40625, 0.65625, 0.90625]}),
    Law.equal("one in every seventh", given(u=scalar(0.6)),
              left=lambda f, u: in_its_part(f.low_discrepancy_times(u, batch_size=7)), right=lambda f, u: np.arange(7.0)),
    Law.equal("a batch of one is u, to the last bit", given(u=scalar(0.6)),
              left=lambda f, u: f.low_discrepancy_times(u, batch_size=1) == u, right=True),
    Law.unbiased("their mean over a smooth function is its integral", given(),
                 samples=lambda f, rng, draws: np.exp(-3 * f.low_discrepancy_times(np.array(rng.uniform()), batch_size=draws)),
                 expected=lambda f: (1 - np.exp(-3)) / 3, draws=4000, detects=0.05),
    Rejects("low_discrepancy_times", "a u for every time", given(u=[0.1, 0.2], batch_size=2), blames="u"),
    Rejects("low_discrepancy_times", "u is no fraction", given(u=scalar(1.0), batch_size=2), blames="u is 1"),
    Rejects("low_discrepancy_times", "u below zero", given(u=scalar(-0.1), batch_size=2), blames="u is -0.1"),
    Rejects("low_discrepancy_times", "no time at all", given(u=scalar(0.1), batch_size=0), blames="batch_size"),
)  # fmt: skip
