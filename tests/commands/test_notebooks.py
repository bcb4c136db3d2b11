"""Notebooks: written from the sources, executed from the top, and refused where a line does not follow."""

import ast

import nbformat
import numpy as np
import pytest

from notebooks.execution import refused
from notebooks.lecture import PARTS, SETTING, cells_of
from notebooks.topic import ROOT, notebook
from shared_specs.commands.errors import UsageError
from shared_specs.commands.notebook import judge
from shared_specs.grading.against import functions_of
from shared_specs.syllabus import load
from theory_jax.commands.notebook import SEEN, scoped
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.setting import Setting
from theory_jax.pages.html import style

# the figures' numbers, a helper and a symbol of the claim stand below the parts that need them
LECTURE = '''"""Twice a number."""

from sympy import expand
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation

derivation = Derivation(module=__name__, title="Twice a number", question="What is twice a number?", limits=("Halves.",))
x = derivation.number("x", "a number")


@derivation.numeric(r"2 y = 6", because="of the table")
def twice_three():
    return Sides(left=2 * _three(), right=6.0, wrong={"thrice": 9.0})


derivation.say("A sum of powers $x^k$.")
for power in (2, 3):
    derivation.chain(f"One more, to the power {power}", (x + 1) ** power, equals(expand((x + 1) ** power), "count", points=3))
derivation.symbol("y", "three")


def _three():
    return THREE


THREE = 3.0
'''


def shortest_of_each_family():
    """The topic of each family whose lecture has the fewest letters."""
    sizes = {}
    for topic in load().built:
        size = (ROOT / f"theory_jax/lectures/{topic.path}.py").stat().st_size
        sizes.setdefault(topic.family, []).append((size, topic.path))
    return [min(found)[1] for found in sizes.values()]


def execute(sources, names):
    """What a kernel shows after each cell: the value of its last expression."""
    for source in sources:
        body = ast.parse(source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "a cell", "exec"), names)
        if last is not None:
            yield eval(compile(ast.Expression(last.value), "a cell", "eval"), names)


@pytest.mark.weekly
@pytest.mark.parametrize("path", shortest_of_each_family())
def test_a_notebook_of_each_family_is_executed(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = [cell for cell in notebook(path).cells if cell.cell_type == "code" and "install" not in cell.metadata.get("tags", ())]
    names = {}
    shown = list(execute([cell.metadata.get("short", cell.source) for cell in code], names))
    assert all(thing._repr_html_().startswith("<") for thing in shown)
    assert not [line for thing in shown for line in repr(thing).splitlines() if line.startswith("✗")]
    assert len(names["derivation"].parts) > 3 and SEEN.issuperset(names["derivation"].parts)


def test_parts_come_after_what_they_need_and_the_front_matter_is_text():
    cells = list(cells_of(LECTURE, "theory_jax.lectures.toy"))
    assert [cell.code for cell in cells] == [True, True, False, True, True, True]
    imports, start, said, chains, below, step = (cell.source for cell in cells)
    assert "import Sides" in imports and "show" in imports
    assert start.startswith("derivation = Derivation(module='theory_jax.lectures.toy', title='Twice a number')\nx = ")
    assert said == "A sum of powers $x^k$." and chains.startswith("for power") and chains.endswith("\n\nshow(derivation)")
    assert "THREE = 3.0" in below and 'symbol("y"' in below and "twice_three" in step
    with pytest.raises(ValueError, match="twice_three|numeric.*needs a name that nothing defines"):
        list(cells_of(LECTURE.replace("THREE = 3.0\n", "THREE = twice_three and THREE\n"), "toy"))


def test_a_cell_shows_its_parts_and_a_changed_line_is_refused():
    sources, names = [cell.source for cell in cells_of(LECTURE, "toy") if cell.code], {}
    chains, step = execute(sources, names)
    told = "; ".join(f"One more, to the power {power}: checked at 3 points" for power in (2, 3))
    assert repr(chains) == f"✓ {told}" and step.passed
    assert "<math" in chains._repr_html_() and chains._repr_html_().count('class="part chain') == 2

    cell = next(source for source in sources if "for power" in source)
    (wrong,) = execute([cell.replace("expand((x + 1)", "expand((x + 2)")], names)
    assert not wrong.passed and repr(wrong).startswith("✗ One more, to the power 2: false at $x = ")
    (again,) = execute([cell], names)
    assert again.passed and len(names["derivation"].parts) == 3  # the step, and two chains in place of six


def test_the_words_that_a_notebook_knows_are_those_of_a_derivation():
    words = {name for name in vars(Derivation) | vars(Setting) if name[0] != "_" and callable(getattr(Derivation, name))}
    machinery = {"run", "results_of", "lacking", "rests_on", "ground", "check_setting"}
    machinery |= {"require_introduced", "require_letters_introduced"}
    assert words - machinery == PARTS | SETTING | {"say", "exercise"}


def test_a_style_stays_in_its_frame():
    css = scoped(style())
    assert css.startswith("@scope (.diptych) {") and ":root" not in css and "\nbody" not in css and "\nhtml" not in css
    assert ":scope { margin: 0; background: var(--paper)" in css


def test_a_function_is_judged_in_place():
    path = load().built[0].path
    name, names = next(iter(functions_of(path))), {}
    exec(f"def {name}(*arguments, **options): raise NotImplementedError", names)
    verdict = judge(path, names)
    assert repr(verdict) == f"○ {name}: not written yet" and not verdict.passed
    exec(f"def {name}(*arguments, **options): return 1.0", names)
    verdict = judge(path, names[name])
    assert repr(verdict).startswith(f"✗ {name}: ") and "<td" in verdict._repr_html_() and not verdict.passed
    with pytest.raises(UsageError, match=f"^mean: no function of {path}; it must be one of|did you mean"):
        judge(path, np.mean)


def test_a_cell_that_shows_a_refusal_is_no_success():
    shown = nbformat.v4.new_output("execute_result", data={"text/plain": "✓ One: derived\n✗ Two: false at x = 1"})
    assert list(refused(nbformat.v4.new_code_cell("show(derivation)", outputs=[shown]))) == ["✗ Two: false at x = 1"]
