"""The experiment of diffusion/score_prediction: its two scores, what it measures of them, and the laws of the samplers."""

import dataclasses
import math

import pytest
import torch

from practice_torch.data import points
from practice_torch.data.errors import DataError
from practice_torch.diffusion.ancestral_sampling import gaussian_sampling_variance, respaced_alpha_bar
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.errors import OptionError
from practice_torch.experiments.diffusion.score_prediction import RECIPES, build
from practice_torch.experiments.sampling.diffusion_sampling import Drawing, chain
from practice_torch.experiments.sampling.sampler_errors import (
    SAMPLERS,
    gaussian_draws,
    gaussian_errors,
    gaussian_law,
    sorted_radii,
)
from practice_torch.pictures import scores

SCHEDULE = cosine_alpha_bar(num_steps=1000).double()
MEANS = [[1.0, 0.0], [-1.0, 0.5], [0.0, -2.0]]
LOPSIDED = {"means": MEANS, "stds": [0.1, 0.5, 0.3], "weights": [0.5, 0.2, 0.3]}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def experiment_on(mixture=None, **changes):
    """An untrained experiment and its held-out data."""
    train, held_out = points.load("eight_gaussians", count=2000)
    recipe = dataclasses.replace(RECIPES["eight_gaussians"], **{"num_steps": 20, "shown_steps": 5, "hidden": 16} | changes)
    torch.manual_seed(0)
    found = build(recipe, Described(train.description | ({"mixture": mixture} if mixture else {})))
    found.generator = seeded()
    return found.eval(), held_out


def knowing(experiment):
    """The same, with the exact score as its network."""

    def velocity(x, t):
        x = x.double()
        score = experiment.exact_score(x, t)
        return convert_prediction(score, x, t, experiment.alpha_bar, source="score", target="velocity").float()

    experiment.network.forward = velocity
    return experiment


# ---------------------------------------------------------------------------------------------------- the two scores


def test_the_exact_score_is_the_slope_of_the_diffused_density():
    """Of a lopsided mixture, by torch's own distributions and automatic differentiation."""
    experiment, _ = experiment_on(LOPSIDED)
    x = (2 * torch.randn(40, 2, generator=seeded(), dtype=torch.float64)).requires_grad_()
    t = torch.arange(40) % 20 + 1
    kept = experiment.alpha_bar[t][:, None]
    stds = (kept * torch.tensor(LOPSIDED["stds"]).double().square() + 1 - kept).sqrt()
    components = torch.distributions.Independent(
        torch.distributions.Normal(kept[..., None].sqrt() * torch.tensor(MEANS).double(), stds[..., None].expand(-1, -1, 2)), 1
    )
    weights = torch.distributions.Categorical(torch.tensor(LOPSIDED["weights"]).double().expand(40, 3))
    density = torch.distributions.MixtureSameFamily(weights, components).log_prob(x)
    (wanted,) = torch.autograd.grad(density.sum(), x)
    torch.testing.assert_close(experiment.exact_score(x, t), wanted)


def test_the_loss_is_half_the_squared_error_of_the_noise():
    """Denoising score matching at sigma = sqrt((1 - a)/a), x_0 + sigma noise being x_t unshrunk."""
    experiment, data = experiment_on()
    batch = data.batch(torch.arange(64))
    loss, _ = experiment(batch, "train")
    generator = seeded()
    t = torch.randint(1, 21, (64,), generator=generator)
    noise = torch.randn(64, 2, generator=generator)
    x_t = forward_sample(batch["point"], t, noise, experiment.alpha_bar)
    predicted = -(1 - experiment.alpha_bar[t]).sqrt()[:, None] * experiment.learned_score(x_t, t)
    assert loss.item() == pytest.approx(((predicted - noise).square().sum(1) / 2).mean().item(), rel=1e-4)


def test_an_exact_score_has_no_error():
    experiment, data = experiment_on()
    of_untrained = experiment.evaluate(data)
    metrics = knowing(experiment).evaluate(data)
    assert metrics["relative_score_error"] < 1e-4
    assert metrics["excess_loss"] < 1e-8
    assert of_untrained["relative_score_error"] > 0.1
    excess = of_untrained["loss"] - metrics["loss"]  # the same noise: what the untrained loses more, but for chance
    assert excess == pytest.approx(of_untrained["excess_loss"], rel=0.2)


def test_an_error_of_a_tenth_is_called_a_tenth():
    experiment, data = experiment_on()
    experiment.learned_score = lambda x, t: 1.1 * experiment.exact_score(x, t)
    metrics = experiment.evaluate(data)
    errors = [metrics["relative_score_error"], *(metrics[f"error_quarter_{number}"] for number in (1, 2, 3, 4))]
    assert errors == pytest.approx([0.1] * 5)


def test_an_evaluation_is_always_the_same():
    experiment, data = experiment_on()
    first = experiment.evaluate(data)
    experiment.generator = seeded(5)
    assert experiment.evaluate(data) == first


def test_the_exact_score_draws_the_mixture():
    """Shares of the components within 4 standard errors, widths within a component within a tenth."""
    experiment, _ = experiment_on(LOPSIDED | {"means": [[4.0, 0.0], [-4.0, 2.0], [0.0, -8.0]]}, num_steps=200)
    with torch.no_grad():
        drawn = experiment.drawn(experiment.exact_score, 4000, Drawing())
    nearest = torch.cdist(drawn, experiment.means).argmin(1)
    for number, (weight, std) in enumerate(zip(LOPSIDED["weights"], LOPSIDED["stds"], strict=True)):
        mine = drawn[nearest == number]
        assert len(mine) / 4000 == pytest.approx(weight, abs=4 * math.sqrt(weight * (1 - weight) / 4000))
        assert mine.std(0).tolist() == pytest.approx([std] * 2, rel=0.1)


# ---------------------------------------------------------------------------------------------------- the laws of samplers


@pytest.mark.parametrize("variance", ["large", "small"])
@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_the_law_is_that_of_ancestral_sampling(variance, count):
    steps = chain(SCHEDULE, steps=count, variance=variance)
    levels = torch.tensor([step.t for step in steps]).flip(0)
    for data in (0.04, 0.25, 4.0):
        wanted = gaussian_sampling_variance(
            torch.tensor([data], dtype=torch.float64), respaced_alpha_bar(SCHEDULE, levels), variance=variance
        )
        assert gaussian_law(steps, SCHEDULE, data) == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_drawn_obeys_the_law(name):
    count = 40_000
    for steps in (3, 20):
        steps = chain(SCHEDULE, steps=steps, **SAMPLERS[name])
        drawn = gaussian_draws(steps, SCHEDULE, 0.25, count=count, generator=seeded(1)).square().mean().item()
        assert drawn / gaussian_law(steps, SCHEDULE, 0.25) == pytest.approx(1, abs=4 * math.sqrt(2 / count))


def test_every_other_sampler_is_of_first_order():
    """With twice the steps half the error."""
    for name, kind in SAMPLERS.items():
        if name == "DPM-Solver++ 2M":
            continue
        errors = [gaussian_law(chain(SCHEDULE, steps=count, **kind), SCHEDULE, 0.25) / 0.25 - 1 for count in (100, 200)]
        assert 1.7 < errors[0] / errors[1] < 2.2, name


@pytest.mark.parametrize("data", [0.0016, 0.04, 0.25, 1.0, 4.0])
def test_order_two_gains_with_few_steps(data):
    """Ten steps of DPM-Solver++ 2M err by less than 20 of DDIM, for wide data and for narrow ones."""
    counts = (("DPM-Solver++ 2M", 10), ("DDIM", 20))
    solved, ddim = (gaussian_law(chain(SCHEDULE, steps=count, **SAMPLERS[name]), SCHEDULE, data) for name, count in counts)
    assert abs(solved - data) < 0.75 * abs(ddim - data)


def test_on_white_data_ddim_shrinks_by_the_cosine_of_every_angle():
    """With x_t = cos x_0 + sin noise and the best prediction, sin x_t, a step multiplies by the cosine of its angle."""
    steps = chain(SCHEDULE, steps=10, **SAMPLERS["DDIM"])
    angles = SCHEDULE[[step.t for step in steps] + [0]].sqrt().arccos()
    assert gaussian_law(steps, SCHEDULE, 1.0) == pytest.approx(angles.diff().cos().square().prod().item(), rel=1e-6)


def test_distances_are_measured_at_the_requested_counts():
    laws, measured, variance, draws = gaussian_errors(SCHEDULE, 0.25, [2, 5, 20], draws=1000, generator=seeded())
    assert (variance, draws) == (0.25, 1000)
    for name in SAMPLERS:
        steps, errors = laws[name]
        assert {2, 5, 20} <= set(steps)
        assert min(steps) == 2
        assert max(steps) == 20
        for count, found in zip((2, 5, 20), measured[name], strict=True):
            law = errors[steps.index(count)]
            assert found == pytest.approx(law, abs=5 * (1 + law) * math.sqrt(2 / 1000))


def test_radii_are_in_deviations_of_the_nearest_mode():
    means, stds = torch.tensor([[0.0, 0.0], [10.0, 0.0]]), torch.tensor([1.0, 2.0])
    where = torch.tensor([[10.0, 6.0], [0.0, 1.0], [0.0, -0.5], [9.0, 0.0]])
    assert sorted_radii(where, means, stds).tolist() == [0.5, 0.5, 1.0, 3.0]


# ---------------------------------------------------------------------------------------------------- pictures


@pytest.fixture(scope="module")
def studied():
    experiment, data = experiment_on()
    with torch.no_grad():
        return knowing(experiment).study(data)


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_a_study_is_painted(name, studied):
    assert set(studied) == {"gaussian", "mixture"}
    axes = drawn(studied[name])
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["2", "3", "5", "10", "20"]
    assert len(axes.get_legend().get_texts()) == {"gaussian": 5, "mixture": 8}[name]


def test_with_the_exact_score_learned_both_curves_agree(studied):
    """Up to chance: they are drawn from different noise, and a few points far away decide a distance."""
    lines = {line.get_label(): line.get_ydata() for line in drawn(studied["mixture"]).get_lines()}
    for name in ("DDIM", "ancestral, large variance"):
        exact, learned = (torch.tensor(lines[f"{name}, {kind} score"]) for kind in ("exact", "learned"))
        torch.testing.assert_close(learned, exact, rtol=0.35, atol=0.1)
        assert exact[0] > 10 * exact[-1]


def test_a_preview_shows_points_and_fields():
    experiment, data = experiment_on()
    with torch.no_grad():
        pictures = experiment.preview(data)
    assert set(pictures) == {"points", "fields"}
    for picture in pictures.values():
        assert len(drawn(picture).child_axes) == 3


def test_long_arrows_are_cut_and_keep_their_direction():
    field = torch.tensor([[[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]]).numpy()
    assert scores._shortened(field).tolist() == [[pytest.approx([1.2, 1.6]), pytest.approx([0.3, 0.4]), [0, 0]]]


def drawn(figure):
    """The axes of a Figure."""
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    figure.draw(axes)
    return axes


# ---------------------------------------------------------------------------------------------------- options and complaints


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"steps": 21}, "steps is 21; this model was trained on 20 levels"),
        ({"guidance": 2.0}, "guidance is 2.0; this model has no classes"),
        ({"label": 1}, "label is 1; this model has no classes"),
    ],
)
def test_unsupported_options_of_the_model_are_refused(how, complaint):
    experiment, _ = experiment_on()
    experiment.sampling = Drawing(**how)
    with pytest.raises(OptionError, match=complaint):
        experiment.sample(2)


@pytest.mark.parametrize(("fields", "complaint"), [({"shown_steps": 1001}, "shown_steps is 1001; it must be at most num_steps")])
def test_impossible_recipes_are_refused(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        dataclasses.replace(RECIPES["eight_gaussians"], **fields)


@pytest.mark.parametrize("name", ["two_moons", "bimodal"])
def test_data_without_a_known_score_are_refused(name):
    train, _ = points.load(name, count=50)
    with pytest.raises(DataError, match=f"{name} is not a mixture of Gaussians in 2 dimensions"):
        build(RECIPES["eight_gaussians"], train)
