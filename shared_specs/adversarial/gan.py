"""Contracts of the adversarial game (lecture 6)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, concatenate, given, log_of, log_simplex, normal, zeros

SOME = normal(7)
REAL, FAKE = [2.0, -1.0, 0.5], [-0.5, 3.0, 1.5]
# At least one of the two is wrong, so that the loss is of size 1 or more. Losses of size e^-40 are below the tolerance, and the
# usual (1 - t) x - log sigma(x) of cross-entropies on logits loses them.
FAR_REAL, FAR_FAKE = [0.0, 25.0, -40.0, 80.0, -80.0, 400.0, -4000.0], [0.0, 25.0, 40.0, 80.0, -80.0, 4000.0, 400.0]
UNCOMPARED = "slopes of e^-40 are not compared digit by digit, but next to 1, in a law below"
P, Q = log_of([[0.5, 0.25, 0.25], [0.125, 0.25, 0.625]]), log_of([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
L = [[1.0, 0.0, -0.5], [-2.0, 0.5, 1.5]]
# In the first row p is zero where q is not, in the second q where p is not; the last column is zero in both.
P_ZEROS, Q_ZEROS = log_of([[0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0]]), log_of([[0.25, 0.25, 0.5, 0], [0.5, 0.5, 0, 0]])
APART_P, APART_Q = log_of([[0.5, 0.5, 0, 0], [0.2, 0, 0.8, 0]]), log_of([[0, 0, 0.1, 0.9], [0, 0.4, 0, 0.6]])
NEAR_P = log_of([[1 - 1e-6, 5e-7, 5e-7, 0], [0.4, 0.6 - 1e-12, 0, 1e-12]])
NEAR_Q = log_of([[1e-12, 0.25, 0.75 - 2e-12, 1e-12], [1e-6, 1e-6, 1e-9, 1 - 2.001e-6]])
ALL_P, ALL_Q, HALVES = np.concatenate([P_ZEROS, APART_P]), np.concatenate([Q_ZEROS, APART_Q]), np.full((2, 2), -LOG_2)
CLOSE = log_of([[0.5001, 0.4999], [0.5, 0.5]])  # to be compared with [0.5, 0.5], twice
MPMATH = "40 digits (mpmath), from the definition"


def best(f, p, q):
    """The optimal logits of every row."""
    return f.optimal_discriminator_logit(p.ravel(), q.ravel()).reshape(p.shape)


SPEC = (
    # The discriminator's loss.
    Agree("discriminator_loss", "smoothed", given(logits_real=SOME, logits_fake=SOME, real_target=0.9)),
    Agree("discriminator_loss", "plain", given(logits_real=SOME, logits_fake=SOME)),
    Agree("discriminator_loss", "far out", given(logits_real=FAR_REAL, logits_fake=FAR_FAKE), no_gradient=UNCOMPARED),
    Agree("discriminator_loss", "far out, smoothed", given(logits_real=FAR_REAL, logits_fake=FAR_FAKE, real_target=0.9)),
    Law.equal("slopes far out are sigma less the label", given(logits=FAR_REAL),
              left=lambda f, logits: [2 + f.gradient("discriminator_loss", logits, logits, wrt=wrt) for wrt in (0, 1)],
              right=lambda f, logits: [2 - (1 - np.tanh(logits / 2)) / 2, 2 + (1 + np.tanh(logits / 2)) / 2]),
    Anchor(
        "discriminator_loss", "plain", given(logits_real=REAL, logits_fake=FAKE),
        gives=[0.6010049952230792, 4.361849039091965, 2.175490262162859], source=MPMATH,
        near_misses={
            "sign": [-0.6010049952230792, -4.361849039091965, -2.175490262162859],
            "fakes called real": [1.1010049952230792, 1.3618490390919649, 0.6754902621628591],
            "mean of the two": [0.3005024976115396, 2.1809245195459823, 1.0877451310814295],
            "averaged over the batch": [2.379448098825968] * 3,
        },
    ),
    Anchor(
        "discriminator_loss", "targets of 0.9", given(logits_real=REAL, logits_fake=FAKE, real_target=0.9),
        gives=[0.8010049952230792, 4.261849039091965, 2.225490262162859], source=MPMATH,
        near_misses={
            "both labels smoothed": [0.8510049952230792, 3.9618490390919647, 2.0754902621628593],
            "the fakes' label smoothed": [0.6510049952230792, 4.061849039091965, 2.025490262162859],
            "1 - a on the real": [2.401004995223079, 3.4618490390919647, 2.625490262162859],
            "the term scaled, not the label": [0.5883121941187819, 4.230522870340143, 2.1280825637448486],
            "not smoothed": [0.6010049952230792, 4.361849039091965, 2.175490262162859],
        },
    ),
    Anchor("discriminator_loss", "sure and wrong", given(logits_real=[40.0, -40.0, -30.0], logits_fake=[45.0, 40.0, 20.0]),
           gives=[45.0, 80.0, 50.000000002061154], source=MPMATH, near_misses={"log(1 - sigma)": [np.inf, np.inf, 50.0]}),
    Law.equal("smoothing mixes the two labels", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.discriminator_loss(r, g, real_target=0.75),
              right=lambda f, r, g: 0.75 * f.discriminator_loss(r, g) + 0.25 * f.discriminator_loss(-r, g)),
    Law.at_least("real and fake alike: at best log 4, by indifference", given(logits=SOME),
                 left=lambda f, logits: f.discriminator_loss(logits, logits), right=2 * LOG_2),
    Law.equal("indifference costs log 4 for every target", given(logits=zeros(3)),
              left=lambda f, logits: f.discriminator_loss(logits, logits, real_target=0.9), right=2 * LOG_2),
    Law.equal("smoothed confidence stops at log a/(1-a)", given(logits=[2.197224577336219] * 3),
              left=lambda f, logits: 1 + f.gradient("discriminator_loss", logits, logits, real_target=0.9, wrt=0), right=1.0),
    Rejects("discriminator_loss", "sizes differ", given(logits_real=zeros(3), logits_fake=zeros(2)), blames="logits_fake"),
    Rejects("discriminator_loss", "two axes", given(logits_real=zeros(3, 2), logits_fake=zeros(3, 2)), blames="logits_real"),
    Rejects("discriminator_loss", "target 0", given(logits_real=zeros(3), logits_fake=zeros(3), real_target=0.0),
            blames="real_target"),
    Rejects("discriminator_loss", "target above 1", given(logits_real=zeros(3), logits_fake=zeros(3), real_target=1.1),
            blames="real_target"),
    # The generator's two losses.
    Agree("minimax_generator_loss", "regular", given(logits_fake=SOME)),
    Agree("minimax_generator_loss", "far out", given(logits_fake=[-3.0, 0.0, 25.0, 40.0, 80.0, 400.0, 4000.0])),
    Anchor(
        "minimax_generator_loss", "three logits", given(logits_fake=FAKE),
        gives=[-0.4740769841801067, -3.048587351573742, -1.7014132779827524], source=MPMATH,
        near_misses={
            "sign": [0.4740769841801067, 3.048587351573742, 1.7014132779827524],
            "the non-saturating loss": [0.9740769841801067, 0.04858735157374206, 0.2014132779827524],
            "sigma twice": [-0.8996298127154544, -1.2788133148038892, -1.1832595665847072],
        },
    ),
    Anchor("minimax_generator_loss", "where 1 - sigma rounds to 0", given(logits_fake=[17.0, 40.0, 0.0]),
           gives=[-17.000000041399375, -40.0, -LOG_2], source=MPMATH,
           near_misses={"log(1 - sigma) in float32": [-np.inf, -np.inf, -LOG_2]}),
    Law.equal("its slope is -sigma, down to e^-40", given(logits=[-40.0, -12.0, -3.0, 0.5, 2.0, 12.0, 40.0]),
              left=lambda f, logits: -f.gradient("minimax_generator_loss", logits) * (1 + np.exp(-logits)), right=1.0),
    Rejects("minimax_generator_loss", "two axes", given(logits_fake=zeros(3, 2)), blames="logits_fake"),
    Agree("non_saturating_generator_loss", "regular", given(logits_fake=SOME)),
    Agree("non_saturating_generator_loss", "far out", given(logits_fake=[3.0, 0.0, -25.0, -40.0, -80.0, -400.0, -4000.0])),
    Anchor(
        "non_saturating_generator_loss", "three logits", given(logits_fake=FAKE),
        gives=[0.9740769841801067, 0.04858735157374206, 0.2014132779827524], source=MPMATH,
        near_misses={
            "sign": [-0.9740769841801067, -0.04858735157374206, -0.2014132779827524],
            "fakes called fake": [0.4740769841801067, 3.048587351573742, 1.7014132779827524],
            "sigma twice": [0.5220891439173089, 0.326239187981456, 0.3656850903910636],
        },
    ),
    Law.equal("minus the minimax loss is the other loss and the logit", given(logits=SOME),
              left=lambda f, logits: -f.minimax_generator_loss(logits),
              right=lambda f, logits: f.non_saturating_generator_loss(logits) + logits),
    Law.equal("its slope is sigma - 1", given(logits=[-4000.0, -40.0, -3.0, 0.5, 3.0, 40.0, 4000.0]),
              left=lambda f, logits: 2 + f.gradient("non_saturating_generator_loss", logits),
              right=lambda f, logits: 2 - (1 - np.tanh(logits / 2)) / 2),
    Law.equal("the discriminator's loss is one loss of each", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.discriminator_loss(r, g),
              right=lambda f, r, g: f.non_saturating_generator_loss(r) - f.minimax_generator_loss(g)),
    Rejects("non_saturating_generator_loss", "no axis", given(logits_fake=np.array(0.5)), blames="logits_fake"),
    # The best discriminator and the value of the game.
    Agree("optimal_discriminator_logit", "regular", given(log_density_data=normal(7), log_density_model=normal(7))),
    Agree("optimal_discriminator_logit", "densities of e^-4000", given(log_density_data=normal(7, mean=-4000.0),
                                                                       log_density_model=normal(7, mean=-4000.0))),
    Anchor("optimal_discriminator_logit", "where a density is zero",
           given(log_density_data=[-1.0, -np.inf, -2.0, -np.inf], log_density_model=[-3.5, -1.0, -np.inf, -np.inf]),
           gives=[2.5, -np.inf, np.inf, 0.0], source="by hand",
           near_misses={"model over data": [-2.5, np.inf, -np.inf, 0.0], "probability for logit": [0.924141819978757, 0, 1, 0.5],
                        "NaN where both are zero": [2.5, -np.inf, np.inf, np.nan]}),
    Law.equal("swapping the sides changes the sign", given(p=SOME, q=SOME),
              left=lambda f, p, q: f.optimal_discriminator_logit(p, q),
              right=lambda f, p, q: -f.optimal_discriminator_logit(q, p)),
    Law.equal("no difference, no opinion", given(p=concatenate(normal(6, scale=50), [-np.inf])),
              left=lambda f, p: f.optimal_discriminator_logit(p, p), right=0.0),
    Rejects("optimal_discriminator_logit", "sizes differ", given(log_density_data=zeros(3), log_density_model=zeros(2)),
            blames="log_density_model"),
    Agree("exact_value", "regular", given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 3), logits=normal(5, 3))),
    Agree("exact_value", "zeros, and logits of 400",
          given(log_probs_p=P_ZEROS, log_probs_q=Q_ZEROS, logits=[[40.0, -400.0, 3.0, 400.0], [-2.0, 80.0, -80.0, 0.0]])),
    Anchor(
        "exact_value", "two rows", given(log_probs_p=P, log_probs_q=Q, logits=L),
        gives=[-1.3120775940537197, -1.2426051172268195], source=MPMATH,
        near_misses={
            "p and q swapped": [-1.6870775940537197, -2.5551051172268195],
            "data alone": [-0.5734368849441244, -0.5102685461646185],
            "mean for sum": [-0.43735919801790657, -0.41420170574227316],
            "q log sigma(l)": [-1.3120775940537197, -1.7426051172268195],
            "the logarithm left out": [1.088379477457965, 1.2618893328143224],
        },
    ),
    Anchor("exact_value", "perfect discriminators of disjoint sides",
           given(log_probs_p=APART_P, log_probs_q=APART_Q,
                 logits=[[np.inf, np.inf, -np.inf, -np.inf], [np.inf, -np.inf, np.inf, -np.inf]]),
           gives=[0.0, 0.0], source="log sigma(inf) = 0", near_misses={"0 times inf": [np.nan, np.nan]}),
    Law.equal("at the best discriminator, twice the divergence less log 4",
              given(p=log_simplex(5, 3, scale=2), q=log_simplex(5, 3, scale=2)),
              left=lambda f, p, q: f.exact_value(p, q, best(f, p, q)) + 2 * LOG_2,
              right=lambda f, p, q: 2 * f.jensen_shannon_divergence(p, q)),
    Law.equal("also where the supports differ, or do not meet", given(p=ALL_P, q=ALL_Q),
              left=lambda f, p, q: f.exact_value(p, q, best(f, p, q)) + 2 * LOG_2,
              right=lambda f, p, q: 2 * f.jensen_shannon_divergence(p, q)),
    Law.at_least("no discriminator earns more", given(p=log_simplex(5, 3, scale=2), q=log_simplex(5, 3, scale=2),
                                                      move=normal(5, 3, scale=0.5)),
                 left=lambda f, p, q, move: 2 * f.jensen_shannon_divergence(p, q) - 2 * LOG_2,
                 right=lambda f, p, q, move: f.exact_value(p, q, best(f, p, q) + move)),
    Law.equal("the value is minus the discriminator's mean loss", given(uniform=np.full((2, 4), -2 * LOG_2), logits=normal(2, 4)),
              left=lambda f, uniform, logits: f.exact_value(uniform, uniform, logits),
              right=lambda f, uniform, logits: -f.discriminator_loss(logits.ravel(), logits.ravel()).reshape(2, 4).mean(-1)),
    Rejects("exact_value", "logits of another shape", given(log_probs_p=P, log_probs_q=Q, logits=zeros(2, 2)), blames="logits"),
    Rejects("exact_value", "q of another shape", given(log_probs_p=P, log_probs_q=Q[:, :2], logits=zeros(2, 3)),
            blames="log_probs_q"),
    Rejects("exact_value", "p off the simplex", given(log_probs_p=P + 0.1, log_probs_q=Q, logits=zeros(2, 3)),
            blames="log_probs_p"),
    Rejects("exact_value", "q off the simplex", given(log_probs_p=P, log_probs_q=Q - 0.1, logits=zeros(2, 3)),
            blames="log_probs_q"),
    # The divergence.
    Agree("jensen_shannon_divergence", "regular", given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 3))),
    Agree("jensen_shannon_divergence", "zeros", given(log_probs_p=P_ZEROS, log_probs_q=Q_ZEROS)),
    Agree("jensen_shannon_divergence", "nearly disjoint", given(log_probs_p=NEAR_P, log_probs_q=NEAR_Q)),
    Anchor(
        "jensen_shannon_divergence", "two rows", given(log_probs_p=P, log_probs_q=Q),
        gives=[0.04247475919884937, 0.10174168305822523], source=MPMATH,
        near_misses={
            "without the halves": [0.08494951839769874, 0.20348336611645046],
            "bits": [0.06127812445913283, 0.14678222151704147],
            "KL(p || m) alone": [0.04247475919884937, 0.10838549847743835],
            "m = p + q": [-0.6506724213610959, -0.5914054975017201],
            "Jeffreys": [0.17328679513998632, 0.43173470493638355],
        },
    ),
    Anchor("jensen_shannon_divergence", "zeros", given(log_probs_p=P_ZEROS, log_probs_q=Q_ZEROS), gives=[0.2157615543388357] * 2,
           source=MPMATH, near_misses={"cells with a zero dropped": [0.04247475919884937] * 2, "0 log 0": [np.nan] * 2}),
    Anchor("jensen_shannon_divergence", "probabilities that differ by 1e-4", given(log_probs_p=CLOSE, log_probs_q=HALVES),
           gives=[5.000000058333334e-09, 0.0], source=MPMATH, near_misses={"0": [0.0, 0.0]},
          edge="a divergence of 1e-8 between terms of order 1"),
    Law.equal("symmetric", given(p=log_simplex(5, 3), q=log_simplex(5, 3)),
              left=lambda f, p, q: f.jensen_shannon_divergence(p, q), right=lambda f, p, q: f.jensen_shannon_divergence(q, p)),
    Law.at_least("at most log 2", given(p=log_simplex(5, 3, scale=6), q=log_simplex(5, 3, scale=6)),
                 left=lambda f, p, q: np.full(5, LOG_2), right=lambda f, p, q: f.jensen_shannon_divergence(p, q)),
    Law.equal("log 2 for disjoint supports", given(p=APART_P, q=APART_Q),
              left=lambda f, p, q: f.jensen_shannon_divergence(p, q), right=LOG_2),
    Law.equal("no slope where p = q", given(p=log_simplex(5, 3)),
              left=lambda f, p: 1 + f.gradient("jensen_shannon_divergence", p, p, wrt=1), right=1.0),
    Rejects("jensen_shannon_divergence", "shapes differ", given(log_probs_p=P, log_probs_q=Q[:, :2]), blames="log_probs_q"),
    Rejects("jensen_shannon_divergence", "p off the simplex", given(log_probs_p=P + 0.1, log_probs_q=Q), blames="log_probs_p"),
)  # fmt: skip
