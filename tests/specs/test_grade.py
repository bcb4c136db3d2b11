"""grade: a right file passes; a wrong, broken or cheating one fails with a reason in one line."""

import io
import json
import os
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared_specs import __main__ as command
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Fault, Implementation
from shared_specs.grading.grade import Graded, Limits, backend_of, grade
from shared_specs.grading.messages import Broken, receive
from shared_specs.grading.packing import Packer, Unpacker
from shared_specs.grading.process import MOST_FILES, copy_with_siblings
from shared_specs.rows import Anchor, Complex, Rejects, given, zeros

TOPIC = "latent/reparameterization"
LIMITS = Limits(call_seconds=5.0, total_seconds=60.0, memory=256 * 2**20, output=2**20)
ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ROOT / "theory_jax" / "latent" / "reparameterization.py"
pytestmark = pytest.mark.xdist_group("grade")

RIGHT = """
TOPIC = "latent/reparameterization"
import numpy as np
from math import lgamma, log

def _same(**arrays):
    first = next(iter(arrays.values()))
    for name, a in arrays.items():
        if np.ndim(a) != 2 or np.shape(a) != np.shape(first):
            raise ValueError(f"{name} has shape {np.shape(a)}; {', '.join(arrays)} must agree and have 2 axes")

def _in_unit(uniforms):
    if not np.all((uniforms > 0) & (uniforms < 1)):
        raise ValueError("uniforms must lie strictly between 0 and 1")

def _positive(temperature):
    if not temperature > 0:
        raise ValueError("temperature must be positive")

def reparameterize(noise, mean, log_var):
    _same(mean=mean, noise=noise, log_var=log_var)
    return mean + np.exp(log_var / 2) * noise

def gaussian_parameter_score(z, mean, log_var):
    _same(mean=mean, z=z, log_var=log_var)
    r = (z - mean) * np.exp(-log_var / 2)
    return r * np.exp(-log_var / 2), (r * r - 1) / 2

def leave_one_out_advantage(values):
    if np.ndim(values) != 2 or values.shape[1] < 2:
        raise ValueError("values needs at least two samples a row")
    S = values.shape[1]
    return np.stack([values[:, s] - np.delete(values, s, axis=1).mean(1) for s in range(S)], axis=1)

def gumbel_from_uniform(uniforms):
    if np.ndim(uniforms) != 2:
        raise ValueError("uniforms must have 2 axes")
    _in_unit(uniforms)
    near_one = uniforms > 0.5
    return -np.log(np.where(near_one, -np.log1p(np.where(near_one, uniforms - 1, 0)), -np.log(uniforms)))

def gumbel_softmax(uniforms, logits, *, temperature):
    _same(logits=logits, uniforms=uniforms)
    _positive(temperature)
    a = (logits + gumbel_from_uniform(uniforms)) / temperature
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)

def concrete_log_density(log_y, logits, *, temperature):
    _same(logits=logits, log_y=log_y)
    _positive(temperature)
    if np.any(np.isinf(log_y)) or np.any(np.abs(np.log(np.exp(log_y).sum(1))) > 1e-5):
        raise ValueError("log_y must be normalized, and inside the simplex")
    K = logits.shape[1]
    a = logits - temperature * log_y
    top = a.max(1)
    lse = top + np.log(np.exp(a - top[:, None]).sum(1))
    return lgamma(K) + (K - 1) * log(temperature) + (logits - (temperature + 1) * log_y).sum(1) - K * lse
"""


def _file(tmp_path, source):
    path = tmp_path / "submission.py"
    path.write_text(textwrap.dedent(source), encoding="utf-8", errors="surrogatepass")
    return path


def _with(body):
    """The right file with one function replaced."""
    return RIGHT + "\n" + textwrap.dedent(body)


def test_a_right_file_passes(tmp_path, capfd):
    """In NumPy, all functions, both precisions."""
    assert command.main(["grade", str(_file(tmp_path, RIGHT))]) == 0
    assert "6 of 6 functions hold" in capfd.readouterr().out


CHEATS = {
    "None returned": ("def reparameterize(noise, mean, log_var): return None", "returned None"),
    "a list returned": (
        "def reparameterize(noise, mean, log_var): return (mean + np.exp(log_var / 2) * noise).tolist()",
        "a list",
    ),
    "wrong signature": ("def reparameterize(eps, mu, logvar): return mu + np.exp(logvar / 2) * eps", "unexpected keyword"),
    "missing function": ("del reparameterize", "no function reparameterize"),
    "endless loop": ("def reparameterize(noise, mean, log_var):\n    while True: pass", "took more than"),
    "recursion": ("def reparameterize(noise, mean, log_var): return reparameterize(noise, mean, log_var)", "RecursionError"),
    "huge allocation": ("def reparameterize(noise, mean, log_var): return np.ones((2**31, 8)) + mean", "MemoryError"),
    "allocates until it is stopped": (
        "def reparameterize(noise, mean, log_var):\n    hoard = []\n    while True: hoard.append(np.ones(2**22))",
        "MemoryError",
    ),
    "gigabyte of output": (
        "def reparameterize(noise, mean, log_var):\n    for _ in range(2**10): print('x' * 2**20)\n"
        "    return mean + np.exp(log_var / 2) * noise",
        "printed more than",
    ),
    "sys.exit(0)": ("import sys\ndef reparameterize(noise, mean, log_var): sys.exit(0)", "SystemExit"),
    "os._exit(0)": ("import os\ndef reparameterize(noise, mean, log_var): os._exit(0)", "exit status 0"),
    "an answer too large": ("def reparameterize(noise, mean, log_var): return np.zeros((2**24, 2))", "array"),
    "patched numpy": (
        "np.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = lambda a: 0 * a\nnp.max = lambda *a, **k: 0.0\n"
        "np.testing.assert_allclose = lambda *a, **k: None\n"
        "def reparameterize(noise, mean, log_var): return mean + np.exp(log_var) * noise",
        "got",
    ),
    "always equal": (
        "class Yes(np.ndarray):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0\n"
        "def reparameterize(noise, mean, log_var): return (mean + np.exp(log_var) * noise).view(Yes)",
        "got",
    ),
    "announces 2^60 bytes": (
        "import os\ndef reparameterize(noise, mean, log_var):\n    for fd in range(3, 64):\n"
        "        try: os.write(fd, (2**60).to_bytes(8, 'little'))\n"
        "        except OSError: pass\n    return mean",
        "a header of 1152921504606846976 bytes",
    ),
    "changes its argument": (
        "def reparameterize(noise, mean, log_var):\n    noise *= np.exp(log_var / 2)\n    noise += mean\n    return noise",
        "writes into its argument noise",
    ),
    "forks": ("import os\ndef reparameterize(noise, mean, log_var): return os.fork() and mean", "cannot start processes"),
    "reads the answers": (
        f"def reparameterize(noise, mean, log_var): return eval(open({str(ANSWERS)!r}).read())",
        "cannot read the repository",
    ),
    "climbs to the answers": (
        "import glob, os\ndef reparameterize(noise, mean, log_var):\n"
        f"    os.chdir({str(ROOT)!r})\n    return open('theory_jax/latent/vae.py').read()",
        "cannot read the repository",
    ),
    "writes to every open file": (
        "import os\ndef reparameterize(noise, mean, log_var):\n    for fd in range(3, 64):\n"
        "        try: os.write(fd, b'x' * 64)\n"
        "        except OSError: pass\n    return mean",
        "",
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass_and_the_rest_is_still_marked(tmp_path, name, monkeypatch):
    """The function at fault fails, with the reason; another keeps its marks. The rows of these two are asked."""
    two = ("reparameterize", "leave_one_out_advantage")
    rows = [row for row in spec_of(TOPIC) if getattr(row, "function", None) in two]
    monkeypatch.setattr("shared_specs.grading.grade.spec_of", lambda topic: rows)
    body, reason = CHEATS[name]
    limits = replace(LIMITS, call_seconds=2.5) if name == "endless loop" else LIMITS  # all of which it spends
    results = grade(_file(tmp_path, _with(body)), TOPIC, limits)
    mine = [r for r in results if r.function == "reparameterize"]
    assert mine and not all(r.passed for r in mine)
    assert any(reason in r.message for r in mine if not r.passed), [r.message for r in mine]
    others = [r for r in results if r.function == "leave_one_out_advantage"]
    assert others and all(r.passed for r in others), [r.message for r in others if not r.passed]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("TOPIC = 'latent/reparameterization'\nimport sys\nsys.exit(0)", "SystemExit"),
        ("TOPIC = 'latent/reparameterization'\nimport os\nos._exit(0)", "exit status 0"),
        ("TOPIC = 'latent/reparameterization'\nimport theory_jax.latent.reparameterization", "cannot be imported"),
        ("TOPIC = 'latent/reparameterization'\nfrom shared_specs.latent.reparameterization import SPEC", "cannot be imported"),
        ("TOPIC = 'latent/reparameterization'\nraise RuntimeError('no')", "RuntimeError: no"),
    ],
)
def test_a_file_that_does_not_load_is_refused(tmp_path, source, reason):
    """Bad data, in one line."""
    with pytest.raises(Fault, match=reason):
        grade(_file(tmp_path, source), TOPIC, LIMITS)


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("TOPIC = 'latent/reparameterization'\ndef reparameterize(:", 3, "line 2"),
        ("x = 1\n", 2, "--topic"),
        ("TOPIC = 'latent/nothing_like_it'\n", 2, "no topic"),
        (None, 3, "not a file"),
        ("TOPIC = 'latent/vae'\0", 3, "null"),
        ("(" * 5000, 3, "line 1"),
        ("#" * 2**21, 3, "larger than"),
        ("\ud800", 3, "UTF-8"),
    ],
)
def test_usage(tmp_path, capfd, source, code, said):
    """One line on stderr and the right exit code."""
    path = tmp_path / "absent.py" if source is None else _file(tmp_path, source)
    assert command.main(["grade", str(path)]) == code
    error = capfd.readouterr().err
    assert error.startswith("error: ") and said in error and "Traceback" not in error


def copied(tmp_path, files):
    """The number of files that reach the worker, of a file that imports the first of these: package, name, what it imports."""
    for package, name, imports in files:
        (tmp_path / package).mkdir(parents=True, exist_ok=True)
        (tmp_path / package / f"{name}.py").write_text("".join(f"{line}\n" for line in imports))
    (tmp_path / "submission.py").write_text(f"import {files[0][0] or files[0][1]}")
    folder = tmp_path / "graded"
    folder.mkdir()
    copy_with_siblings(tmp_path / "submission.py", folder)
    return len(list(folder.rglob("*.py")))


def test_files_that_import_each_other_are_counted_once(tmp_path):
    """Thirty modules next to the file, or in a package: each imports all of them. A file more than 200 is refused."""
    names = [f"part_{k}" for k in range(30)]
    assert copied(tmp_path, [("", name, [f"import {other}" for other in names]) for name in names]) == 31
    inside = [("package", name, [f"from package import {other}" for other in names]) for name in names]
    assert copied(tmp_path / "inside", inside) == 31
    many = [("package", f"part_{k}", ["import package"]) for k in range(MOST_FILES)]
    assert copied(tmp_path / "most", many[1:]) == MOST_FILES
    with pytest.raises(Fault, match=f"submission.py imports package from its folder, and with it more than {MOST_FILES} files"):
        copied(tmp_path / "more", many)


def test_expected_values_never_enter_the_worker(tmp_path):
    """A file that keeps everything it is handed sees inputs, cotangents and the spec's closed forms, and no answer."""
    seen = tmp_path / "seen.npy"
    body = f"""
    _kept = []
    def leave_one_out_advantage(values):
        _kept.append(np.asarray(values).ravel().copy())
        np.save({str(seen)!r}, np.concatenate(_kept))
        return values
    """
    grade(_file(tmp_path, _with(body)), TOPIC, LIMITS)
    kept = np.load(seen)
    answers = [row.gives for row in spec_of(TOPIC) if isinstance(row, Anchor) and row.function == "leave_one_out_advantage"]
    answers = np.concatenate([np.ravel(a) for a in answers])
    given = np.concatenate(
        [
            np.ravel(row.given.draw("")["values"])
            for row in spec_of(TOPIC)
            if isinstance(row, Anchor) and row.function == "leave_one_out_advantage"
        ]
    )
    novel = answers[~np.isin(answers, given)]
    assert novel.size and not np.isin(novel, kept).any()


def test_nothing_the_worker_sees_leads_to_the_repository(tmp_path):
    """Neither path, environment, finder nor file name; and what a file finds all the same cannot be imported or opened."""
    seen = tmp_path / "seen.json"
    source = f"""
    import importlib.machinery, json, os, sys
    places = [*sys.path, os.getcwd(), __file__, sys.argv[0], open("/proc/self/cmdline").read(), *os.environ.values()]
    finders = [repr(finder) for finder in sys.meta_path]
    def attempt(action):
        try: return repr(action())
        except Exception as error: return f"{{type(error).__name__}}: {{error}}"
    found = [attempt(lambda: importlib.machinery.PathFinder.find_spec(name)) for name in ("theory_jax", "practice_torch")]
    home = [attempt(lambda: os.listdir(f"/proc/{{os.getppid()}}/cwd")), attempt(lambda: os.listdir({str(ROOT)!r}))]
    with open({str(seen)!r}, "w") as file:
        json.dump(dict(places=places, finders=finders, found=found, home=home), file)
    def leave_one_out_advantage(values): return values
    """
    grade(_file(tmp_path, source), TOPIC, LIMITS, chosen=("leave_one_out_advantage",))
    seen = json.loads(seen.read_text())
    inside = [place for place in seen["places"] if str(ROOT) in place and "site-packages" not in place]
    # os.path's exists: what is no path, such as a long list of flags in a variable of the environment, does not exist
    assert inside == [] and not any(os.path.exists(f"{place}/theory_jax") for place in seen["places"])
    assert seen["found"] == ["None", "None"] and not any("editable" in finder for finder in seen["finders"])
    assert "theory_jax" not in seen["home"][0] and "PermissionError" in seen["home"][1]


def test_no_process_outlives_the_grading(tmp_path):
    """Children in the group, in sessions of their own, and orphans: all are killed when the worker is, or ends by itself."""
    pids = tmp_path / "pids"
    body = f"""
    import ctypes, os, time
    fork = ctypes.CDLL(None).fork  # os.fork is refused
    def settle(depth):
        with open({str(pids)!r}, "a") as file: file.write(f"{{os.getpid()}}\\n")
        time.sleep(300)
    def spread():
        if not fork(): settle(0)
        if not fork():
            os.setsid()
            if not fork(): settle(1)
            os._exit(0)
        time.sleep(0.3)
    def reparameterize(noise, mean, log_var):
        spread()
        while True: pass
    def gaussian_parameter_score(z, mean, log_var):
        spread()
        os._exit(3)
    """
    limits = Limits(call_seconds=1.5, total_seconds=60.0, memory=512 * 2**20)
    results = grade(_file(tmp_path, _with(body)), TOPIC, limits)
    said = {r.function: r.message for r in results if r.function in ("reparameterize", "gaussian_parameter_score")}
    assert "took more than 1.5 s" in said["reparameterize"] and "exit status 3" in said["gaussian_parameter_score"]
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) >= 4
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def _bytes(header, tail=b""):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + tail


@pytest.mark.parametrize(
    "message",
    [
        (2**60).to_bytes(8, "little"),
        _bytes(b"no JSON"),
        _bytes(b"[" * 100_000),
        _bytes(b"\xff\xfe"),
        _bytes([]),
        _bytes({}),
        _bytes({"arrays": 3}),
        _bytes({"arrays": [3]}),
        _bytes({"arrays": [{"dtype": "float64", "shape": [-1]}]}),
        _bytes({"arrays": [{"dtype": "float64", "shape": [2**62, 2**62]}]}),
        _bytes({"arrays": [{"dtype": "float64", "shape": [1e400]}]}),
        _bytes({"arrays": [{"dtype": "float64", "shape": [True]}]}),
        _bytes({"arrays": [{"dtype": "float64", "shape": [1] * 65}]}),
        _bytes({"arrays": [{"dtype": "object", "shape": [1]}]}),
        _bytes({"arrays": [{"dtype": ["float64"], "shape": [1]}]}),
        _bytes({"arrays": [{"dtype": "float64", "shape": [2**22]}] * 3}),
    ],
    ids=range(16),
)
def test_what_is_no_message_is_refused_before_it_is_read(message):
    """No allocation of an announced length, no other error than Broken."""
    stream = io.BytesIO(message)
    with pytest.raises(Broken):
        receive(stream.read)
    assert stream.tell() <= len(message)


@pytest.mark.parametrize("reply", [{}, {"error": 3}, {"backend": "fortran"}, {"results": 7}, {"results": "x"}, {"error": ["x"]}])
def test_a_reply_that_is_none_to_the_question_is_a_failed_row(reply):
    """And no error of the grader's own."""

    class Confused:
        functions = {"leave_one_out_advantage"}
        frameworks = ["jax", "torch"]

        def ask(self, header, arrays):
            return ({"backend": "torch"} if header["ask"] == "detect" and "backend" not in reply else reply), [np.zeros(1)]

    rows = [row for row in spec_of(TOPIC) if getattr(row, "function", None) == "leave_one_out_advantage"]
    backend = backend_of(Confused(), TOPIC, {})
    results = Checker(TOPIC, Graded(Confused(), backend, "float64", {})).run(rows)
    assert results and not any(r.passed for r in results)


@pytest.mark.parametrize(("said", "passes"), [("x must be positive", 1), ("expected a box", 0), ("the x's", 1), ("x_t is", 0)])
def test_the_argument_at_fault_is_named_by_a_word_of_its_own(said, passes):
    """Not by chance, within another word."""

    def refuse(x):
        raise ValueError(said)

    row = Rejects("refuse", "bad", given(x=zeros(2)), blames="x ")
    (result,) = Checker(TOPIC, Implementation(lambda _: refuse, "numpy", "float64")).run([row])
    assert result.passed == passes


def test_a_spec_s_function_arrives_with_what_it_refers_to():
    """Its globals, closure, defaults and itself; without the path of its file."""
    third = 1 / 3

    def total(n, *, scale=2.0):
        return third * scale if n == 0 else scaled(total(n - 1), MORE)

    packer = Packer()
    header = json.loads(json.dumps(packer.pack({"function": total, "table": (1, [np.float64(2.0), np.eye(2)], None)})))
    unpacked = Unpacker(packer.arrays, json.loads(json.dumps(packer.functions))).unpack(header)
    assert unpacked["function"](2) == total(2) and unpacked["table"][:1] == (1,) and unpacked["table"][1][0] == 2.0
    parts = Unpacker(packer.arrays, []).unpack(packer.pack(Complex(np.ones(2), np.zeros(2))))
    assert isinstance(parts, Complex) and parts.real.sum() == 2
    of_parts = Packer()
    given = of_parts.pack(lambda x: Complex(x, -x))
    assert Unpacker(of_parts.arrays, of_parts.functions).unpack(given)(2.0) == Complex(2.0, -2.0)
    assert "tests" not in unpacked["function"].__code__.co_filename
    with pytest.raises(TypeError, match="RLock"):
        Packer().pack(lambda: LOCK)


MORE = np.array([1.0, 3.0])
LOCK = threading.RLock()


def scaled(x, by):
    return (x * by).sum()
