"""The two sheets of an exam, its questions and its answers, as HTML or as Markdown.

Questions speak of their lecture's symbols and of its example, so the sheet of questions ends with what is given: of each lecture
the setting, the symbols and the worked example.
"""

from dataclasses import dataclass

from markupsafe import Markup

from theory_jax.pages.html import embedded_font, style, templates


@dataclass(frozen=True)
class Sheets:
    """drawn_from: the topics and the seed, in words. questions: (Item of an exercise, topic) in order. lectures: their Pages."""

    drawn_from: str
    questions: tuple
    lectures: tuple

    def html(self, *, answers):
        """One sheet as a file that needs no other and no network."""
        template = templates().get_template("exam.html.jinja")
        shared = {"links": {}, "wrong": {}, "style": Markup(embedded_font() + style()), "answers": answers, **vars(self)}
        return template.render(title=_title(answers), **shared)

    def markdown(self, *, answers):
        """One sheet with its mathematics between dollar signs."""
        lines = [f"# {_title(answers)}", self.drawn_from]
        for number, (question, topic) in enumerate(self.questions, start=1):
            lines.append(f"{number}. ({question.level}, {topic}) {question.before}")
            if answers:
                lines += [f"   Hint: {question.hint}"] if question.hint else []
                lines += [f"   {question.after}", f"   {'✓' if question.passed else '✗'} {question.words}"]
        if not answers:
            lines.append("## What is given")
            lines += [line for page in self.lectures for line in _given(page)]
        return "\n\n".join(lines) + "\n"


def _title(answers):
    return "Exam: answers" if answers else "Exam"


def _given(page):
    yield f"### {page.title} ({page.topic})"
    yield from map(str, page.setting)
    examples = [item for item in page.body if item.form == "example"]
    for item in examples:
        yield f"{'The' if len(examples) == 1 else 'An'} example: {item.before}"
        yield "\n".join(f"- ${row.latex}$" for row in item.rows)
    yield "\n".join(
        f"- ${symbol.latex}$: {symbol.meaning}" + (f", {symbol.assumed}" if symbol.assumed else "") for symbol in page.symbols
    )
