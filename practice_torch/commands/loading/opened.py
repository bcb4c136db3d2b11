"""A run folder as a notebook shows it: practice_torch.open_run(RUN)."""

from functools import partial
from pathlib import Path
from typing import Any

from practice_torch.commands.loading.examples import folder_of
from practice_torch.commands.loading.model import TrainedModel, table
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.run import Run
from practice_torch.reports.records import read_evaluation, read_metrics


class OpenedRun:
    """The results in a run folder, finished or still in training: each property reads its file again."""

    def __init__(self, run: str | Path) -> None:
        self.run = Run.open(folder_of(run))
        self.folder = self.run.folder

    @property
    def metrics(self) -> dict[str, list[tuple[int, float]]]:
        """What was logged, by "phase/name": [(step, value)]."""
        found = {}
        for step, phase, name, value in read_metrics(self.folder / "metrics.csv", []):
            found.setdefault(f"{phase}/{name}", []).append((step, value))
        return found

    @property
    def evaluation(self) -> dict[str, Any]:
        """The content of evaluation.json: the metrics on held-out data, and the target; empty before an evaluation."""
        return read_evaluation(self.folder / "evaluation.json", [])

    @property
    def curve(self) -> Figure:
        """The recipe's metric over the steps, with its target; before the first evaluation the losses of the training."""
        metrics, name = self.metrics, self.run.asked["fields"].get("metric")
        judged = {f"evaluate/{name}": metrics[f"evaluate/{name}"]} if f"evaluate/{name}" in metrics else {}
        losses = {key: points for key, points in metrics.items() if key.endswith("/loss")}
        shown = judged if len(next(iter(judged.values()), ())) > 1 or not losses else losses
        if not shown:
            raise RunError(f"{self.folder} has logged nothing yet")
        return Figure(partial(_draw, shown, self.evaluation if shown is judged else {}), size=(6.0, 3.2))

    def load(self, **options: Any) -> TrainedModel:
        """Its trained model; options as in practice_torch.load."""
        return TrainedModel.load(self.folder, **options)

    def __repr__(self) -> str:
        return f"OpenedRun({self.folder}: {self.run.asked['topic']} {self.run.asked['recipe']})"

    def _repr_html_(self) -> str:
        asked, judged = self.run.asked, self.evaluation
        rows = {"run": str(self.folder), "recipe": f"{asked['topic']} {asked['recipe']}"}
        if judged:
            sign = "at most" if judged["direction"] == "lower" else "at least"
            target = "" if judged["target"] is None else f", target {sign} {judged['target']:g}"
            metric = f"{judged['metric'].replace('_', ' ')} {judged['value']:.5g}{target}"
            rows["evaluated"] = f"at step {judged['step']:,}: {metric}"
            explains = judged.get("explains", {})
            for name, value in judged["metrics"].items():
                unit, meaning = (explains.get(name, {}).get(part, "") for part in ("unit", "meaning"))
                rows[name.replace("_", " ")] = f"{value:.5g} {unit}" + (f": {meaning}" if meaning else "")
        return table(rows) + (self.curve._repr_html_() if self.metrics else "")


def _draw(curves, evaluation, axes):
    for name, points in curves.items():
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, marker="." if len(steps) < 30 else "", label=name.replace("_", " "))
    if evaluation.get("target") is not None:
        axes.axhline(evaluation["target"], color="0.5", linestyle=":", label="target")
    axes.set(xlabel="step")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
