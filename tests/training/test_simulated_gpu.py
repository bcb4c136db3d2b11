"""Every recipe on a simulated GPU: it trains, resumes, is sampled and studied, and no training step waits for the device.

tests/support/engine/simulated_gpu.py describes what the simulation shows and what it cannot.
"""

import dataclasses
import itertools
import json
import subprocess
import sys

import pytest
import torch

from demo.__main__ import MODELS
from tests.support import small_recipes
from tests.support.engine import simulated_gpu
from tests.support.objectives import objective_of
from tests.support.recipes import module_of, of_every_recipe
from tests.support.small_recipes import first_alike, first_in_state, small

pytestmark = pytest.mark.skipif(simulated_gpu.why_not() is not None, reason=simulated_gpu.why_not() or "")

# How the demo samples its models.
OF_THE_DEMO = {(model.topic, model.recipe): model.sampling or () for model in MODELS}


@pytest.fixture(scope="session")
def ask():
    """Of its own process, in which torch is patched: ask(topic=..., name=...) -> its answer."""
    words = [sys.executable, "-m", "tests.support.engine.simulated_runs"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    numbers = itertools.count()
    with (
        simulated_gpu.environment() as settings,
        subprocess.Popen(words, **pipes, env=settings, cwd=simulated_gpu.ROOT) as server,
    ):
        assert server.stdout.readline() == "ready\n"  # what a start costs belongs to no recipe

        def answer(topic, name, fields=None, **request):
            recipe, _ = small(topic, name, **fields or {})
            request |= {"topic": topic, "name": name, "recipe": recipe.fields()}
            asked = next(numbers)
            print(json.dumps([asked, request]), file=server.stdin, flush=True)
            for line in server.stdout:
                number, found = json.loads(line)
                if number == asked:  # else a test that ran out of time has left its answer
                    return found
            raise AssertionError("the process that simulates the GPU has ended")

        yield answer
        server.stdin.close()


@pytest.mark.weekly
@of_every_recipe
def test_a_recipe_runs_on_a_gpu_and_no_step_waits(topic, name, ask):
    """Of recipes that run the same code, the first runs all commands, the others train; of recipes whose runs keep the same kinds
    of state, the first is interrupted and resumed, and counts its operations (tests/training/test_sizes.py counts those of all),
    the others train to the end. The demo's are sampled as it does.
    """
    whole = first_alike(topic, name) == name or (topic, name) in OF_THE_DEMO
    first = first_in_state(topic, name) == name
    sampling = OF_THE_DEMO.get((topic, name), ("--count", "3"))
    found = ask(topic=topic, name=name, whole=whole, interrupted=first or not whole, counted=first, sampling=sampling)
    assert found["failed"] == {}
    assert (found["waits"] == {}) == (name not in objective_of(topic).waits)
    # an experiment that counts does so in its only step: the size of what it counts is known to the device alone
    assert found["steps"] == small(topic, name)[0].steps


@pytest.mark.xdist_group("recipes, autoregressive")
def test_recipes_of_other_options_are_not_alike():
    names = "unigram", "bigram", "trigram", "5-gram", "witten-bell"
    alike = {name: first_alike("autoregressive/ngram", name) for name in names}
    assert alike["5-gram"] == alike["trigram"] != alike["witten-bell"]
    assert alike["unigram"] != alike["bigram"]
    assert set(OF_THE_DEMO) <= set(small_recipes.names())


@pytest.mark.xdist_group("recipes, diffusion")
def test_recipes_of_other_states_are_not_resumed_in_each_others_place():
    """Sounds are not images, and a moving average is saved next to the weights."""
    first = {name: first_in_state("diffusion/training", name) for name in ("digits", "mnist", "notes", "spoken_digits")}
    assert first["digits"] == first["mnist"] == "digits" and first["notes"] == first["spoken_digits"] == "notes"
    assert first_in_state("autoregressive/wavenet", "spoken_digits") == "spoken_digits"


@pytest.mark.parametrize(("topic", "name"), [("latent/vae", "digits"), ("autoregressive/transformer", "pydoc")])
@pytest.mark.xdist_group("recipes, latent")
def test_accumulated_batches_wait_for_nothing(topic, name, ask):
    found = ask(topic=topic, name=name, fields={"accumulate": 2}, whole=False)
    assert found["failed"] == found["waits"] == {}


RECOMPUTED = {"topic": "autoregressive/transformer", "name": "pydoc", "whole": False, "interrupted": False}
IN_BLOCKS = {"recompute_blocks": True, "dropout": 0.5}


@pytest.mark.xdist_group("recipes, latent")
def test_blocks_that_are_computed_again_train_as_before_and_wait_for_nothing(ask):
    plain, found = (ask(**RECOMPUTED, fields=IN_BLOCKS | {"recompute_blocks": again}) for again in (False, True))
    assert found["failed"] == found["waits"] == {}
    assert plain["passes"] == [1] and found["passes"] == [2]
    assert found["sizes"] == pytest.approx(plain["sizes"], rel=1e-6)
    forgotten = ask(**RECOMPUTED, fields=IN_BLOCKS, mistake="blocks_that_are_not_computed_again")
    assert forgotten["passes"] == [1]
    anew = ask(**RECOMPUTED, fields=IN_BLOCKS, mistake="blocks_that_draw_anew")
    assert anew["failed"] == {} and anew["sizes"] != pytest.approx(plain["sizes"], rel=1e-3)


KERNELS = {"topic": "diffusion/training", "name": "cifar10", "fields": {"channels_last": True}}


@pytest.mark.xdist_group("recipes, diffusion")
def test_channels_last_is_kept_by_steps_and_checkpoints(ask):
    found = ask(**KERNELS)
    assert found["failed"] == {} and found["contiguous"] == found["apart"] == [] and len(found["sizes"]) > 20
    assert ask(**KERNELS | {"fields": {"channels_last": False}}, whole=False, counted=False)["contiguous"]


@pytest.mark.parametrize(
    ("mistake", "seen", "resumed"),
    [("layout_that_a_step_undoes", "contiguous", False), ("layout_that_a_checkpoint_forgets", "apart", True)],
)
@pytest.mark.xdist_group("recipes, diffusion")
def test_a_lost_layout_is_detected(mistake, seen, resumed, ask):
    assert ask(**KERNELS, mistake=mistake, whole=resumed, counted=False)[seen]


@pytest.mark.xdist_group("recipes, adversarial")
def test_networks_are_compiled_and_products_taken_in_tf32(ask):
    """The settings are those of the run: after it, they are what they were."""
    found = ask(topic="adversarial/dcgan", name="digits")
    whole = {"fullgraph": True, "dynamic": False}
    once = [["Generator", whole], ["Discriminator", whole], ["Sequential", whole]]
    assert found["compiled"] == 2 * once, "for training, and after it is resumed"
    names = ["generator_network", "discriminator", "classifier"]
    assert found["said"] == 2 * [f"compiled at their first call: {', '.join(names)}"]
    assert found["environment"]["networks"] == {"compiled": names, "eager": {}}
    known = {name: found["environment"][name] for name in ("compiled", "cuda_graphs", "tf32", "cudnn_benchmark")}
    assert known == {"compiled": True, "cuda_graphs": False, "tf32": True, "cudnn_benchmark": True}
    assert found["settings"] == ["highest", False]
    speed = found["environment"]["throughput"]
    assert speed["unit"] == "images per second" and speed["rate"] > 0 and speed["flops_of_a_step"] > 0
    assert "utilization" not in speed, "the peak of this device is not known"


@pytest.mark.xdist_group("recipes, adversarial")
def test_what_is_compiled_is_the_users_choice(ask):
    plain = ask(topic="adversarial/dcgan", name="digits", fields={"compile": False}, whole=False, interrupted=False)
    assert plain["compiled"] == [] and plain["failed"] == {}
    assert plain["said"] == ["no network is compiled: the recipe has compile False"]
    assert plain["environment"]["compiled"] is False and "networks" not in plain["environment"]
    graphs = ask(topic="adversarial/dcgan", name="digits", fields={"cuda_graphs": True}, whole=False)
    assert all(options["mode"] == "reduce-overhead" for _, options in graphs["compiled"]) and graphs["compiled"]
    assert graphs["failed"] == graphs["waits"] == {}


@pytest.mark.xdist_group("recipes, latent")
def test_old_gradients_do_not_live_through_the_next_forward_pass(ask):
    assert ask(topic="latent/vae", name="digits", mistake="gradients_that_outlive_their_step", whole=False)["failed"] == {}


# ---------------------------------------------------------------------------------------------------- mistakes are found

HERE = "tests/support/engine/simulated_gpu_mistakes.py"


@pytest.mark.parametrize(
    ("mistake", "operation"),
    [
        ("item_in_a_step", "_local_scalar_dense"),
        ("branch_in_a_step", "_local_scalar_dense"),
        ("copy_to_the_host_in_a_step", "copy to the host"),
        ("copy_to_the_device_in_a_step", "copy to the device"),
        ("copy_that_only_looks_asynchronous", "copy to the device"),
        ("constant_in_a_step", "copy to the device"),
        ("mask_as_an_index_in_a_step", "mask as an index"),
        ("index_on_the_host_in_a_step", "index on the host"),
        ("nonzero_in_a_step", "nonzero"),
    ],
)
@pytest.mark.xdist_group("recipes, latent")
def test_a_step_that_waits_is_named(mistake, operation, ask):
    found = ask(topic="latent/vae", name="digits", mistake=mistake, whole=False)
    # operations are counted on meta tensors: a step that reads values cannot be counted, and reports it; nothing else fails
    assert all("are not counted" in complaint for complaint in found["failed"].values())
    assert len(found["waits"]) == 1
    (where,) = found["waits"]
    assert where.startswith(operation) and HERE in where


@pytest.mark.parametrize(
    ("mistake", "command", "complaint"),
    [
        ("preview_without_cpu", "train --resume", "can't convert cuda:0 device type tensor to numpy"),
        ("plot_without_cpu", "train --resume", "can't convert cuda:0 device type tensor to numpy"),
        ("figure_without_cpu", "train --resume", "no preview 'latent_map' at step 3: TypeError: can't convert cuda:0"),
        ("formula_that_cannot_be_read", "train --resume", "no preview 'formula' at step 3: ValueError"),
        ("samples_on_the_host", "sample", "Expected all tensors to be on the same device"),
        ("generator_of_the_host", "train --resume", "Expected a 'cuda' device type for generator but found 'cpu'"),
        ("table_left_on_the_host", "train", "Expected all tensors to be on the same device"),
    ],
)
@pytest.mark.xdist_group("recipes, latent")
def test_a_mistake_that_fails_on_a_gpu_is_named(mistake, command, complaint, ask):
    found = ask(topic="latent/vae", name="digits", mistake=mistake)
    assert complaint in found["failed"][command]


@pytest.mark.xdist_group("recipes, latent")
@pytest.mark.parametrize("weighted", [True, False])
def test_a_norms_gradient_that_only_devices_have_a_kernel_for_is_that_of_the_cpu(weighted):
    draws = torch.Generator().manual_seed(0)
    x, upstream = (torch.randn(2, 3, 4, dtype=torch.float64, generator=draws, requires_grad=leaf) for leaf in (True, False))
    weight = torch.randn(4, dtype=torch.float64, generator=draws, requires_grad=True) if weighted else None
    wanted = torch.autograd.grad(torch.nn.functional.rms_norm(x, (4,), weight, 0.1), [x, weight] if weighted else [x], upstream)
    inverse = (x.square().mean(2, keepdim=True) + 0.1).rsqrt()
    found = simulated_gpu.rms_norm_backward(upstream, x, [4], inverse, weight, [True, weighted])
    for got, want in zip(found, wanted, strict=weighted):
        torch.testing.assert_close(got, want)


@pytest.mark.xdist_group("recipes, latent")
def test_recipes_become_small_by_the_bounds_of_their_fields():
    large = module_of("diffusion/training").RECIPES["cifar10"]
    recipe, (train, held_out) = small("diffusion/training", "cifar10")
    assert recipe.base_channels < 16 < large.base_channels and recipe.num_steps < 16
    assert len(recipe.multipliers) < len(large.multipliers)
    assert dataclasses.replace(large, **recipe.fields()) == recipe, "of the same kind"
    assert recipe.target is None and len(train) == len(held_out) == 12
    assert module_of("diffusion/training").RECIPES["cifar10"] == large


@pytest.mark.xdist_group("recipes, autoregressive")
def test_a_recipe_that_holds_out_little_becomes_small_too():
    """A hundredth of an embedded set is less than an example, at every length."""
    large = module_of("autoregressive/wavenet").RECIPES["ljspeech"]
    recipe, (_, held_out) = small("autoregressive/wavenet", "ljspeech")
    assert large.held_out < 0.02 and recipe.length < 100 < large.length and len(held_out) == 12
