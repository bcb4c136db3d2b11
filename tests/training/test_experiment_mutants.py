"""The mutants of experiments: every kind of slip is made, none where no number depends on it, and a weak test lets it pass."""

import re
import textwrap

import pytest

from benchmarks.measuring import code_mutants, code_users
from benchmarks.verification import experiment_mutants

SOURCE = textwrap.dedent(
    '''
    import math

    class Model:
        """A model of 2.5 parts."""

        def forward(self, batch, phase):
            """Twice 2.5."""
            if batch < 0.5:
                raise ValueError(f"batch is {batch + 1}; it must be at least {0.5}")
            loss = 2.5 * math.sqrt(batch) - 1
            return loss, {"entropy": batch.mean()}

        def __post_init__(self):
            assert self.size * 2 > 1

        @staticmethod
        def preview(x):
            def draw(axes):
                axes.plot(x, 100 * x, alpha=0.5, label=f"{x + 1}")
                return min(x, 3) if x >= 2 else -x

            return draw
    '''
)
WORDS = {
    "forward": {
        "2.5 * math.sqrt(batch) - 1  ->  +",
        "2.5 * math.sqrt(batch) - 1  ->  first term alone",
        "2.5 * math.sqrt(batch)  ->  first factor alone",
        "2.5 * math.sqrt(batch)  ->  second factor alone",
        "2.5 * math.sqrt(batch)  ->  /",
        "2.5  ->  2.75",
        "math.sqrt(batch)  ->  without sqrt",
        "batch.mean()  ->  sum",
    },
    "preview": {
        "axes.plot(x, 100 * x, alpha=0.5, label=f'{x + 1}')  ->  arguments swapped",
        "100 * x  ->  first factor alone",
        "100 * x  ->  second factor alone",
        "100 * x  ->  /",
        "min(x, 3) if x >= 2 else -x  ->  the other branch",
        "x >= 2  ->  turned over",
        "min(x, 3)  ->  the other extreme",
        "-x  ->  without its sign",
    },
}


def test_every_mutation_is_made_and_none_in_words_checks_and_reports():
    found = {}
    for change in code_mutants.changes(SOURCE):
        found.setdefault(change.function.removeprefix("Model."), set()).add(change.words)
    assert found == WORDS
    assert [change.words for change in code_mutants.changes(SOURCE) if change.logged] == ["batch.mean()  ->  sum"]


def test_a_mutant_is_the_code_of_its_function():
    namespace = {}
    exec(compile(SOURCE, "toy.py", "exec"), namespace)
    (change,) = [each for each in code_mutants.changes(SOURCE) if each.words.endswith("turned over")]
    preview = namespace["Model"].preview
    assert (change.function, change.first) == ("Model.preview", preview.__code__.co_firstlineno)

    class Axes:
        def plot(self, *data, **looks):
            pass

    assert preview(4)(Axes()) == 3
    preview.__code__ = change.code("toy.py")
    assert preview(4)(Axes()) == -4


def test_a_part_is_used_by_the_topics_that_import_it():
    assert {"adversarial/gan", "foundations/f_gan", "latent/gaussian_mixture"} <= code_users.importers("judging/points")
    assert code_users.importers("latent/vae_training") == {"latent/vae_training"}
    assert "latent/factor_vae" in code_users.importers("latent/vae")


@pytest.mark.weekly
def test_the_command_lists_refused_and_surviving_mutants(forked):
    """Results for the mutants of a small file by its tests, in separate processes."""
    words = ["judging/disentanglement", "--most", "6", "--tests", "tests/judging/test_disentanglement.py"]
    (run,) = forked("benchmarks.verification.experiment_mutants:main", words)
    lines = [line for line in run.out.splitlines() if re.match("[1-6]/6 ", line)]
    assert len(lines) == 6, run.err
    survived = sum(line.endswith("SURVIVED") for line in lines)
    assert 0 < survived < 6 and run.value == 1
    assert len(experiment_mutants.survivors_of(run.out)) == survived
    assert f" {6 - survived} " in next(line for line in run.out.splitlines() if line.strip().startswith("all"))
