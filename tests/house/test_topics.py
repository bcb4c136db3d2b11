"""--topic runs all tests of a topic and of the parts that it uses, and of no other topic."""

import os
from pathlib import Path

import pytest
import torch

from practice_torch.engine import experiment
from practice_torch.experiments.control import cart_pole, tasks
from practice_torch.reinforcement import _ratio, returns
from shared_specs.syllabus import load
from tests.support import uses
from tests.support.topics import concerns_a_part, is_of_a_family, kept, may_hold, selected_topics, topics_of, topics_of_file

TESTS = uses.ROOT / "tests"
# Files in which every topic has its own tests.
OF_EVERY_TOPIC = {
    "test_compile.py",
    "test_contracts.py",
    "test_derivation.py",
    "test_grade_wings.py",
    "test_latex.py",
    "test_mistakes.py",
    "test_refusals.py",
    "test_specs_commands.py",
}


@pytest.mark.parametrize(
    ("text", "topics"), [("vae", {"latent/vae"}), ("latent/vae", {"latent/vae"}), ("18", {"latent/vae"}), (None, set())]
)
def test_a_topic_is_named_as_in_every_command(text, topics):
    assert selected_topics(text) == topics


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty topic"),
        ("vay", "did you mean latent/vae"),
        ("elbo", "not unique"),
        ("unbuilt_urn", "planned, not built yet"),
    ],
)
@pytest.mark.usefixtures("planned_topics")
def test_a_topic_that_cannot_be_tested_is_one_line(text, said):
    with pytest.raises(pytest.UsageError, match=said) as refused:
        selected_topics(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "topics"),
    [
        ("latent/test_vae.py", {"latent/vae"}),
        ("latent/test_vae_inference.py", {"latent/vae_inference"}),
        ("diffusion/test_training_experiment.py", {"diffusion/training"}),
        ("diffusion/mistakes.py", set()),
        ("test_report.py", set()),
    ],
)
def test_a_file_belongs_to_the_topic_that_it_is_named_after(path, topics):
    assert topics_of_file(Path("tests") / path) == topics


@pytest.mark.parametrize(
    ("path", "user", "other"),
    [
        ("reinforcement/test_cart_pole.py", "reinforcement/ppo", "reinforcement/kl_estimators"),  # imports parts of experiments
        ("evaluation/test_points.py", "evaluation/precision_recall", "evaluation/kernel_distance"),  # a private module
        ("state_space/test_sound_experiment.py", "state_space/diagonal", "state_space/hippo"),  # a topic's own experiment
    ],
)
def test_a_file_named_after_no_topic_is_kept_by_those_that_use_what_it_imports(path, user, other):
    assert concerns_a_part(TESTS / path, "test_any", {user}) and not concerns_a_part(TESTS / path, "test_any", {other})


def test_a_test_in_another_topics_file_is_kept_by_those_that_use_the_part_that_it_names(tmp_path):
    path = tmp_path / "latent" / "test_vae.py"
    path.parent.mkdir()
    path.write_text("""
from practice_torch.experiments.control import tasks
from practice_torch.experiments.reinforcement import ppo
from practice_torch.reinforcement.ppo import clipped_objective

COLLECTED = tasks.Runs

@pytest.fixture
def runs():
    return COLLECTED

def _helper():
    return tasks.Task

def test_by_itself():
    assert tasks.TASKS

def test_by_a_helper():
    assert _helper()

def test_by_a_fixture(runs):
    assert True

def test_by_an_import_of_its_own():
    from practice_torch.experiments.control.cart_pole import advance
    assert advance

def test_of_another_topic():
    assert clipped_objective and ppo
""")
    assert may_hold(path, {"reinforcement/ppo"}) and not may_hold(path, {"reinforcement/returns"})
    for name in ("test_by_itself", "test_by_a_helper", "test_by_a_fixture", "test_by_an_import_of_its_own"):
        assert concerns_a_part(path, name, {"reinforcement/ppo"}) and not concerns_a_part(
            path, name, {"reinforcement/returns"}
        ), name
    assert not concerns_a_part(path, "test_of_another_topic", {"reinforcement/ppo"})


def test_parts_are_found_through_other_parts_and_not_through_other_topics():
    parts = uses.parts("reinforcement/ppo")
    assert parts >= {Path(module.__file__) for module in (tasks, cart_pole, _ratio)}
    assert not parts & {Path(module.__file__) for module in (experiment, returns)}


def test_every_file_in_the_folder_of_a_family_is_kept_by_a_topic():
    files = [path for path in sorted(TESTS.glob("*/test_*.py")) if is_of_a_family(path) and not topics_of_file(path)]
    assert len(files) > 3
    built = {topic.path for topic in load().built}
    assert [path.name for path in files if not any(concerns_a_part(path, "test_any", {topic}) for topic in built)] == []


def test_every_topic_keeps_its_tests_and_no_other_topics(request):
    items = request.config.collected  # those of other days, too
    if request.config.topics or not {item.path.name for item in items} >= OF_EVERY_TOPIC | {"test_house.py"}:
        pytest.skip("only where the whole suite is collected (make test)")
    files = {topic.path: set() for topic in load().built}
    for item in items:
        for topic in topics_of(item):
            files[topic].add(item.path.name)
    assert {topic: missing for topic, found in files.items() if (missing := OF_EVERY_TOPIC - found)} == {}
    found = kept(items, {"latent/vae"})
    assert {item.path.name for item in found} >= files["latent/vae"] | {"test_house.py", "test_vae.py", "test_simulated_gpu.py"}
    others = [item for item in found if not topics_of(item) <= {"latent/vae"} and not item.get_closest_marker("rule")]
    assert all(uses.of_file(item.path) & uses.parts("latent/vae") for item in others)
    assert {item.path.name for item in kept(items, {"reinforcement/ppo"})} >= {"test_cart_pole.py", "test_pendulum.py"}


def test_the_suite_computes_on_one_thread_by_default():
    """Also without `make` and pytest-xdist."""
    assert torch.get_num_threads() <= int(os.environ["OMP_NUM_THREADS"])
