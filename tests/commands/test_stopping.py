"""A signal ends a command with all of its processes, and puts back what it moved aside."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from practice_torch.data.preparation.preparing import Options
from shared_specs.stopping import SIGNALS, Stopped, process_count, unwinding

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds, on a machine however busy


def stopped(tmp_path, number, *words, processes=2):
    """(exit code, stderr) of a command that gets a signal when so many processes wait; all of them must then end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    command = [sys.executable, "-m", "tests.support.commands.stopping", words[0], str(fifo), *words[1:]]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            begun = b""
            while begun.count(b"\n") < processes:
                begun += read(pipe)
                assert process.poll() is None, process.communicate()[1]
            process.send_signal(number)
            assert read(pipe) == b"", "a process has begun since"
            err = process.communicate(timeout=PATIENCE)[1]
        finally:
            process.kill()
    os.close(pipe)
    return process.returncode, err


def read(pipe):
    """The next line; nothing at the end of the pipe, when no process has it open any more."""
    assert select.select([pipe], [], [], PATIENCE)[0], "a process still waits"
    return os.read(pipe, 100)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_command_and_its_processes(number, tmp_path):
    code, err = stopped(tmp_path, number, "lectures")
    assert code == 128 + number
    assert err.splitlines()[-1] == f"stopped by {number.name}" and "Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_no_worker_process_outlives_its_command(number, code, tmp_path):
    """Also if the command is killed, and cannot end its workers."""
    assert stopped(tmp_path, number, "contracts")[0] == code


@pytest.mark.weekly
@pytest.mark.parametrize("during", ["derivations", "trainings"])
def test_a_signal_ends_the_demo_and_puts_the_former_page_back(during, tmp_path):
    folder = tmp_path / "runs" / "demo"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("the former page")
    code, err = stopped(tmp_path, signal.SIGTERM, "demo", str(folder), during)
    assert code == 143 and err.splitlines()[-1] == "stopped by SIGTERM" and "Traceback" not in err
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]
    assert (folder / "index.html").read_text() == "the former page"


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (2, 2), (4, 4), (16, 8)])
def test_processes_are_as_many_as_usable_cores_and_at_most_eight(cores, processes, monkeypatch):
    """os.cpu_count counts the cores of the machine; a container or a batch job may be limited to fewer."""
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert (process_count(), process_count(3), Options().workers) == (processes, 3, cores)


def test_a_second_signal_does_not_disturb_the_first():
    """The body's cleanup completes even if the user presses Ctrl-C again."""
    done = []
    with pytest.raises(Stopped, match="stopped by SIGTERM"), unwinding():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            done.append("put back")
    assert done == ["put back"]


def test_an_ignored_signal_stays_ignored():
    """As nohup asks for; and afterwards all handlers are the former ones."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with unwinding():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])
    assert {number: signal.getsignal(number) for number in SIGNALS} == before
