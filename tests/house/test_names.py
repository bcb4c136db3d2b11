"""One public name is one function, one concept one keyword; both rules have been seen to refuse a tree that breaks them."""

import pytest

from tests.house.test_house import FUNCTION, HOUSE, ROOT, SYLLABUS, URN, build_house, plus
from tests.support.house.names import KEYWORDS, PROTOCOL, homes, shared_names, stray_keywords
from tests.support.house.rules import WINGS

LOSSES = {"theory_jax/ground/coin.py": f"{HOUSE['theory_jax/ground/coin.py']}\ndef loss(x, *, gamma):\n    return gamma * x\n"}
REINFORCED = {"shared_specs/syllabus.toml": SYLLABUS.replace("ground", "reinforcement")} | {
    path.replace("ground", "reinforcement"): text.replace("ground", "reinforcement") for path, text in LOSSES.items()
}


@pytest.mark.rule
@pytest.mark.parametrize("rule", [shared_names, stray_keywords])
def test_this_house_breaks_no_rule_of_names(rule):
    assert list(rule(ROOT)) == []


@pytest.mark.rule
@pytest.mark.parametrize("wing", WINGS)
def test_every_name_of_the_protocol_is_shared(wing):
    assert [name for name in PROTOCOL if len(homes(ROOT, wing)[name]) < 2] == []


@pytest.mark.parametrize(
    ("changes", "blames"),
    [
        (URN, ["theory_jax: heads is defined in first/urn and in ground/coin", "practice_torch: heads is defined in"]),
        (
            plus("practice_torch/ground/coin.py", "class Toss: pass") | {"practice_torch/first/urn.py": "class Toss: pass"},
            ["practice_torch: Toss is defined in"],
        ),
        ({"theory_jax/first/urn.py": "from theory_jax.ground.coin import heads as heads"}, []),
        ({f"theory_jax/{topic}.py": FUNCTION.replace("heads", "inverse") for topic in ("ground/coin", "first/urn")}, []),
    ],
    ids=["a function", "a network", "imported", "of the protocol"],
)
def test_a_name_of_two_topics_is_refused_unless_one_imports_it(changes, blames, tmp_path):
    _refused(shared_names, build_house(tmp_path, changes), blames)


@pytest.mark.parametrize(
    ("changes", "blames"),
    [
        *(
            (plus("theory_jax/ground/coin.py", f"def toss(x, *, {word}): return x"), [f"coin.py: toss has the argument {word}"])
            for word, (_, families) in KEYWORDS.items()
            if not families
        ),
        (
            plus("practice_torch/ground/coin.py", "class Toss:\n    def __init__(self, *, dimensions): self.dim = dimensions"),
            ["coin.py: Toss has the argument dimensions; call it dim"],
        ),
        (LOSSES, []),
        (REINFORCED, ["reinforcement/coin.py: loss has the argument gamma; call it discount"]),
        (plus("theory_jax/ground/coin.py", "def _toss(x, *, steps): return x"), []),
    ],
)
def test_a_keyword_of_another_spelling_is_refused(changes, blames, tmp_path):
    _refused(stray_keywords, build_house(tmp_path, changes), blames)


def _refused(rule, root, blames):
    found = list(rule(root))
    assert len(found) == len(blames) and all(blame in line for blame, line in zip(blames, found, strict=True)), found
