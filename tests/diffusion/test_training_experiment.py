"""The experiment of diffusion/training: its fast sampling loop against the topics' own steps, its options, its complaints."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from practice_torch.__main__ import main
from practice_torch.data import audio, images
from practice_torch.data.errors import DataError
from practice_torch.data.image_set import Images
from practice_torch.diffusion.ancestral_sampling import ddpm_sample, respaced_alpha_bar
from practice_torch.diffusion.classifier_free_guidance import drop_condition, guide
from practice_torch.diffusion.ddim import ddim_step
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar, rescale_zero_terminal_snr
from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.diffusion.simple_loss import simple_loss
from practice_torch.diffusion.training import min_snr_weight
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.errors import OptionError
from practice_torch.experiments.diffusion.training import RECIPES, build
from practice_torch.experiments.judging.image_judge import Judge, spread_within
from practice_torch.experiments.sampling import diffusion_studies as studies
from practice_torch.experiments.sampling.diffusion_sampling import Drawing, chain, draw, guided
from tests.support.written_chains import dpm_solver

SCHEDULE = cosine_alpha_bar(num_steps=20)
TINY = dict(base_channels=8, blocks=1, num_steps=20, judged_steps=4, judged_samples=60)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise_prediction(x, t):
    return torch.sin(3 * x) / 2 + x * (t / 40)[:, None]


def drawn_noises(x, steps):
    """The draws of the loop, in order, from a generator with seed 1."""
    generator = seeded(1)
    return [torch.randn(x.shape, generator=generator) for step in steps if step.noise_out]


def digits(*, speaks=True, **changes):
    """An untrained experiment and its data; a network that does not start with layers of zeros has something to say."""
    train, held_out = images.load("digits", held_out=0.2, seed=0)
    recipe = dataclasses.replace(RECIPES["digits"], **TINY | changes)
    torch.manual_seed(0)
    experiment = build(recipe, train)
    experiment.generator = seeded()
    if speaks:
        for parameter in experiment.network.parameters():
            if parameter.ndim > 1 and not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
    return experiment, train, held_out


# ---------------------------------------------------------------------------------------------------- the sampling loop


@pytest.mark.parametrize("variance", ["large", "small"])
@pytest.mark.parametrize("count", [20, 7, 1])
@pytest.mark.parametrize("clip", [None, 0.8])
def test_the_loop_is_the_chain_of_ancestral_steps(variance, count, clip):
    x = torch.randn(5, 3, generator=seeded())
    steps = chain(SCHEDULE, steps=count, variance=variance)
    times = torch.tensor([step.t for step in steps]).flip(0)
    noises = torch.stack([torch.zeros_like(x), *reversed(drawn_noises(x, steps))])
    short = respaced_alpha_bar(SCHEDULE, times)
    wanted = ddpm_sample(x, noises, lambda x, t: noise_prediction(x, times[t - 1]), short, variance=variance, clip=clip)
    found = draw(noise_prediction, x, steps, limit=clip, generator=seeded(1))
    torch.testing.assert_close(found, wanted, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("count", [20, 7, 1])
def test_the_loop_is_the_chain_of_ddim_steps(eta, count):
    x = torch.randn(5, 3, generator=seeded())
    steps = chain(SCHEDULE, steps=count, sampler="ddim", eta=eta)
    noises, wanted = iter(drawn_noises(x, steps)), x
    for now, after in zip(steps, [*(step.t for step in steps[1:]), 0], strict=True):
        t, s = torch.full((5,), now.t), torch.full((5,), after)
        noise = next(noises) if now.noise_out else torch.zeros_like(x)
        wanted = ddim_step(wanted, noise_prediction(wanted, t), noise, t, s, SCHEDULE, eta=eta, clip=0.8)
    found = draw(noise_prediction, x, steps, limit=0.8, generator=seeded(1))
    torch.testing.assert_close(found, wanted, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("count", [20, 7, 2, 1])
@pytest.mark.parametrize("clip", [None, 0.8])
def test_the_loop_is_the_chain_of_dpm_solver(count, clip):
    x = torch.randn(5, 3, generator=seeded())
    found = draw(noise_prediction, x, chain(SCHEDULE, steps=count, sampler="dpm_solver"), limit=clip)
    wanted = dpm_solver(noise_prediction, x, SCHEDULE, count=count, clip=clip)
    torch.testing.assert_close(found, wanted.float(), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("sampler", ["ancestral", "ddim", "dpm_solver"])
@pytest.mark.parametrize("kind", ["x0", "velocity"])
def test_what_the_network_predicts_makes_no_difference(kind, sampler):
    def other(x, t):
        return convert_prediction(noise_prediction(x, t), x, t, SCHEDULE, source="noise", target=kind)

    x = torch.randn(5, 3, generator=seeded())
    found, wanted = (
        draw(predict, x, chain(SCHEDULE, steps=9, prediction=word, sampler=sampler), limit=1.0, generator=seeded(1))
        for predict, word in ((other, kind), (noise_prediction, "noise"))
    )
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


def test_pure_noise_is_no_obstacle_to_the_velocity():
    schedule = rescale_zero_terminal_snr(SCHEDULE)
    found = draw(lambda x, t: x / 2, torch.ones(2, 3), chain(schedule, prediction="velocity"), limit=1.0, generator=seeded())
    assert found.isfinite().all()
    steps = chain(schedule, steps=6, prediction="velocity", sampler="dpm_solver")
    # the step from pure noise is infinitely long: the next one gives the prediction before it no weight
    assert [step.before_out < 0 for step in steps] == [False, False, True, True, True, False]
    assert (steps[0].t, steps[-1].t) == (20, 1)
    with pytest.raises(ValueError, match="alpha_bar ends at 0"):
        chain(schedule)


def test_no_gradient_is_kept_and_every_step_is_observed():
    seen = []
    x = torch.randn(5, 3, generator=seeded(), requires_grad=True)
    found = draw(noise_prediction, x, chain(SCHEDULE, steps=7), watch=lambda number, x, x0: seen.append(number))
    assert seen == list(range(7))
    assert not found.requires_grad


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_guidance_is_that_of_its_topic(scale):
    def network(x, t, label):
        return x * (1 + label[:, None]) + t[:, None] / 7

    x, t, label = torch.randn(4, 3, generator=seeded()), torch.tensor([3, 3, 3, 3]), torch.tensor([0, 2, 1, 2])
    wanted = guide(network(x, t, label), network(x, t, torch.full_like(label, 5)), scale=scale)
    torch.testing.assert_close(guided(network, label, 5, scale)(x, t), wanted)


# ---------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("limit", [0.0, 2.0])
def test_the_loss_is_the_simple_loss_per_pixel_weighed(limit):
    experiment, train, _ = digits(snr_limit=limit)
    x0, label = experiment.examples(train.batch(torch.arange(6)))
    t, noise = torch.arange(1, 19, 3), torch.randn(x0.shape, generator=seeded())
    weight = min_snr_weight(t, experiment.alpha_bar, gamma=limit) if limit else 1.0
    wanted = weight * simple_loss(x0, t, noise, lambda x, t: experiment.network(x, t, label), experiment.alpha_bar) / 64
    torch.testing.assert_close(experiment._losses(x0, t, noise, label), wanted)


def test_labels_are_dropped_example_by_example():
    experiment, train, _ = digits(drop_probability=0.3)
    asked = []
    experiment._losses = lambda x0, t, noise, label: asked.append(label) or torch.zeros(1)
    batch = train.batch(torch.arange(1000))
    experiment(batch, "train")
    uniforms = torch.rand(2, 1000, generator=seeded())[1]
    wanted = drop_condition(batch["label"], torch.tensor(10), uniforms, probability=0.3)
    assert torch.equal(asked[0], wanted)


def test_images_are_mirrored_half_of_the_time():
    experiment, train, _ = digits(flip=True)
    x0, _ = experiment.examples(train.batch(torch.arange(1000)))
    varied = experiment.mirrored_half(x0)
    same = (varied == x0).flatten(1).all(1)
    assert torch.equal(varied[~same], x0[~same].flip(-1))
    assert 0.4 < same.float().mean() < 0.6


@pytest.mark.parametrize("prediction", ["noise", "x0", "velocity"])
def test_a_few_steps_lower_the_loss(prediction):
    experiment, train, _ = digits(speaks=False, prediction=prediction)
    optimizer, losses = torch.optim.Adam(experiment.parameters(), 5e-3), []
    for step in range(30):
        loss, _ = experiment(train.batch(torch.arange(64) + 32 * step), "train")
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]


def test_an_evaluation_separates_noise_from_digits():
    experiment, _, held_out = digits(speaks=False)
    experiment.eval()
    with torch.no_grad():
        metrics = experiment.evaluate(held_out)
        experiment.generator = seeded(5)
        again = experiment._loss_by_level(held_out).mean().item()
    assert metrics["frechet_distance"] > 1  # an untrained network
    assert metrics["class_accuracy"] < 0.3
    assert metrics["class_accuracy_real"] > 0.98
    assert metrics["loss"] == pytest.approx(1, abs=0.1)
    assert metrics["loss"] == again  # always the same noise
    label = held_out.batch()["label"]
    real = experiment.verdict(held_out, experiment.examples(held_out.batch())[0], label)
    assert real["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert real["class_accuracy"] == metrics["class_accuracy_real"]
    assert real["nearest"] == real["nearest_real"] > 0.9


def test_a_judges_distance_is_that_of_two_gaussians():
    """One axis shifted by 1 and stretched from 1 to 3: 1^2 + (3 - 1)^2."""
    base = torch.randn(20_000, 6, generator=seeded(), dtype=torch.float64) * torch.tensor([1.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    other = torch.randn(20_000, 6, generator=seeded(1), dtype=torch.float64) * torch.tensor([3.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    other[:, 0] += 1
    assert Judge(base).frechet_distance(other, base) == pytest.approx(1 + 4, rel=0.05)
    assert Judge(base[:4000]).nearest(base[:9]) == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------------------------------------------- options and complaints


def test_guidance_and_labels_change_what_is_drawn():
    experiment, _, _ = digits()
    experiment.eval()

    def drawn(**how):
        experiment.generator, experiment.sampling = seeded(3), Drawing(steps=5, **how)
        with torch.no_grad():
            return experiment.sample(12)["samples"].images

    assert not torch.equal(drawn(), drawn(guidance=2.0))
    assert torch.equal(drawn(sampler="ddim", guidance=0.0, label=1), drawn(sampler="ddim", guidance=0.0, label=7))
    assert not torch.equal(drawn(sampler="ddim", label=1), drawn(sampler="ddim", label=7))


@pytest.mark.parametrize(
    ("trained", "how", "complaint"),
    [
        ({}, {"steps": 21}, "steps is 21; this model was trained on 20 levels"),
        ({}, {"label": 10}, "label is 10; this model has classes 0..9"),
        ({"drop_probability": 0.0}, {"guidance": 2.0}, "guidance is 2.0; this model's null class was never trained"),
    ],
)
def test_unsupported_options_of_a_model_are_refused(trained, how, complaint):
    experiment, _, _ = digits(**trained)
    experiment.sampling = Drawing(**how)
    with pytest.raises(OptionError, match=complaint):
        experiment.sample(2)


def test_without_classes_there_is_nothing_to_insist_on():
    recipe = dataclasses.replace(RECIPES["digits"], **TINY)
    experiment = build(recipe, Described({"name": "photos", "shape": [3, 8, 8], "classes": None}))
    experiment.generator, experiment.sampling = seeded(), Drawing(guidance=2.0)
    with pytest.raises(OptionError, match="has no classes"):
        experiment.sample(2)
    experiment.sampling = Drawing(steps=2)
    with torch.no_grad():
        assert experiment.sample(3)["samples"].images.shape == (3, 3, 8, 8)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"eta": 0.5}, "eta is 0.5; it applies to --sampler ddim"),
        ({"sampler": "dpm_solver", "eta": 0.5}, "eta is 0.5; it applies to --sampler ddim"),
        ({"sampler": "dpm_solver", "variance": "small"}, "variance is small; it applies to --sampler ancestral"),
        ({"sampler": "ddim", "eta": 1.5}, "eta is 1.5"),
        ({"sampler": "ddim", "variance": "small"}, "variance is small"),
        ({"guidance": float("nan")}, "guidance is nan"),
    ],
)
def test_impossible_options_are_refused(how, complaint):
    with pytest.raises(ValueError, match=complaint):
        Drawing(**how)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"zero_terminal_snr": True}, "zero_terminal_snr is True; it must be False where the noise is predicted"),
        ({"shard": True, "channels_last": True}, "channels_last is True; it must be False with shard"),
        ({"judged_steps": 30}, "judged_steps is 30"),
        ({"beta_end": 0.02}, "beta_end is 0.02; it must be 0 unless noise_schedule is linear"),
    ],
)
def test_impossible_recipes_are_refused(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        dataclasses.replace(RECIPES["digits"], **TINY | fields)


def test_images_that_cannot_be_halved_are_refused():
    recipe = dataclasses.replace(RECIPES["digits"], **TINY, multipliers=(1, 2, 2))
    with pytest.raises(
        DataError, match="odd does not fit the network: size is 10 x 10; with 3 multipliers it must be a multiple"
    ):
        build(recipe, Described({"name": "odd", "shape": [1, 10, 10], "classes": None}))


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("steps", [20, 200, 1000])
def test_little_is_left_at_the_end_of_every_schedule(schedule, steps):
    recipe = dataclasses.replace(RECIPES["digits"], noise_schedule=schedule, num_steps=steps)
    assert 0 < recipe.alpha_bar()[-1] < 1e-4
    zero = dataclasses.replace(recipe, zero_terminal_snr=True, prediction="velocity")
    assert zero.alpha_bar()[-1] == 0


def test_a_schedule_that_ends_too_early_is_warned_of_and_measured():
    """Ho's betas, meant for 1000 levels, over 100: a_T = 0.363, and of fair coins the last level tells -log2(1 - a_T)/2 bits."""
    experiment, _, _ = digits(noise_schedule="linear", num_steps=100, beta_end=0.02)
    (line,) = experiment.remarks
    assert "level 100 keeps 60% of the data's scale (0.33 bits per dimension)" in line
    assert "increase num_steps or beta_end" in line
    coins = torch.randint(2, (30, 1, 8, 8), generator=seeded())
    data = Images(coins.to(torch.uint8), None, 1, {})
    assert studies.prior_bits(experiment, data) == pytest.approx(-math.log2(1 - experiment.alpha_bar[-1].item()) / 2)
    assert digits()[0].remarks == ()


def test_sounds_go_in_and_come_out_in_their_own_units():
    train, held_out = audio.load("notes", held_out=0.2, seed=0, length=256)
    recipe = dataclasses.replace(RECIPES["notes"], **TINY, multipliers=(1, 2), attention_at=(), length=256, compact=False)
    experiment = build(recipe, train)
    experiment.generator = seeded()
    x0, label = experiment.examples(train.batch(torch.arange(208)))
    assert 0.5 < x0.square().mean() < 2
    assert experiment.medium.judged_as(x0).isfinite().all()  # shorter than the window of a spectrum
    assert experiment(train.batch(torch.arange(8)), "train")[0].isfinite()
    sounds = experiment.medium.shown(x0, label, experiment.classes)
    assert len(sounds) == 13
    torch.testing.assert_close(sounds["class_03"].samples, train.batch()["audio"][label == 3, 0])


def test_dilated_convolutions_learn_notes_in_a_few_steps():
    """Measured: 1.12 in the first ten steps, 0.80 in the last; 1.26 in the last if the network is not given the sounds."""
    train, _ = audio.load("notes", held_out=0.2, seed=0, length=256)
    sizes = TINY | dict(network="dilated", base_channels=16, layers=6, cycle=6)
    torch.manual_seed(0)
    experiment = build(dataclasses.replace(RECIPES["notes"], **sizes, length=256), train)
    experiment.generator = seeded()
    optimizer, losses = torch.optim.Adam(experiment.parameters(), 5e-3), []
    for step in range(60):
        loss, _ = experiment(train.batch(torch.arange(16) + 16 * step % 192), "train")
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])


def test_samplers_and_scales_are_compared_by_what_they_draw():
    experiment, _, held_out = digits(compared_samples=50)
    experiment.eval()
    with torch.no_grad():
        pictures = experiment.preview(held_out)
    assert {"samples", "emergence", "loss", "steps", "guidance"} <= set(pictures)
    assert pictures["emergence"].images.shape == (6 * 2 * 12, 1, 8, 8)
    without, _, held_out = digits(drop_probability=0.0, compared_samples=50)
    with torch.no_grad():
        assert "guidance" not in without.preview(held_out)


def test_the_distance_within_a_class_is_the_mean_over_its_pairs():
    x, label = torch.tensor([[0.0], [1.0], [3.0], [10.0], [14.0]]), torch.tensor([0, 0, 0, 1, 1])
    assert spread_within(x, label) == pytest.approx((1 + 3 + 2 + 4) * 2 / (6 + 2))


# ---------------------------------------------------------------------------------------------------- on the command line

SMALL = "--steps 1 --batch-size 4 --num-steps 20 --base-channels 8 --blocks 1 --judged-samples 50 --judged-steps 2"
COMMAND = ["train", "diffusion/training", "digits", *SMALL.split(), "--compared-samples", "0", "--cpu"]


def complaint(capsys, *words):
    """Exit code and the one line of the error."""
    code = main(list(words))
    lines = capsys.readouterr().err.strip().splitlines()
    return code, [line for line in lines if line.startswith("error:")]


def test_a_warning_comes_before_the_training(tmp_path, capsys):
    words = ["--noise-schedule", "linear", "--beta-end", "0.02", "--run", str(tmp_path / "run")]
    assert main([*COMMAND, *words]) == 0
    err = capsys.readouterr().err.splitlines()
    (place,) = (number for number, line in enumerate(err) if line.startswith("warning: level 20 keeps 90% of the data's scale"))
    assert place < next(number for number, line in enumerate(err) if line.startswith("step 1: "))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--zero-terminal-snr"], 2, "zero_terminal_snr is True; it must be False where the noise is predicted"),
        (["--multipliers", "1", "2", "2", "2", "2"], 3, "digits does not fit the network: size is 8 x 8"),
        (["--beta-end", "0.02"], 2, "beta_end is 0.02"),
    ],
)
def test_invalid_data_are_refused_in_one_line(words, code, said, tmp_path, capsys):
    found, lines = complaint(capsys, *COMMAND, *words, "--run", str(tmp_path / "run"))
    assert found == code
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------------------------------------- a study


def test_the_way_to_noise_and_back():
    """A silent network predicts no noise: DDIM only rescales, and comes back exactly. Rows: data, noise, data again."""
    experiment, _, held_out = digits(speaks=False)
    with torch.no_grad():
        found = studies.inversion(experiment.eval(), held_out)
    assert "reconstruction: error 0.000" in found.caption
    there = found.images.unflatten(0, (6, 3))
    torch.testing.assert_close(there[:, 2], there[:, 0], rtol=0, atol=1e-4)
    torch.testing.assert_close(there[:, 0], held_out.batch(torch.arange(6))["image"])
    assert not torch.allclose(there[:, 1], there[:, 0], atol=0.1)


def test_paths_between_two_noises_begin_and_end_at_their_samples():
    experiment, _, _ = digits()
    with torch.no_grad():
        paths = studies.interpolation(experiment.eval()).images.unflatten(0, (6, 9))
        ends = torch.randn(2, 6, 1, 8, 8, generator=seeded())
        steps = chain(experiment.alpha_bar, steps=4, sampler="ddim")
        for end, wanted in zip(ends, (paths[:, 0], paths[:, -1]), strict=True):
            drawn = draw(lambda x, t: experiment.network(x, t, torch.arange(6)), end, steps, limit=1.0)
            torch.testing.assert_close((drawn + 1) / 2, wanted, rtol=1e-4, atol=1e-4)


class Coins(torch.nn.Module):
    """E(noise | x_t) for pixels that are -1 or 1 with probability 1/2 each."""

    def __init__(self, alpha_bar):
        super().__init__()
        self.alpha_bar = alpha_bar

    def forward(self, x, t, label=None):
        a = self.alpha_bar[t].reshape(-1, 1, 1, 1)
        return (x - a.sqrt() * torch.tanh(a.sqrt() / (1 - a) * x)) / (1 - a).sqrt()


def counted(experiment, data):
    """The terms that the picture is painted from, and its caption."""
    figure = studies.bits(experiment, data, variance="small")["bits"]
    terms = next(cell.cell_contents for cell in figure.draw.__closure__ if isinstance(cell.cell_contents, np.ndarray))
    return terms, figure.caption


@pytest.mark.parametrize("prediction", ["noise", "x0", "velocity"])
def test_fair_coins_cost_a_bit_each_whatever_is_predicted(prediction):
    """With the best denoiser the bound is little above 1 bit; a factor of 2, or nats for bits, is off by 0.3 or more."""
    experiment, _, _ = digits(num_levels=2, num_steps=100, prediction=prediction)
    best = Coins(experiment.alpha_bar)

    def network(x, t, label=None):
        return convert_prediction(best(x, t), x, t, experiment.alpha_bar, source="noise", target=prediction)

    experiment.network.forward = network
    coins = torch.randint(2, (40, 1, 8, 8), generator=seeded(1)).to(torch.uint8)
    data = Images(coins, torch.zeros(40, dtype=torch.int64), 1, {})
    with torch.no_grad():
        terms, caption = counted(experiment, data)
    assert terms.shape == (101,)
    assert 0.98 < terms.sum() < 1.09
    assert (terms > -1e-4).all()
    assert f"Total {terms.sum():.3f} +- " in caption and "given its class" in caption


def test_a_study_paints_its_schedule_and_its_bits():
    _, few = images.load("digits", held_out=0.02, seed=0)
    with torch.no_grad():
        found = digits()[0].eval().study(few)
        at_zero = digits(zero_terminal_snr=True, prediction="velocity")[0].eval()
        assert studies.bits(at_zero, few) == {}  # its noise does not determine the data
    assert list(found) == ["interpolation", "inversion", "schedule", "bits"]


def test_sounds_are_studied_without_bits():
    train, held_out = audio.load("notes", held_out=0.2, seed=0, length=256)
    recipe = dataclasses.replace(RECIPES["notes"], **TINY, multipliers=(1, 2), attention_at=(), length=256, compact=False)
    experiment = build(recipe, train).eval()
    experiment.generator = seeded()
    with torch.no_grad():
        found = experiment.study(held_out)
    assert list(found) == ["interpolation", "inversion", "schedule"]
    assert found["interpolation"].samples.shape == (54, 256)
