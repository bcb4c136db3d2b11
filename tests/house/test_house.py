"""The rules of the house hold, and each refuses a small tree that breaks it."""

from pathlib import Path

import pytest

from shared_specs.commands.syllabus_page import BEGIN, COUNT_BEGIN, COUNT_END, END, PAGE, page, renewed
from shared_specs.syllabus import load
from tests.support.house import rules as house
from tests.support.house.circles import import_circles
from tests.support.house.folders import MOST, crowded_folders
from tests.support.house.private import private_names
from tests.support.house.sides import equal_sides
from tests.support.house.topics import COMPOSED, EXAMPLES, mirrored_functions, named_topics, place_of, topics_named

ROOT = Path(__file__).resolve().parents[2]
RULES = (
    house.wrong_imports,
    house.missing_mirrors,
    house.unequal_signatures,
    house.unspecified,
    house.unreadable_docstrings,
    house.wrong_lectures,
    private_names,
    house.empty_shells,
    house.unannotated,
    house.undescribed_packages,
    house.two_programs,
    house.stray_colors,
    house.stale_syllabus_pages,
    import_circles,
    equal_sides,
    crowded_folders,
    named_topics,
    mirrored_functions,
)


@pytest.mark.rule
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_this_house_breaks_no_rule(rule):
    assert list(rule(ROOT)) == []


@pytest.mark.rule
def test_every_exception_of_the_rule_about_topics_is_needed():
    named = {(place_of(path), topic) for path, _, topic in topics_named(ROOT)}
    assert {topic for place, topic in named if place is None} == set(EXAMPLES)
    assert {place for place, _ in named} == {None, *COMPOSED}


# ---------------------------------------------------------------------------------------------------- a small sound house

SYLLABUS = """
floors = [["ground"], ["first"]]
[[modules]]
number = 1
title = "Start"
lectures = [{ number = 1, title = "Coins" }]
[topics."ground/coin"]
title = "Coins"
lectures = [1]
[topics."first/urn"]
title = "Urns"
asked_for_by = "guide"
"""
FUNCTION = '''
def heads(x, *, scale=1.0):
    """scale x.

    [B, D] -> [B]
    """
    return scale * x.sum(-1)
'''
THEORY = f"from theory_jax.ground import _sides\n{FUNCTION}"
LECTURE = """
import jax.numpy as jnp
from sympy import log
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.ground import _sides
from theory_jax.ground.coin import heads
from theory_jax.lectures.lemmas.even import EVEN
derivation = Derivation(title="Heads are counted", lectures=(1,))

@derivation.exact("a = a", because="so")
def counted():
    total = heads(jnp.ones((1, 2)))
    return Sides(left=total, right=2.0 * jnp.ones(1))
"""
HOUSE = {
    "shared_specs/syllabus.toml": SYLLABUS,
    "shared_specs/rows.py": "Agree = tuple",
    "shared_specs/ground/coin.py": (
        "from shared_specs.ground._cases import FAIR\nfrom shared_specs.rows import Agree\n"
        'SPEC = (Agree("heads", "regular", FAIR),)'
    ),
    "shared_specs/ground/_cases.py": "import numpy as np\nFAIR = np.array([0.5, 0.5])",
    "theory_jax/derivation/kinds.py": "import jax\nSides = jax",
    "theory_jax/derivation/lecture.py": "import jax\nDerivation = jax",
    "theory_jax/derivation/loading.py": "import importlib\nL = importlib.import_module('theory_jax.lectures.' + TOPIC)",
    "theory_jax/ground/coin.py": THEORY,
    "theory_jax/ground/_sides.py": "SIDES = 2",
    "theory_jax/lectures/ground/coin.py": LECTURE,
    "theory_jax/exercises/ground/coin.py": "from theory_jax.lectures.ground.coin import _two, derivation\nS = _two",
    "theory_jax/lectures/lemmas/even.py": "from sympy import Rational\nEVEN = Rational(1, 2)",
    "practice_torch/ground/coin.py": f"import torch\n{FUNCTION}",
    "tests/ground/mistakes_coin.py": "MISTAKES = (1,)",
    "practice_torch/experiments/ground/coin.py": (
        "from practice_torch.engine import loop\nfrom practice_torch.experiments.play import toss\n"
        "from practice_torch.ground.coin import heads"
    ),
    "practice_torch/experiments/play/toss.py": "import torch\nfrom practice_torch.ground import coin",
    "practice_torch/projects/game.py": (
        "from practice_torch.experiments.ground import coin\nfrom practice_torch.ground import coin as c"
    ),
    "practice_torch/commands/project.py": "import importlib\nG = importlib.import_module(f'practice_torch.projects.{NAME}')",
    "practice_torch/engine/loop.py": "import accelerate\nLOOP = accelerate",
    "practice_torch/engine/artifacts.py": "import numpy\nFigure = numpy",
    "practice_torch/pictures/coin.py": "import math\nimport numpy\nfrom practice_torch.engine.artifacts import Figure",
}
PACKAGES = {*house.WINGS, "practice_torch/experiments", "theory_jax/lectures", "theory_jax/exercises"}
PACKAGES |= {str(Path(name).parent) for name in HOUSE if name.startswith(house.THREE) and name.endswith(".py")}
HOUSE |= {f"{package}/__init__.py": '"""What is here."""' for package in PACKAGES}


def build_house(root, changes=()):
    """The small sound house and its pages; then some files replaced, added, or (None) taken away."""
    for name, text in HOUSE.items():
        _write(root / name, text)
    syllabus = load.__wrapped__(root / "shared_specs/syllabus.toml")  # not remembered: it may be about to change
    _write(root / "README.md", renewed(f"# House\n{COUNT_BEGIN}{COUNT_END}\n{BEGIN}\n{END}\n", root, syllabus))
    _write(root / PAGE, page(root, syllabus))
    for name, text in dict(changes).items():
        if text is None:
            (root / name).unlink()
        else:
            _write(root / name, text)
    return root


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_small_house_breaks_no_rule(rule, tmp_path):
    assert list(rule(build_house(tmp_path))) == []


# ---------------------------------------------------------------------------------------------------- and every way to break one

COIN_SPEC = HOUSE["shared_specs/ground/coin.py"]
URN = {
    "shared_specs/first/urn.py": COIN_SPEC,
    "theory_jax/first/urn.py": FUNCTION,
    "theory_jax/lectures/first/urn.py": f"from theory_jax.lectures.ground.coin import counted\n{LECTURE}".replace("(1,)", "()"),
    "practice_torch/first/urn.py": FUNCTION,
}


def planted(rule, name, changes, blames):
    return pytest.param(rule, changes, blames, id=f"{rule.__name__}: {name}")


def plus(path, line):
    """A file of the small house with one more line at its end."""
    return {path: f"{HOUSE[path]}\n{line}\n"}


PLANTED = (
    planted(house.wrong_imports, "a spec with a backend", plus("shared_specs/ground/coin.py", "import jax"), "numpy only"),
    planted(
        house.wrong_imports,
        "a spec with another spec",
        plus("shared_specs/ground/coin.py", "from shared_specs.first.urn import SPEC as URNS"),
        "numpy only",
    ),
    planted(
        house.wrong_imports,
        "a spec with the cases of another family",
        {"shared_specs/first/_cases.py": "RED = 1"}
        | plus("shared_specs/ground/coin.py", "from shared_specs.first._cases import RED"),
        "numpy only",
    ),
    planted(
        house.wrong_imports,
        "cases with a backend",
        plus("shared_specs/ground/_cases.py", "import torch"),
        "_cases.py:3 imports torch",
    ),
    planted(house.wrong_imports, "a spec with logic", plus("shared_specs/ground/coin.py", "import math"), "numpy only"),
    planted(
        house.wrong_imports,
        "a backend in the hinge, inside a function",
        {"shared_specs/checking/check.py": "def f():\n    import torch\n    return torch"},
        "backends only",
    ),
    planted(
        house.wrong_imports, "torch in the theory", plus("theory_jax/ground/coin.py", "import torch"), "other wing's language"
    ),
    planted(
        house.wrong_imports,
        "the practice in the theory, by import_module",
        plus("theory_jax/derivation/lecture.py", "import importlib\nB = importlib.import_module('practice_torch.ground.coin')"),
        "never see each other",
    ),
    planted(
        house.wrong_imports,
        "the theory in the practice, by an f-string",
        plus("practice_torch/engine/loop.py", "import importlib\nT = importlib.import_module(f'theory_jax.{LOOP}')"),
        "never see each other",
    ),
    planted(
        house.wrong_imports, "jax in the practice", plus("practice_torch/engine/loop.py", "import jax.numpy"), "other wing's"
    ),
    planted(
        house.wrong_imports,
        "a topic in the engine",
        plus("practice_torch/engine/loop.py", "from practice_torch.ground import coin"),
        "see topics",
    ),
    planted(
        house.wrong_imports,
        "a topic in the pictures",
        plus("practice_torch/pictures/coin.py", "from practice_torch.ground import coin"),
        "see topics",
    ),
    planted(
        house.wrong_imports,
        "the engine's loop in the pictures",
        plus("practice_torch/pictures/coin.py", "from practice_torch.engine import loop"),
        "made of arrays",
    ),
    *(
        planted(
            house.wrong_imports,
            f"{part} in a topic",
            plus("practice_torch/ground/coin.py", f"from practice_torch.{part} import coin as c"),
            f"{part} is for its experiment",
        )
        for part in ("engine", "data", "pictures", "reports")
    ),
    *(
        planted(
            house.wrong_imports,
            f"{module} in a topic",
            plus("practice_torch/ground/coin.py", f"import {module}"),
            f"imports {module}: a topic here is written in",
        )
        for module in ("tyro", "matplotlib.pyplot")
    ),
    *(
        planted(
            house.wrong_imports,
            f"an experiment in {path}",
            plus(path, "from practice_torch.experiments.ground import coin as c"),
            "see experiments",
        )
        for path in ("practice_torch/ground/coin.py", "practice_torch/engine/loop.py", "practice_torch/pictures/coin.py")
    ),
    *(
        planted(
            house.wrong_imports,
            f"a command in {path}",
            plus(f"practice_torch/{path}", "import practice_torch.commands.recipes"),
            "see commands",
        )
        for path in ("experiments/ground/coin.py", "engine/loop.py", "projects/game.py")
    ),
    *(
        planted(
            house.wrong_imports,
            f"a project in {path}",
            plus(f"practice_torch/{path}", "import practice_torch.projects.game"),
            "sees projects",
        )
        for path in ("experiments/ground/coin.py", "engine/loop.py", "projects/game.py")
    ),
    planted(
        house.wrong_imports,
        "the theory in an experiment",
        plus("practice_torch/experiments/ground/coin.py", "import theory_jax.ground.coin"),
        "never see each other",
    ),
    planted(house.wrong_imports, "a peer in a topic", plus("practice_torch/ground/coin.py", "import sklearn"), "is written in"),
    planted(
        house.wrong_imports,
        "the checker in a topic",
        plus("practice_torch/ground/coin.py", "from shared_specs.checking.check import run")
        | {"shared_specs/checking/check.py": "def run(): return 1"},
        "constants",
    ),
    planted(house.wrong_imports, "a relative import", plus("practice_torch/engine/loop.py", "from . import x"), "whole path"),
    planted(
        house.wrong_imports,
        "a higher floor",
        URN | plus("theory_jax/ground/coin.py", "from theory_jax.first.urn import heads as h"),
        "lower floor",
    ),
    planted(
        house.wrong_imports,
        "a lecture of a higher floor in a lecture",
        URN | plus("theory_jax/lectures/ground/coin.py", "from theory_jax.lectures.first.urn import counted as c"),
        "lectures/ground/coin.py:16 imports theory_jax.lectures.first.urn: first is not on a lower floor",
    ),
    *(
        planted(
            house.wrong_imports,
            f"a lecture in {path}",
            plus(path, "from theory_jax.lectures.ground.coin import counted"),
            "only lectures, their exercises, __main__ files and tests see lectures",
        )
        for path in ("theory_jax/ground/coin.py", "theory_jax/ground/_sides.py", "theory_jax/derivation/lecture.py")
    ),
    *(
        planted(
            house.wrong_imports,
            f"{part} in {path}",
            plus(path, f"from theory_jax.{part} import x"),
            f"{part} is for {allowed} only",
        )
        for part, allowed, path in (
            ("derivation", "commands and derivation and exercises and lectures and pages", "theory_jax/ground/coin.py"),
            ("pages", "commands and pages", "theory_jax/ground/coin.py"),
            ("pages", "commands and pages", "theory_jax/lectures/ground/coin.py"),
            ("pages", "commands and pages", "theory_jax/derivation/lecture.py"),
        )
    ),
    planted(
        house.wrong_imports,
        "another topic's lecture in exercises",
        URN | plus("theory_jax/exercises/ground/coin.py", "from theory_jax.lectures.first.urn import counted as c"),
        "exercises see their own lecture",
    ),
    planted(
        house.wrong_imports,
        "exercises in a lecture",
        plus("theory_jax/lectures/ground/coin.py", "import theory_jax.exercises.ground.coin"),
        "exercises are imported by loading.py alone",
    ),
    planted(
        house.wrong_imports,
        "a lecture in a lemma",
        {"theory_jax/lectures/lemmas/odds.py": "from theory_jax.lectures.ground.coin import counted"},
        "a lemma rests on lemmas only",
    ),
    planted(
        house.wrong_imports,
        "functions in a lemma",
        {"theory_jax/lectures/lemmas/odds.py": "from theory_jax.ground.coin import heads"},
        "lemmas/odds.py:1 imports theory_jax.ground.coin",
    ),
    planted(house.wrong_imports, "a peer in a lemma", {"theory_jax/lectures/lemmas/odds.py": "import sklearn"}, "a lecture is"),
    planted(house.wrong_imports, "SymPy in a topic", plus("theory_jax/ground/coin.py", "from sympy import log"), "a topic here"),
    planted(
        house.wrong_imports, "a peer in a lecture", plus("theory_jax/lectures/ground/coin.py", "import sklearn"), "a lecture is"
    ),
    *(
        planted(house.missing_mirrors, f"half built, without {path}", {path: None}, f"ground/coin is half built: {path} is")
        for path in HOUSE
        if "coin.py" in path and path.split("/")[1] not in ("pictures", "experiments")
    ),
    planted(
        house.missing_mirrors,
        "half built, with a lecture alone",
        {"theory_jax/lectures/first/urn.py": LECTURE},
        "first/urn is half built: shared_specs/first/urn.py, theory_jax/first/urn.py, practice_torch/first/urn.py, theory_jax/e",
    ),
    planted(house.missing_mirrors, "unknown to the syllabus", {"theory_jax/ground/die.py": THEORY}, "ground/die is not a topic"),
    planted(
        house.missing_mirrors,
        "a lecture unknown to the syllabus",
        {"theory_jax/lectures/ground/die.py": LECTURE},
        "theory_jax/lectures/ground/die.py is there, but ground/die is not a topic",
    ),
    planted(
        house.missing_mirrors, "mistakes of nothing", {"tests/ground/mistakes_die.py": "MISTAKES = (1,)"}, "ground/die is not a"
    ),
    *(
        planted(
            house.missing_mirrors, f"{kind} of nothing", {f"tests/ground/{kind}_die.py": "X = 1"}, "ground/die is not a topic"
        )
        for kind in ("network", "sampler", "metrics", "literal")
    ),
    planted(
        house.missing_mirrors,
        "an objective of nothing",
        {"tests/ground/objective_die.py": "OBJECTIVE = 1"},
        "ground/die has no experiment",
    ),
    planted(
        house.missing_mirrors,
        "an experiment of a topic that is not built",
        {"practice_torch/experiments/first/urn.py": "X = 1"},
        "experiments/first/urn.py is there, but first/urn is not a topic that is built",
    ),
    planted(
        house.missing_mirrors,
        "an experiment of nothing",
        {"practice_torch/experiments/coin.py": "X = 1"},
        "experiments/coin.py is there, but coin is not",
    ),
    planted(house.missing_mirrors, "a family no one knows", {"theory_jax/attic/coin.py": THEORY}, "theory_jax/attic is neither"),
    planted(
        house.unequal_signatures,
        "another name",
        {"practice_torch/ground/coin.py": FUNCTION.replace("(x,", "(y,")},
        "heads(y, *, scale",
    ),
    planted(
        house.unequal_signatures,
        "another default",
        {"practice_torch/ground/coin.py": FUNCTION.replace("=1.0", "=2.0")},
        "scale=2.0",
    ),
    planted(
        house.unequal_signatures,
        "positional",
        {"practice_torch/ground/coin.py": FUNCTION.replace("*, ", "")},
        "heads(x, scale=1.0)",
    ),
    planted(
        house.unequal_signatures,
        "one wing only",
        plus("practice_torch/ground/coin.py", "def tails(x):\n    return -x"),
        "tails is missing in theory_jax",
    ),
    planted(
        house.unequal_signatures,
        "a network of one wing",
        plus("theory_jax/ground/coin.py", "class Net:\n    size = 1"),
        "class Net is missing",
    ),
    planted(house.unspecified, "no row", {"shared_specs/ground/coin.py": COIN_SPEC.replace('"heads"', '"tails"')}, "about heads"),
    planted(
        house.unspecified,
        "rejected only",
        {"shared_specs/ground/coin.py": COIN_SPEC.replace("(Agree(", "(Rejects(")},
        "about heads",
    ),
    planted(
        house.unreadable_docstrings,
        "no shapes",
        {"practice_torch/ground/coin.py": FUNCTION.replace("[B, D] -> [B]", "")},
        "practice_torch/ground/coin.py: heads",
    ),
    planted(
        house.unreadable_docstrings,
        "shapes no one can read",
        {"theory_jax/ground/coin.py": THEORY.replace("[B, D] ->", "B x D ->")},
        "cannot read",
    ),
    planted(
        house.unreadable_docstrings,
        "an argument more",
        {"practice_torch/ground/coin.py": FUNCTION.replace("[B, D] ->", "[B], [D] ->")},
        "differs from wing to wing",
    ),
    planted(
        house.unreadable_docstrings,
        "a source in one wing",
        {"practice_torch/ground/coin.py": FUNCTION.replace("[B, D] ->", "Source: Kolmogorov 1933.\n    [B, D] ->")},
        "the docstring of heads differs from wing to wing",
    ),
    planted(
        house.wrong_lectures,
        "of another topic",
        {"theory_jax/lectures/ground/coin.py": LECTURE.replace("(1,)", "(1, 2)")},
        "those of the syllabus are (1,)",
    ),
    planted(
        house.wrong_lectures,
        "none",
        {"theory_jax/lectures/ground/coin.py": LECTURE.replace(", lectures=(1,)", "")},
        "names the lectures ()",
    ),
    planted(
        private_names,
        "imported from another file",
        plus("practice_torch/engine/loop.py", "from practice_torch.engine.artifacts import _draw"),
        "practice_torch.engine.artifacts._draw, which is private to its file",
    ),
    planted(
        private_names,
        "used from another module",
        plus("theory_jax/ground/coin.py", "from theory_jax.derivation import lecture\nrun = lecture._execute"),
        "uses lecture._execute",
    ),
    planted(
        private_names,
        "used on another file's object",
        plus("practice_torch/engine/loop.py", "def step(study):\n    return study._begun"),
        "uses study._begun",
    ),
    planted(
        private_names,
        "a module of another family",
        URN | {"theory_jax/first/urn.py": THEORY},
        "_sides is for the files of theory_jax.ground only",
    ),
    planted(
        private_names,
        "a module of another family in a lecture",
        URN | {"theory_jax/lectures/first/urn.py": LECTURE},
        "_sides is for the files of theory_jax.ground only",
    ),
    planted(
        private_names,
        "a lectures' module in a function",
        {"theory_jax/lectures/ground/_coins.py": "COINS = 2"}
        | plus("theory_jax/ground/coin.py", "from theory_jax.lectures.ground._coins import COINS"),
        "_coins is for the files of theory_jax.lectures.ground only",
    ),
    planted(
        private_names,
        "a name out of a module of another family",
        URN
        | {"practice_torch/first/urn.py": f"from practice_torch.ground._sides import SIDES\n{FUNCTION}"}
        | {"practice_torch/ground/_sides.py": "SIDES = 2"},
        "_sides is for the files of practice_torch.ground only",
    ),
    planted(
        private_names,
        "a family's module in a part",
        plus("practice_torch/engine/loop.py", "import practice_torch.ground._sides")
        | {"practice_torch/ground/_sides.py": "S = 2"},
        "_sides is for the files of practice_torch.ground only",
    ),
    planted(
        private_names,
        "another file's name in exercises",
        plus("theory_jax/exercises/ground/coin.py", "from theory_jax.ground.coin import _weigh"),
        "theory_jax.ground.coin._weigh, which is private to its file",
    ),
    planted(
        private_names, "twice private", {"theory_jax/ground/_sides.py": "SIDES = 2\ndef _turn():\n    return 1"}, "defines _turn"
    ),
    planted(house.empty_shells, "an empty file", {"practice_torch/engine/loop.py": ""}, "loop.py holds nothing"),
    planted(house.empty_shells, "words only", {"theory_jax/ground/coin.py": '"""Soon."""'}, "coin.py holds nothing"),
    planted(
        house.empty_shells,
        "a stub",
        plus("practice_torch/ground/coin.py", "def tails(x):\n    raise NotImplementedError"),
        "tails has no",
    ),
    planted(house.empty_shells, "an ellipsis", plus("practice_torch/engine/loop.py", "class Loop:\n    ..."), "Loop has no body"),
    planted(
        house.empty_shells,
        "an interface without words",
        plus("practice_torch/engine/loop.py", "class Loop(Protocol):\n    def run(self): ..."),
        "run has no body",
    ),
    planted(
        house.empty_shells,
        "no step",
        {"theory_jax/lectures/ground/coin.py": LECTURE.replace("@derivation.exact", "@other.exact")},
        "derives nothing",
    ),
    planted(
        house.empty_shells,
        "no derivation",
        {"theory_jax/lectures/ground/coin.py": LECTURE.replace("derivation = ", "d = ")},
        "derives nothing",
    ),
    planted(
        house.empty_shells, "no function", {"practice_torch/ground/coin.py": "import torch\nX = torch.ones(1)"}, "defines nothing"
    ),
    planted(house.empty_shells, "no rows", {"shared_specs/ground/coin.py": "SPEC = ()"}, "has no rows"),
    planted(
        house.unannotated,
        "an argument",
        plus("practice_torch/engine/loop.py", "def run(steps: int, bar=None) -> int:\n    return steps"),
        "run: no type for bar",
    ),
    planted(
        house.unannotated,
        "the result of a method",
        plus("practice_torch/engine/loop.py", "class Loop:\n    def run(self, steps: int):\n        return steps"),
        "run: no type for the result",
    ),
    *(
        planted(
            named_topics,
            f"in {path}: {text}",
            {path: text},
            f"{path}:{line} names ground/coin: move what is about this topic to its own files",
        )
        for path, text, line in (
            ("tests/support/tables.py", "SLOW = {1}\nSEEN = {'ground/coin': 1}", 2),
            ("tests/test_all.py", "from practice_torch.ground.coin import heads", 1),
            ("tests/test_all.py", "from theory_jax.ground import coin", 1),
            ("tests/test_all.py", "import practice_torch.experiments.ground.coin", 1),
            ("tests/test_all.py", "from tests.ground.mistakes_coin import MISTAKES\nPATCH = 'theory_jax.ground.coin.heads'", 2),
            ("demo/page.py", "def run():\n    return ['train', 'ground/coin', 'digits']", 2),
            ("practice_torch/engine/loop.py", "SLOW = 'ground/coin'", 1),
            ("shared_specs/rows.py", "PLANNED = f'{1} first/urn and ground/coin'", 1),
        )
    ),
    planted(
        named_topics, "a planned topic", {"tests/support/tables.py": "PLANNED = ['first/urn']"}, "tables.py:1 names first/urn:"
    ),
    planted(
        mirrored_functions,
        "a copy",
        {"tests/ground/test_coin.py": "import numpy\n\ndef heads(x):\n    return numpy.sum(x, -1)"},
        "tests/ground/test_coin.py:3 defines heads, a function of ground/coin: rename it",
    ),
    planted(
        mirrored_functions,
        "a copy in a class, in another file",
        {"tests/ground/literal_coin.py": "class Coin:\n    def heads(x):\n        return x.sum(-1)"},
        "tests/ground/literal_coin.py:2 defines heads",
    ),
    planted(
        import_circles,
        "of two modules, one import in a function",
        plus("theory_jax/ground/_sides.py", "def f():\n    from theory_jax.ground import coin\n    return coin"),
        "theory_jax.ground._sides imports theory_jax.ground.coin imports theory_jax.ground._sides: move",
    ),
    planted(
        import_circles,
        "one import for annotations only",
        plus("practice_torch/ground/coin.py", "if TYPE_CHECKING:\n    from practice_torch.projects.game import PROJECT"),
        "practice_torch.ground.coin imports practice_torch.projects.game",
    ),
    *(
        planted(
            equal_sides,
            name,
            plus("theory_jax/lectures/ground/coin.py", f"X = heads(2)\ndef again(x):\n    {body}"),
            f"theory_jax/lectures/ground/coin.py:{line} {blames}",
        )
        for name, body, line, blames in (
            (
                "one expression twice",
                "return Sides(left=heads(x) + 1, right=heads(x)+1)",
                18,
                "compares heads(x) + 1 with itself",
            ),
            ("under another name", "left = heads(x)\n    right = left\n    return Sides(left=left, right=right)", 20, "compares"),
            ("one of them named", "twice = heads(x)\n    return Sides(left=twice, right=heads(x))", 19, "compares twice with"),
            ("a name of the file", "return kinds.Sides(left=X, right=heads(2), wrong={'one': 1})", 18, "compares X with"),
            ("without names", "return Sides(heads(x), 2 * x)", 18, "does not name its sides"),
        )
    ),
    planted(
        crowded_folders,
        "helpers of tests",
        {f"tests/support/{number}.py": "X = 1" for number in range(MOST + 1)},
        f"tests/support has {MOST + 1} Python files",
    ),
    planted(
        crowded_folders,
        "a folder named after a family in another place",
        {f"practice_torch/engine/ground/{number}.py": "X = 1" for number in range(MOST + 1)},
        f"practice_torch/engine/ground has {MOST + 1} Python files",
    ),
    planted(house.undescribed_packages, "no __init__.py", {"theory_jax/ground/__init__.py": None}, "ground/__init__.py is"),
    planted(house.undescribed_packages, "no docstring", {"practice_torch/engine/__init__.py": "X = 1"}, "engine/__init__.py is"),
    planted(house.undescribed_packages, "of specs", {"shared_specs/ground/__init__.py": "X = 1"}, "ground/__init__.py is"),
    planted(house.unannotated, "of the hinge", plus("shared_specs/rows.py", "def given(x) -> int: return x"), "no type for x"),
    planted(
        house.two_programs,
        "another value when traced",
        plus("theory_jax/ground/coin.py", "def tails(x):\n    if isinstance(x, Tracer):\n        x = -x\n    return x"),
        "does not only check",
    ),
    planted(
        house.two_programs,
        "a choice in an expression",
        plus("theory_jax/ground/coin.py", "def tails(x):\n    return x if isinstance(x, jax.core.Tracer) else -x"),
        "does not only check",
    ),
    planted(house.stray_colors, "in a picture", plus("practice_torch/pictures/coin.py", "C = '#0072b2'"), "coin.py:4 has the"),
    planted(house.stray_colors, "of matplotlib", plus("practice_torch/pictures/coin.py", 'C = "tab:blue"'), "color tab:blue"),
    planted(house.stray_colors, "in a style sheet", {"demo/demo.css": "p { color: #fff; }"}, "demo.css:1 has the color #fff"),
    planted(
        house.stale_syllabus_pages,
        "another summary",
        {"README.md": f"{COUNT_BEGIN}1{COUNT_END}{BEGIN}\n\n{END}\n"},
        "README.md differs",
    ),
    planted(
        house.stale_syllabus_pages,
        "an experiment taken away",
        {"practice_torch/experiments/ground/coin.py": None},
        "docs/syllabus.md differs",
    ),
    planted(
        house.stale_syllabus_pages,
        "another title in the source",
        {"theory_jax/lectures/ground/coin.py": LECTURE.replace("Heads are", "Tails are")},
        "docs/syllabus.md differs",
    ),
)


def test_the_folder_of_a_family_holds_as_many_topics_as_it_has(tmp_path):
    many = {f"tests/ground/mistakes_{number}.py": "X = 1" for number in range(MOST + 1)}
    assert list(crowded_folders(build_house(tmp_path, many))) == []


@pytest.mark.parametrize(("rule", "changes", "blames"), PLANTED)
def test_a_broken_house_is_refused(rule, changes, blames, tmp_path):
    found = list(rule(build_house(tmp_path, changes)))
    assert any(blames in line for line in found), found


def test_every_rule_was_seen_to_refuse():
    assert {case.values[0] for case in PLANTED} == set(RULES)
