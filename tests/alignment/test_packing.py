"""Demonstrations packed into rows: the loss and its gradient are those of the examples one by one, and so are kept references."""

import dataclasses
import json

import pytest
import torch

from practice_torch.data.alignment import load
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import OptionError
from practice_torch.experiments.alignment.offline import AlignmentRecipe, build
from practice_torch.experiments.alignment.policy import as_reference
from practice_torch.experiments.alignment.scoring import kept_log_probs, scored

CONTEXT, SIZES = 24, dict(context=24, layers=2, width=16, heads=2)
WORDS = ("a", "bcd", "e f g h", "ij klmn opq", "rstuvw" * 4)


def rows(folder, columns):
    """Examples of many lengths; the longest are cut."""
    path, made = folder / "rows.jsonl", []
    for number in range(40):
        prompt, texts = WORDS[number % 5], [WORDS[(number * k + k) % 5] for k in (2, 3)]
        pair = {"prompt": prompt, "chosen": texts[0], "rejected": texts[1]}
        made.append(pair if texts[0] != texts[1] else pair | {"rejected": "other"})
    path.write_text("\n".join(map(json.dumps, made)))
    return load(path, columns=columns, context=CONTEXT), path


@pytest.mark.parametrize("form", ["gpt2", "llama"])
def test_loss_and_gradient_of_packed_rows_are_those_of_the_examples(form, tmp_path):
    (train, held), path = rows(tmp_path, "completions")
    packed, same = load(path, columns="completions", context=CONTEXT, packing=True)
    assert torch.equal(same.tokens, held.tokens), "an evaluation is of the same examples"
    assert len(packed) < len(train) and packed.description["remarks"][-1].startswith(f"{len(train)} examples are packed")
    recipe = AlignmentRecipe(method="supervised", form=form, key_value_heads=1, biases="all", **SIZES)
    torch.manual_seed(0)
    experiment = build(recipe, train).double()
    found = []
    for data in (train, packed):
        loss, logs = experiment(data.batch(), "train")
        gradient = torch.autograd.grad(loss, tuple(experiment.policy.parameters()), materialize_grads=True, allow_unused=True)
        found.append([loss, logs["accuracy"], torch.tensor(int(experiment.count(data.batch(), "train"))), *gradient])
    for ours, wanted in zip(*found, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-10, atol=1e-12)


def test_every_example_is_in_one_row_and_rows_are_well_filled(tmp_path):
    (train, _), path = rows(tmp_path, "completions")
    packed, _ = load(path, columns="completions", context=CONTEXT, packing=True)
    texts = []
    for tokens, numbers, learned in zip(packed.tokens, packed.segments, packed.learned, strict=True):
        for number in numbers.unique().tolist():
            own = numbers == number
            if learned[own].any():
                texts.append(tuple(tokens[own].tolist()))
    known = [tuple(row[0, :length].tolist()) for row, length in zip(train.tokens, train.lengths[:, 0], strict=True)]
    assert sorted(texts) == sorted(known)
    assert len(packed) <= 1 + sum(map(len, known)) / (0.9 * CONTEXT)


def test_kept_log_probs_are_those_of_the_reference(tmp_path):
    (train, held), _ = rows(tmp_path, "pairs")
    recipe = AlignmentRecipe(keep_reference=True, batch_size=7, **SIZES)
    torch.manual_seed(0)
    experiment = build(recipe, train).double()
    experiment.prepare(train, held)
    assert experiment.reference is None
    torch.manual_seed(0)
    other = build(dataclasses.replace(recipe, keep_reference=False), train).double()
    with torch.no_grad():
        for one in (experiment, other):
            for parameter in one.policy.parameters():
                parameter.mul_(1.1)
    for data in (train, held):
        losses = [one(data.batch(), "train")[0] for one in (experiment, other)]
        torch.testing.assert_close(*losses, rtol=1e-9, atol=1e-12)
    ours, wanted = experiment.evaluate(held), other.evaluate(held)
    assert ours == pytest.approx(wanted, rel=1e-9)
    elsewhere = dataclasses.replace(held, description=held.description | {"sha256": "other"})
    with pytest.raises(OptionError, match="keep_reference is on, .* leave --data out"):
        experiment.evaluate(elsewhere)


def test_processes_share_what_is_kept(tmp_path):
    """Each computes some batches, and the sum is all of it."""
    (train, held), _ = rows(tmp_path, "pairs")
    experiment = build(AlignmentRecipe(**SIZES), train)

    def share(rank, count):
        whole = WholeBatch()
        whole.rank, whole.count, whole.total = rank, count, lambda tensor: tensor
        return kept_log_probs(experiment._of_policy, (train, held), torch.zeros(40, 2), whole, 4)

    parts = [share(rank, 3) for rank in range(3)]
    assert all((part == 0).any() for part in parts)
    torch.testing.assert_close(sum(parts), share(0, 1))


def test_what_is_masked_gets_no_log_prob(tmp_path):
    (train, _), _ = rows(tmp_path, "pairs")
    experiment = build(AlignmentRecipe(**SIZES), train)
    tokens, mask = torch.arange(12).view(2, 6), torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 0, 1]]).bool()
    log_probs, likeliest = scored(experiment.policy, tokens, mask)
    wanted = experiment.policy(tokens)[:, :-1].log_softmax(-1)
    torch.testing.assert_close(log_probs, wanted.gather(-1, tokens[:, 1:, None])[..., 0] * mask)
    assert torch.equal(likeliest, (wanted.argmax(-1) == tokens[:, 1:]) & mask)
    with as_reference(experiment.policy, experiment.reference) as network:
        assert not scored(network, tokens, mask)[0].requires_grad


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (dict(packing=True), "packing is True; it must be off with the method dpo"),
        (dict(method="kto", keep_reference=True), "keep_reference is True; it must be off with kto"),
        (dict(method="simpo", keep_reference=True), "keep_reference is True; it must be off with simpo; on with dpo"),
    ],
)
def test_options_that_do_not_go_together(options, wrong):
    with pytest.raises(ValueError, match=wrong):
        AlignmentRecipe(**options, **SIZES)
