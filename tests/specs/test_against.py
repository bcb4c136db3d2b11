"""check --against: other people's code in the place of a wing, whatever it is made of and however it fails."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared_specs import __main__ as command

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("against")

ENTROPY = """
import torch
def entropy(log_probs):
    p = log_probs.exp()
    return -torch.where(p > 0, p * torch.where(p > 0, log_probs, 0.0), 0.0).sum(-1)
"""
LEAVE_ONE_OUT = """
def leave_one_out_advantage(values):
    others = (values.sum(-1)[..., None] - values) / (values.shape[-1] - 1)
    return values - others
"""
CALLABLES = """
from __future__ import annotations
import dataclasses, functools
import jax, jax.numpy as jnp, numpy as np, torch
from .beside import SHIFT
@dataclasses.dataclass
class Settings:
    shift: float = SHIFT
@jax.jit
def entropy(log_probs):
    p = jnp.exp(log_probs)
    return -jnp.sum(jnp.where(p > 0, p * jnp.where(p > 0, log_probs, 0.0), 0.0), -1)
class Kl(torch.nn.Module):
    def forward(self, log_probs_p, q):
        p = log_probs_p.exp()
        both = torch.where(p > 0, log_probs_p, 0.0) - torch.where(p > 0, q, 0.0)
        return torch.where(p > 0, p * both, 0.0).sum(-1)
kl_divergence = Kl()
def _cross(scale, log_probs_p, q):
    import beside
    p = np.exp(log_probs_p)
    return -scale * np.where(p > 0, p * np.where(p > 0, q, 0.0), 0.0).sum(-1) + beside.SHIFT
cross = functools.partial(_cross, 1.0)
"""


@pytest.fixture
def against(tmp_path, capfd):
    """(exit code, stdout, stderr) of check TOPIC --against a file with this source."""
    path_before = list(sys.path)

    def run(topic, source, *more, name="mine.py"):
        path = tmp_path / name
        path.write_text(source)
        code = command.main(["check", topic, "--against", str(path), *more])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    yield run
    sys.path[:] = path_before
    sys.modules.pop("beside", None)


def test_any_callable_in_its_own_backend(against, tmp_path):
    """Jitted, a module, a partial; three backends in a file that is named like its library and imports its neighbor."""
    (tmp_path / "beside.py").write_text("SHIFT = 0.0")
    names = ("--rename", "log_probs_q=q", "--rename", "cross_entropy=cross")
    code, out, _ = against("maximum_likelihood", CALLABLES, *names, "--json", name="torch.py")
    report = json.loads(out)
    assert code == 0, [r for r in report["results"] if not r["passed"]]
    found = {(r["function"], r["backend"]) for r in report["results"] if r["function"]}
    assert found == {("entropy", "jax"), ("kl_divergence", "torch"), ("cross_entropy", "numpy")}
    gradients = {r["function"] for r in report["results"] if r["quantity"].startswith("gradient")}
    assert gradients == {"entropy", "kl_divergence"}
    laws = {r["case"]: r["backend"] for r in report["results"] if r["word"] == "Law"}
    assert laws["cross entropy = entropy + divergence"] == "jax+numpy+torch"
    assert "gradients of functions in NumPy: cross_entropy" in report["not_judged"]
    # From the folder itself, where `python -m` would import this torch.py for PyTorch.
    done = subprocess.run(
        [sys.executable, "-m", "shared_specs", "check", "maximum_likelihood", "--against", "torch.py", *names, "--values-only"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 and re.search("all hold; .*; not judged: ", done.stdout), done.stdout + done.stderr


def test_a_builtin_is_called_by_position(against):
    """It has no names for its arguments; on a mismatch the expected signature is printed."""
    code, out, _ = against("wavenet", "receptive_field = max\n")
    assert code == 1 and "wanted receptive_field(*, kernel_size, dilations), shapes -> []" in out, out
    code, out, _ = against("maximum_likelihood", "import torch\nentropy = torch.add\n")
    assert code == 1 and "entropy (regular, and" in out and "wanted entropy(log_probs), shapes [B, K] -> [B]" in out


def test_a_function_without_an_agree_row(against):
    """Named in Anchor rows and laws alone, and judged."""
    right = "def receptive_field(*, kernel_size, dilations): return 1 + (kernel_size - 1) * sum(dilations)"
    code, out, _ = against("wavenet", right)
    assert code == 0 and "all hold" in out
    code, out, _ = against("wavenet", right.replace("1 + (", "("))
    assert code == 1 and "without the present" in out


@pytest.mark.parametrize("framework", ["torch", "jax", "numpy"])
def test_operators_alone_count_as_the_framework_of_their_file(against, framework):
    """So that gradients are judged where there can be any."""
    _, out, _ = against("latent/reparameterization", f"import {framework}\n{LEAVE_ONE_OUT}", "--json")
    results = [r for r in json.loads(out)["results"] if r["word"] == "Agree"]
    assert all(r["passed"] for r in results) and {r["backend"] for r in results} == {framework}
    assert ("gradient values" in {r["quantity"] for r in results}) == (framework != "numpy")


NORMALIZED = """
import torch
from practice_torch.foundations import maximum_likelihood
from practice_torch.autoregressive import ngram
def entropy(log_probs):
    return maximum_likelihood.entropy(log_probs.log_softmax(-1))
def kl_divergence(log_probs_p, log_probs_q):
    return maximum_likelihood.kl_divergence(log_probs_p.log_softmax(-1), log_probs_q.log_softmax(-1))
def interpolated_log_probs(log_probs, log_weights):
    return ngram.interpolated_log_probs(tuple(table.log_softmax(-1) for table in log_probs), log_weights.log_softmax(-1))
"""


def test_gradients_in_log_probabilities_are_compared_along_the_simplex(against):
    """A function that normalizes inside is right: -inf and further axes included. One that is wrong along the simplex is not."""
    code, out, _ = against("maximum_likelihood", NORMALIZED)
    assert code == 0, out
    code, out, _ = against("autoregressive/ngram", NORMALIZED)
    assert code == 0, out
    for old in ("(log_probs.log_softmax(-1))", "log_probs_q.log_softmax(-1)"):
        assert old in NORMALIZED
        code, out, _ = against("maximum_likelihood", NORMALIZED.replace(old, old.replace("log_softmax(-1)", "detach()")))
        assert code == 1 and "gradient log_probs" in out and "value (" not in out, out


def test_what_a_law_cannot_judge_is_a_failed_row(against):
    """A variance that hides the bias, or an empty answer: the file's fault, where the reference has neither."""
    source = """
import torch
def reparameterize(noise, mean, log_var): return mean + (log_var / 2).exp() * noise
def gaussian_parameter_score(z, mean, log_var):
    off = z - mean
    return 50 * off * (-log_var).exp(), 25 * (off**2 * (-log_var).exp() - 1)
"""
    code, out, _ = against("latent/reparameterization", source)
    assert code == 1 and "varies 50 times as much as the reference: the law is to see a bias of 0.1" in out, out
    code, out, _ = against("latent/reparameterization", "def leave_one_out_advantage(values): return values[:0]")
    assert code == 1 and "so empty that the law compares nothing" in out, out


@pytest.mark.parametrize(
    ("other", "code", "said"),
    [
        ("def kl_divergence(x): return x", 1, "wanted kl_divergence(log_probs_p, log_probs_q), shapes [B, K], [B, K] -> [B]"),
        ("def kl_divergence(**given): raise SystemExit(0)", 1, "raised SystemExit: 0"),
        ("def kl_divergence(**given): raise NotImplementedError", 0, "(float32, empty batches); not judged: functions not in "),
        ("def kl_divergence(**given): raise NotImplementedError", 0, "cases that raise NotImplementedError: kl_divergence ("),
        ("raise SystemExit(0)", 3, "does not load: SystemExit: 0"),
        ("import sys; sys.exit()", 3, "does not load: SystemExit"),
    ],
)
def test_a_function_that_fails_fails_alone(against, other, code, said):
    """The file's other functions are still judged; leaving the process is no pass."""
    got, out, err = against("maximum_likelihood", ENTROPY + other)
    assert got == code and said in out + err, out + err
    assert not re.search(r"^\S+  entropy", out, re.M)


def test_rows_at_the_edge_are_counted_apart(against):
    """torch.distributions cannot follow a hair from the prior, and is right; --strict counts that, too."""
    source = """
from torch.distributions import Normal, kl_divergence
import torch
def kl_to_standard_normal(mean, log_var):
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return kl_divergence(Normal(mean, (log_var / 2).exp(), validate_args=False), prior).sum(-1)
"""
    code, out, _ = against("latent/vae", source)
    said = r"all hold in the core; 12 of them at the edge \(float32, empty batches\), where 6 fail; not judged"
    assert code == 0 and re.search(said, out), out
    assert "a hair from the prior) [edge: a divergence below the rounding" in out and "holds" in out
    code, out, _ = against("latent/vae", source, "--strict", "--json")
    report = json.loads(out)
    assert code == 1 and report["edge"] == {"comparisons": 12, "failed": 6, "excused": False}


def test_a_network_is_held_to_the_model_rows(against):
    """Outputs, gradients and parameter names; a file without a network is reported."""
    source = "from practice_torch.autoregressive.chain_rule import MaskedAutoencoder"
    code, out, _ = against("autoregressive/chain_rule", source)
    assert code == 0 and "all hold" in out, out
    wrong = """
class MaskedAutoencoder(MaskedAutoencoder):
    def forward(self, x):
        return super().forward(x) * 1.001
"""
    code, out, _ = against("autoregressive/chain_rule", source + wrong)
    assert code == 1 and "MaskedAutoencoder (two hidden layers)" in out and "output 0" in out, out
    names = "class MaskedAutoencoder(torch.nn.Linear):\n    def __init__(self, **sizes): super().__init__(5, 5)"
    code, out, _ = against("autoregressive/chain_rule", f"import torch\n{names}")
    assert code == 1 and "parameter names" in out, out


def test_a_method_that_a_network_does_not_have_is_not_judged(against):
    source = "from practice_torch.networks.decoder_transformer import DecoderTransformer as Whole"
    source += "\nclass DecoderTransformer(Whole):\n    empty_cache = None"
    code, out, _ = against("autoregressive/transformer", source, "--precision", "float64")
    assert code == 0 and "methods not in" in out and "DecoderTransformer.empty_cache" in out


def test_terms_of_the_comparison(against):
    """The user's names, constants, values alone, one precision, a memory limit: each takes effect and is reported."""
    marginal = """
import torch
def marginal(x0, t, levels):
    a = ({levels})[t]
    return a.sqrt().reshape(-1, *[1] * (x0.ndim - 1)) * x0, torch.log1p(-a)
"""
    names = ("--rename", "forward_marginal=marginal", "--rename", "alpha_bar=levels", "--json")
    constant = marginal.format(levels="levels.detach()")

    def found(source, *more):
        code, out, _ = against("diffusion/forward_process", source, *names, *more)
        report = json.loads(out)
        return code, {r["quantity"] for r in report["results"]}, {r["precision"] for r in report["results"]}, report["not_judged"]

    code, quantities, _, _ = found(constant)
    assert code == 1 and "gradient alpha_bar" in quantities
    code, quantities, _, said = found(constant, "--without-gradient", "alpha_bar")
    assert code == 0 and "gradient x0" in quantities and "gradient alpha_bar" not in quantities
    assert "gradients of alpha_bar (--without-gradient)" in said
    code, quantities, _, said = found(constant, "--values-only")
    assert code == 0 and "value" in quantities and "gradient x0" not in quantities and "gradients (--values-only)" in said
    code, _, precisions, said = found(marginal.format(levels="levels"), "--precision", "float32")
    assert code == 0 and precisions == {"float32"} and "float64, bad input included" in said
    greedy = marginal.format(levels="levels + 0 * torch.ones(2**28).sum()")
    code, out, _ = against("diffusion/forward_process", greedy, *names, "--memory-mib", "256")
    assert code == 1 and "memory" in json.loads(out)["results"][0]["message"]
    assert found(marginal.format(levels="levels"), "--memory-mib", "256")[0] == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--rename", "nothing=q"), "--rename nothing=q: nothing is neither a function nor an argument of"),
        (("--rename", "log_probs=q"), "has no function q, and none that takes q for log_probs"),
        (("--without-gradient", "q"), "--without-gradient q: no such argument; there are log_probs"),
    ],
)
def test_unknown_terms_are_refused(against, option, said):
    """One line, exit code 2."""
    code, _, err = against("maximum_likelihood", ENTROPY, *option)
    assert code == 2 and said in err and err.startswith("error: ") and err.count("\n") == 1


def test_nothing_compared_is_no_pass(against):
    """A file that offers nothing of what it names."""
    code, out, _ = against("maximum_likelihood", "def entropy(log_probs): raise NotImplementedError")
    assert code == 1 and "0 comparisons" in out and "NOTHING WAS COMPARED" in out
