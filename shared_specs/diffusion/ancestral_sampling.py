"""Contracts of ancestral sampling (lectures 31 and 32)."""

import numpy as np

from shared_specs.diffusion._cases import (
    ALL,
    COSINE,
    FROM_ONE,
    HO,
    NO_PART,
    ONE,
    SCHEDULE,
    TIMES,
    TO_NOISE,
    at,
    bent,
    column,
    line,
    rejects_schedules,
)
from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, given, normal, uniform, zeros

RATIOS = [1.0, 0.64, 0.16]  # betas of 0.36 and 0.75; variances 1 - a of 0.36 and 0.84; beta~_2 is 9/28
XT, PREDICTED, NOISE = normal(5, 3), normal(5, 3), normal(5, 3)
LONG = HO[::20]  # 50 strides of 20
DATA = ("x_t", "noise_pred", "noise")
PAIR = {"x_t": zeros(2, 3), "noise_pred": zeros(2, 3), "noise": zeros(2, 3), "t": np.array([1, 2]), "alpha_bar": SCHEDULE}
CHAIN = {"x_T": zeros(2, 3), "noises": zeros(6, 2, 3)}
FAR = [[0.5, -4.0, 2.0, -1.0, 3.0], [0.25, -0.5, 0.75, -0.1, 0.2], [-8.0, 1.0, 2.0, -3.0, 0.5]]  # of magnitude 4, 0.75 and 8


def noised_variances(t, c):
    """Var(x_(t-1)) and Var(x_t) for data of variance c."""
    return 1 - SCHEDULE[t - 1] * (1 - c), 1 - SCHEDULE[t] * (1 - c)


def guess_of_gaussian_data(x, t):
    """E(noise | x_t) for data of variance 0.3, by a table: only for the levels of RATIOS."""
    first = at(x, t) * -1 + 2  # 1 at t = 1 and 0 at t = 2
    return x * (first * (0.6 / 0.552) + (1 - first) * (0.84**0.5 / 0.888))


def halves(h):
    """A schedule of 1/h steps from the data to nothing: squared cosines at equal angles."""
    levels = np.cos(np.arange(round(1 / h) + 1) * h * np.pi / 2) ** 2
    return np.append(levels[:-1], 0.0)


SPEC = (
    # One step.
    Agree("ddpm_step", "regular", given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("ddpm_step", "small, images",
          given(x_t=normal(2, 3, 4, 5), noise_pred=normal(2, 3, 4, 5), noise=normal(2, 3, 4, 5), t=[3, 2], alpha_bar=SCHEDULE,
                variance="small")),
    Agree("ddpm_step", "the first step among others",
          given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=FROM_ONE, alpha_bar=SCHEDULE), differentiate=DATA),
    Agree("ddpm_step", "small, the first step among others",
          given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=FROM_ONE, alpha_bar=SCHEDULE, variance="small"), differentiate=DATA),
    Agree("ddpm_step", "clipped here and there",
          given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=TIMES, alpha_bar=SCHEDULE, variance="small", clip=0.8)),
    Agree("ddpm_step", "clipped nowhere",
          given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=FROM_ONE, alpha_bar=SCHEDULE, clip=1e3), differentiate=DATA),
    Agree("ddpm_step", "cosine, with its clipped step",
          given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=[4, 4, 3, 2, 3], alpha_bar=COSINE, clip=1.0)),
    Agree("ddpm_step", "all but the end of a schedule to noise",
          given(x_t=XT, noise_pred=PREDICTED, noise=NOISE, t=[3, 1, 3, 2, 2], alpha_bar=TO_NOISE), differentiate=DATA),
    Agree("ddpm_step", "one step, one example, one number, small",
          given(x_t=normal(1), noise_pred=normal(1), noise=normal(1), t=[1], alpha_bar=ONE, variance="small"),
          differentiate=DATA),
    Anchor(
        "ddpm_step", "betas of 0.36 and 0.75",
        given(x_t=[[1.0, -2.0], [3.0, 0.5]], noise_pred=[[0.5, 1.0], [-1.0, 2.0]], noise=[[2.0, -1.0], [1.0, 0.5]], t=[1, 2],
              alpha_bar=RATIOS),
        gives=[[0.875, -3.25], [8.502659580554381, -1.8402556516476665]],
        source="by hand: (x - 0.6 e)/0.8, and 2 (x - 0.75/sqrt(0.84) e) + sqrt(0.75) z",
        near_misses={
            "noise at the last step": [[2.075, -3.85], [8.502659580554381, -1.8402556516476665]],
            "the variance for the deviation": [[0.875, -3.25], [8.386634176769943, -1.8982683535398857]],
            "the small variance": [[0.875, -3.25], [8.203580886283783, -1.9897949987829653]],
            "no noise": [[0.875, -3.25], [7.636634176769943, -2.2732683535398857]],
        },
    ),
    Anchor(
        "ddpm_step", "predicted data clipped at 1, beta~ of 9/28",
        given(x_t=[[1.0, -2.0], [3.0, 0.5]], noise_pred=[[0.5, 1.0], [-1.0, 2.0]], noise=[[2.0, -1.0], [1.0, 0.5]], t=[1, 2],
              alpha_bar=RATIOS, variance="small", clip=1.0),
        gives=[[0.875, -1.0], [1.924089566656698, -0.3236695023859367]],
        source="by hand: 5/7 clip((x - sqrt(0.84) e)/0.4) + 3/14 x + 3/sqrt(28) z at t = 2",
        near_misses={
            "the mean from what is not clipped": [[0.875, -3.25], [8.203580886283783, -1.9897949987829653]],
            "the large variance": [[0.875, -1.0], [2.2231682609272956, -0.17413015525063782]],
            "the mean clipped": [[0.875, -1.0], [1.5669467095138407, -0.7165266452430796]],
        },
    ),
    Law.equal("at t = 1 noise has no part", given(x_t=XT, predicted=PREDICTED, noise=NOISE),
              left=lambda f, x_t, predicted, noise: np.stack([
                  f.ddpm_step(x_t, predicted, scale * noise, np.ones(5, int), SCHEDULE, variance=name)
                  for scale in (0.0, 1e3) for name in ("large", "small")]),
              right=lambda f, x_t, predicted, noise: np.stack([(x_t - np.sqrt(0.05) * predicted) / np.sqrt(0.95)] * 4)),
    Law.equal("nor has it a slope there", given(x_t=XT, predicted=PREDICTED, noise=NOISE),
              left=lambda f, x_t, predicted, noise: f.gradient(
                  "ddpm_step", x_t, predicted, noise, FROM_ONE, SCHEDULE, wrt=2, variance="small")[[0, 3]],
              right=0.0),
    Law.equal("the first step's slope in the schedule is finite", given(x_t=XT, predicted=PREDICTED, noise=NOISE),
              left=lambda f, x_t, predicted, noise: np.isfinite(f.gradient(
                  "ddpm_step", x_t, predicted, noise, FROM_ONE, SCHEDULE, wrt=4, variance="small", clip=0.8)), right=True),
    Law.equal("a clip that is never reached changes nothing", given(x_t=XT, predicted=PREDICTED, noise=NOISE),
              left=lambda f, *arrays: f.ddpm_step(*arrays, TIMES, SCHEDULE, clip=1e4),
              right=lambda f, *arrays: f.ddpm_step(*arrays, TIMES, SCHEDULE, clip=None)),
    Law.equal("a clip bounds the last step", given(x_t=XT, predicted=PREDICTED, noise=NOISE),
              left=lambda f, *arrays: np.abs(f.ddpm_step(*arrays, np.ones(5, int), SCHEDULE, clip=0.3)) <= 0.3, right=True),
    Law.equal("noise enters with beta, or with beta~", given(t=ALL),
              left=lambda f, t: np.stack([f.ddpm_step(0.0 * t, 0.0 * t, 0.0 * t + 1, t, SCHEDULE, variance=name) ** 2
                                          for name in ("large", "small")]),
              right=lambda f, t: (1 - SCHEDULE[t] / SCHEDULE[t - 1])
              * np.stack([1.0 * (t > 1), (1 - SCHEDULE[t - 1]) / (1 - SCHEDULE[t])])),
    Law.equal("true noise and the small variance keep the marginal", given(t=ALL),
              left=lambda f, t: 1 + f.ddpm_step(np.sqrt(1 - SCHEDULE[t]), 1.0 + 0 * t, 0.0 * t, t, SCHEDULE) ** 2
              + f.ddpm_step(0.0 * t, 0.0 * t, 1.0 + 0 * t, t, SCHEDULE, variance="small") ** 2,
              right=lambda f, t: 2 - SCHEDULE[t - 1]),
    Law.equal("the optimal guess of Gaussian data gives the true mean", given(x_t=normal(6, 3), t=ALL),
              left=lambda f, x_t, t: f.ddpm_step(
                  x_t, column(np.sqrt(1 - SCHEDULE[t]) / noised_variances(t, 0.3)[1]) * x_t, 0 * x_t, t, SCHEDULE),
              right=lambda f, x_t, t: column(np.sqrt(SCHEDULE[t] / SCHEDULE[t - 1]) * noised_variances(t, 0.3)[0]
                                             / noised_variances(t, 0.3)[1]) * x_t),
    Rejects("ddpm_step", "a prediction of another shape", given(**PAIR | {"noise_pred": zeros(2, 4)}), blames="noise_pred"),
    Rejects("ddpm_step", "noise of another shape", given(**PAIR | {"noise": zeros(2, 4)}), blames="noise"),
    Rejects("ddpm_step", "no step leads to the data", given(**PAIR | {"t": np.array([2, 0])}), blames="t "),
    Rejects("ddpm_step", "after the last step", given(**PAIR | {"t": np.array([1, 7])}), blames="t "),
    Rejects("ddpm_step", "times that are not integers", given(**PAIR | {"t": np.array([1.0, 2.0])}), blames="t "),
    Rejects("ddpm_step", "a time too few", given(**PAIR | {"t": np.array([1])}), blames="t "),
    *rejects_schedules("ddpm_step", PAIR),
    Rejects("ddpm_step", "no signal left", given(**PAIR | {"t": np.array([2, 4]), "alpha_bar": TO_NOISE}), blames="alpha_bar"),
    Rejects("ddpm_step", "no signal left, clipped",
            given(**PAIR | {"t": np.array([2, 4]), "alpha_bar": TO_NOISE}, clip=1.0), blames="alpha_bar"),
    Rejects("ddpm_step", "a third variance", given(**PAIR, variance="medium"), blames="variance"),
    Rejects("ddpm_step", "clipped to nothing", given(**PAIR, clip=0.0), blames="clip"),
    # The whole chain.
    Agree("ddpm_sample", "regular", given(x_T=normal(5, 3), noises=normal(6, 5, 3), denoise_fn=bent, alpha_bar=SCHEDULE),
          differentiate=("x_T", "noises")),
    Agree("ddpm_sample", "images, small, clipped",
          given(x_T=normal(2, 3, 4, 5), noises=normal(6, 2, 3, 4, 5), denoise_fn=bent, alpha_bar=SCHEDULE, variance="small",
                clip=0.9), differentiate=("x_T", "noises")),
    Agree("ddpm_sample", "50 long strides, small, clipped",
          given(x_T=normal(2, 3), noises=normal(50, 2, 3), denoise_fn=bent, alpha_bar=LONG, variance="small", clip=1.5),
          differentiate=("x_T", "noises")),
    Agree("ddpm_sample", "one step, small",
          given(x_T=normal(5, 3), noises=normal(1, 5, 3), denoise_fn=bent, alpha_bar=ONE, variance="small"),
          differentiate=("x_T", "noises")),
    Anchor(
        "ddpm_sample", "two steps",
        given(x_T=[[2.0, -1.0], [0.5, 3.0]], noises=[[[9.0, 9.0], [9.0, 9.0]], [[1.0, -2.0], [0.5, -1.0]]], denoise_fn=line,
              alpha_bar=RATIOS),
        gives=[[2.3739535974692587, -3.0012807304543427], [0.4441086618188419, 1.8923816885096412]],
        source="mpmath: two steps of the formula by hand, predictions of x/2 + t/8",
        near_misses={
            "noises in the order of the steps": [[8.43613142396033, 5.334213780970879], [6.885172602465604, 9.470103971623479]],
            "the network asked about the level before":
                [[2.6467104605534715, -2.72852386737013], [0.7168655249030544, 2.1651385515938535]],
            "noise at the last step": [[7.773953597469259, 2.398719269545657], [5.844108661818842, 7.292381688509641]],
            "the last step left out": [[2.82023268282201, -3.3228922633763918], [0.6146956135072479, 2.2698647868681614]],
            "the small variance": [[2.112259739982486, -2.4778930154807965], [0.31326173307545535, 2.154075545996414]],
        },
    ),
    Anchor(
        "ddpm_sample", "two steps, small, clipped at 3/4",
        given(x_T=[[2.0, -1.0], [0.5, 3.0]], noises=[[[9.0, 9.0], [9.0, 9.0]], [[1.0, -2.0], [0.5, -1.0]]], denoise_fn=line,
              alpha_bar=RATIOS, variance="small", clip=0.75),
        gives=[[0.75, -0.75], [0.31326173307545535, 0.44142162917538924]], source="mpmath: two steps of the formula by hand",
        near_misses={
            "not clipped": [[2.112259739982486, -2.4778930154807965], [0.31326173307545535, 2.154075545996414]],
            "clipped at the end": [[0.75, -0.75], [0.31326173307545535, 0.75]],
            "the large variance": [[0.75, -0.75], [0.4441086618188419, 0.17972777168861617]],
        },
    ),
    Law.equal("its last step is a step", given(x_T=normal(5, 3), noises=normal(1, 5, 3)),
              left=lambda f, x_T, noises: f.ddpm_sample(x_T, noises, line, np.array(ONE), variance="small"),
              right=lambda f, x_T, noises: f.ddpm_step(
                  x_T, line(x_T, np.ones(5, int)), noises[0], np.ones(5, int), np.array(ONE), variance="small")),
    Law.equal("the best guess of Gaussian data gives samples of the computed variance", given(x_T=normal(1), noises=normal(2, 1)),
              left=lambda f, *arrays: sum(np.sum(f.jacobian(
                  "ddpm_sample", *arrays, guess_of_gaussian_data, np.array(RATIOS), wrt=source) ** 2) for source in (0, 1)),
              right=lambda f, *arrays: f.gaussian_sampling_variance(np.array([0.3]), np.array(RATIOS))[0]),
    Rejects("ddpm_sample", "one noise too few", given(**CHAIN | {"noises": zeros(5, 2, 3)}, denoise_fn=line, alpha_bar=SCHEDULE),
            blames="noises"),
    Rejects("ddpm_sample", "noises for the data, too", given(**CHAIN | {"noises": zeros(7, 2, 3)}, denoise_fn=line,
                                                              alpha_bar=SCHEDULE), blames="noises"),
    Rejects("ddpm_sample", "batch first", given(**CHAIN | {"noises": zeros(2, 6, 3)}, denoise_fn=line, alpha_bar=SCHEDULE),
            blames="noises"),
    *rejects_schedules("ddpm_sample", CHAIN | {"denoise_fn": line}),
    Rejects("ddpm_sample", "no signal left",
            given(**CHAIN | {"noises": zeros(4, 2, 3)}, denoise_fn=line, alpha_bar=TO_NOISE), blames="alpha_bar"),
    Rejects("ddpm_sample", "a third variance", given(**CHAIN, denoise_fn=line, alpha_bar=SCHEDULE, variance="medium"),
            blames="variance"),
    Rejects("ddpm_sample", "clipped to nothing", given(**CHAIN, denoise_fn=line, alpha_bar=SCHEDULE, clip=-1.0), blames="clip"),
    # A shorter chain.
    Agree("respaced_alpha_bar", "regular", given(alpha_bar=SCHEDULE, timesteps=[2, 3, 6]), no_gradient=NO_PART),
    Agree("respaced_alpha_bar", "all levels", given(alpha_bar=SCHEDULE, timesteps=ALL), no_gradient=NO_PART),
    Agree("respaced_alpha_bar", "one step, to nothing", given(alpha_bar=TO_NOISE, timesteps=[4]), no_gradient=NO_PART),
    Anchor("respaced_alpha_bar", "three of six levels", given(alpha_bar=SCHEDULE, timesteps=[1, 4, 6]),
           gives=[1.0, 0.95, 0.4, 0.1], source="by hand",
           near_misses={"the betas of the long chain": [1.0, 0.95, 0.59375, 0.1649305556],
                        "one level early": [1.0, 1.0, 0.64, 0.36]}),
    Law.equal("betas that lead from level to level", given(timesteps=np.array([2, 3, 6])),
              left=lambda f, timesteps: 1 - f.respaced_alpha_bar(SCHEDULE, timesteps)[1:]
              / f.respaced_alpha_bar(SCHEDULE, timesteps)[:-1],
              right=lambda f, timesteps: 1 - SCHEDULE[timesteps] / SCHEDULE[np.append(0, timesteps[:-1])]),
    Law.equal("entries are entries: the slopes are 0 and 1", given(timesteps=np.array([2, 3, 6])),
              left=lambda f, timesteps: f.jacobian("respaced_alpha_bar", SCHEDULE, timesteps, wrt=0)[1:],
              right=lambda f, timesteps: np.eye(7)[timesteps]),
    Anchor("respaced_alpha_bar", "three of 256 levels", given(alpha_bar=1 - np.arange(257) / 256, timesteps=[64, 192, 255]),
           gives=[1.0, 0.75, 0.25, 1 / 256], source="by hand"),
    Rejects("respaced_alpha_bar", "falling", given(alpha_bar=SCHEDULE, timesteps=[6, 3]), blames="timesteps"),
    Rejects("respaced_alpha_bar", "a level twice", given(alpha_bar=SCHEDULE, timesteps=[3, 3, 6]), blames="timesteps"),
    Rejects("respaced_alpha_bar", "the data as a level", given(alpha_bar=SCHEDULE, timesteps=[0, 3, 6]), blames="timesteps"),
    Rejects("respaced_alpha_bar", "after the last level", given(alpha_bar=SCHEDULE, timesteps=[3, 7]), blames="timesteps"),
    Rejects("respaced_alpha_bar", "not integers", given(alpha_bar=SCHEDULE, timesteps=[3.0, 6.0]), blames="timesteps"),
    Rejects("respaced_alpha_bar", "no levels", given(alpha_bar=SCHEDULE, timesteps=np.zeros(0, int)), blames="timesteps"),
    *rejects_schedules("respaced_alpha_bar", {"alpha_bar": SCHEDULE, "timesteps": [1, 2]}),
    # Predictions scaled back into their range.
    Agree("dynamic_threshold", "regular", given(x0_pred=normal(5, 3, scale=3.0), quantile=0.8, minimum=1.0)),
    Agree("dynamic_threshold", "images, as they come",
          given(x0_pred=concatenate(normal(1, 3, 4, 5, scale=2.0), normal(1, 3, 4, 5, scale=0.2)))),
    Agree("dynamic_threshold", "the largest entry", given(x0_pred=normal(5, 3, scale=3.0), quantile=1.0, minimum=1.0)),
    Agree("dynamic_threshold", "the smallest entry, and a small minimum",
          given(x0_pred=normal(5, 3), quantile=0.0, minimum=0.01), no_gradient="ties: the entry that sets the scale meets it"),
    Agree("dynamic_threshold", "one number", given(x0_pred=[3.0, -0.4], quantile=0.995, minimum=1.0)),
    Agree("dynamic_threshold", "nothing at all", given(x0_pred=zeros(2, 3), quantile=0.5, minimum=1.0),
          no_gradient="ties at zero"),
    Anchor(
        "dynamic_threshold", "scales of 3.6, 1 and 6", given(x0_pred=FAR, quantile=0.9, minimum=1.0),
        gives=[[5 / 36, -1.0, 5 / 9, -5 / 18, 5 / 6], FAR[1], [-1.0, 1 / 6, 1 / 3, -0.5, 1 / 12]],
        source="by hand: 0.6 of the way from the fourth to the fifth of five",
        near_misses={
            "the entry above": [[0.125, -1.0, 0.5, -0.25, 0.75], FAR[1], [-1.0, 0.125, 0.25, -0.375, 0.0625]],
            "the entry below": [[1 / 6, -1.0, 2 / 3, -1 / 3, 1.0], FAR[1], [-1.0, 1 / 3, 2 / 3, -1.0, 1 / 6]],
            "the quantile of signed values":
                [[0.5 / 2.6, -1.0, 2 / 2.6, -1 / 2.6, 1.0], FAR[1], [-1.0, 0.625, 1.0, -1.0, 0.3125]],
            "one scale for the batch": [[5 / 36, -1.0, 5 / 9, -5 / 18, 5 / 6],
                                        [0.25 / 3.6, -0.5 / 3.6, 0.75 / 3.6, -0.1 / 3.6, 0.2 / 3.6],
                                        [-1.0, 1 / 3.6, 2 / 3.6, -3 / 3.6, 0.5 / 3.6]],
            "clipped only": [[0.5, -1.0, 1.0, -1.0, 1.0], FAR[1], [-1.0, 1.0, 1.0, -1.0, 0.5]],
            "divided only": [[5 / 36, -4 / 3.6, 5 / 9, -5 / 18, 5 / 6], FAR[1], [-4 / 3, 1 / 6, 1 / 3, -0.5, 1 / 12]],
            "no minimum": [[5 / 36, -1.0, 5 / 9, -5 / 18, 5 / 6], [0.25 / 0.65, -0.5 / 0.65, 1.0, -0.1 / 0.65, 0.2 / 0.65],
                           [-1.0, 1 / 6, 1 / 3, -0.5, 1 / 12]],
        },
    ),
    Law.at_least("it is in [-1, 1]", given(x=normal(5, 7, scale=10.0)),
                 left=1.0, right=lambda f, x: np.abs(f.dynamic_threshold(x, quantile=0.7))),
    Law.equal("values inside are unchanged", given(x=uniform(5, 7, low=-1.0, high=1.0)),
              left=lambda f, x: f.dynamic_threshold(x, quantile=0.7), right=lambda f, x: x),
    Law.equal("far outside, the scale has no part", given(x=normal(5, 7, scale=100.0)),
              left=lambda f, x: f.dynamic_threshold(x, quantile=0.7),
              right=lambda f, x: f.dynamic_threshold(7 * x, quantile=0.7)),
    Rejects("dynamic_threshold", "a percentage", given(x0_pred=zeros(2, 3), quantile=99.5), blames="quantile"),
    Rejects("dynamic_threshold", "below the smallest", given(x0_pred=zeros(2, 3), quantile=-0.1), blames="quantile"),
    Rejects("dynamic_threshold", "no range", given(x0_pred=zeros(2, 3), minimum=0.0), blames="minimum"),
    # What a chain does to the variance.
    Agree("gaussian_sampling_variance", "regular", given(variance_data=uniform(5, low=0.1, high=3.0), alpha_bar=SCHEDULE),
          differentiate=("variance_data",)),
    Agree("gaussian_sampling_variance", "small",
          given(variance_data=uniform(5, low=0.1, high=3.0), alpha_bar=SCHEDULE, variance="small"),
          differentiate=("variance_data",)),
    Agree("gaussian_sampling_variance", "data of no, little and great variance, down from nothing",
          given(variance_data=[0.0, 1e-6, 1e6], alpha_bar=TO_NOISE, variance="small"), differentiate=("variance_data",)),
    Agree("gaussian_sampling_variance", "50 long strides",
          given(variance_data=uniform(3, low=0.1, high=3.0), alpha_bar=LONG), differentiate=("variance_data",)),
    Agree("gaussian_sampling_variance", "one step, small",
          given(variance_data=uniform(5, low=0.1, high=3.0), alpha_bar=ONE, variance="small"), differentiate=("variance_data",)),
    Anchor("gaussian_sampling_variance", "two steps", given(variance_data=[0.0, 0.5, 1.0, 4.0], alpha_bar=RATIOS),
           gives=[0.0, 0.3067745501403052, 0.64, 2.069468148495196], source="mpmath: the recursion, twice",
           near_misses={"noise at the last step": [0.36, 0.6667745501403052, 1.0, 2.4294681484951957],
                        "from nothing": [0.0, 0.25951557093425603, 0.48, 0.9007318446237568],
                        "the slope, not its square": [0.0, 0.6585677749360613, 1.0, 1.9029988893002592],
                        "that of the data": [0.0, 0.5, 1.0, 4.0]}),
    Anchor("gaussian_sampling_variance", "two steps, small",
           given(variance_data=[0.0, 0.5, 1.0, 4.0], alpha_bar=RATIOS, variance="small"),
           gives=[0.0, 0.15847993817787318, 12.8 / 35, 1.5547642372816204], source="mpmath: the recursion, twice",
           near_misses={"the large variance": [0.0, 0.3067745501403052, 0.64, 2.069468148495196]}),
    Law.equal("data of variance one come out without the last noise", given(),
              left=lambda f: np.stack([f.gaussian_sampling_variance(np.ones(1), a)[0] for a in (SCHEDULE, LONG, TO_NOISE)]),
              right=lambda f: np.stack([a[1] for a in (SCHEDULE, LONG, TO_NOISE)])),
    Law.equal("and only the first level has a part in that", given(),
              left=lambda f: 1 + f.jacobian("gaussian_sampling_variance", np.ones(1), SCHEDULE, wrt=1)[0, 1:],
              right=1 + np.eye(6)[0]),
    Law.at_least("large is more", given(c=uniform(5, low=0.0, high=3.0)),
                 left=lambda f, c: f.gaussian_sampling_variance(c, SCHEDULE, variance="large"),
                 right=lambda f, c: f.gaussian_sampling_variance(c, SCHEDULE, variance="small")),
    Law.limit("more steps, large", given(c=[0.3, 2.0]), at=(1 / 100, 1 / 200, 1 / 400), limit=lambda f, c: c, order=1,
              value=lambda f, h, c: f.gaussian_sampling_variance(c, halves(h))),
    Law.limit("more steps, small", given(c=[0.3, 2.0]), at=(1 / 100, 1 / 200, 1 / 400), limit=lambda f, c: c, order=1,
              value=lambda f, h, c: f.gaussian_sampling_variance(c, halves(h), variance="small")),
    Rejects("gaussian_sampling_variance", "a negative variance", given(variance_data=[0.5, -0.1], alpha_bar=SCHEDULE),
            blames="variance_data"),
    Rejects("gaussian_sampling_variance", "a covariance", given(variance_data=zeros(2, 2), alpha_bar=SCHEDULE),
            blames="variance_data"),
    Rejects("gaussian_sampling_variance", "a third variance",
            given(variance_data=[0.5, 0.1], alpha_bar=SCHEDULE, variance="medium"), blames="variance "),
    *rejects_schedules("gaussian_sampling_variance", {"variance_data": [0.5, 0.1]}),
)  # fmt: skip
