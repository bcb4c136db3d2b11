"""Texts of every scheme, each with its own distribution, four times as long as the training windows."""

from types import SimpleNamespace

from practice_torch.experiments.autoregressive.position import Extrapolation
from tests.support.known_texts import START, Letters, require_texts
from tests.support.samplers import built


def draws_the_law_of_each_scheme():
    """Learned positions see the last windows, all others the whole text; the adapted angles are four times as slow."""
    experiment, context = built("autoregressive/position", context=16), 16
    schemes = experiment.recipe.schemes
    assert {"learned", "adapted", "rotary"} <= set(schemes)
    for seed, scheme in enumerate(schemes):
        law = Letters(seed, context=context if scheme == "learned" else 4 * context)
        law.positions = SimpleNamespace(scale=None)
        if scheme != "learned":
            law.register_forward_pre_hook(_sees_the_beginning)
        setattr(experiment, scheme, law)
    texts = experiment.sample(25)["text"].text.split("\n\n")
    for scheme in schemes:
        mine = [text.split("\n")[1] for text in texts if text.startswith(f"[{scheme}]")]
        assert len(mine) == 25 and {len(text) for text in mine} == {4 * context - 1}
        require_texts(mine, getattr(experiment, scheme).table)
        assert getattr(experiment, scheme).positions.scale == (4 if scheme == "adapted" else 1)


def _sees_the_beginning(law, arguments):
    assert (arguments[0][:, 0] == ord(START)).all(), "the beginning of the text is not read"


SAMPLERS = {
    draws_the_law_of_each_scheme: {
        "all see the last window": (Extrapolation.sample, 'if scheme == "learned" else written', ""),
        "all see everything": (Extrapolation.sample, "written[:, -self.recipe.context :] if", "written if"),
        "one network for all": (Extrapolation._logits, "getattr(self, scheme)", "self.rotary"),
        "the scale of the training": (Extrapolation.sample, "_MULTIPLES[-1] if scheme", "1.0 if scheme"),
        "a byte too many": (Extrapolation.sample, "self.recipe.context - 1)", "self.recipe.context)"),
        "a sharper law": (Extrapolation.sample, "logits.float()", "(2 * logits.float())"),
    }
}
