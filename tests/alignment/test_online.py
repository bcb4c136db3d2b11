"""Online alignment: rewards of the user's own, completions of different lengths, and what goes wrong with them."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

from practice_torch.__main__ import main
from practice_torch.data.errors import DataError
from practice_torch.data.prompts import load
from practice_torch.data.prompts.prompts import rows_of
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.experiments.alignment import online
from practice_torch.experiments.alignment.online import Rewarded
from practice_torch.experiments.alignment.online_recipe import OnlineRecipe
from practice_torch.experiments.alignment.ready_rewards import gsm8k_answer, number_in, vowels
from practice_torch.experiments.alignment.reward_process import RewardProcess
from practice_torch.experiments.alignment.rewards import Rewards
from practice_torch.experiments.alignment.rollouts import (
    Drawn,
    advantages_of,
    drawn_after,
    loss_of,
    measured,
    seeds_of,
    token_law,
)
from practice_torch.networks.decoder_transformer import DecoderTransformer
from tests.support.tiny import data_of

SMALL = dict(layers=1, width=16, heads=2, context=24, prompt=12, completion=8, batch_size=2, answers=2, judged=2, steps=4)
ALONE = WholeBatch()

REWARDS = """
import os, time
print("loaded")

def right(prompts, completions, answer, **columns):
    print("asked for", len(completions))
    return [float(wanted in text) for text, wanted in zip(completions, answer)]

def lengths(completions):
    return [len(text) for text in completions]

def unsure(completions):
    return [None, 2]

def raises(completions):
    if "b" in completions:
        raise KeyError("b is missing")
    return [0.0]

def nan(completions):
    return [1.0, float("nan")]

def one(completions):
    return [1.0]

def text(completions):
    return [1.0, "1"]

def number(completions):
    return 3

def hangs(completions):
    time.sleep(60)

def ends(completions):
    os._exit(3)

value = 4
"""
WRONG = {
    "raises": "raised KeyError: 'b is missing' (line 17) for completion 2 of 2, 'b'",
    "nan": "returned nan for completion 2 of 2, 'b'; a reward is a finite number, or None",
    "one": "returned 1 rewards for 2 completions",
    "text": "returned str '1' where a number belongs for completion 2 of 2, 'b'",
    "number": "returned int 3; it must return a list of numbers",
    "hangs": "took more than 0.5 s for 2 completions; --reward-seconds allows it more",
    "ends": "ended its process with exit status 3",
    "absent": "does not load: AttributeError: the file has no function 'absent'; it has right, lengths, unsure",
    "value": "does not load: AttributeError: the file has no function 'value'",
}


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    path = tmp_path_factory.mktemp("rewards") / "rewards.py"
    path.write_text(REWARDS)
    return path


# ------------------------------------------------------------------------------------------------ a function of the user's


def test_a_function_gets_columns_and_its_output_goes_to_the_log(functions, tmp_path, capfd):
    log = tmp_path / "rewards.log"
    with RewardProcess(f"{functions}:right", seconds=10.0, log=log) as reward:
        assert reward(["p", "q"], ["xa", "y"], {"answer": ["a", "b"]}) == [1.0, 0.0]
        assert reward(["p"], ["c"], {"answer": ["c"]}) == [1.0]  # the process stays
    assert log.read_text() == "loaded\nasked for 2\nasked for 1\n"
    assert capfd.readouterr() == ("", "")
    with RewardProcess(f"{functions}:lengths", seconds=10.0) as reward:
        assert reward(["p", "q"], ["xa", "y"], {"answer": ["a", "b"]}) == [2.0, 1.0]  # it takes what its signature names
    with RewardProcess(f"{functions}:unsure", seconds=10.0) as reward:
        assert reward(["p", "q"], ["xa", "y"]) == [None, 2.0]


@pytest.mark.parametrize("name", WRONG)
def test_what_a_function_does_wrong_is_one_line(functions, name):
    reward = RewardProcess(f"{functions}:{name}", seconds=0.5)
    with pytest.raises(RunError) as error, reward:
        reward(["p", "q"], ["a", "b"])
    said = str(error.value)
    assert said.startswith(f"reward {functions}:{name} {WRONG[name]}") and "\n" not in said
    assert reward._process is None or name in ("raises", "nan", "one", "text", "number")


@pytest.mark.parametrize("broken, said", [("def f(:\n", "SyntaxError: "), ("import nothing_like_it\n", "ModuleNotFoundError")])
def test_a_file_that_does_not_load(tmp_path, broken, said):
    path = tmp_path / "r.py"
    path.write_text(broken)
    with pytest.raises(RunError, match=rf"does not load: {said}.*\(?line 1"), RewardProcess(f"{path}:f", seconds=1.0) as reward:
        reward(["p"], ["a"])


@pytest.mark.parametrize(
    "changes, said",
    [
        (dict(reward=()), r"reward is \(\); it must be one or more of vowels"),
        (dict(reward=("vowel",)), "reward is 'vowel'; it must be vowels"),
        (dict(reward=("nowhere.py:f",)), "is missing: nowhere.py is not a file"),
        (dict(reward_weights=(1.0, 2.0)), "it must be one number for each of the 1 rewards, or none"),
    ],
)
def test_rewards_that_are_none(changes, said):
    data = load("pydoc", prompt=12)[0]
    with pytest.raises((OptionError, RunError, ValueError), match=said):
        Rewarded(OnlineRecipe(**SMALL | changes), data).start({})


# ------------------------------------------------------------------------------------------------ a run


FLAKY = """
import pathlib
here = pathlib.Path(__file__).parent

def reward(completions):
    count = here / "count"
    done = int(count.read_text()) if count.exists() else 0
    if done == 2 and (here / "broken").exists():
        raise RuntimeError("no more")
    count.write_text(str(done + 1))
    return [float(len(set(text))) for text in completions]
"""


def _train(*words):
    fields = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    return main(["train", "reinforcement/group_policy", "rewards", "--cpu", *fields, "--log-every=1", *words])


def test_a_reward_that_fails_stops_the_run_and_a_resumed_one_ends_in_the_same_bytes(tmp_path, capsys):
    path, runs = tmp_path / "flaky.py", [tmp_path / "whole", tmp_path / "stopped"]
    path.write_text(FLAKY)
    words = [f"--reward={path}:reward", "--minibatches=2", "--accumulate=2", "--kl-target=1.0"]
    assert _train(*words, "--run", str(runs[0])) == 0
    (tmp_path / "count").unlink()
    (tmp_path / "broken").touch()
    capsys.readouterr()
    assert _train(*words, "--run", str(runs[1])) == 3
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "stopped after step 1, which is saved (--resume goes on from it)" in said and "RuntimeError: no more" in said
    (tmp_path / "broken").unlink()
    assert main(["train", "--cpu", "--resume", str(runs[1])]) == 0
    for name in ("checkpoints/step-00000004/state.safetensors", "metrics.csv"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes(), name


def test_a_run_stops_at_the_largest_divergence(tmp_path, capsys):
    words = ["--max-divergence=0.001", "--learning-rate=0.1", "--run", str(tmp_path / "run")]
    assert _train(*words) == 3
    said = capsys.readouterr().err
    assert "nats a completion, above max_divergence, 0.001" in said and "which is saved" in said
    assert main(["sample", str(tmp_path / "run"), "--cpu"]) == 0


def test_the_price_follows_its_target_and_does_not_fall_below_the_first(monkeypatch):
    """By three tenths a round: up beyond the target, as it is on target, and down to where it began."""
    recipe = OnlineRecipe(**SMALL, kl_target=2.0, kl_coefficient=0.1)
    data, nats = data_of(recipe), [0.0, 8.0, 8.0, 2.0, 0.0, 0.0, 0.0]
    experiment = Rewarded(recipe, data)
    monkeypatch.setattr(experiment, "_drawn", lambda batch: (None, None))
    logs = ({"nats": torch.tensor(each), "score": torch.zeros(())} for each in nats)
    monkeypatch.setattr(online, "measured", lambda *given, **options: (None, next(logs)))
    prices = [experiment._collected(data.batch())[1]["price"].item() for _ in range(7)]
    assert prices == pytest.approx([0.1, 0.1, 0.13, 0.169, 0.169, 0.7 * 0.169, 0.1])


# ------------------------------------------------------------------------------------------------ prompts


@pytest.mark.parametrize(
    "lines, said",
    [
        (['{"prompt": "a"}'], "has 1 prompts; at least 2"),
        (['{"prompt": "a"}', '{"prompt": ""}'], "line 2: 'prompt' is empty"),
        (['{"prompt": "a"}', '{"question": "b"}'], "line 2: its columns are question, and prompt before"),
        (['{"text": "a"}'], "line 1: its columns are text; wanted is prompt"),
        (['{"prompt": [{"role": "user", "content": "x"}]}'] * 2, "the model has no chat template"),
        (['{"prompt": 3}'], "'prompt' is int; it must be a text"),
        (['{"prompt": "a", "completions": "b"}'], "a column completions, which is what the policy draws"),
        (['{"prompt": "a", "x": "\\ud800"}'], "a column is no text and no number"),
        (["[]"], "line 1: it is list, not an object"),
    ],
)
def test_prompts_that_cannot_be_used(tmp_path, lines, said):
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as error:
        load(str(path))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_long_prompts_keep_their_end_and_all_of_their_columns(tmp_path):
    path = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"{k} plus one is", "answer": k + 1, "é": None} for k in range(8)]
    path.write_text("\n".join(map(json.dumps, rows)))
    train, held = load(str(path), held_out=0.25, prompt=6)
    assert train.description["remarks"] == ["8 of 8 prompts were cut at their beginning to 6 tokens"]
    found = [row for part in (train, held) for row in rows_of(part.batch()["columns"])]
    assert sorted(found, key=lambda row: row["answer"]) == rows
    assert bytes(train.batch()["tokens"][0].tolist()) == b"one is"


@pytest.mark.parametrize(
    "changes, said",
    [
        (dict(answers=1), "answers is 1; it must be at least 2 with group"),
        (dict(answers=1, estimator="leave_one_out"), "answers is 1; it must be at least 2 with leave_one_out"),
        (dict(context=19), "context is 19; it must be at least prompt [+] completion, 12 [+] 8"),
        (dict(estimator="ppo", ratio="sequence"), "ratio is sequence; it must be token with ppo"),
        (dict(kl_coefficient=0.0, kl_target=1.0), "kl_target is 1.0; it must be none with a kl_coefficient of 0"),
        (dict(minibatches=5), "minibatches is 5; it must be at most the completions of a round, 4"),
    ],
)
def test_options_that_do_not_go_together(changes, said):
    with pytest.raises(ValueError, match=said):
        OnlineRecipe(**SMALL | changes)


def test_a_start_with_another_vocabulary_is_refused(tmp_path):
    assert _train("--run", str(tmp_path / "start"), "--steps=1") == 0
    for changes, said in ((dict(extra_rows=44), "extra_rows is 44, and 0 in"), (dict(width=32), "width is 32, and 16 in")):
        policy = Rewarded(OnlineRecipe(**SMALL | dict(start=str(tmp_path / "start")) | changes), load("pydoc", prompt=12)[0])
        with pytest.raises(OptionError, match=said):
            policy.start({})


# ------------------------------------------------------------------------------------------------ rollouts


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return DecoderTransformer(vocabulary_size=5, context_length=16, width=16, layers=1, heads=2).double().eval()


@pytest.fixture(scope="module")
def drawn(network):
    """Twelve completions of six prompts, which end at token 4 or after 8 tokens."""
    prompts = [torch.arange(length) % 4 for length in (1, 1, 5, 5, 2, 2, 3, 3, 8, 8, 4, 4)]
    return drawn_after(_terms(), network, prompts, end=4, seeds=seeds_of(prompts, torch.Generator().manual_seed(1)))


def _terms(**changes):
    return OnlineRecipe(**SMALL | changes)


def test_a_completion_ends_once_and_each_row_is_as_if_alone(network, drawn):
    log_probs, _ = token_law(_terms(), network, drawn.hidden(network), drawn)
    lengths = drawn.mask.sum(1).tolist()
    assert len(set(lengths)) > 2 and max(lengths) == 8
    for row, (tokens, prompt, length) in enumerate(zip(drawn.tokens, drawn.prompts.tolist(), lengths, strict=True)):
        own = tokens[prompt : prompt + length]
        assert (own[:-1] != 4).all() and (own[-1] == 4 or length == 8) and (tokens[prompt + length :] == 0).all()
        law = torch.distributions.Categorical(logits=network(tokens[None, : prompt + length - 1])[0, prompt - 1 :])
        torch.testing.assert_close(log_probs[row, :length], law.log_prob(own))
        assert (log_probs[row, length:] == 0).all()


def test_a_completion_without_a_reward_has_no_part_in_those_of_the_others():
    scores = torch.tensor([1.0, math.nan, 4.0, 7.0, math.nan, math.nan, 2.0, math.nan])
    nothing, mask = torch.zeros(8, 3), torch.ones(8, 3, dtype=torch.bool)
    known = dict(price=torch.tensor(0.0), whole_batch=ALONE)
    terms = _terms(answers=4, estimator="leave_one_out", standardize=False)
    advantages, _ = advantages_of(terms, scores, nothing, nothing, nothing, mask, **known)
    assert advantages[:, 0].tolist() == [-4.5, 0.0, 0.0, 4.5, 0.0, 0.0, 0.0, 0.0]
    advantages, _ = advantages_of(_terms(answers=4, standardize=False), scores, nothing, nothing, nothing, mask, **known)
    assert advantages[:, 0].tolist() == [-3.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]


def test_several_processes_whiten_as_one_does():
    """Two processes with half of the advantages each, whose sums are added."""
    values, mask = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.rand(6, 4) < 0.7
    from practice_torch.experiments.alignment.rollouts import _whitened

    whole = _whitened(values, mask, ALONE)
    sums = [mask.sum(), values.masked_fill(~mask, 0.0).double().sum()]
    mean = sums[1] / sums[0]
    sums.append((values.double() - mean).masked_fill(~mask, 0.0).square().sum())
    halves = []
    for half in (slice(0, 3), slice(3, 6)):
        answers = iter(sums)
        team = SimpleNamespace(count=2, total=lambda tensor, answers=answers: next(answers))
        halves.append(_whitened(values[half], mask[half], team))
    torch.testing.assert_close(torch.cat(halves), whole)


@pytest.mark.parametrize("estimator", ["ppo", "leave_one_out", "group"])
def test_a_round_and_its_loss_written_out(network, drawn, estimator):
    """Advantages and losses by loops over the tokens of each completion."""
    terms = _terms(estimator=estimator, standardize=False, kl_coefficient=0.3, clip=0.1, trace_decay=0.5, value_coefficient=0.2)
    torch.manual_seed(3)
    reference = DecoderTransformer(vocabulary_size=5, context_length=16, width=16, layers=1, heads=2).double().eval()
    critic = torch.nn.Linear(16, 1).double() if estimator == "ppo" else None
    scores, price = torch.randn(12, dtype=torch.float64), torch.tensor(0.3)
    held, logs = measured(terms, network, reference, critic, drawn, scores, price, ALONE)
    lengths = drawn.mask.sum(1).tolist()
    ratios = [(a - b)[:n] for a, b, n in zip(held.old_log_probs, held.reference_log_probs, lengths, strict=True)]
    assert logs["nats"] == pytest.approx(float(sum(ratio.sum() for ratio in ratios)) / 12, rel=1e-5)
    new = held.old_log_probs + 0.2 * torch.randn(drawn.mask.shape, dtype=torch.float64).masked_fill(~drawn.mask, 0.0)
    values = held.old_values + 1.0 if critic else None
    loss, found = loss_of(terms, held, new, values, torch.zeros_like(new), drawn.mask, price, ALONE)
    wanted = cut = 0.0
    paid = [float(score - 0.3 * ratio.sum()) for score, ratio in zip(scores, ratios, strict=True)]
    for row, n in enumerate(lengths):
        other = row ^ 1
        whole = {"leave_one_out": paid[row] - paid[other], "group": float(scores[row] - scores[other]) / 2, "ppo": 0.0}[estimator]
        advantages = [whole] * n
        if critic:
            old, rewards = held.old_values[row, :n].tolist(), (-0.3 * ratios[row]).tolist()
            rewards[-1] += float(scores[row])
            for t in reversed(range(n)):
                error = rewards[t] + (old[t + 1] if t + 1 < n else 0.0) - old[t]
                advantages[t] = error + (0.5 * advantages[t + 1] if t + 1 < n else 0.0)
        for t in range(n):
            rho, a = math.exp(new[row, t] - held.old_log_probs[row, t]), advantages[t]
            token = -min(rho * a, min(max(rho, 0.9), 1.1) * a)
            cut += (rho > 1.1 and a > 0) or (rho < 0.9 and a < 0)
            if critic:
                token += 0.2 * (old[t] + 1.0 - (a + old[t])) ** 2 / 2 if terms.trace_decay else 0.0
            if estimator == "group":
                d = float(held.reference_log_probs[row, t] - new[row, t])
                token += 0.3 * (math.exp(d) - 1 - d)
            wanted += token / n / 12
    assert float(loss) == pytest.approx(wanted, rel=1e-6)
    assert float(found["clipped"]) == pytest.approx(cut / sum(lengths), rel=1e-6)


def test_prompts_alone_are_no_part_of_what_is_learned(network, drawn):
    """The hidden states are those from which the completion is drawn: a shift by one would pass unnoticed in the shapes."""
    targets = drawn.targets()
    for row, (prompt, n) in enumerate(zip(drawn.prompts.tolist(), drawn.mask.sum(1).tolist(), strict=True)):
        assert torch.equal(targets[row, :n], drawn.tokens[row, prompt : prompt + n])
    later = Drawn(drawn.tokens, drawn.prompts + 1, drawn.mask)
    assert not torch.equal(later.targets(), targets)


# ------------------------------------------------------------------------------------------------ ready rewards


def test_a_ready_reward_says_which_column_it_lacks():
    rows = [{"prompt": "a", "question": "b"}]
    with pytest.raises(RunError, match="reward gsm8k_answer needs the column answer of the data, which have question"):
        Rewards(("gsm8k_answer",), (), 1.0)(rows, ["1"])


def test_rewards_are_added_with_their_weights(functions):
    rewards = Rewards(("vowels", f"{functions}:unsure"), (2.0, 10.0), 10.0)
    assert rewards([{"prompt": "a"}] * 2, ["ab", "e"]).tolist() == [1.0, 22.0]
    rewards.close()
    alone = Rewards((f"{functions}:unsure",), (), 10.0)
    assert str(alone([{"prompt": "a"}] * 2, ["ab", "e"]).tolist()) == "[nan, 2.0]"
    alone.close()


@pytest.mark.parametrize(
    "text, number",
    [
        ("Natalia sold 48/2 = 24 clips.\n#### 72", 72.0),
        ("#### 1,234", 1234.0),
        ("#### $5.50 and so", 5.5),
        ("#### -3", -3.0),
        ("first #### 4, then #### 5", 4.0),
        ("so she has 12 or rather 13.", 13.0),
        ("It is 1,000,000 dollars", 1e6),
        ("none", None),
        ("####", None),
        ("-", None),
    ],
)
def test_the_number_of_an_answer(text, number):
    assert number_in(text) == number


def test_rewards_of_gsm8k_answers_and_of_vowels():
    answers = ["6 * 12 = 72\n#### 72", "#### 72", "#### 72", "no number"]
    assert gsm8k_answer(["72", "#### 27 or 72", "seventy-two", "1"], answers, prompts=[]) == [1.0, 0.0, 0.0, None]
    assert vowels(["aei", "ab", "a1", ""]) == [1.0, 0.5, 0.0, 0.0]
