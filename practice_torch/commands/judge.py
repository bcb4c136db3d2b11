"""python -m practice_torch judge: people compare samples of runs, without knowing which is whose; and what their verdicts say."""

import getpass
import math
import webbrowser
from pathlib import Path

from practice_torch.commands.judging.session import Session, is_session
from practice_torch.commands.run_folder import writing
from practice_torch.engine.errors import RunError
from shared_specs.commands.errors import UsageError
from shared_specs.stopping import Stopped


def judge(command):
    """The command; returns the exit code."""
    if not 1 <= command.count <= 1000:
        raise UsageError(f"count is {command.count}; it must be between 1 and 1000")
    if not 0 <= command.port < 2**16:
        raise UsageError(f"port is {command.port}; it must be between 0 and 65535")
    name = getpass.getuser() if command.judge is None else command.judge.strip()
    if not name:
        raise UsageError("--judge is empty; give a name")
    session = _continued(command) or _new(command)
    from practice_torch.commands.judging.server import Server

    try:
        server = Server(session, name, command.port)
    except OSError as error:
        raise RunError(f"port {command.port} cannot be used ({error.strerror}): give another --port, or leave it out") from None
    print(
        f"{len(session.pairs)} pairs in {session.folder}; compare them at\n{server.address}\nCtrl-C ends the session.", flush=True
    )
    if command.browser:
        webbrowser.open(server.address)
    try:
        server.serve_forever()
    except Stopped:  # how a session ends
        pass
    finally:
        server.server_close()
    return show(session)


def _continued(command):
    """The session that the command continues, if it does."""
    if len(command.runs) != 1 or not is_session(command.runs[0]):
        return None
    return Session.open(command.runs[0])


def _new(command):
    if len(command.runs) < 2:
        raise UsageError("judge takes at least two RUNs to compare, or the folder of a session to continue")
    from practice_torch.commands.judging.items import items_of
    from practice_torch.engine.storage.run import Run

    runs = [Run.open(folder) for folder in command.runs]
    folder = Path(command.out or runs[0].folder.absolute().parent / "judged")
    if folder.exists() and any(folder.iterdir()):
        more = f"continue it with `judge {folder}`, or " if is_session(folder) else ""
        raise UsageError(f"{folder} is not empty: {more}give another --out")
    items = [items_of(run, command.count, command.seed, command.cpu) for run in runs]
    for run, samples in zip(runs, items, strict=True):
        if samples[0].suffix != items[0][0].suffix:
            raise RunError(f"{run.folder} draws {_kind(samples[0])} and {runs[0].folder} {_kind(items[0][0])}: compare one kind")
    count = min(map(len, items))
    return Session.create(folder, command.runs, [samples[:count] for samples in items], command.seed)


def _kind(sample):
    return {".png": "images", ".wav": "sounds", ".txt": "texts"}[sample.suffix]


def show(session):
    """Print the scores of a session and write them to results.json. Returns 0."""
    from rich.table import Table

    from practice_torch.commands.judging.scores import scores_of
    from practice_torch.engine.storage.run import write_json
    from shared_specs.terminal import print_table

    verdicts = session.verdicts()
    if not verdicts:
        print(f"no verdicts yet; continue with `python -m practice_torch judge {session.folder}`")
        return 0
    found = scores_of(session, verdicts)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("run", "against", "wins", "losses", "ties", "share of wins"):
        table.add_column(column)
    for duel in found.duels:
        share = "-" if duel.share is None else "{:.0%} ({:.0%} to {:.0%})".format(*duel.share)
        first, second = session.runs[duel.first], session.runs[duel.second]
        table.add_row(first, second, *map(str, (*duel.wins, duel.ties)), share)
    print_table(table)
    for run, score, reach in zip(session.runs, found.scores, found.reaches, strict=True):
        print(f"Bradley-Terry score of {run}: {score:+.2f}" + (f" ± {reach:.2f} nats" if math.isfinite(reach) else ""))
    print("Intervals of 95%. A tie is half a win for each in the scores, to which half a win for each side of a duel is added.")
    if len(found.judges) > 1:
        kappa = "undefined, as all verdicts are alike" if found.kappa is None else f"{found.kappa:.2f}"
        print(f"{len(found.judges)} judges agree beyond chance on {found.judged_by_all} common pairs by Fleiss' kappa: {kappa}")
    facts = {"runs": session.runs, "judges": found.judges, "verdicts": len(verdicts), "kappa": found.kappa}
    facts |= {"duels": [duel.__dict__ for duel in found.duels], "scores": found.scores, "half_widths": found.reaches}
    path = session.folder / "results.json"
    with writing(path):
        write_json(path, facts)
    print(path)
    return 0
