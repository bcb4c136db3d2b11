"""Recorded answers, which judge NumPy code where JAX is not installed: fresh, those of the full check, and enough alone."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shared_specs import __main__ as command
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import NoGradients
from shared_specs.checking.recorded import NotRecorded, Recorded
from shared_specs.checking.reference import wing
from shared_specs.grading.declared import docstring
from shared_specs.grading.lecture import where_it_goes_wrong
from shared_specs.grading.recorded_answers import recorded_reference
from shared_specs.recording.__main__ import is_stale
from shared_specs.recording.record import record
from shared_specs.recording.storage import pack, path_of, recording_of, unpack
from shared_specs.rows import Agree, Anchor, Law
from shared_specs.syllabus import load

ROOT = Path(__file__).parents[2]
BUILT = [topic.path for topic in load().built]
# not the smallest, which integrates a differential equation, and so takes long
SMALL_ONES = sorted(BUILT, key=lambda topic: path_of(topic).stat().st_size)[1:3]
pytestmark = pytest.mark.xdist_group("recorded")


class InNumPy:
    """The practice wing as NumPy code, with another function in the place of one of its own."""

    along_simplex = names_only_argument = True
    has_gradients = False
    eager = property(lambda self: self)

    class backend:
        name = "numpy"

    def __init__(self, topic, precision, replaced="", function=None):
        self.precision, self._practice = precision, wing("torch", topic, precision)
        self._replaced, self._function = replaced, function

    def network(self, name):
        return None

    def call(self, name, arguments, positional=()):
        found = self._practice.call(name, arguments, positional)
        return self._function(found) if name == self._replaced else found

    def plain_call(self, name, arguments, computed=None):
        return self.call(name, arguments)

    def jacobian(self, name, *given):
        raise NoGradients(name)


def test_recordings_are_of_the_present_sources():
    """Otherwise `make record` records the topics again that have changed."""
    assert [topic for topic in BUILT if is_stale(topic)] == []


@pytest.mark.parametrize("topic", SMALL_ONES)
def test_the_small_judge_agrees_with_the_full_check(topic):
    """Every comparison of right and of wrong code: the same ratio, the same words; and what is recorded is what is measured."""
    spec = spec_of(topic)
    rows = [row for kind in (Agree, Anchor, Law) for row in [row for row in spec if isinstance(row, kind)][:2]]
    for key, found in record(topic, rows).items():
        kept = recording_of(topic)[key]
        for now, then in zip(*((each if isinstance(each, list) else [each]) for each in (found, kept)), strict=True):
            np.testing.assert_allclose(now, then, rtol=1e-9, atol=1e-300, err_msg=str(key))
    changes = ["", *dict.fromkeys(row.function for row in rows if not isinstance(row, Law))]
    for precision in ("float64", "float32"):
        for changed in changes:
            code = InNumPy(topic, precision, changed, lambda found: tuple(-array for array in found))
            full, small = (Checker(topic, code, reference).run(rows) for reference in (None, recorded_reference(topic)))
            assert [result.as_dict() for result in small] == [result.as_dict() for result in full]
            assert all(result.passed for result in small) == (not changed)


def test_every_near_miss_is_refused_by_its_name():
    """By the recorded tolerances of a few topics, in both precisions."""
    named = 0
    for topic in BUILT[::24]:
        for row in spec_of(topic):
            if not isinstance(row, Anchor) or row.edge:
                continue
            for mistake, answer in row.near_misses.items():
                for precision in ("float64", "float32"):
                    parts = tuple(np.asarray(a, dtype=precision) for a in (answer if isinstance(answer, tuple) else (answer,)))
                    code = InNumPy.__new__(InNumPy)
                    code.precision, code.call = precision, lambda *_, parts=parts: parts
                    (result,) = Checker(topic, code, recorded_reference(topic), spec=()).run([row])
                    # two mistakes may give one answer, and NaN equals none; float32 rounds an answer that is near zero
                    unequal = precision == "float32" or any(np.isnan(part).any() for part in parts)
                    known = unequal or result.message.startswith(tuple(row.near_misses))
                    assert not result.passed and known, (topic, row.case, mistake)
                    named += 1
    assert named > 150


def test_other_contracts_than_the_recorded_are_refused(tmp_path):
    """Rows that were not recorded, other arguments, and a file that is damaged: an error, not a verdict."""
    topic = SMALL_ONES[0]
    recording = recording_of(topic)
    row = next(row for row in spec_of(topic) if isinstance(row, Anchor))
    code = InNumPy(topic, "float64")
    place = next(place for place, what in recording if what == "input" and f"({row.case})" in place)
    for changed in ({}, recording | {(place, "input"): recording[place, "input"] + 1.0}):
        with pytest.raises(NotRecorded, match="make record"):
            Checker(topic, code, Recorded(topic, changed, partial(docstring, topic))).run([row])
    packed = pack(recording, "digest")
    assert pack(*unpack(packed)) == packed
    for damaged in (packed[:-9], b"", packed[:60] + b"\0" + packed[61:]):
        with pytest.raises(ValueError, match="no recording"):
            unpack(damaged)


SMALL = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("jax", "jaxlib", "flax", "torch", "scipy", "sympy", "matplotlib", "sklearn", "joblib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from shared_specs.__main__ import main
for words in eval(sys.argv[1]):
    print("exit code", main(words), flush=True)
"""


def test_numpy_code_is_judged_without_jax_and_torch(tmp_path):
    """In a process that cannot import them: the known mistake, the lecture on it, the parts that were not judged, the mark."""
    topic, function = "latent/elbo", "elbo"
    mine = tmp_path / "mine.py"
    mine.write_text(f"import numpy as np\n\ndef {function}(log_joint, log_q):\n    return np.sum(log_joint - log_q, axis=-1)\n")
    (tmp_path / "torch_code.py").write_text("import torch\n")
    stub = tmp_path / "stub.py"
    words = [
        ["check", topic, "--against", str(mine)],
        ["check", topic, "--against", str(tmp_path / "torch_code.py")],
        ["exercise", topic, "--output", str(stub)],
        ["show", topic, "--only", function],
        ["check", topic, "--jobs", "1"],
    ]
    done = subprocess.run([sys.executable, "-c", SMALL, repr(words)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.split("exit code ")[1:][-1] == "2\n" and "Traceback" not in done.stderr, done.stderr
    judged, loaded, written, shown, wings = done.stdout.split("exit code ")[:5]
    assert "sum over the samples: got -4.25, expected -1.41666667" in judged
    assert f"{function}: the lecture on it: theory_jax/lectures/{topic}.py, line " in judged
    assert "gradients, laws that take them, and networks, which only the full installation checks" in judged
    assert loaded.strip() == "1" and written.startswith("3") and "mean_s" in shown and wings.startswith("0")
    errors = done.stderr.splitlines()
    assert "NumPy code is judged without it; for torch, run pip install -e '.[all]'" in "".join(errors)
    assert errors[-1].startswith("error: this command needs ")
    assert stub.read_text().count("NotImplementedError") > 3


def test_the_solution_is_shown_after_an_attempt(tmp_path, capfd):
    """Code of both wings; refused before. The file begins with a byte-order mark, is indented by tabs, and lacks functions."""
    mine = tmp_path / "mine.py"
    text = '\ufeffTOPIC = "latent/elbo"\n\ndef elbo(log_joint, log_q):\n\traise NotImplementedError("elbo")\n'
    mine.write_text(text, encoding="utf-8")
    assert command.main(["grade", str(mine), "--recorded", "--solution", "elbo"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "has no attempt at it yet: write one, right or wrong" in err
    mine.write_text(text.replace('raise NotImplementedError("elbo")', "return log_joint - log_q"), encoding="utf-8")
    assert command.main(["grade", str(mine), "--recorded", "--solution", "elbo"]) == 1
    out, _ = capfd.readouterr()
    theory, _, practice = out.partition("practice_torch/latent/elbo.py, line ")
    assert "returned shape [2, 3]; expected [2]" in theory or "returned shape" in theory
    assert "return jnp.mean(_log_weights" in theory and "return _log_weights(log_joint, log_q).mean(dim=-1)" in practice
    assert command.main(["grade", str(mine), "--recorded", "--solution", "elb"]) == 2
    assert "did you mean elbo?" in capfd.readouterr().err


def test_the_lecture_is_pointed_to_for_most_near_misses():
    """A line of it that exists, and speaks of the function or of the mistake."""
    found = []
    for topic in BUILT[::20]:
        lecture = (ROOT / "theory_jax" / "lectures" / f"{topic}.py").read_text().splitlines()
        for row in spec_of(topic):
            for mistake in getattr(row, "near_misses", {}):
                where = where_it_goes_wrong(topic, row.function, mistake)
                found.append(bool(where))
                if where:
                    line = int(where.split(", line ")[1].split(",")[0].split(" ")[0])
                    assert lecture[line - 1].strip()
    assert sum(found) > 0.8 * len(found) > 80
