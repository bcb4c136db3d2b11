"""Flow matching: a field that no one can compute, learned from pairs that anybody can draw.

The lecture on the functions of theory_jax/flows/flow_matching.py.
"""

import jax.numpy as jnp
from sympy import exp, log, sin, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Count, Expectation, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.flow_matching import (
    conditional_flow_matching_loss,
    data_prediction,
    logit_normal_times,
    marginal_velocity,
    mixture_velocity,
)
from theory_jax.lectures.flows._flow_matching import MOMENTS, fan_and_floor, noise_becomes_data, two_points, two_steps_of_each
from theory_jax.lectures.flows._noisy_labels import STEPS, labels_and_losses

derivation = Derivation(
    module=__name__,
    title="Flow matching: a field that no one can compute, learned from pairs that anybody can draw",
    sources=(
        "Lipman, Chen, Ben-Hamu, Nickel & Le 2023, Flow matching for generative modeling",
        "Liu, Gong & Liu 2023, Flow straight and fast: learning to generate and transfer data with rectified flow",
        "Albergo & Vanden-Eijnden 2023, Building normalizing flows with stochastic interpolants",
        "Tong et al. 2024, Improving and generalizing flow-based generative models with minibatch optimal transport",
        "Esser et al. 2024, Scaling rectified flow transformers for high-resolution image synthesis",
        "Atchison & Shen 1980, Logistic-normal distributions: some properties and uses",
    ),
    question="To train a continuous flow by its likelihood, one solves a differential equation at every step. Fitting its "
    "velocity would be simpler, but the velocity that carries noise to all the data is an average over them, which cannot be "
    "computed. Why does least squares on single pairs find it?",
    setting=(
        "A condition $z$ with the distribution $q$, usually a data point, selects a path of positive densities "
        r"$p_t(\cdot|z)$ and a velocity that carries them; both are differentiable, and sums over $z$ exchange with "
        "derivatives. The chains have two or three conditions.",
        r"A model $v$ of the velocity is trained on pairs: a condition is drawn from $q$, a position from $p_t(\cdot|z)$, "
        "and the time from any density that is positive on $(0, 1)$. Second moments are finite.",
        "The standard case: the condition is the data point $x_1$, independent of the standard normal noise $x_0$, and the "
        "path is the line $(1 - t) x_0 + t x_1$. The velocity of a pair is $x_1 - x_0$: at the position $x$ it is $(x_1 - "
        "x)/(1 - t)$, straight to the data point. Formulas are written for one coordinate, except where two are shown.",
    ),
    limits=(
        r"The bound on the error of samples is void where the field is not Lipschitz up to time 1, as for discrete data.",
        "Generalization: the exact minimizer on a finite set of data returns these data.",
        "That a flow has one solution up to every time before 1, and that the continuity equation determines its densities.",
    ),
)

derivation.figure(
    "400 standard normal noises on their way to the data 1 and $-1$ (orange), moved by the mean velocity. Left: the flow lines "
    "of 24 of them. Right: where all of them are, and the density that the flow has to carry. Until the middle the density has "
    "one peak, at 0; then the position begins to tell the data.",
    panels=2,
    frames=[f"$t = {moment:g}$" for moment in MOMENTS],
)(noise_becomes_data)

t = derivation.number("t", "the time, from noise to data", "time", between=(0, 1))
z = derivation.index("z", "a condition, a data point for example", states=2)
q = derivation.law("q", z, "the distribution of the condition")
c = derivation.numbers("c", z, "what the condition is: the data point")
y1, y2 = (derivation.number(f"y_{k}", f"coordinate {k} of a position") for k in (1, 2))
ell = derivation.function(r"\ell", "the log-density of a position at a time, given the condition", arguments=4)
f = derivation.function("f", "coordinate 1 of the velocity, given the condition", arguments=4)
g = derivation.function("g", "coordinate 2 of the velocity, given the condition", arguments=4)
f_z, g_z = f(c, y1, y2, t), g(c, y1, y2, t)
given = derivation.define("p_t(y|{})", exp(ell(c, y1, y2, t)), "the density given the condition", over=z, positive=True)
density = derivation.define("p_t(y)", Expectation(q, given), "the density of all conditions together", positive=True)
reverse = derivation.define(
    "p_t({}|y)", q * given / density, "the distribution of the condition given the position", over=z, law=True
)
bar_f = derivation.define(r"\bar f", Expectation(reverse, f_z), "coordinate 1 of the mean velocity given the position")
bar_g = derivation.define(r"\bar g", Expectation(reverse, g_z), "coordinate 2 of the mean velocity given the position")
derivation.say(
    r"Which field carries the average of all densities? A field carries a density if no mass is lost: what a small region gains "
    r"is what flows in less what flows out. That is the continuity equation, $\partial_t p + \nabla \cdot (p\, u)$ is 0. "
    "Compute this for the average density and the mean velocity."
)
carried = derivation.chain(
    "The mean velocity given the position carries the average density",
    plus(Slope(density, t), Slope(density * bar_f, y1), Slope(density * bar_g, y2)),
    equals(
        plus(Slope(density, t), Slope(Expectation(q, given * f_z), y1), Slope(Expectation(q, given * g_z), y2)),
        prose(
            "{bayes}: what averages under $q$ is the flux, density times velocity, not the velocity",
            bayes=holds(times(density, reverse), "=", times(q, given)),
        ),
        wrong={"no density": plus(Slope(density, t), Slope(Expectation(q, f_z), y1), Slope(Expectation(q, g_z), y2))},
    ),
    equals(Expectation(q, plus(Slope(given, t), Slope(given * f_z, y1), Slope(given * g_z, y2))), "the derivative of a sum"),
    so=r"Each term of the last line is 0, since the velocity of each condition carries its density. So the first line is 0.",
)

derivation.say(
    "Now the training. Let $x_t$ have finitely many positions $k$; a pair draws $z$ from $q$ and $k$ given $z$, and the "
    r"target is $u_{kz}$. The model is a function of the position $s_k$ and of a parameter $\theta$. Pairs that meet at a "
    "position disagree: a target is a label with noise. No answer is right for all of them, and the mean of the labels has the "
    "smallest mean square error. It is the mean velocity, which the flow needs."
)
derivation.figure(
    "A model of the velocity halfway to the data 1 and $-1$, a weighted mean of nine numbers, trained on 128 new pairs a step. "
    "Left: every pair lies on one of two lines, for its data point; the model settles between them, at the mean velocity. Right: "
    "the loss on pairs stops falling at the floor, the variance of the labels, while the loss on the mean velocity, which "
    "training does not see, falls to a hundredth of that.",
    panels=2,
    frames=[f"step {step}" for step in STEPS],
)(labels_and_losses)
k = derivation.index("k", "a position", states=2)
place = derivation.numbers("s", k, "where it is", "x_t")
theta = derivation.number(r"\theta", "a parameter of the model")
v = derivation.function("v", "the model of the velocity", "velocity_fn", arguments=2)
answer = v(place, theta)
kernel = derivation.law("p({}|{})", (k, z), "the distribution of the position given the condition")
target = derivation.numbers("u", (k, z), "the velocity at a position, given the condition", "x1 - x0")
visited = derivation.define("p({})", Expectation(q, kernel), "the distribution of the position", over=k, law=True)
posterior = derivation.define(
    "p({}|{})", q * kernel / visited, "the distribution of the condition given the position", over=(z, k), law=True
)
mean = derivation.define(r"\bar u", Expectation(posterior, target), "the mean velocity given the position", over=k)
conditional = derivation.define(
    r"L_{\mathrm{CFM}}",
    Expectation(q, Expectation(kernel, (answer - target) ** 2)),
    "the loss on pairs",
    "conditional_flow_matching_loss",
)
marginal = derivation.define(
    r"L_{\mathrm{FM}}", Expectation(visited, (answer - mean) ** 2), "the loss on the mean velocity", positive=True
)
floor = derivation.define("F", Expectation(visited, Variance(posterior, target)), "the floor")
derivation.answer = prose(
    "The densities of the conditions, averaged, are carried by the average of their velocities under the posterior "
    "distribution of the condition given the position. Least squares on pairs has this average as its minimizer, and at "
    "every model the same gradient as least squares on the average itself: {sum}, where the floor $F$, the mean variance of "
    "the velocity given the position, does not contain the model. So $F$ is the loss of a perfect model: zero only if the "
    "position tells the velocity, as for one data point.",
    sum=holds(conditional, "=", plus(marginal, floor), wrong={"the floor subtracted": plus(marginal, -floor)}),
)
losses = derivation.chain(
    "The loss on pairs is the loss on the mean velocity plus a constant",
    conditional,
    equals(
        Expectation(visited, Expectation(posterior, (answer - target) ** 2)),
        "Bayes' rule: draw the position first, then the condition given the position",
        wrong={"the mean inside": Expectation(visited, (answer - Expectation(posterior, target)) ** 2)},
    ),
    equals(
        plus(marginal, floor),
        prose(
            r"expand around the mean $\bar u_k$; the cross term has the factor {cross}",
            cross=holds(Expectation(posterior, plus(mean, -target)), "=", 0),
        ),
    ),
    at_least(floor, r"leave out a square; equality if and only if the model is $\bar u_k$ at every position", dropping=marginal),
    central=True,
    uses=(carried,),
    so="The floor does not contain the model. It is what the position does not tell about the velocity: where paths to "
    "different data cross, no model can follow both. A loss that stops falling above 0 is therefore no failure.",
)
gradients = derivation.chain(
    "The two losses have equal gradients",
    Slope(conditional, theta),
    equals(Slope(marginal, theta), r"the chain above, differentiated: the floor has no $\theta$ in it"),
    equals(
        Expectation(visited, 2 * (answer - mean) * Slope(answer, theta)),
        "the chain rule",
        wrong={"the two forgotten": Expectation(visited, (answer - mean) * Slope(answer, theta))},
    ),
    uses=(losses,),
    so="A step of gradient descent on pairs is, on average, a step of gradient descent on the distance from the velocity that "
    "carries the average density, although no step ever saw it. Averages over the time change nothing in this.",
)

derivation.say("The linear path to data on finitely many points: what the network learns, exactly.")
x = derivation.number("x", "a position", "x")
n = derivation.index("n", "a data point")
d = derivation.numbers("d", n, "its value", "data")
rest = derivation.define(r"\rho", (1 - t) ** 2, "the variance of what the position has of the noise", positive=True)
tilt = exp(-((x - times(t, d)) ** 2) / (2 * rest))
omega = derivation.define(
    r"\omega", tilt / Total(n, tilt), "the distribution of the data point given the position", over=n, law=True
)
noise_of = derivation.define(r"\xi", (x - times(t, d)) / (1 - t), "the noise that leads to the position", "x0", over=n)
u = derivation.define("u", Expectation(omega, d - noise_of), "the mean velocity at the position", "marginal_velocity")
derivation.chain(
    "The mean velocity points at the mean of the data given the position",
    Expectation(omega, plus(d, -noise_of)),
    equals(
        Expectation(omega, (d - x) / (1 - t)),
        prose("{pair}", pair=holds(plus(times(1 - t, d), -x, times(t, d)), "=", plus(d, -x))),
        wrong={"from data to noise": Expectation(omega, (x - d) / (1 - t))},
    ),
    equals(
        plus(Expectation(omega, d), -x) / (1 - t),
        "the position is given",
        wrong={"all data alike": plus(Total(n, d) / 3, -x) / (1 - t)},
    ),
    so=prose(
        r"The weights are Bayes' rule: given $d_n$ the position is $\mathcal{N}(t d_n, \rho)$. At time 0 they are all equal, "
        "and the velocity is the mean of the data minus the position, {start}. At every time the velocity predicts the data, "
        "{data}, and the noise, {noise}, since {path}.",
        start=holds(u, "=", plus(Total(n, d) / Count(n, "N"), -x), when={t: 0}),
        data=holds(plus(x, times(1 - t, u)), "=", Expectation(omega, d), wrong={"the noise": Expectation(omega, noise_of)}),
        noise=holds(plus(x, -times(t, u)), "=", Expectation(omega, noise_of)),
        path=holds(x, "=", plus(times(t, d), times(1 - t, noise_of))),
    ),
)
derivation.chain(
    "Where the data are undecided the flow spreads",
    Slope(u, x),
    equals(plus(Slope(Expectation(omega, d), x), -1) / (1 - t), "the chain on the mean velocity"),
    equals(
        plus(times(t / rest, Variance(omega, d)), -1) / (1 - t),
        prose(
            "the slope of a softmax: {slope}",
            slope=holds(Slope(omega, x), "=", times(t / rest, omega, plus(d, -Expectation(omega, d)))),
        ),
        wrong={"the second moment": plus(times(t / rest, Expectation(omega, d**2)), -1) / (1 - t)},
    ),
    states=2,
    role="remark",
    so=prose(
        r"Flow lines part where the variance is above $\rho / t$, as it is late halfway between two data points; for opposite "
        r"ones {none} at 0. Where one data point is certain it is 0, and they close in with the rate $\frac{1}{1 - t}$.",
        none=holds(u, "=", 0, when={d.at(1): -d.at(0), x: 0}),
    ),
)

derivation.say("Data from a Gaussian: with it, and its mixtures, networks and samplers can be judged exactly.")
noise, data = derivation.number("x_0", "the noise", "x0"), derivation.number("x_1", "the data", "x1")
m = derivation.number("m", "the mean of the data", "means")
s = derivation.number(r"\sigma^2", "their variance", "exp(log_vars)", positive=True)
x_t = derivation.define("x_t", plus(times(1 - t, noise), times(t, data)), "the position of a pair")
V = derivation.define("V", (1 - t) ** 2 + t**2 * s, "the variance of the position", positive=True)
slope = derivation.define(r"\beta", (t * s - (1 - t)) / V, "how the velocity depends on the position")
U = derivation.define("U", plus(m, times(slope, x - times(t, m))), "the mean velocity at the position", "mixture_velocity")


def _over_pairs(body):
    return Expectation(Normal(noise, 0, 1), Expectation(Normal(data, m, s), body))


left_over = plus(data, -noise, -m, -times(slope, plus(x_t, -times(t, m))))
derivation.chain(
    "Regression of the velocity on the position leaves nothing that the position explains",
    _over_pairs(times(left_over, plus(x_t, -times(t, m)))),
    equals(
        plus(t * s - (1 - t), -times(slope, V)),
        prose(
            r"the covariance of $x_1 - x_0$ and $x_t$ is {covariance}, and the variance of $x_t$ is {variance}",
            covariance=holds(
                _over_pairs(times(data - noise - m, plus(x_t, -times(t, m)))), "=", plus(times(t, s), -(1 - t)), named=True
            ),
            variance=holds(_over_pairs(plus(x_t, -times(t, m)) ** 2), "=", V, named=True),
        ),
        wrong={"covariances added": plus(t * s + (1 - t), -times(slope, V))},
    ),
    equals(0, r"the definition of $\beta$", wrong={"the variance": V}),
    role="lemma",
    so="Jointly Gaussian variables that are uncorrelated are independent: given the position $x$ the velocity "
    "has the mean $U$. A mixture of Gaussians takes the component as the condition: the fields of its components, averaged "
    "under the distribution of the component given the position, carry the mixture.",
)
derivation.chain(
    "The floor of Gaussian data is their variance over that of the position",
    _over_pairs(left_over**2),
    equals(
        plus(1 + s, -times(slope**2, V)),
        prose(
            r"the variance of $x_1 - x_0$ is {variance}; regression takes away {explained}",
            variance=holds(_over_pairs((data - noise - m) ** 2), "=", 1 + s, named=True),
            explained=times(slope**2, V),
        ),
        wrong={"the slope not squared": plus(1 + s, -times(slope, V))},
    ),
    equals(s / V, prose("{product}", product=holds(plus(times(1 + s, V), -(plus(times(t, s), -(1 - t)) ** 2)), "=", s))),
    role="remark",
    so=prose(
        "At time 0 it is the variance of the data, {start}, at time 1 that of the noise, {end}: at the ends one end of the "
        r"pair is seen. For uniform times its mean is $\frac{\pi}{2} \sigma$ (exercise 2, and derived in the lecture on "
        "rectified flow).",
        start=holds(s / V, "=", s, when={t: 0}),
        end=holds(s / V, "=", 1, when={t: 1}),
    ),
)
derivation.chain(
    "Noise flows to Gaussian data along hyperbolas",
    Slope(times(sqrt(V), noise), t),
    equals(
        times(slope, sqrt(V), noise),
        prose(
            "{rate}, so {root}",
            rate=holds(Slope(V, t), "=", times(2, slope, V)),
            root=holds(Slope(sqrt(V), t), "=", times(slope, sqrt(V))),
        ),
    ),
    role="remark",
    so=prose(
        "This is the velocity for {centered} at the position {line}: {velocity}. So that is the flow line of $x_0$. It is "
        "curved, although every pair is joined by a line, and ends at {end}.",
        centered=where(m, 0),
        line=times(sqrt(V), noise),
        velocity=holds(U, "=", times(slope, sqrt(V), noise), when={x: times(sqrt(V), noise)}),
        end=holds(times(sqrt(V), noise), "=", times(sqrt(s), noise), when={t: 1}, named=True),
    ),
)
derivation.say(
    r"What does a small loss promise? Start the learned flow and the true one at the same noise; $\epsilon$ is the "
    r"difference of their positions. It changes by the model's difference between the two positions, at most $\Lambda "
    r"\epsilon$, plus the error of the model at the true position."
)
r = derivation.index("r", "a start")
starts = derivation.law("w", r, "the distribution of the starts")
apart = derivation.numbers(r"\epsilon", r, "the learned position minus the true one")
error = derivation.numbers("b", r, "the error of the model at the true position")
Lambda = derivation.number(r"\Lambda", "a Lipschitz constant of the model", positive=True)
drift = derivation.numbers("a", r, "the model's difference between the positions")
lipschitz = derivation.assume(
    "The model is Lipschitz",
    Lambda * apart**2 - apart * drift,
    example={Lambda: 1, drift: sin(apart)},
    wrong={"half the constant": Lambda / 2 * apart**2 - apart * drift},
)
derivation.chain(
    "A small loss keeps the learned flow near the true one, if the model is Lipschitz",
    Expectation(starts, times(2, apart, plus(drift, error))),
    at_most(
        plus(times(2 * Lambda, Expectation(starts, apart**2)), Expectation(starts, times(2, apart, error))),
        prose("Lipschitz; equality at {full}", full=where(drift, times(Lambda, apart))),
        adding=Expectation(starts, 2 * lipschitz.at()),
    ),
    at_most(
        plus(times(2 * Lambda + 1, Expectation(starts, apart**2)), Expectation(starts, error**2)),
        prose("{square}: add a square", square=holds(2 * apart * error, "<=", plus(apart**2, error**2))),
        adding=Expectation(starts, (apart - error) ** 2),
    ),
    states=2,
    role="remark",
    so=prose(
        r"The first line is the slope of $\mathbb{E}[\epsilon^2]$ in the time, and the last term is the loss at that time. "
        r"Multiply by $e^{-(2 \Lambda + 1) t}$ and integrate from 0, where the flows start together: "
        r"$\mathbb{E}[\epsilon^2]$ at time 1 is at most the loss at uniform times, multiplied by {most} or less, since "
        "{less} before the end. The squared Wasserstein distance of samples and data is not more.",
        most=exp(2 * Lambda + 1),
        less=holds(exp(times(2 * Lambda + 1, 1 - t)), "<", exp(2 * Lambda + 1)),
    ),
)

derivation.bridge(
    "The code's loss of a pair, for a model that is a sine plus the time",
    (plus(sin(x_t), t, -data, noise)) ** 2,
    conditional_flow_matching_loss,
    x0=[[noise]],
    x1=[[data]],
    time=[t],
    velocity_fn=lambda x, time: jnp.sin(x) + time[:, None],
    wrong={"from data to noise": (plus(sin(x_t), t, data, -noise)) ** 2},
)
derivation.bridge(
    "... its mean velocity on finitely many data",
    u,
    marginal_velocity,
    x=[x],
    data=d,
    time=[t],
    wrong={"from data to noise": -u, "all data alike": plus(Total(n, d) / 4, -x) / (1 - t)},
)
derivation.bridge(
    "... and the data that it predicts",
    Expectation(omega, d),
    data_prediction,
    x=[x],
    velocity=[u],
    time=[t],
    wrong={"the noise": Expectation(omega, noise_of)},
)
j = derivation.index("j", "a component of a mixture")
weight = derivation.law("w'", j, "its weight", "exp(log_weights)")
mu = derivation.numbers(r"\mu", j, "its mean", "means")
tau = derivation.numbers(r"\tau", j, "its variance", "exp(log_vars)", positive=True)
V_j = derivation.define("V", (1 - t) ** 2 + t**2 * tau, "the variance of the position, of a component", over=j, positive=True)
share = weight * exp(LogDensity(x, times(t, mu), V_j))
shares = derivation.define(
    "p({}|x)", share / Total(j, share), "the distribution of the component given the position", over=j, law=True
)
derivation.bridge(
    "The velocity of a mixture",
    Expectation(shares, plus(mu, times((t * tau - (1 - t)) / V_j, x - times(t, mu)))),
    mixture_velocity,
    x=[[x]],
    time=[t],
    means=[[mu.at(number)] for number in range(4)],
    log_vars=log(tau),
    log_weights=log(weight),
    wrong={"the weights of the mixture": Expectation(weight, plus(mu, times((t * tau - (1 - t)) / V_j, x - times(t, mu))))},
)
shift = derivation.number("o", "the mean of a logit", "mean")
spread = derivation.number("l", "its deviation", "std", positive=True)
normal = derivation.number("g", "a standard normal number", "normals")
times_of_training = derivation.bridge(
    "The code's times: their logit is normal",
    1 / (1 + exp(-(shift + spread * normal))),
    logit_normal_times,
    normals=[normal],
    mean=shift,
    std=spread,
    wrong={"noise and data exchanged": 1 / (1 + exp(shift + spread * normal))},
)


derivation.algorithm(
    "Training, and sampling by Euler's method",
    do("repeat: take a data point $x_1$, noise $x_0$ and a normal number $g$"),
    do(r"$t \leftarrow 1 / (1 + e^{-(o + l g)})$, or a uniform time", logit_normal_times, by=times_of_training, indent=1),
    do(r"$x_t \leftarrow (1 - t) x_0 + t x_1$", indent=1),
    do(r"a gradient step on $(v(x_t, t) - (x_1 - x_0))^2$", conditional_flow_matching_loss, by=gradients, indent=1),
    do(r"sample: $x \leftarrow x_0$, new noise; for each step of length $h$ from the time $t$:"),
    do(r"$x \leftarrow x + h\, v(x, t)$, in a perfect model the mean velocity", marginal_velocity, by=carried, indent=1),
)(two_steps_of_each)


derivation.example(
    r"Data 1 and $-1$, equally likely, halfway, at the position $\frac12$. The data point 1 needs the noise 0, and $-1$ "
    "needs 2: the velocities 1 and $-3$."
)(two_points)
derivation.figure(
    "Left: pairs are joined by lines (gray), which cross; the flow lines of the mean velocity (colored) do not, and part "
    "between the data 1 and $-1$. Right: the floor of the loss at each time. For the two points it falls to 0 once the "
    "position tells the data; for Gaussian data of variance 4 and 1 it ends at the variance of the noise.",
    panels=2,
)(fan_and_floor)
