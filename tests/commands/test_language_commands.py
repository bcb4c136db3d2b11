"""A language model from the command line: options about its text, and messages for impossible ones."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from practice_torch.autoregressive.search import greedy_search
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import weights_of
from practice_torch.experiments.autoregressive.transformer import RECIPES, Writing, build
from practice_torch.experiments.language.decoding import STRATEGIES, Decoding, Written
from tests.commands.test_practice_commands import call, refused

MODEL = ("autoregressive/transformer", "pydoc")
SMALL = ("--context", "16", "--layers", "1", "--width", "16", "--heads", "2", "--batch-size", "4", "--log-every", "20")
TEXT = "a tale of two tables: " * 60


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "tale.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, text):
    """Forty steps on a sentence that repeats: enough to spell most of it."""
    folder = tmp_path_factory.mktemp("runs") / "tale"
    code, _, err = call("train", *MODEL, "--run", folder, "--data", text, *SMALL, "--steps", 60, "--cpu", "--merges", 2)
    assert code == 0, err
    return folder


def written(folder, *options):
    """The text and the caption that `sample` leaves."""
    code, out, err = call("sample", folder, *options)
    assert code == 0, err
    path = Path(out.splitlines()[0])
    assert path.parent == folder / "samples"
    return path.read_text(), json.loads((path.parent / "captions.json").read_text())[path.name]


# ---------------------------------------------------------------------------------------------------- what works


def test_the_help_of_a_run_shows_its_models_options(trained):
    code, out, _ = call("sample", trained, "--help")
    assert code == 0
    for flag in ("--prompt STR", "--length INT", "--temperature FLOAT", "--top-k", "--top-p", "--typical", "--greedy", "--beams"):
        assert flag in out, flag
    assert "(default: 64; at least 1)" in out, "four contexts"
    words = " ".join(out.split())
    assert "--step, --out, --format, --batch, --prompts, --completions, --stop, --chat, --float32, --cpu, --debug" in words
    assert "Text to continue." in words


def test_a_prompt_is_gone_on_from(trained):
    text, caption = written(trained, "--prompt", "a tale of", "--count", 2, "--length", 5, "--seed", 3)
    one, other = text.rstrip("\n").split("\n\n")
    assert one.startswith("a tale of") and other.startswith("a tale of") and len(one) > len("a tale of")
    assert caption == "2 x 5 tokens, drawn; no filters."


def test_the_same_seed_writes_the_same(trained):
    first = written(trained, "--count", 2, "--seed", 3)
    assert written(trained, "--seed", 3, "--count", 2) == first != written(trained, "--count", 2, "--seed", 4)


@pytest.mark.parametrize("option", ["--temperature 1e-6", "--top-k 1", "--top-p 1e-6", "--minimum-probability 1"])
def test_every_strategy_ends_in_the_most_likely_token(trained, option):
    """The caption lists the options that are set."""
    text, caption = written(trained, *option.split(), "--count", 1)
    greedy, listed = written(trained, "--greedy")
    assert text == greedy and listed == "1 x 64 tokens, always the most likely token."
    assert option.split()[0].removeprefix("--").replace("-", " ") in caption


@pytest.mark.parametrize("option", ["--temperature 9", "--top-k 2", "--top-p 0.5", "--typical 0.3", "--minimum-probability 0.4"])
def test_every_option_changes_what_is_drawn(trained, option):
    assert written(trained, *option.split(), "--count", 2)[0] != written(trained, "--count", 2)[0]


def test_top_p_of_everything_is_no_filter(trained):
    assert written(trained, "--top-p", 1, "--count", 2)[0] == written(trained, "--count", 2)[0]


def test_a_penalty_makes_greedy_text_repeat_less(trained):
    plain, penalized = (written(trained, "--greedy", *more)[0] for more in ((), ("--repetition-penalty", "5")))
    assert len({penalized[i : i + 4] for i in range(60)}) > len({plain[i : i + 4] for i in range(60)})


def test_beams_write_what_they_find_best_first(trained):
    asked = ("--beams", 3, "--prompt", "a tale", "--length", 6)
    text, caption = written(trained, *asked)
    assert caption.startswith("3 x 6 tokens, beam search with 3 beams; log p")
    scores = [float(score) for score in caption.rstrip(".").split("log p ")[1].split(", ")]
    texts = text.rstrip("\n").split("\n\n")
    assert len(texts) == len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert written(trained, *asked, "--count", 1)[0] == texts[0] + "\n"
    one_beam, greedy = written(trained, "--beams", 1, "--length", 9)[0], written(trained, "--greedy", "--length", 9)[0]
    assert one_beam == greedy


# ---------------------------------------------------------------------------------------------------- the model alone


@pytest.fixture(scope="module")
def model(trained):
    run = Run.open(trained)
    experiment = build(run.restored_recipe(type(RECIPES["pydoc"])), Described(run.asked["data"]))
    experiment.load_state_dict(weights_of(run, experiment, say=print)[0])
    return experiment.eval()


@torch.no_grad()
def test_greedy_with_a_cache_is_greedy_search(model):
    start = torch.tensor([[97], [32]])

    def log_probs(prefixes):
        return model.network(torch.cat([start, prefixes], 1))[:, -1].log_softmax(-1)

    tokens, _ = greedy_search(log_probs(start[:, :0]), log_probs, length=15)
    torch.testing.assert_close(model.write(start, 15, Decoding(greedy=True))[:, 1:], tokens)


@torch.no_grad()
def test_beams_have_the_log_probability_that_they_claim(model):
    """Within the context, and in descending order; a wide beam finds no less than a narrow one here."""
    start = torch.tensor([[97, 32], [111, 102]])
    found, scores = model.search(start, 5, 4)
    for row in range(2):
        whole = torch.cat([start[row].expand(4, -1), found[row]], 1)
        log_p = model.network(whole[:, :-1]).log_softmax(-1).gather(-1, whole[:, 1:, None])[:, 1:, 0].sum(1)
        torch.testing.assert_close(scores[row], log_p, rtol=1e-5, atol=1e-5)
    assert (model.search(start, 5, 1)[1][:, 0] <= scores[:, 0] + 1e-6).all()


def test_the_nucleus_is_that_of_the_changed_distribution(model):
    """In the order of the fields: temperature, then the nucleus. At temperature 9, 0.8 of the mass are four tokens, not three."""
    logits = torch.tensor([[0.6, 0.3, 0.08, 0.015, 0.005]]).log()
    drawn = {}
    for temperature in (1.0, 9.0):
        how, generator = Decoding(temperature=temperature, top_p=0.8), torch.Generator().manual_seed(0)
        drawn[temperature] = {how.choose(logits, None, generator).item() for _ in range(200)}
    assert drawn == {1.0: {0, 1}, 9.0: {0, 1, 2, 3}}


# ---------------------------------------------------------------------------------------------------- the study


def test_repetition_is_counted_within_a_text_and_distinctness_over_all():
    """abab|abab has the pairs ab, ba, ab: one of three is repeated; of all six, two differ. By hand."""
    texts = Written(torch.tensor([[1, 2, 1, 2], [1, 2, 1, 2]]), 0.0)
    assert texts.repetition(2) == pytest.approx(1 / 3) and texts.distinct(2) == pytest.approx(2 / 6)
    assert texts.repetition(1) == pytest.approx(1 / 2) and texts.distinct(1) == pytest.approx(2 / 8)
    other = Written(torch.tensor([[1, 2, 3, 4], [1, 1, 1, 1]]), 0.0)
    assert other.repetition(3) == pytest.approx((0 + 1 / 2) / 2) and other.distinct(4) == 1


def test_a_study_compares_strategies_with_the_data(trained, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")
    code, out, err = call("evaluate", copy, "--study")
    assert code == 0, err
    head, *lines = (copy / "study" / "strategies.txt").read_text().rstrip("\n").split("\n")
    columns = {line[:26].strip(): line[26:].split() for line in lines}
    assert list(columns) == ["held-out text", *STRATEGIES, "4 beams"] and "repeated-4" in head
    greedy, drawn = columns["greedy"], columns["temperature 1"]
    assert float(greedy[1]) < float(drawn[1]), "what is taken greedily is likelier"
    assert columns["greedy"] != columns["nucleus 0.9"] and all(line in out for line in lines)
    assert Image.open(copy / "study" / "repetition.png").width > 300
    assert call("report", copy)[0] == 0
    page = (copy / "report.html").read_text()
    assert "Study</h2>" in page and "minimum probability 0.1" in page and "data:image/png" in page


@torch.no_grad()
def test_the_bits_of_a_study_are_those_of_its_texts(model):
    """With windows of half a context of past: the same by a loop over positions."""
    tokens = torch.randint(0, 256, (3, 24), generator=torch.Generator().manual_seed(1))
    nats = 0.0
    for end in range(8, 24):
        first = end // 8 * 8 - 8
        nats -= model.network(tokens[:, first:end])[:, -1].log_softmax(-1).gather(-1, tokens[:, end, None]).sum().item()
    assert model._bits(tokens, 8) == pytest.approx(nats / math.log(2) / (3 * 16), rel=1e-5)


def test_a_text_too_short_for_a_study(trained, text, tmp_path):
    words = ("train", *MODEL, "--run", tmp_path / "run", "--data", text, *SMALL, "--steps", 60, "--cpu", "--held-out", "0.04")
    assert call(*words)[0] == 0
    code, _, err = call("evaluate", tmp_path / "run", "--study")
    assert code == 2 and "the held-out text has 53 tokens; a study needs 72: give a longer text" in err


# ---------------------------------------------------------------------------------------------------- refused: options


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ("--temperature 0", "temperature is 0.0; it must be positive (1e-06 or more) and finite; for the most likely token use"),
        ("--temperature -0.5", "temperature is -0.5; it must be positive"),
        ("--temperature nan", "temperature is nan; it must be positive"),
        ("--temperature inf", "temperature is inf; it must be positive"),
        ("--top-p 0", "top_p is 0.0; it must be positive and at most 1"),
        ("--top-p 1.5", "top_p is 1.5; it must be positive and at most 1"),
        ("--typical 0", "typical is 0.0; it must be positive"),
        ("--top-k -1", "top_k is -1; it must be at least 0"),
        ("--top-k 1.5", "--top-k: invalid literal"),
        ("--minimum-probability 2", "minimum_probability is 2.0; it must be at least 0 and at most 1"),
        ("--repetition-penalty 0", "repetition_penalty is 0.0; it must be positive and finite"),
        ("--length 0", "length is 0; it must be at least 1"),
        ("--beams -2", "beams is -2; it must be at least 0"),
        ("--prompt=", "prompt is empty; it must have at least one character: leave it out"),
        ("--prompt \udcff", "prompt is '\\udcff'; it must be UTF-8"),
        (f"--prompt {'tales-of-tables' * 3}", "tokens; the model sees 16: give a shorter one"),
        ("--greedy --temperature 0.5", "temperature is 0.5, and has no part in greedy: leave one of the two out"),
        ("--beams 2 --greedy", "greedy is True, and has no part in a search with beams"),
        ("--tempreature 1", "'--tempreature' of autoregressive/transformer sampling; did you mean --temperature?"),
        ("--cuont 1", "unknown argument '--cuont'"),
        ("more", "'more' belongs to no option of autoregressive/transformer sampling"),
    ],
)
def test_options_that_cannot_be(trained, options, because):
    assert because in refused(2, "sample", trained, *options.split(" "))


# ---------------------------------------------------------------------------------------------------- refused: training


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "is empty (0 bytes)"),
        (TEXT[:90].encode(), "each part needs at least 17 (the context of 16 and one more): give a longer text or a shorter"),
        ("Grüße ".encode("latin-1") * 100, "is not UTF-8 (byte 0xfc at offset 2): convert it"),
        (b"\xff\xfe\x00\x01" * 400, "is not UTF-8 (byte 0xff at offset 0)"),
    ],
)
def test_texts_that_cannot_be_learned(tmp_path, content, because):
    (tmp_path / "text.txt").write_bytes(content)
    words = ("train", *MODEL, "--run", tmp_path / "run", "--data", tmp_path / "text.txt", *SMALL)
    assert because in refused(3, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "because"),
    [
        ("pydco", "autoregressive/transformer has no recipe 'pydco'; did you mean pydoc?"),
        ("pydoc --layers two", "--layers: invalid literal for int() with base 10: 'two'"),
        ("pydoc --dropout much", "--dropout: could not convert string to float: 'much'"),
        ("pydoc --tensorboard 3", "'3' belongs to no option of autoregressive/transformer pydoc"),
        ("pydoc --heads 5", "heads is 5; it must be a divisor of the width, 96"),
        ("pydoc --merges -1", "merges is -1; it must be at least 0"),
        ("pydoc --contxt 5", "unknown argument '--contxt' of autoregressive/transformer pydoc; did you mean --context?"),
    ],
)
def test_recipes_that_cannot_be(words, because):
    assert because in refused(2, "train", "autoregressive/transformer", *words.split())


def test_other_data_are_not_gone_on_with(trained, text, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")
    try:
        text.write_text(TEXT + "The end.")
        for command in (("train", "--resume"), ("evaluate",)):
            message = refused(3, *command, copy)
            assert "has changed since" in message and "sha256" in message
        assert call("sample", copy, "--count", 1)[0] == 0, "sampling needs no data"
    finally:
        text.write_text(TEXT)


@pytest.mark.parametrize(
    ("field", "value", "because"),
    [
        ("learning_rate", 0.5, "learning_rate is 0.003, here 0.5"),
        ("context", 32, "of shape [33]"),  # the data say it first: windows of another length
        ("layers", "many", "does not fit the recipe"),
    ],
)
def test_another_recipe_is_not_gone_on_with(trained, tmp_path, field, value, because):
    copy = shutil.copytree(trained, tmp_path / "run")
    asked = json.loads((copy / "recipe.json").read_text())
    asked["fields"][field] = value
    (copy / "recipe.json").write_text(json.dumps(asked))
    assert because in refused(3, "train", "--resume", copy)


def test_a_longer_context_than_was_trained_is_another_model(trained, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")
    asked = json.loads((copy / "recipe.json").read_text())
    asked["fields"]["context"] = 32
    (copy / "recipe.json").write_text(json.dumps(asked))
    message = refused(3, "sample", copy)
    assert "of another model: network.position_embedding.weight is [16, 16], here [32, 16]" in message


def test_options_are_refused_by_themselves():
    for change in (dict(top_p=0.0), dict(temperature=0.0), dict(length=0), dict(prompt="")):
        with pytest.raises(ValueError, match=next(iter(change))):
            Writing(**change)
