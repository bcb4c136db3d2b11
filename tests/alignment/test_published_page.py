"""The scripts that docs/published_alignment.md prints: what they write is what the recipes read. And the recipes' networks."""

import json
import math
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from practice_torch.data.alignment.rows import read_rows
from practice_torch.experiments.alignment.offline import AlignmentRecipe
from practice_torch.experiments.alignment.policy import policy_network
from practice_torch.experiments.alignment.published_alignment import GPT2_LARGE, QWEN2_BILLION_AND_HALF, QWEN2_HALF_BILLION
from practice_torch.experiments.alignment.ready_rewards import gsm8k_answer

pytest.importorskip("tokenizers")
PAGE = (Path(__file__).parents[2] / "docs" / "published_alignment.md").read_text(encoding="utf-8")
SCRIPTS = dict(re.findall(r"`(\w+)\.py`[^`]*```python\n(.*?)```", PAGE, re.DOTALL))


def run(monkeypatch, name, *words):
    """The script, in the current folder."""
    Path(f"{name}.py").write_text(SCRIPTS[name], encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    runpy.run_path(f"{name}.py", run_name="__main__")


def rows_of(name):
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def test_problems_become_prompts_with_the_number_of_their_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = {"question": "What is 1 plus 2?", "answer": "1+2=<<1+2=3>>3\n#### 3"}
    Path("train.jsonl").write_text(json.dumps(problem) + "\n", encoding="utf-8")
    run(monkeypatch, "gsm8k", "train.jsonl")
    (row,) = rows_of("gsm8k.jsonl")
    asked = 'What is 1 plus 2? Let\'s think step by step and output the final answer after "####".'
    assert row["prompt"] == [{"role": "user", "content": asked}] and row["answer"] == "3"
    assert gsm8k_answer(["It is #### 3", "It is #### 4"], answer=[row["answer"]] * 2) == [1.0, 0.0]


def test_reviews_become_prompts_and_pairs(tmp_path, monkeypatch):
    from pyarrow import parquet, table
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    monkeypatch.chdir(tmp_path)
    vocabulary = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.save("tokenizer.json")
    Path("imdb").mkdir()
    reviews = ["A film.<br />It is good.", "Another film, of which I remember nothing."]
    parquet.write_table(table({"text": reviews, "label": [1, 0]}), "imdb/train-0.parquet")
    run(monkeypatch, "imdb", "prompts", "imdb", "tokenizer.json")
    reviews[0] = reviews[0].replace("<br />", "\n")
    assert [row["text"] for row in rows_of("reviews.jsonl")] == reviews
    prompts = [row["prompt"] for row in rows_of("imdb_prompts.jsonl")]
    assert all(review.startswith(prompt) and 2 <= len(prompt) <= 8 for review, prompt in zip(reviews, prompts, strict=True))
    drawn = [{"prompt": "A", "completion": text} for text in (" bad", " good", " good", " fine film", " ")]
    Path("completions.jsonl").write_text("\n".join(map(json.dumps, drawn)), encoding="utf-8")
    lengths = SimpleNamespace(positive=lambda prompts, completions: [len(text) for text in completions])
    monkeypatch.setitem(sys.modules, "sentiment", lengths)
    run(monkeypatch, "imdb", "pairs", "completions.jsonl")
    pairs = rows_of("imdb_pairs.jsonl")
    assert [(pair["chosen"], pair["rejected"]) for pair in pairs] == [
        (" good", " bad"), (" good", " bad"), (" fine film", " bad"), (" fine film", " good"), (" fine film", " good"),
    ]  # fmt: skip
    assert len(read_rows(Path("imdb_pairs.jsonl"), "pairs")) == 5


@pytest.mark.parametrize(
    "sizes, vocabulary, count",
    [
        (GPT2_LARGE, 50257, 774_030_080),
        (QWEN2_HALF_BILLION, 151936, 494_032_768),
        (QWEN2_BILLION_AND_HALF, 151936, 1_543_714_304),
    ],
)
def test_the_policies_have_the_parameters_of_the_published_models(sizes, vocabulary, count):
    with torch.device("meta"):
        network = policy_network(AlignmentRecipe(**sizes), vocabulary)
    assert sum(part.numel() for part in network.parameters()) == count


class Classifier(torch.nn.Module):
    """Logits of two classes from two tokens; "POSITIVE" is the first."""

    config = SimpleNamespace(label2id={"POSITIVE": 0, "NEGATIVE": 1})

    def forward(self, input_ids, attention_mask):
        return SimpleNamespace(logits=(input_ids * attention_mask).double())


def test_the_classifier_gives_the_probability_that_a_review_is_positive(tmp_path, monkeypatch):
    asked = []
    known = {"input_ids": torch.tensor([[3, 4], [5, 1]]), "attention_mask": torch.tensor([[1, 1], [1, 0]])}
    tokenizer = lambda texts, **how: asked.extend(texts) or known  # noqa: E731
    kinds = {"AutoTokenizer": tokenizer, "AutoModelForSequenceClassification": Classifier()}
    library = {name: SimpleNamespace(from_pretrained=lambda folder, given=given: given) for name, given in kinds.items()}
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(**library))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    Path("sentiment.py").write_text(SCRIPTS["sentiment"], encoding="utf-8")
    assert runpy.run_path("sentiment.py")["positive"](["a", "b"], [" good", " bad"]) == pytest.approx(
        [1 / (1 + math.exp(1)), 1 / (1 + math.exp(-5))]
    )
    assert asked == ["a good", "b bad"]
