"""`python -m theory_jax train`: what it prints and writes, and its errors."""

import json

import pytest
from safetensors.torch import load_file

from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.latent import vae
from theory_jax.__main__ import main


def test_it_reports_the_metrics_and_writes_weights_that_the_practice_wing_loads(tmp_path, capsys):
    file = tmp_path / "weights.safetensors"
    assert main(["train", "vae", "digits", "--epochs", "3", "--json", "--out", str(file)]) == 1  # too short for the target
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert record["topic"] == "latent/vae" and record["steps"] == 3 * 22 and not record["reached"]
    assert 20 < record["metrics"]["negative_elbo"] < 28
    assert "epoch 3/3" in err
    recipe = vae.RECIPES["digits"]
    _, held_out = load_data(recipe)
    experiment = vae.build(recipe, held_out)
    experiment.load_state_dict(load_file(file))
    assert experiment.evaluate(held_out)["negative_elbo"] == pytest.approx(record["metrics"]["negative_elbo"], rel=0.05)


def test_the_target_decides_the_exit_code(monkeypatch, capsys):
    from theory_jax.experiments.latent import vae

    easy = {"digits": vae.VaeRecipe(epochs=1, batch_size=64, learning_rate=2e-3, metric="negative_elbo", target=40.0)}
    monkeypatch.setattr(vae, "RECIPES", easy)
    assert main(["train", "latent/vae", "digits"]) == 0
    assert "target: negative_elbo at most 40: reached" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, error",
    [
        ([], "no topic given; trained in JAX are "),
        (["latent/elbo"], "has no training in JAX"),
        (["latent/vae"], "latent/vae has no recipe ''"),
        (["latent/vae", "digit"], "did you mean digits?"),
        (["latent/vae", "digits", "--epochs", "0"], "--epochs is 0; it must be positive"),
        (["latent/vae", "digits", "--learning-rate", "nan"], "--learning-rate is nan; it must be positive"),
        (["latent/vae", "digits", "--out", "nowhere/there.safetensors"], "there is no folder nowhere"),
        (["latent/vae", "digits", "--epochs", "1", "--learning-rate", "1e300"], "diverged in epoch 1"),
    ],
)
def test_an_error_is_one_line(words, error, capsys):
    assert main(["train", *words]) == 2
    found = capsys.readouterr().err.strip().splitlines()
    assert found[-1].startswith("error: ") and error in found[-1]


def test_no_half_written_file_is_left(tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    assert main(["train", "vae", "digits", "--epochs", "1", "--out", str(tmp_path / "taken")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
