"""The probability flow and the reverse equation with the exact noise of independent pixels draw their distribution; and a few
explicit steps of both.
"""

import torch

from practice_torch.diffusion.score_sde import variance_preserving_alpha_bar
from practice_torch.experiments.diffusion.probability_flow import FlowExperiment
from practice_torch.mathematics.levels import per_example
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import rough


def _answer(x, scaled_time):
    """The network's answer: times alpha, it is the noise minus sigma x."""
    kept = variance_preserving_alpha_bar((scaled_time / 1000).clamp(max=1.0))
    noise = prediction(LOPSIDED, x, kept, "noise")
    return (noise - per_example((1 - kept).sqrt(), x) * x) / per_example(kept.sqrt(), x)


def draws_the_law_of_the_data(by):
    experiment = built("diffusion/probability_flow", num_levels=1001, solver_steps=50)
    experiment.network = Network(_answer)
    require_law(2 * experiment.sample(64)[by].images - 1, LOPSIDED.cdf)


def by_the_flow():
    draws_the_law_of_the_data("flow")


def by_the_equation():
    draws_the_law_of_the_data("equation")


def draws_values_by_both_chains():
    """From one noise: Runge-Kutta steps of the flow between squares of even times; four times as many Euler steps, evenly."""
    experiment = built("diffusion/probability_flow", num_levels=5, solver_steps=2)
    experiment.network = Network(lambda x, time: rough(x, time / 1000))
    drawn, generator = experiment.sample(3), torch.Generator().manual_seed(0)
    recipe, noise = experiment.recipe, torch.randn(3, *experiment.shape, generator=generator)

    def slopes(x, time):
        """Drift and score of the equation, and its rate."""
        rate = recipe.beta_min + (recipe.beta_max - recipe.beta_min) * time
        kept = variance_preserving_alpha_bar(time)
        predicted = (1 - kept).sqrt() * x + kept.sqrt() * rough(x, time)
        return -rate * x / 2, -predicted / (1 - kept).sqrt(), rate

    def velocity(x, time):
        drift, score, rate = slopes(x, time)
        return drift - rate * score / 2

    calm, first = noise, recipe.first_time**0.5
    for now, after in (1.0, (1 + first) / 2), ((1 + first) / 2, first):
        now, step = torch.tensor(now**2), after**2 - now**2
        one = velocity(calm, now)
        two = velocity(calm + step / 2 * one, now + step / 2)
        three = velocity(calm + step / 2 * two, now + step / 2)
        calm = calm + step * (one + 2 * two + 2 * three + velocity(calm + step * three, now + step)) / 6
    rough_end, step = noise, (1 - recipe.first_time) / 8
    for time in torch.linspace(1, recipe.first_time, 9)[:-1]:
        drift, score, rate = slopes(rough_end, time)
        fresh = torch.randn(noise.shape, generator=generator)
        rough_end = rough_end - step * (drift - rate * score) + (step * rate).sqrt() * fresh
    for name, x in (("flow", calm), ("equation", rough_end)):
        require_same(drawn[name].images, (2.5 * (x + 1)).floor().clamp(0, 4) / 4)


SAMPLERS = {
    by_the_flow: {
        "solved from the data's end": (FlowExperiment.sample, "self.times.flip(0), self._velocity", "self.times, self._velocity"),
        "half of the score": (FlowExperiment._score, "return -", "return -0.5 * "),
        "the noise for the velocity": (FlowExperiment._velocity, "self._score(x, time)", "self._noise_pred(x, time)"),
        "another time for the network": (FlowExperiment._noise_pred, "1000 * time", "500 * time"),
        "values on 0..1": (FlowExperiment._rounded, "(x + 1) / 2", "x / 2"),
    },
    by_the_equation: {
        "half of the score": (FlowExperiment._reverse_step, "self._score(x, time)", "self._score(x, time) / 2"),
        "the flow's times": (FlowExperiment.sample, "torch.linspace(self.times[-1], self.times[0],", "torch.linspace(1.0, 0.5,"),
        "steps of twice the length": (FlowExperiment.sample, "(after - now)", "2 * (after - now)"),
        "noise half as wide": (FlowExperiment._reverse_step, "torch.randn(", "0.5 * torch.randn("),
    },
    draws_values_by_both_chains: {
        "five Euler steps for a Runge-Kutta step": (FlowExperiment.sample, "steps = 4 *", "steps = 5 *"),
        "to time 0": (FlowExperiment.sample, "self.times[0], steps", "0 * self.times[0], steps"),
        "values rounded to the nearest": (FlowExperiment._rounded, ".floor()", ".round()"),
        "values not clipped": (FlowExperiment._rounded, ".clamp(0, levels - 1)", ""),
    },
}
