"""Texts of both networks, each with its own distribution, twice as long as their context."""

from practice_torch.experiments.autoregressive.normalization import DepthStudy
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built


def draws_the_law_of_each_network():
    experiment = built("autoregressive/normalization", context=20)
    experiment.post, experiment.pre = Letters(0, context=20), Letters(1, context=20)
    parts = experiment.sample(50)["text"].text.split("\n\n")
    for place in ("pre", "post"):
        texts = [part.split("\n")[1] for part in parts if part.startswith(f"[{place}-norm]")]
        assert len(texts) == 50 and {len(text) for text in texts} == {40}
        require_texts(texts, getattr(experiment, place).table)


SAMPLERS = {
    draws_the_law_of_each_network: {
        "one network for both": (DepthStudy.sample, "getattr(self, place)(", "getattr(self, 'pre')("),
        "as long as the context": (DepthStudy.sample, "range(2 *", "range(1 *"),
        "the first bytes seen": (DepthStudy.sample, "written[:, -self.recipe.context :]", "written[:, : self.recipe.context]"),
        "every byte seen": (DepthStudy.sample, "written[:, -self.recipe.context :]", "written"),
        "a sharper law": (DepthStudy.sample, "logits.float()", "(2 * logits.float())"),
        "the law of the byte before": (DepthStudy.sample, ")[:, -1]", ")[:, 0]"),
    }
}
