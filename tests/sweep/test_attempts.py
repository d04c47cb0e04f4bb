"""Claims: one process wins, a dead one is found out, and nothing is removed."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.sweep import attempts
from psis_bench.sweep.attempts import DEAD_AFTER_SECONDS, claim, last_attempt, process_start, this_process


def _try_to_claim(job: str, rounds: int, barrier: object, wins: object) -> None:
    for after in range(rounds):
        barrier.wait()  # type: ignore[attr-defined]
        if claim(Path(job), after=after) is not None:
            wins.append((after, os.getpid()))  # type: ignore[attr-defined]


def test_of_many_processes_one_wins_each_number(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        wins, barrier = manager.list(), context.Barrier(6)
        children = [
            context.Process(target=_try_to_claim, args=(str(tmp_path), 25, barrier, wins), daemon=True)
            for _ in range(6)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
        assert sorted(number for number, _ in wins) == list(range(25))
    last = last_attempt(tmp_path)
    assert last is not None
    assert last.number == 25
    assert len(list(attempts.attempts_folder(tmp_path).iterdir())) == 25  # no temporary file is left


def test_a_claim_without_hard_links_is_still_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert claim(tmp_path, after=0) is not None
    assert claim(tmp_path, after=0) is None
    assert json.loads((attempts.attempts_folder(tmp_path) / "0001.json").read_text())["pid"] == os.getpid()


def test_an_attempt_lives_as_long_as_its_process(tmp_path: Path) -> None:
    program = f"import sys; from pathlib import Path; from psis_bench.sweep.attempts import claim; \
claim(Path({str(tmp_path)!r}), after=0); print('claimed', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        attempt = last_attempt(tmp_path)
        assert attempt is not None
        assert attempt.claim["pid"] == child.pid
        assert attempt.is_alive(now=1e12), "on this machine the process counts, not the heartbeat"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not attempt.is_alive(now=0), "a zombie does not work any more"
    assert not attempt.is_alive(now=0)


def test_a_process_that_took_over_the_number_of_a_dead_one_is_another(tmp_path: Path) -> None:
    first = claim(tmp_path, after=0)
    assert first is not None
    assert first.is_alive(now=0)
    content = {**first.claim, "process": str(int(first.claim["process"]) - 1)}
    first.path.write_text(json.dumps(content))
    again = last_attempt(tmp_path)
    assert again is not None
    assert not again.is_alive(now=0)


def test_on_another_machine_the_heartbeat_counts(tmp_path: Path) -> None:
    attempt = claim(tmp_path, after=0, more={"machine": "another boot"})
    assert attempt is not None
    os.utime(attempt.path, (1000, 1000))
    assert attempt.is_alive(now=1000 + DEAD_AFTER_SECONDS - 1)
    assert not attempt.is_alive(now=1000 + DEAD_AFTER_SECONDS + 1)
    assert attempt.beat()
    assert attempt.path.stat().st_mtime > 1000
    claim(tmp_path, after=1)
    assert not attempt.beat(), "somebody has taken over"


def test_the_end_of_an_attempt_is_on_record(tmp_path: Path) -> None:
    attempt = claim(tmp_path, after=0)
    assert attempt is not None
    attempt.finish("failed", message="no such image")
    last = last_attempt(tmp_path)
    assert last is not None
    assert last.end is not None
    assert (last.end["outcome"], last.end["message"]) == ("failed", "no such image")
    assert 0 <= last.end["seconds"] < 60
    assert not last.is_alive(now=0)


def test_starting_times_are_those_of_the_kernel() -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert process_start(os.getpid()) == fields[19]  # field 22 of proc(5), the first two gone
    assert this_process()["process"] == fields[19]
    assert process_start(2**22 + 1) is None


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / ".state").write_text("a file")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        claim(tmp_path, after=0)
