"""python -m demo.examples NAME RUN [FORMER] : keep the model of a finished run as practice_torch/examples/NAME, and write the
card of all. FORMER: the run whose weights it began from.

Weights are rounded to float16, buffers stay as they are; the metric is measured with the rounded weights, on the held-out data.
Only what drawing and judging need is kept: no moments of the optimizer, no previews.
"""

import json
import re
import shutil
import sys
from pathlib import Path

from practice_torch.commands.loading.examples import FOLDER, examples

KEPT = ("recipe.json", "environment.json", "metrics.csv")
CARD = """# Trained models that come with the package

Each is the folder of a run: `python -m practice_torch sample NAME` draws from it, `practice_torch.load("NAME")` loads it. Weights
are in float16; the metric is measured with them on held-out data, next to that of the trained float32 weights.

| name | trained by | data | parameters | metric | in float32 | target |
|---|---|---|---|---|---|---|
{lines}

`digits` are the handwritten digits of the UCI repository as scikit-learn has them (E. Alpaydin and C. Kaynak, 1998; CC BY 4.0).
`notes` are synthesized by `practice_torch/data`. `pydoc` is the documentation of Python's standard library, as the interpreter
that trained the model has it (PSF License): it may write pieces of it word for word. The models are under the license of this
project (Apache-2.0). They are small, and for learning: what they draw is neither correct nor checked.

`python -m demo.examples NAME RUN` keeps a finished run here, and writes this page.
"""


def keep(name, folder, former=None):
    """Write the example of a run, which may have begun from a former one; RunError if it is none, or not finished."""
    import torch

    from practice_torch.__main__ import main as command
    from practice_torch.commands.drawing import built
    from practice_torch.engine.errors import RunError
    from practice_torch.engine.storage import checkpoint
    from practice_torch.engine.storage.run import Run, write_json
    from practice_torch.engine.storage.state import weights_of

    run, example = Run.open(folder), FOLDER / name
    experiment, recipe = built(run)
    weights, step = weights_of(run, experiment, say=print)
    if not (run.folder / "evaluation.json").is_file():
        raise RunError(f"{run.folder} is not finished: it has no evaluation.json")
    trained = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    shutil.rmtree(example, ignore_errors=True)
    example.mkdir(parents=True)
    for file in KEPT:
        shutil.copyfile(run.folder / file, example / file)
    parameters = {name for name, _ in experiment.named_parameters()}
    tensors = {f"experiment/{key}": t.to(torch.float16) if key in parameters else t for key, t in weights.items()}
    checkpoint.save(example / "checkpoints", step, tensors, {})
    if command(["evaluate", str(example), "--cpu"]):
        raise RunError(f"{example} misses its target in half precision")
    environment = json.loads((example / "environment.json").read_text(encoding="utf-8"))
    environment["rounded"] = {"from": trained["value"], "parameters": sum(p.numel() for p in experiment.parameters())}
    made = [json.loads((Path(each) / "environment.json").read_text(encoding="utf-8")) for each in (former, folder) if each]
    commands = [re.sub(r" --(run \S+|no-compile|cpu)", "", one["command"]) for one in made]
    environment["commands"] = [re.sub(r"--from \S+", "--from RUN", command) for command in commands]
    write_json(example / "environment.json", environment)
    (example / ".lock").unlink(missing_ok=True)


def card():
    """The lines of README.md, one for each example."""
    for name in examples():
        asked, judged, made = (_read(name, file) for file in ("recipe.json", "evaluation.json", "environment.json"))
        sign = "at most" if judged["direction"] == "lower" else "at least"
        cells = (
            name,
            ", then ".join(f"`{command}`" for command in made["commands"]),
            f"{asked['data']['count']:,} of {asked['data']['name']}",
            f"{made['rounded']['parameters']:,}",
            f"{judged['metric'].replace('_', ' ')} {judged['value']:.3g}",
            f"{made['rounded']['from']:.3g}",
            f"{sign} {judged['target']:g}",
        )
        yield f"| {' | '.join(cells)} |"


def _read(name, file):
    return json.loads((FOLDER / name / file).read_text(encoding="utf-8"))


def main(arguments):
    """Returns the exit code."""
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    keep(*arguments)
    (FOLDER / "README.md").write_text(CARD.format(lines="\n".join(card())), encoding="utf-8")
    print(f"{FOLDER / arguments[0]} and {FOLDER / 'README.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
