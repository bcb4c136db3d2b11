"""Every sampler draws the law of its network, and every mistake that is planted into one is refused; the statistics, too, are
seen to accept and to refuse.
"""

import inspect
from pathlib import Path

import pytest
import torch

from tests.support.known_laws import LOPSIDED, Mixture, prediction
from tests.support.samplers import Mistake, normal_cdf, planted, require_law, require_same, require_shares, samplers

SAMPLERS = samplers()
EXPERIMENTS = Path(__file__).parents[2] / "practice_torch" / "experiments"


def by_family(rows):
    """Parameters of rows (topic, ..., name); one process of the suite runs those of a family."""
    return [
        pytest.param(*row, id=f"{row[0]}-{name}", marks=pytest.mark.xdist_group(f"samplers, {row[0].split('/')[0]}"))
        for *row, name in rows
    ]


@pytest.mark.parametrize(("topic", "check"), by_family((*row[:2], row[1].__name__) for row in SAMPLERS))
def test_what_is_drawn_has_its_law(topic, check):
    check()


@pytest.mark.parametrize(
    ("topic", "check", "mistake"),
    by_family((*row, wrong, name) for *row, mistakes in SAMPLERS for name, wrong in mistakes.items()),
)
def test_a_mistake_in_a_sampler_is_refused(topic, check, mistake):
    with planted(mistake), pytest.raises(AssertionError):
        check()


@pytest.mark.rule
def test_every_sampler_was_seen_to_be_refused():
    """Each check refuses a mistake, and each file of an experiment that defines `sample` has had one."""
    assert [(topic, check.__name__) for topic, check, mistakes in SAMPLERS if not mistakes] == []
    functions = {inspect.unwrap(mistake.function) for *_, mistakes in SAMPLERS for mistake in mistakes.values()}
    held = {Path(inspect.getsourcefile(function)) for function in functions}
    samplers = {path for path in EXPERIMENTS.glob("*/*.py") if "    def sample(self, count)" in path.read_text(encoding="utf-8")}
    assert len(samplers) > 50 and samplers - held == set()


# ---------------------------------------------------------------------------------------------------- the statistics


def normals(seed, count=4000):
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("seed", range(20))
def test_draws_of_the_law_are_accepted(seed):
    require_law(normals(seed), normal_cdf(0.0, 1.0))
    shares = torch.tensor([0.5, 0.2, 0.3, 0.0])
    require_shares(torch.multinomial(shares, 4000, replacement=True, generator=torch.Generator().manual_seed(seed)), shares)


WRONG = {
    "moved by an eighth of the deviation": lambda x: x + 0.125,
    "an eighth wider": lambda x: 1.125 * x,
    "skewed": lambda x: x + 0.15 * (x.square() - 1),
    "split": lambda x: (x + 0.5 * x.sign()) / 1.375,
    "not a number": lambda x: x.log(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_draws_of_another_law_are_refused(wrong):
    for seed in range(5):
        with pytest.raises(AssertionError, match="4000 draws have another law"):
            require_law(wrong(normals(seed)), normal_cdf(0.0, 1.0))


def test_few_draws_are_refused():
    with pytest.raises(AssertionError, match="100 draws tell little of a law; there must be 200"):
        require_law(normals(0, 100), normal_cdf(0.0, 1.0))


def test_the_smooth_test_errs_as_often_as_stated():
    """Its statistic is chi-squared: of 400 right samples, as many are beyond the upper tenth as there should be."""
    kept = []
    for seed in range(400):
        try:
            require_law(normals(seed, 200), normal_cdf(0.0, 1.0), error_rate=0.1)
        except AssertionError:
            kept.append(seed)
    assert 22 <= len(kept) <= 60  # three standard deviations about 40


def test_shares_of_another_law_are_refused():
    drawn = torch.tensor([0] * 500 + [1] * 300 + [2] * 200)
    require_shares(drawn, torch.tensor([0.52, 0.28, 0.2]))
    with pytest.raises(AssertionError, match="shares are"):
        require_shares(drawn, torch.tensor([0.4, 0.4, 0.2]))
    with pytest.raises(AssertionError, match=r"\[0, 1, 2\] were drawn; the probabilities are"):
        require_shares(drawn, torch.tensor([0.6, 0.4, 0.0]))
    with pytest.raises(AssertionError, match="2 was drawn; the law has 2 values"):
        require_shares(drawn, torch.tensor([0.6, 0.4]))


def test_rare_values_are_counted_together():
    """One draw of a value that expects a hundredth of one is no proof of another law; twenty of such values are."""
    law = torch.tensor([0.49, 0.5, 1e-2 / 999] + 996 * [1e-2 / 999] + [0.0])
    law[-1] = 1 - law.sum()
    right = torch.tensor([0] * 490 + [1] * 500 + [2 + 7 * k for k in range(10)])
    require_shares(right, law)
    with pytest.raises(AssertionError, match="shares are"):
        require_shares(torch.cat([right, torch.tensor([3 + 7 * k for k in range(30)])]), law)


def test_another_chain_is_refused():
    x = normals(0).float()
    require_same(x, x.double() * (1 + 1e-6))
    for wrong in (x + 1e-3, x[:-1], x * float("nan")):
        with pytest.raises(AssertionError):
            require_same(x, wrong)


# ---------------------------------------------------------------------------------------------------- laws and mistakes


def test_the_mean_of_the_data_is_the_conditional_one():
    """E(X | aX + bE = x), by sums over a fine grid of the law of X, and at both ends of the noise."""
    grid = torch.linspace(-2, 2, 4001, dtype=torch.float64)
    mass = LOPSIDED.cdf(grid + 5e-4) - LOPSIDED.cdf(grid - 5e-4)
    x = torch.tensor([-0.7, 0.0, 0.4], dtype=torch.float64)
    weights = mass * torch.exp(-(x[:, None] - 0.8 * grid).square() / (2 * 0.6**2))
    torch.testing.assert_close(LOPSIDED.data_mean(x, 0.8, 0.6), (weights * grid).sum(1) / weights.sum(1))
    torch.testing.assert_close(LOPSIDED.data_mean(x, 1.0, 1e-4), x, atol=1e-3, rtol=0)
    mean = sum(w * m for w, m in zip(LOPSIDED.weights, LOPSIDED.means, strict=True))
    torch.testing.assert_close(LOPSIDED.data_mean(x, 1e-6, 1.0), torch.full_like(x, mean), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["noise", "x0", "velocity"])
def test_every_prediction_is_of_the_same_data(kind):
    """Of N(m, s^2), which has a linear conditional mean."""
    law, kept, x = Mixture((1.0,), (0.3,), (0.5,)), torch.tensor([0.64]), torch.tensor([[0.2, -1.0]])
    data = 0.3 + 0.8 * 0.25 / (0.64 * 0.25 + 0.36) * (x - 0.24)
    noise = (x - 0.8 * data) / 0.6
    wanted = {"noise": noise, "x0": data, "velocity": 0.8 * noise - 0.6 * data}[kind]
    torch.testing.assert_close(prediction(law, x, kept, kind), wanted)


def test_the_velocity_leads_from_the_noise_to_the_data():
    """It is (E(X | x) - x)/(1 - t), and at the data's end, where that is 0/0, what is next to it."""
    x, time = torch.linspace(-2, 2, 9, dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)
    torch.testing.assert_close(LOPSIDED.velocity(x, time), (LOPSIDED.data_mean(x, time, 1 - time) - x) / (1 - time))
    torch.testing.assert_close(LOPSIDED.velocity(x, time / 0.7), LOPSIDED.velocity(x, time / 0.7 - 1e-6), atol=1e-3, rtol=0)


class Adder:
    def __init__(self, step):
        self.step = step

    @torch.no_grad()
    def moved(self, x):
        add = lambda y: y + self.step  # noqa: E731
        return add(x)


def test_a_mistake_is_in_the_source_while_it_is_planted():
    adder = Adder(1)
    with planted(Mistake(Adder.moved, "y + self.step", "y - self.step")):
        assert adder.moved(1) == 0
    assert adder.moved(1) == 2
    with pytest.raises(ZeroDivisionError), planted(Mistake(Adder.moved, "y + self.step", "y / 0")):
        adder.moved(1)
    assert adder.moved(1) == 2


@pytest.mark.parametrize("right", ["y * self.step", "y"])
def test_a_mistake_that_is_not_at_one_place_is_no_mistake(right):
    with pytest.raises(LookupError, match="is . times in Adder.moved"), planted(Mistake(Adder.moved, right, "")):
        pass
