"""Lectures by their paths: the derivation of a topic's lecture, and the lemmas. Importing this needs neither JAX nor SymPy."""

import ast
import importlib
from dataclasses import dataclass
from pathlib import Path

LECTURES = Path(__file__).resolve().parents[1] / "lectures"
EXERCISES = LECTURES.parent / "exercises"


def derivation_of(topic):
    """The derivation of the lecture on a topic, by the topic's path, with the exercises of the topic's own file if it has one.

    Importing a lecture switches JAX to float64.
    """
    below = topic.replace("/", ".")
    lecture = importlib.import_module(f"theory_jax.lectures.{below}")
    if (EXERCISES / f"{topic}.py").is_file():
        importlib.import_module(f"theory_jax.exercises.{below}")  # adds them to the derivation
    return lecture.derivation


@dataclass(frozen=True)
class Lemma:
    """A lemma that lectures share, with what a page reads of a topic of the syllabus."""

    path: str
    title: str
    family: str = "lemmas"
    lectures: tuple[int, ...] = ()
    requires: tuple[str, ...] = ()
    built: bool = True


def lemmas():
    """The lemmas in the order of their names; titles are read from the files."""
    paths = sorted((LECTURES / "lemmas").glob("[a-z]*.py"))
    titles = [ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("\n")[0].rstrip(".") for path in paths]
    return [Lemma(f"lemmas/{path.stem}", title) for path, title in zip(paths, titles, strict=True)]
