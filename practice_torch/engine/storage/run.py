"""A run folder: the recipe, the results, and everything needed to resume.

recipe.json        topic, recipe, its fields, the data's description; "from": the run whose weights it began from, if it did;
                   "imported": the published weights that it has; "extended": the numbers of steps that it had before
environment.json   versions, device, command, commit; seconds and peak memory
metrics.csv        step, phase, name, value: the same bytes whether or not the run was interrupted
times.csv          step, seconds spent training, tokens (images, ...) per second, share of the GPU's peak if it is known
                   (these do differ from run to run)
tensorboard/       the same metrics and previews for TensorBoard, if the recipe asks for them
checkpoints/       the newest two, and those that --keep-every keeps for good: see checkpoint.py
best/              with --keep-best or --patience: the weights of the best evaluation, and of the best before it, as checkpoints
previews/          <step>-<name>.png, .txt or .wav (with its picture as .png), captions.json
evaluation.json    the metrics on held-out data, next to the target
sample_metrics.json  metrics of samples with intervals, by `evaluate --samples`
samples/, study/   results of `sample` and of `evaluate --study`
"""

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage.lock import Lock

if TYPE_CHECKING:  # torch, which reading a run folder does not need
    from practice_torch.engine.artifacts import Artifact

METRICS_HEADER = "step,phase,name,value\n"
TABLES = {"metrics.csv": METRICS_HEADER, "times.csv": "step,seconds,rate,utilization\n"}  # and their first lines
BEFORE_RECIPE = {".lock", ".recipe.json"}  # all that is there until recipe.json is
BEFORE_FIRST_CHECKPOINT = BEFORE_RECIPE | {"recipe.json", "metrics.csv", "times.csv", "checkpoints", "tensorboard"}


@dataclass(frozen=True)
class Run:
    """An existing run folder. `asked` is the content of recipe.json; a process that writes into the folder must hold the lock."""

    folder: Path
    asked: dict
    lock: Lock = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "lock", Lock(self.folder))

    @classmethod
    def create(
        cls,
        where: str | Path | None,
        topic: str,
        name: str,
        recipe: Recipe,
        description: Mapping[str, Any],
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> "Run":
        """Create a run in `where`, or in runs/<topic>-<recipe>-<n> with the first free n; its lock is held.

        `where` must be missing, empty, or the folder of the same command stopped before its first checkpoint. more: further
        entries of recipe.json.
        """
        asked = {"topic": topic, "recipe": name, "fields": recipe.fields(), "data": description, **more}
        run = cls(_claim(where, f"{topic.replace('/', '-')}-{name}"), asked)
        _require_unbegun(run)  # before anything is written into a folder that may be another's
        run.lock.take()
        try:
            _require_unbegun(run)  # it may have begun meanwhile
            run.write_json("recipe.json", asked)
        except OSError as error:
            run.remove()
            raise RunError(f"cannot write into {run.folder}: {error.strerror}") from error
        except BaseException:
            run.lock.release()
            raise
        return run

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open an existing run folder. RunError if it is not one."""
        folder = Path(folder)
        try:
            if not folder.is_dir():
                kind = "is a file, not a run folder" if folder.exists() else "does not exist"
                raise RunError(f"{folder} {kind}; runs are folders that `train` made, by default runs/<topic>-<recipe>-<n>")
            names = set(os.listdir(folder))
        except OSError as error:
            raise RunError(f"{folder} cannot be read: {error.strerror}") from None
        if names and names <= BEFORE_RECIPE:
            raise RunError(f"{folder} has no recipe.json yet, because its training stopped early: repeat its `train` command")
        return cls(folder, _asked(folder))

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def best(self) -> Path:
        return self.folder / "best"

    def has_begun(self) -> bool:
        """Whether there is a checkpoint, valid or not."""
        return any(self.checkpoints.glob("step-*"))

    def require_no_steps(self) -> None:
        """RunError if steps were recorded, which a checkpoint precedes: to begin anew would overwrite the records."""
        times = self.folder / "times.csv"
        rows = times.read_text(encoding="utf-8", errors="replace").splitlines()[1:] if times.is_file() else []
        if rows:
            step = rows[-1].split(",")[0]
            mend = f"put {self.checkpoints} back, or train again with another --run"
            raise RunError(f"{self.folder} has no checkpoint any more, though it was trained to step {step}: {mend}")

    def require_lengths(self, lengths: object) -> None:
        """RunError, worded to follow a checkpoint's path, if metrics.csv or times.csv is shorter than at the checkpoint."""
        if not isinstance(lengths, list) or len(lengths) != len(TABLES) or not all(type(length) is int for length in lengths):
            raise RunError(f"gives {lengths!r} as the lengths of {' and '.join(TABLES)}; they must be numbers of bytes")
        for name, length in zip(TABLES, lengths, strict=True):
            size = (self.folder / name).stat().st_size if (self.folder / name).is_file() else 0
            if not len(TABLES[name]) <= length <= size:
                raise RunError(f"saw {length} bytes of {self.folder / name}, which has {size}: the file was cut")

    def extend(self, steps: int) -> None:
        """Let the run have more steps, in memory: whoever resumes it writes recipe.json. "extended" lists the numbers before."""
        before = self.asked["fields"]["steps"]
        self.asked["extended"] = [*self.asked.get("extended", []), before]
        self.asked["fields"] = self.asked["fields"] | {"steps": steps}

    def as_extended(self, identity: Mapping[str, Any]) -> Mapping[str, Any]:
        """The identity of a checkpoint that was written before the run was extended, as it would be now."""
        fields = identity.get("fields")
        if not isinstance(fields, dict) or fields.get("steps") not in self.asked.get("extended", []):
            return identity
        return identity | {"fields": fields | {"steps": self.asked["fields"]["steps"]}}

    def remove(self) -> None:
        """Delete a run that has no checkpoint yet."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.release()

    def write_json(self, name: str, content: Any) -> None:
        """Replace a JSON file atomically."""
        write_json(self.folder / name, content)

    def save_artifacts(self, artifacts: Mapping[str, "Artifact"], step: int) -> list[Path]:
        """Write artifacts to previews/<step>-<name>, with their captions; returns the paths."""
        return save_artifacts(artifacts, self.folder / "previews", prefix=f"{step:08d}-")

    def restored_recipe(self, recipe_class: type[Recipe]) -> Recipe:
        """The recipe of recipe.json, checked by its class. JSON has no tuples: lists become tuples again."""
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in self.asked["fields"].items()}
        try:
            return recipe_class(**fields)
        except (TypeError, ValueError) as error:
            raise RunError(f"{self.folder / 'recipe.json'} does not fit the recipe of {self.asked['topic']}: {error}") from None


class Records:
    """Writes metrics.csv, times.csv and, if asked, TensorBoard's files. Without a folder, it writes nothing.

    lengths: lengths of the two files at the checkpoint from which the run resumes; None for new files.
    tensorboard: the step from which on its files are written, None for no files.
    """

    def __init__(self, folder: Path | None, lengths: Sequence[int] | None = None, tensorboard: int | None = None) -> None:
        self._rows, self._board = (), None
        if folder is None:
            return
        for name, header in TABLES.items() if lengths is None else ():
            (folder / name).write_text(header, encoding="utf-8")
        self._rows = [Rows(folder / name, length) for name, length in zip(TABLES, lengths or (None, None), strict=True)]
        if tensorboard is not None:
            self._board = _tensorboard(folder / "tensorboard", tensorboard)

    def add(self, step: int, phase: str, name: str, value: float) -> None:
        """Add one value of one phase at one step."""
        if self._rows:
            self._rows[0].add(step, phase, name, value)
        if self._board:
            self._board.add_scalar(f"{phase}/{name}", value, step)

    def show(self, step: int, name: str, artifact: "Artifact") -> None:
        """Give TensorBoard a preview: a picture, a sound with its picture, or a text."""
        if self._board:
            artifact.onto(self._board, f"preview/{name}", step)

    def time(self, step: int, seconds: float, rate: float, utilization: float | None) -> None:
        """Add the seconds of training until this step and how fast it was, and flush all rows."""
        if self._rows:
            self._rows[1].add(step, round(seconds, 3), round(rate, 3), "" if utilization is None else round(utilization, 4))
        for rows in self._rows:
            rows.flush()

    def sync(self) -> list[int]:
        """Sync to disk; returns the lengths of the two files."""
        return [rows.sync() for rows in self._rows]

    def close(self) -> None:
        for file in (*self._rows, *filter(None, [self._board])):
            file.close()


def _tensorboard(folder, step):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError("--tensorboard needs the package tensorboard: pip install tensorboard, or leave the flag out") from None
    return SummaryWriter(folder, purge_step=step + 1)  # hides entries that an interrupted run wrote after its last checkpoint


class Rows:
    """A CSV file that grows row by row, cut back to the length that it had at a checkpoint."""

    def __init__(self, path: Path, length: int | None = None) -> None:
        self._file = open(path, "r+", encoding="utf-8", newline="")  # noqa: SIM115 - open as long as the run
        if length is not None:
            self._file.truncate(length)
        self._file.seek(0, os.SEEK_END)

    def add(self, *cells: object) -> None:
        self._file.write(",".join(repr(cell) if isinstance(cell, float) else str(cell) for cell in cells) + "\n")

    def sync(self) -> int:
        """Sync to disk; returns the length of the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def write_json(path: Path, content: Any) -> None:
    """Replace a JSON file atomically."""
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)


def save_artifacts(artifacts: Mapping[str, "Artifact"], folder: str | Path, prefix: str = "") -> list[Path]:
    """Write every artifact to <prefix><name><suffix>, with its picture if it has one, and add captions; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    captions_file = folder / "captions.json"
    captions = json.loads(captions_file.read_text(encoding="utf-8")) if captions_file.exists() else {}
    paths = []
    pictures = [(name, artifact.picture) for name, artifact in artifacts.items() if hasattr(artifact, "picture")]
    for name, artifact in (*artifacts.items(), *pictures):
        path = folder / f"{prefix}{name}{artifact.suffix}"
        aside = folder / f".{path.name}"  # the same suffix: writers choose the format by it
        artifact.save(aside)
        aside.replace(path)
        captions[path.name] = artifact.caption
        paths.append(path)
    write_json(captions_file, captions)
    return paths


def _claim(where, name):
    """Make the folder, or say why not."""
    try:
        if where is None:
            parent = Path("runs")
            parent.mkdir(exist_ok=True)
            for number in itertools.count(1):
                with contextlib.suppress(FileExistsError):
                    folder = parent / f"{name}-{number}"
                    folder.mkdir()
                    return folder
        folder = Path(where)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {where or 'runs/' + name}: {error.strerror}") from None
    return folder


def _require_unbegun(run):
    """RunError unless the folder is empty, or holds files of this same run from before its first checkpoint."""
    folder = run.folder
    try:
        names = set(os.listdir(folder))
        drafts = set(os.listdir(run.checkpoints)) if "checkpoints" in names else set()
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror}") from None
    ours = names <= (BEFORE_FIRST_CHECKPOINT if "recipe.json" in names else BEFORE_RECIPE)
    if not ours or any(not draft.startswith(".writing-") for draft in drafts):
        named = min(names - BEFORE_FIRST_CHECKPOINT, default="recipe.json" if "recipe.json" in names else min(names))
        resume = f"train --resume {quote(str(folder))}"
        raise RunError(f"{folder} is not empty ({named}); give another --run, or continue with `{resume}`")
    if "recipe.json" in names and (other := difference(_asked(folder), json.loads(json.dumps(run.asked)))):
        raise RunError(f"{folder} contains another run, which has not started: {other}; give another --run")


def _asked(folder):
    """The content of recipe.json. RunError if it is not one of this engine's."""
    file = folder / "recipe.json"
    try:
        asked = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run folder: it has no recipe.json") from None
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{file} cannot be read: the file is corrupt") from None
    if not _is_whole(asked):
        raise RunError(f"{file} was not written by this engine")
    return asked


def _is_whole(asked):
    """Whether all entries that commands read exist, with the types they were written with."""
    if not isinstance(asked, dict) or not all(isinstance(asked.get(key), str) for key in ("topic", "recipe")):
        return False
    fields, data = asked.get("fields"), asked.get("data")
    if not isinstance(fields, dict) or type(fields.get("steps")) is not int or not isinstance(data, dict):
        return False
    if not data:  # of a recipe without data
        return True
    shape = data.get("shape", [])
    return isinstance(data.get("sha256"), str) and isinstance(shape, list) and all(type(size) is int for size in shape)


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """The first key in which two dicts differ, in words; empty if they are equal."""
    for key in (*ours, *theirs):
        a, b = theirs.get(key), ours.get(key)
        if a != b:
            return difference(a, b) if isinstance(a, dict) and isinstance(b, dict) else f"{key} is {a}, here {b}"
    return ""
