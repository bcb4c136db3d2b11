"""The experiment of diffusion/classifier_guidance: exact models are guided to the class, and every number is checked."""

import dataclasses
import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional

from practice_torch.data import images
from practice_torch.data.errors import DataError
from practice_torch.diffusion.classifier_guidance import class_log_probs
from practice_torch.diffusion.score_prediction import diffused_mixture, mixture_score
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.errors import OptionError
from practice_torch.engine.experiment import phase_parameters
from practice_torch.experiments.diffusion.classifier_guidance import RECIPES, SCALES, Guiding, build
from practice_torch.experiments.sampling.guidance_slopes import exact_slope, slopes
from practice_torch.networks.level_classifier import LevelClassifier
from practice_torch.pictures import guidance

TINY = dict(base_channels=8, blocks=1, width=16, num_steps=20, judged_steps=4, judged_samples=60, compared_samples=50)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def digits(**changes):
    """An untrained experiment and its data; a network that does not start with layers of zeros has something to say."""
    train, held_out = images.load("digits", held_out=0.2, seed=0)
    torch.manual_seed(0)
    experiment = build(dataclasses.replace(RECIPES["digits"], **TINY | changes), train)
    experiment.generator = seeded()
    for parameter in experiment.denoiser.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return experiment, train, held_out


# ---------------------------------------------------------------------------------------------------- guidance


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_exact_models_draw_the_requested_class(sampler):
    """At scale 1 that class's own mean and spread, at scale 0 all classes, though the denoiser knows none."""
    recipe = dataclasses.replace(RECIPES["digits"], **TINY | {"num_steps": 100, "judged_steps": 100, "multipliers": (1, 2)})
    experiment = build(recipe, Described({"name": "blobs", "shape": [1, 2, 2], "classes": ["a", "b", "c"]}))
    experiment.generator = seeded()
    means = torch.tensor([[0.5, 0.5, -0.5, -0.5], [-0.5, 0.5, 0.5, 0.0], [0.0, -0.5, 0.0, 0.5]])
    log_vars, log_weights, schedule = torch.full((3,), math.log(0.01)), torch.full((3,), -math.log(3)), experiment.alpha_bar

    def noise_in(x, t):
        score = mixture_score(x.flatten(1), *diffused_mixture(means, log_vars, t, schedule), log_weights)
        return -(1 - schedule[t]).sqrt().view(-1, 1, 1, 1) * score.view_as(x)

    del experiment.denoiser
    experiment.denoiser = noise_in
    experiment.log_probs = lambda x, t, name: class_log_probs(x.flatten(1), t, means, log_vars, log_weights, schedule)
    label = torch.arange(3).repeat_interleave(300)
    x = experiment._draw(label, Guiding(guidance=1.0, sampler=sampler)).flatten(1).unflatten(0, (3, 300))
    assert (x.mean(1) - means).abs().max() < 0.03
    assert (x.std(1) / 0.1 - 1).abs().max() < 0.2
    unguided = experiment._draw(label, Guiding(guidance=0.0, sampler=sampler)).flatten(1)
    assert (torch.cdist(unguided, means).argmin(1).bincount() / 900 - 1 / 3).abs().max() < 0.06


@pytest.mark.parametrize(("classifier", "scale"), [("noisy", 1.5), ("clean", 1.5), ("noisy", -2.0)])
def test_the_prediction_is_the_denoisers_less_the_slope_in_units_of_the_noise(classifier, scale):
    experiment, _, _ = digits()
    x = torch.randn(5, 1, 8, 8, generator=seeded(), requires_grad=True)
    t, label = torch.tensor([1, 5, 9, 20, 20]), torch.tensor([3, 9, 0, 3, 1])
    given = t if classifier == "noisy" else torch.zeros_like(t)
    loss = functional.cross_entropy(getattr(experiment, classifier)(x, given), label, reduction="sum")
    slope = -torch.autograd.grad(loss, x)[0]
    with torch.no_grad():
        wanted = experiment.denoiser(x, t) - scale * (1 - experiment.alpha_bar[t]).sqrt().view(-1, 1, 1, 1) * slope
        found = experiment._guided(label, Guiding(guidance=scale, classifier=classifier))(x, t)
    torch.testing.assert_close(found, wanted)


def test_the_classifier_reads_the_level():
    torch.manual_seed(0)
    network = LevelClassifier(6, 4, width=16, layers=2)
    x, t = torch.randn(5, 2, 3), torch.arange(5)
    found = network(x, t)
    assert found.shape == (5, 4)
    assert not torch.allclose(found, network(x, t + 10), atol=1e-3)
    torch.testing.assert_close(network(x[2:3], t[2:3]), found[2:3])  # examples are independent


# ---------------------------------------------------------------------------------------------------- training


def test_each_player_is_trained_on_its_evaluation_inputs():
    experiment, train, _ = digits()
    batch, asked = train.batch(torch.arange(400)), {}
    for phase in ("noisy", "clean"):
        network = getattr(experiment, phase)
        hook = network.register_forward_pre_hook(lambda _, inputs, phase=phase: asked.update({phase: inputs}))
        loss, logs = experiment(batch, phase)
        hook.remove()
        logits = network(*asked[phase])
        torch.testing.assert_close(loss, functional.cross_entropy(logits, batch["label"]))
        assert logs["accuracy"] == (logits.argmax(1) == batch["label"]).float().mean()
    x0 = 2 * batch["image"] - 1
    x, t = asked["clean"]
    assert torch.equal(x, x0) and not t.any()
    x, t = asked["noisy"]
    assert (t.min(), t.max()) == (1, 20)
    kept = experiment.alpha_bar[t].view(-1, 1, 1, 1)
    noise = (x - kept.sqrt() * x0) / (1 - kept).sqrt()
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03


def test_the_denoiser_never_sees_a_label():
    experiment, train, _ = digits()
    batch = train.batch(torch.arange(64))
    losses = []
    for label in (batch["label"], 9 - batch["label"]):
        experiment.generator = seeded(4)
        losses.append(experiment(batch | {"label": label}, "denoiser")[0])
    assert losses[0] == losses[1]
    assert 0.5 < losses[0] < 5  # a mean over pixels: near 1 where nothing is known


def test_every_player_moves_itself_and_its_loss_falls():
    experiment, train, _ = digits(width=64)
    moved = [{name for name, _ in phase_parameters(experiment, phase)} for phase in experiment.phases]
    assert sum(map(len, moved)) == len(set.union(*moved)) == len(list(experiment.parameters()))
    for phase in experiment.phases:
        optimizer, losses = torch.optim.Adam([p for _, p in phase_parameters(experiment, phase)], 5e-3), []
        for step in range(30):
            loss, _ = experiment(train.batch(torch.arange(64) + 32 * step), phase.name)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert sum(losses[-5:]) < 0.8 * sum(losses[:5]), phase.name


# ---------------------------------------------------------------------------------------------------- what is measured


def test_an_evaluation_separates_noise_from_digits():
    experiment, _, held_out = digits()
    experiment.eval()
    with torch.no_grad():
        metrics = experiment.evaluate(held_out)
        _, before = experiment._accuracies(held_out)
        experiment.generator = seeded(5)  # always the same noise
        assert experiment._held_out_loss(held_out) == metrics["loss"]
        assert all(torch.equal(again, before[name]) for name, again in experiment._accuracies(held_out)[1].items())
    assert metrics["class_accuracy"] < 0.4
    assert metrics["class_accuracy_unguided"] < 0.25
    assert metrics["class_accuracy_real"] > 0.98
    assert metrics["frechet_distance"] > 0.5
    batch = held_out.batch()
    real = experiment._verdict(held_out, 2 * batch["image"] - 1, batch["label"])
    assert real["class_accuracy"] == metrics["class_accuracy_real"]
    assert real["nearest"] == metrics["nearest_real"] > 0.9
    assert real["spread"] == pytest.approx(1)
    assert real["frechet_distance"] == pytest.approx(0, abs=1e-6)


def test_guided_samples_are_held_against_unguided_ones():
    """Real digits as samples: with guidance of the requested class, without it of the next class."""
    experiment, train, held_out = digits()
    whole = train.batch()

    def draw(label, how, noise=None):
        drawn = label if how.guidance is None else (label + 1) % 10
        return torch.stack([2 * whole["image"][whole["label"] == k][i % 100] - 1 for i, k in enumerate(drawn)])

    experiment._draw = draw
    with torch.no_grad():
        metrics = experiment.evaluate(held_out)
    assert metrics["class_accuracy"] > 0.98
    assert metrics["class_accuracy_unguided"] < 0.02
    assert metrics["nearest"] == pytest.approx(0, abs=1e-6)


def test_accuracies_are_listed_level_by_level():
    """A classifier that is right up to level 10 of 20, and one that always answers 3."""
    experiment, _, held_out = digits(guidance=0.0)
    label = held_out.batch()["label"]

    def log_probs(x, t, name):
        said = torch.where(t <= 10, label, (label + 1) % 10) if name == "noisy" else torch.full_like(label, 3)
        return functional.one_hot(said, 10).float()

    experiment.log_probs = log_probs
    levels, found = experiment._accuracies(held_out)
    assert levels == list(range(1, 21))
    assert found["noisy"].tolist() == [1.0] * 10 + [0.0] * 10
    torch.testing.assert_close(found["clean"], (label == 3).float().mean().expand(20))
    with torch.no_grad():
        metrics = experiment.evaluate(held_out)
    assert [metrics[f"noisy_accuracy_quarter_{number}"] for number in (1, 2, 3, 4)] == [1, 1, 0, 0]


def test_a_study_compares_scales_and_shows_the_best():
    experiment, _, held_out = digits()
    experiment.eval()
    with torch.no_grad():
        found = experiment.study(held_out)
    table = found["scales"].text.splitlines()
    rows = [line.split() for line in table[1:]]
    assert [(row[0], float(row[1])) for row in rows] == [(name, scale) for name in ("noisy", "clean") for scale in SCALES]
    assert rows[0][2:] == rows[len(SCALES)][2:]  # at scale 0 there is no classifier
    grid = found["classes"]
    assert "scales 0, 1, 2.5, 8 from" in grid.caption
    assert (grid.columns, len(grid.images)) == (4 * 4 + 3, 10 * (4 * 4 + 3))
    assert {"trade_off", "classifiers", "slopes"} <= set(found)


def test_the_exact_slope_is_that_of_the_training_images():
    experiment, train, held_out = digits()
    some, t = held_out.batch(torch.arange(7)), torch.arange(8, 21, 2)
    kept = experiment.alpha_bar[t]
    x = torch.randn(7, 1, 8, 8, generator=seeded(), requires_grad=True)
    whole = train.batch()
    x0 = kept.sqrt().view(-1, 1, 1) * (2 * whole["image"].flatten(1) - 1)
    log_joint = -(x.flatten(1)[:, None] - x0).square().sum(2) / (2 * (1 - kept[:, None]))
    of_the_class = log_joint.where(whole["label"] == some["label"][:, None], -torch.inf).logsumexp(1)
    wanted = torch.autograd.grad((of_the_class - log_joint.logsumexp(1)).sum(), x)[0]
    found = exact_slope(x.detach(), t, some["label"], whole, experiment.alpha_bar)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_a_classifier_of_zero_slope_is_off_by_all_of_it():
    """And a classifier with exact gradients has no error."""
    experiment, train, held_out = digits()
    x0, labels = 2 * train.batch()["image"].flatten(1) - 1, functional.one_hot(train.batch()["label"], 10).bool()

    def log_probs(x, t, name):
        if name == "clean":
            return (0 * x.flatten(1)[:, :10]).log_softmax(1)
        kept = experiment.alpha_bar[t][:, None]
        log_joint = -torch.cdist(x.flatten(1), kept.sqrt()[:1] * x0).square() / (2 * (1 - kept))
        return torch.stack([log_joint[:, ours].logsumexp(1) for ours in labels.T], 1).log_softmax(1)

    experiment.log_probs = log_probs
    lines = painted(slopes(experiment, held_out.batch(), train.batch()))
    length = lines["length of the slope itself"].get_ydata()
    assert lines["error, trained on clean images"].get_ydata() == pytest.approx(length, rel=1e-5)
    assert max(lines["error, trained on noisy images"].get_ydata() / length) < 0.02
    levels = lines["length of the slope itself"].get_xdata()
    assert experiment.alpha_bar[levels[0] - 1] > 0.5 >= experiment.alpha_bar[levels[0]]
    assert levels[-1] == 20


# ---------------------------------------------------------------------------------------------------- pictures


def painted(figure):
    axes = Figure().subplots()
    figure.draw(axes)
    return {line.get_label(): line for line in axes.get_lines()}


def test_a_figure_shows_what_was_measured():
    points = [[{"class_accuracy": 0.1, "spread": 1.2}, {"class_accuracy": a, "spread": s}] for a, s in ((0.9, 0.8), (0.3, 0.5))]
    lines = painted(guidance.trade_off((0.0, 0.5), dict(zip(("noisy", "clean"), points, strict=True))))
    assert lines["recognized as asked, noisy classifier"].get_ydata().tolist() == [10, 90]
    assert lines["variety, clean classifier"].get_ydata().tolist() == [120, 50]
    accuracies = {"noisy": torch.tensor([1.0, 0.5]), "clean": torch.tensor([0.75, 0.25])}
    lines = painted(guidance.accuracy_by_level([1, 20], accuracies, chance=0.1))
    assert lines["trained on clean images"].get_ydata().tolist() == [75, 25]
    assert lines["guessing"].get_ydata()[0] == 10


def test_classes_are_rows_and_scales_are_blocks():
    blocks = [torch.full((2, 3, 1, 4, 4), value) + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1, 1) for value in (0.2, 0.6)]
    grid = guidance.side_by_side((0.0, 1.5), blocks)
    shown = grid.images.mean((1, 2, 3)).unflatten(0, (2, grid.columns))
    gray = 96 / 255
    torch.testing.assert_close(shown[0], torch.tensor([0.2] * 3 + [gray] + [0.6] * 3))
    torch.testing.assert_close(shown[1], torch.tensor([0.3] * 3 + [gray] + [0.7] * 3))


# ---------------------------------------------------------------------------------------------------- options and complaints


def test_options_do_what_they_say():
    experiment, _, _ = digits()
    experiment.eval()

    def drawn(**how):
        experiment.generator, experiment.sampling = seeded(3), Guiding(**how)
        with torch.no_grad():
            return experiment.sample(12)["samples"].images

    assert torch.equal(drawn(), drawn(guidance=experiment.recipe.guidance, steps=experiment.recipe.judged_steps))
    assert torch.equal(drawn(guidance=0.0, label=1), drawn(guidance=0.0, label=7))
    for how in ({"guidance": 5.0}, {"label": 2}, {"steps": 9}, {"sampler": "ancestral"}, {"classifier": "clean"}):
        assert not torch.equal(drawn(), drawn(**how)), how


def test_no_guidance_leaves_the_range_of_the_data():
    experiment, _, _ = digits()
    with torch.no_grad():
        drawn = experiment._draw(torch.arange(10), Guiding(guidance=50.0))
    assert drawn.abs().max() == 1


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"steps": 21}, "steps is 21; this model was trained on 20 levels"),
        ({"label": 10}, "label is 10; this model has classes 0..9"),
    ],
)
def test_unsupported_options_of_a_model_are_refused(how, complaint):
    experiment, _, _ = digits()
    experiment.sampling = Guiding(**how)
    with pytest.raises(OptionError, match=complaint):
        experiment.sample(2)


@pytest.mark.parametrize(("how", "complaint"), [({"steps": 0}, "steps is 0"), ({"guidance": float("nan")}, "guidance is nan")])
def test_impossible_options_are_refused(how, complaint):
    with pytest.raises(ValueError, match=complaint):
        Guiding(**how)


@pytest.mark.parametrize(("fields", "complaint"), [({"judged_steps": 30}, "judged_steps is 30"), ({"width": 15}, "width is 15")])
def test_impossible_recipes_are_refused(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        dataclasses.replace(RECIPES["digits"], **TINY | fields)


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({"shape": [1, 8, 8], "classes": None}, "odd has no labels, which the classifier needs"),
        ({"shape": [1, 9, 9], "classes": ["a", "b"]}, "odd does not fit the network: size is 9 x 9"),
    ],
)
def test_data_that_do_not_fit_are_refused(description, complaint):
    with pytest.raises(DataError, match=complaint):
        build(dataclasses.replace(RECIPES["digits"], **TINY), Described({"name": "odd"} | description))
