"""Checks a user's file by the contracts: every row of the functions it defines, and lists unchecked parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from shared_specs.checking.check import MISSING, Checker, spec_of
from shared_specs.grading.declared import signature
from shared_specs.grading.foreign import Offered, Terms
from shared_specs.grading.recorded_answers import NOT_RECORDED, recorded_reference
from shared_specs.grading.user_file import in_one_line, load_module
from shared_specs.rows import Agree, Law, Model, Row


class UnknownName(Exception):
    """An option has a name that neither the topics nor the file contain."""


@dataclass
class Judged:
    """The results of a comparison, and the parts that were not compared.

    not_judged: short phrases for the verdict line. remarks: the same in full. touched: the topics that the file has part in.
    """

    results: list = field(default_factory=list)
    touched: list = field(default_factory=list)
    not_judged: list = field(default_factory=list)
    remarks: list = field(default_factory=list)


def functions_of(topic: str) -> dict[str, Row]:
    """The names that a topic's rows are about, in the order of the spec, each with a row that shows a call: Agree, if any."""
    rows = [row for row in spec_of(topic) if getattr(row, "function", None)]
    first = {}
    for row in rows:
        first.setdefault(row.function, row)
    for row in reversed(rows):
        if isinstance(row, Agree):
            first[row.function] = row
    return first


def examples(topic: str) -> str:
    """A few of the expected names."""
    return ", ".join(list(functions_of(topic))[:3])


def check_file(path: Path, topics: Sequence[str], *, strict: bool, terms: Terms | None = None) -> Judged:
    """Check a user's file by the rows of the topics of which it defines a function or a network.

    Functions that the file lacks are left out, and said. Bad input that the file accepts is a remark unless strict.
    Raises Fault if the file does not load, and UnknownName if the terms name what neither side has.
    """
    return check_module(load_module(path), str(path), topics, strict=strict, terms=terms)


def check_module(module: ModuleType, place: str, topics: Sequence[str], *, strict: bool, terms: Terms | None = None) -> Judged:
    """The same for a module that is there already. place: what messages call it."""
    terms = terms or Terms()
    offers = [Offered(module, topic, [_with_constants(row, terms.constant) for row in spec_of(topic)], terms) for topic in topics]
    offers = [offered for offered in offers if offered.functions or offered.networks]
    judged = Judged(touched=[offered.topic for offered in offers])
    if offers:
        _require_known(place, offers, terms)
    for offered in offers:
        offered.detect()
        reference = recorded_reference(offered.topic) if terms.recorded else None
        results = [_check(offered, row, precision, reference) for precision in terms.precisions for row in offered.rows]
        judged.results += [result for found in results for result in found if result.quantity != MISSING]
        _say_what_is_missing(judged, place, offered)
        methods = [r.message for found in results for r in found if r.quantity == MISSING and r.word == "Model"]
        _say(judged, f"methods not in {place}", list(dict.fromkeys(methods)), offered.topic)
        _say(judged, "laws that need gradients", _laws_left_out(offered, results), offered.topic)
    if terms.recorded:
        judged.not_judged.append(NOT_RECORDED)
    elif terms.values_only:
        judged.not_judged.append("gradients (--values-only)")
    elif terms.constant:
        judged.not_judged.append(f"gradients of {', '.join(terms.constant)} (--without-gradient)")
    if len(terms.precisions) == 1:
        judged.not_judged.append("float32" if terms.precisions == ("float64",) else "float64, bad input included")
    if not strict:
        _excuse_accepted_input(judged)
    return judged


def _with_constants(row, constant):
    """The row without gradients of the arguments that are constants."""
    if not isinstance(row, Agree) or not set(constant) & set(row.given.arguments):
        return row
    names = row.given.arguments if row.differentiate is None else row.differentiate
    return replace(row, differentiate=tuple(name for name in names if name not in constant))


def _require_known(place, offers, terms):
    """Raises UnknownName for a name that the terms give and that neither the topics nor the file know."""
    functions = dict.fromkeys(name for offered in offers for name in (*offered.functions, *offered.lacking))
    arguments = dict.fromkeys(a for one in offers for name in one.functions for a in signature(one.topic, name).parameters)
    for name in terms.constant:
        if name not in arguments:
            raise UnknownName(f"--without-gradient {name}: no such argument; there are {', '.join(arguments)}")
    for ours, yours in terms.renamed.items():
        if ours not in functions and ours not in arguments:
            raise UnknownName(f"--rename {ours}={yours}: {ours} is neither a function nor an argument of {offers[0].topic}")
        if not any(ours in offered.functions or offered.takes(ours, yours) for offered in offers):
            raise UnknownName(f"--rename {ours}={yours}: {place} has no function {yours}, and none that takes {yours} for {ours}")


def _check(offered, row, precision, reference):
    """One row's results. Whatever the file raises, SystemExit too, is a failed comparison."""
    if reference and isinstance(row, Model):
        return []
    checker = Checker(offered.topic, offered.implementation(row, precision), reference)
    try:
        return checker.run([row])
    except (Exception, KeyboardInterrupt):  # a RowFault is the spec's, Ctrl-C the user's
        raise
    except BaseException as error:
        return [checker.failed(row, f"raised {in_one_line(error)}")]


def _laws_left_out(offered, results):
    """The laws that need a gradient that the file lacks: skipped in every precision, and not about an order (float64 only)."""
    laws = [(i, row) for i, row in enumerate(offered.rows) if isinstance(row, Law)]
    return [row.case for i, row in laws if not any(results[i :: len(offered.rows)]) and row.relation != "order"]


def _say_what_is_missing(judged, place, offered):
    _say(judged, f"functions not in {place}", offered.lacking, offered.topic)
    _say(judged, "cases that raise NotImplementedError", sorted(offered.not_offered), offered.topic)
    with_gradient = {row.function for row in offered.rows if isinstance(row, Agree) and not row.no_gradient}
    in_numpy = [name for name, found in offered.backends.items() if found == "numpy" and name in with_gradient]
    if not offered.terms.recorded:
        _say(judged, "gradients of functions in NumPy", in_numpy, offered.topic)


def _say(judged, what, names, topic):
    """A phrase for the verdict line, with the first names, and a remark with all of them."""
    if names:
        more = f" and {len(names) - 2} more" if len(names) > 3 else ""
        judged.not_judged.append(f"{what}: {', '.join(names[:2] if more else names)}{more}")
        judged.remarks.append(f"{topic}: {what}: {', '.join(names)}")


def _excuse_accepted_input(judged):
    """Report bad input that the file accepts, without counting it as a failure."""
    accepted = dict.fromkeys(f"{r.function} ({r.case})" for r in judged.results if r.word == "Rejects" and not r.passed)
    judged.results = [r for r in judged.results if r.word != "Rejects" or r.passed]
    if accepted:
        judged.not_judged.append(f"bad input that is accepted: {len(accepted)} cases (--strict)")
        judged.remarks.append(f"accepts bad input that the wings reject (--strict counts it): {', '.join(accepted)}")
