"""--topic runs all tests of a topic, and of no other."""

from pathlib import Path

import pytest

from shared_specs.syllabus import load
from tests.topics import asked_for, kept, topics_of, topics_of_file

# Files in which every topic has tests of its own.
OF_EVERY_TOPIC = {
    "test_compile.py", "test_contracts.py", "test_derivation.py", "test_grade_wings.py", "test_latex.py", "test_mistakes.py",
    "test_refusals.py", "test_specs_commands.py",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "topics"), [("vae", {"latent/vae"}), ("latent/vae", {"latent/vae"}), ("18", {"latent/vae"}), (None, set())]
)
def test_a_topic_is_named_as_in_every_command(text, topics):
    assert asked_for(text) == topics


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "an empty topic"), ("vay", "did you mean latent/vae"), ("elbo", "not unique"), ("style_gan", "planned, not built yet")],
)
def test_a_topic_that_cannot_be_tested_is_one_line(text, said):
    with pytest.raises(pytest.UsageError, match=said) as refused:
        asked_for(text)
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


def test_every_topic_keeps_its_tests_and_no_other_topics(request):
    items = request.session.items
    if request.config.topics or not {item.path.name for item in items} >= OF_EVERY_TOPIC | {"test_house.py"}:
        pytest.skip("only where the whole suite is collected (make test)")
    files = {topic.path: set() for topic in load().built}
    for item in items:
        for topic in topics_of(item):
            files[topic].add(item.path.name)
    assert {topic: missing for topic, found in files.items() if (missing := OF_EVERY_TOPIC - found)} == {}
    found = kept(items, {"latent/vae"})
    assert {item.path.name for item in found} >= files["latent/vae"] | {"test_house.py", "test_vae.py", "test_simulated_gpu.py"}
    assert all("latent/vae" in topics_of(item) for item in found if not item.get_closest_marker("rule"))
