"""Texts of both policies, each of a known law of letters, with the score that the judge gives them."""

from practice_torch.experiments.preference.pipeline import Pipeline
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built


def draws_the_law_of_each_policy():
    """Four times as long as completions; a vowel is worth 1, and the line's end at the beginning counts."""
    experiment = built("preference/pipeline", completion=8)
    laws = {"dpo": Letters(0, context=12), "ppo": Letters(1, context=12)}
    experiment.policy, experiment.tuned = laws["dpo"], laws["ppo"]
    parts = experiment.sample(40)["text"].text.split("\n\n")
    assert len(parts) == 80
    for way, law in laws.items():
        mine = [part.split("\n") for part in parts if part.startswith(f"[{way}, ")]
        texts = [text for _, text in mine]
        assert len(texts) == 40 and {len(text) for text in texts} == {32}
        require_texts(texts, law.table)
        assert [title for title, _ in mine] == [f"[{way}, score {text.count('a') / 33:.2f}]" for text in texts]


SAMPLERS = {
    draws_the_law_of_each_policy: {
        "one policy for both": (Pipeline._tuned, '"ppo": self.tuned', '"ppo": self.policy'),
        "as long as completions": (Pipeline.sample, "4 * self.recipe.completion", "self.recipe.completion"),
        "another text's score": (Pipeline.sample, "scores.tolist()", "scores.flip(0).tolist()"),
    }
}
