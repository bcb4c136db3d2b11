"""A replay buffer: long chains without long waits.

The lecture on the functions of theory_jax/energy/replay_buffer.py.
"""

import math
from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose
from theory_jax.energy.langevin import langevin_sample
from theory_jax.energy.replay_buffer import expected_age, sample, update

derivation = Derivation(
    module=__name__,
    title="A replay buffer: long chains without long waits",
    lectures=(),
    sources=(
        "Tieleman 2008, Training restricted Boltzmann machines using approximations to the likelihood gradient",
        "Du & Mordatch 2019, Implicit generation and modeling with energy-based models",
        "Nijkamp, Hill, Zhu & Wu 2019, Learning non-convergent non-persistent short-run MCMC toward energy-based model",
    ),
    question="A chain that is begun anew at every update and stopped after sixty steps remembers where it began: its samples "
    "are not the model's, and the training follows a wrong gradient. How do stored chains get long without a long wait at "
    "every update, and how old are they?",
    setting=(
        "A buffer holds $N$ states. An update picks places by a rule that is independent of the states' ages. Each picked "
        "state is replaced by a fresh sample with probability $p$, independently; it then moves $K$ steps and is written "
        "back.",
        "The age of a state is the number of its steps since it was last replaced, counted after the $K$ steps of a visit.",
        "The energy is held fixed. In training it drifts, and a state also remembers the parameters of earlier updates.",
    ),
    limits=(
        "Convergence while the energy changes: the parameters must move slowly against the chains.",
        "The eigenfunctions of the sampler for energies that are no parabolas, and so the share $L$ of theirs.",
    ),
    trained="A buffer has no parameters. `energy/regularized_training` draws its starts from one.",
)

x = derivation.number("x", "the state of a chain")
h = derivation.number("h", "the length of a step", "step_size", between=(0, 1))
xi = derivation.number(r"\xi", "standard normal noise")
K = derivation.number("K", "steps at a visit", "chain_length", integer=True, positive=True)
derivation.say("First the problem: how long does a chain remember? Take Langevin steps on the energy $x^2/2$.")
decay = derivation.chain(
    "A step on a parabola keeps a fixed share of the mean",
    Expectation(Normal(xi, 0, 1), plus(x, -h * x, sqrt(2 * h) * xi)),
    equals(
        times(1 - h, x),
        prose("{mean}", mean=holds(Expectation(Normal(xi, 0, 1), xi), "=", 0)),
        wrong={"the step not multiplied": x - h},
    ),
    role="lemma",
    so=r"After $K$ steps $(1 - h)^K$ of the start is left. For the distribution $\mathcal{N}(0, v)$ it is $(1 - "
    r"\frac{h}{v})^K$: wide modes remember longest.",
)
derivation.symbol("v", "the variance of the distribution that is sampled")
L = derivation.number("L", r"the share of a start that $K$ steps keep, for a parabola $(1 - h)^K$", between=(0, 1))
p = derivation.number("p", "the probability with which a state is begun anew", "reinitialize_probability", between=(0, 1))
start = derivation.number("m", "the mean of a fresh sample")
kept = derivation.define(
    r"\mu", p * L * start / (1 - (1 - p) * L), "the mean of what the buffer holds, once it no longer changes"
)
derivation.say(
    r"Now the buffer. Let $\mu$ be the mean of a state after its visit, in the long run. Before the visit it was a fresh sample "
    r"with probability $p$, and else a state of this same mean."
)
central = derivation.chain(
    "What a buffer keeps of the start",
    plus(times(p, L, start), times(1 - p, L, kept)),
    equals(
        times(L, plus(times(p, start), times(1 - p, kept))),
        "both move the same $K$ steps",
        wrong={"the stored state does not move": plus(times(p, L, start), times(1 - p, kept))},
    ),
    equals(
        kept,
        prose("by the definition, {multiplied}", multiplied=holds(times(1 - (1 - p) * L, kept), "=", times(p, L, start))),
        wrong={
            "as without a buffer": times(L, start),
            "the share times the probability": times(p, L, start),
            "p and 1 - p exchanged": (1 - p) * L * start / (1 - p * L),
        },
    ),
    central=True,
    so=r"So a visit leaves $\mu$ invariant. The same holds for the mean of every function of the state whose mean a step "
    r"multiplies by a fixed factor (an eigenfunction of the sampler) and whose mean under the stationary distribution is zero.",
)
n = derivation.number("n", "visits since the buffer was filled with fresh samples", integer=True, positive=True)
r = derivation.define("r", (1 - p) * L, "what one visit leaves of the distance from the long run", positive=True)
derivation.chain(
    "How fast it gets there",
    plus(times(p, L, start), times(1 - p, L, plus(kept, times(r**n, plus(start, -kept))))),
    equals(plus(kept, times((1 - p) * L, r**n, plus(start, -kept))), r"the last result"),
    equals(
        plus(kept, times(r ** (n + 1), plus(start, -kept))),
        prose("{left}", left=holds(r, "=", times(1 - p, L))),
        wrong={"p for 1 - p": plus(kept, times(p * L, r**n, plus(start, -kept))), "the sign": plus(kept, -(r ** (n + 1)))},
    ),
    so=prose(
        "A buffer that was filled with fresh samples is {distance} from the long run at first, and has {left} of that after "
        "$n$ visits. A chain that is $g$ visits old, of which there are $p (1-p)^{g-1}$ of all, has the mean $L^g m$.",
        distance=holds(plus(start, -kept), "=", times(start, 1 - L) / (1 - (1 - p) * L), named=True),
        left=r**n,
    ),
)
derivation.symbol("g", "how many visits a state has had since it was replaced")
factor = derivation.define(r"\varphi", p * L / (1 - (1 - p) * L), "the share of the start that the buffer keeps", positive=False)
derivation.chain(
    "The buffer remembers less than a fresh chain",
    plus(L, -factor),
    equals(
        (1 - p) * L * (1 - L) / (1 - (1 - p) * L),
        "a common denominator",
        wrong={"p for 1 - p": p * L * (1 - L) / (1 - (1 - p) * L)},
    ),
    at_least(0, "leave out a positive fraction", dropping=(1 - p) * L * (1 - L) / (1 - (1 - p) * L)),
    role="remark",
)
derivation.chain(
    "The buffer remembers the less, the more rarely its states are begun anew",
    Slope(factor, p),
    equals(
        L * (1 - L) / (1 - (1 - p) * L) ** 2,
        "the rule for quotients",
        wrong={"the denominator once": L * (1 - L) / (1 - (1 - p) * L), "the sign": -L * (1 - L) / (1 - (1 - p) * L) ** 2},
    ),
    at_least(0, "leave out a positive fraction", dropping=L * (1 - L) / (1 - (1 - p) * L) ** 2),
    so=prose(
        "It rises from {none}, if no state is ever begun anew, to {all}, if every state is. A small $p$ has a price: a chain "
        "that got stuck stays, and modes that no chain reaches are found by fresh samples alone.",
        none=holds(factor, "=", 0, when={p: 0}, named=True),
        all=holds(factor, "=", L, when={p: 1}, named=True),
    ),
)
derivation.answer = prose(
    "The mean age of a state after its visit is {age} in the long run, whatever the size of the buffer. Where the $K$ steps of "
    "a visit alone keep the share $L$ of a start, the buffer keeps {share} of it in the long run, which is less and goes to 0 "
    "with $p$: with 0.547 for $L$ and 0.05 for $p$ it is 0.057.",
    age=K / p,
    share=holds(kept / start, "=", factor, wrong={"as without a buffer": L, "both together": p * L}),
)
a, b = (derivation.number(name, f"the probability to leave state {k}", between=(0, 1)) for k, name in enumerate("ab"))
q = derivation.number("q", "the probability of state 0 before a step", between=(0, 1))
rest = derivation.define(r"\pi", b / (a + b), "its stationary probability")
derivation.chain(
    "On two states a step multiplies every deviation by the same factor",
    plus(times(q, 1 - a), times(1 - q, b)),
    equals(
        plus(rest, times(1 - a - b, plus(q, -rest))),
        prose("{balance}", balance=holds(times(rest, a), "=", times(1 - rest, b))),
        wrong={"the other state's": plus(1 - rest, times(1 - a - b, plus(q, -1 + rest)))},
    ),
    role="remark",
    so=r"So for every sampler on two states the buffer's probability of state 0 is $\pi + \varphi (\nu - \pi)$ in the long run, "
    r"with $(1 - a - b)^K$ in the place of $L$.",
)
derivation.symbol(r"\nu", "the probability of state 0 under fresh samples")

age = derivation.define("A", K / p, "the mean age of a state after its visit", "expected_age")
derivation.say("And how old are the chains? Their age obeys the same kind of balance.")
ages_balance = derivation.chain(
    "The mean age",
    plus(times(p, K), times(1 - p, plus(age, K))),
    equals(
        plus(K, times(1 - p, age)),
        "a replaced state is $K$ steps old after the visit, another $K$ older than before",
        wrong={"a replaced state has age 0": times(1 - p, plus(age, K)), "K p": plus(K * p, times(1 - p, age))},
    ),
    equals(
        age,
        prose("{rest}", rest=holds(times(1 - p, age), "=", plus(age, -K))),
        wrong={"before the visit": K * (1 - p) / p, "fresh above p": K / (1 - p)},
    ),
    so=prose(
        "It depends neither on the size of the buffer nor on the batch: these set how long a state waits between visits, and its "
        "age counts steps. What is handed out, before the $K$ steps, is {before} old on average.",
        before=holds(plus(age, -K), "=", K * (1 - p) / p, named=True),
    ),
)
derivation.bridge(
    "The code's mean age",
    K / p,
    expected_age,
    reinitialize_probability=p,
    chain_length=K,
    wrong={"before the visit": K * (1 - p) / p, "fresh above p": K / (1 - p)},
)
derivation.symbol(r"P_g", "the probability that a state is $g$ visits old")


@derivation.exact(
    r"P_g = p (1 - p)^{g-1}, \quad g = 1, 2, 3, 4",
    because=r"All 16 outcomes of four coins of the probability $\frac14$, run through the code: a buffer of one state that "
    "counts its visits. Its age is $g$ if the last replacement was $g$ visits ago.",
    outcomes=16,
    role="lemma",
)
def law_of_the_age():
    found = np.zeros(4)
    for coins in product((0.0, 0.5), repeat=4):
        buffer, here = jnp.full(1, 100.0), np.zeros(1, int)  # 100: begun before the four visits
        for coin in coins:
            drawn = sample(buffer, here, jnp.zeros(1), np.array([coin]), reinitialize_probability=0.25)
            buffer = update(buffer, here, drawn + 1)
        if buffer[0] < 100:
            found[int(buffer[0]) - 1] += math.prod(0.25 if coin < 0.25 else 0.75 for coin in coins)
    formula = 0.25 * 0.75 ** np.arange(4)
    return Sides(
        left=found, right=formula, wrong={"counted from zero": 0.75 * formula, "1 - p replaced": 0.75 * 0.25 ** np.arange(4)}
    )


@derivation.exact(
    r"\mathbb{E}[x] = \mu + r^n (m - \mu), \quad n = 3, \; p = \tfrac{1}{4}, \; L = 0.7^2, \; m = 2",
    because="All 8 outcomes of three coins, run through the code: two Langevin steps of length 0.3 a visit. They go without "
    "noise, which has mean zero.",
    outcomes=8,
    role="remark",
)
def a_buffer_of_langevin_chains():
    here, fresh, found = np.zeros(1, int), jnp.full(1, 2.0), 0.0
    for coins in product((0.0, 0.5), repeat=3):
        buffer = fresh
        for coin in coins:
            drawn = sample(buffer, here, fresh, np.array([coin]), reinitialize_probability=0.25)
            moved = langevin_sample(drawn, np.zeros((2, 1)), lambda x: x**2 / 2, step_size=0.3)
            buffer = update(buffer, here, moved)
        found += float(buffer[0]) * math.prod(0.25 if coin < 0.25 else 0.75 for coin in coins)
    share = 0.7**2
    long_run, left = 0.25 * share * 2 / (1 - 0.75 * share), (0.75 * share) ** 3
    return Sides(left=found, right=long_run + left * (2 - long_run), wrong={"a fresh chain": 2 * share, "the long run": long_run})


derivation.symbol("N", "how many states the buffer holds")
derivation.symbol("B", "how many places an update picks")
derivation.symbol("D", "how many different places these are")


def _all_updates(size, batch):
    """The places that are written, over all ways to pick a batch of places with replacement: [size^batch, size]"""
    picks = product(range(size), repeat=batch)
    return np.array([update(jnp.zeros(size), np.array(pick), jnp.ones(batch)) for pick in picks])


@derivation.exact(
    r"\mathbb{E}[D] = N \left(1 - \left(1 - \tfrac{1}{N}\right)^B\right)",
    because="Every way to pick 2 of 3 places and 3 of 4, run through the code. A place is missed by each pick with probability "
    r"$1 - \frac1N$. Of two chains with one place only the last is kept, so the other's steps are lost.",
    outcomes=9 + 64,
    role="lemma",
)
def places_written():
    found = np.array([_all_updates(size, batch).sum(axis=1).mean() for size, batch in ((3, 2), (4, 3))])
    size, batch = np.array([3.0, 4.0]), np.array([2.0, 3.0])
    return Sides(
        left=found,
        right=size * (1 - (1 - 1 / size) ** batch),
        wrong={"all of them": batch, "of one place": 1 - (1 - 1 / size) ** batch},
    )


derivation.say(
    r"A place is thus visited with probability $1 - (1 - \frac1N)^B$ an update, and waits the inverse of it on average. If the "
    r"places of a batch are all different, it waits $\frac{N}{B}$, and nothing is lost."
)


@derivation.exact(
    r"\text{Of several samples for one place, } \mathrm{update} \text{ keeps the last}",
    because="All 27 ways to write three samples to three places, against writing them one after another.",
    outcomes=27,
    role="definition",
)
def last_wins():
    found, one_by_one, first = [], [], []
    for pick in product(range(3), repeat=3):
        found.append(update(jnp.array([-1.0, -2.0, -3.0]), np.array(pick), jnp.array([1.0, 2.0, 3.0])))
        for rows, order in ((one_by_one, range(3)), (first, (2, 1, 0))):
            row = [-1.0, -2.0, -3.0]
            for position in order:
                row[pick[position]] = position + 1.0
            rows.append(row)
    return Sides(left=np.array(found), right=np.array(one_by_one), wrong={"the first wins": np.array(first)})


@derivation.algorithm(
    "An update with a replay buffer",
    do("fill the buffer with fresh samples; then, for every update:"),
    do("pick $B$ places", indent=1),
    do("start each chain at the stored state, or, with probability $p$, at a fresh sample", sample, by=ages_balance, indent=1),
    do(r"$K$ times: $x \leftarrow x - h E'(x) + \sqrt{2h}\, \xi$", langevin_sample, by=decay, indent=1),
    do("write the ends back to their places; they are the model's samples of this update", update, by=central, indent=1),
)
def two_updates():
    buffer, fresh = jnp.full(3, 2.0), jnp.full(2, 2.0)
    updates = (([0, 2], (0.5, 0.5), "(0.98, 2, 0.98)"), ([0, 1], (0.5, 0.1), "(0.4802, 0.98, 0.98)"))
    for picked, coins, printed in updates:
        starts = sample(buffer, np.array(picked), fresh, np.array(coins), reinitialize_probability=0.25)
        ends = langevin_sample(starts, np.zeros((2, 2)), lambda x: x**2 / 2, step_size=0.3)
        buffer = update(buffer, np.array(picked), ends)
        yield r"\text{the buffer, without noise}", buffer, printed


@derivation.example(
    r"Steps of length 0.01 on the energy $x^2/2$, 60 of them a visit, one state in twenty begun anew; then a buffer of 10000 "
    r"with batches of 128 places, picked with replacement."
)
def sixty_steps():
    yield r"(1 - h)^K", (1 - 0.01) ** 60, "0.5472"
    yield factor, value(factor, {p: 0.05, L: 0.99**60}), "0.0570"
    yield age, expected_age(reinitialize_probability=0.05, chain_length=60), "1200"
    yield r"\log 0.01 / \log (1 - h) \text{ steps until 1\% of a start is left}", math.log(0.01) / math.log(0.99), "458.2"
    yield r"\text{updates until a place is visited}", 1 / (1 - (1 - 1e-4) ** 128), "78.62"


@derivation.figure(
    "Left: the share of the start that a buffer keeps, for steps of length 0.01 and 20, 60 and 200 of them a visit; if all are "
    "begun anew, it is that of fresh chains. Right: the ages in a buffer of 800 chains after 40 visits, in visits, over the "
    r"geometric distribution $p (1-p)^{g-1}$ with $\frac15$ for $p$ (line).",
    panels=2,
)
def memory_and_age(memory, ages):
    probabilities = np.geomspace(0.002, 1, 40)
    for steps in (20, 60, 200):
        share = 0.99**steps
        memory.semilogx(probabilities, probabilities * share / (1 - (1 - probabilities) * share), label=f"{steps} steps")
    memory.set(xlabel="probability to begin anew", ylabel="share of the start", ylim=(0, 1))
    memory.legend()
    rng, places = np.random.default_rng(0), np.arange(800)
    buffer = jnp.zeros(800)
    for _ in range(40):
        drawn = sample(buffer, places, jnp.zeros(800), rng.uniform(size=800), reinitialize_probability=0.2)
        buffer = update(buffer, places, drawn + 1)
    visits = np.arange(1, 26)
    ages.hist(np.asarray(buffer), bins=np.arange(0.5, 26.5), density=True, color="0.8")
    ages.plot(visits, 0.2 * 0.8 ** (visits - 1))
    ages.set(xlabel="age in visits", ylabel="share of the buffer")


@derivation.numeric(
    r"\text{The places 255 and 130, given in 8 bits, are read as they are}",
    because="In 8 signed bits they are negative, and a gather that clamps its indices would read the first place twice, without "
    "an error. The code widens the places first, and checks them.",
    role="appendix",
)
def wide_places():
    buffer, places = jnp.arange(256.0), np.array([255, 130], np.uint8)
    drawn = sample(buffer, places, jnp.zeros(2), jnp.ones(2))
    return Sides(left=drawn, right=jnp.array([255.0, 130.0]), wrong={"negative, and clamped": jnp.zeros(2)})
