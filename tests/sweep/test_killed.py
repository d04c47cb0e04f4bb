"""``kill -9`` of the sweep, of a job, and of both: the same command ends as a sweep that was never stopped."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from .conftest import StubSweeps, kill, until

JOBS = ("split=voc2nonvoc,nonvoc2voc,fully_supervised", "seed=0,1", "parallel=2")


def scores(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in folder.glob("jobs/*/per_class.csv")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, no_data: Path) -> dict[str, str]:
    """The scores of a sweep that was never stopped."""
    sweeps = StubSweeps(tmp_path_factory.mktemp("undisturbed") / "sweep", data=no_data)
    assert sweeps.run(*JOBS).returncode == 0
    assert max(Counter(identity for identity, _ in sweeps.begun()).values()) == 1
    found = scores(sweeps.folder)
    assert len(found) == 6
    return found


def check_continued(sweeps: StubSweeps, undisturbed: dict[str, str], *, done_before: set[str]) -> None:
    """Run the same command; it ends as the undisturbed sweep did, and begins no finished job again."""
    before = len(sweeps.begun())
    finished = sweeps.run(*JOBS)
    assert finished.returncode == 0, finished.stdout
    assert "6 jobs: 6 done" in finished.stdout
    assert scores(sweeps.folder) == undisturbed
    assert not done_before & {identity for identity, _ in sweeps.begun()[before:]}


def test_the_sweep_is_killed(sweeps: StubSweeps, undisturbed: dict[str, str]) -> None:
    sweeps.hold()
    process = sweeps.start(*JOBS)
    until(lambda: len(sweeps.begun()) == 2)
    kill(process.pid)
    process.wait()
    table = sweeps.states(*JOBS)
    assert table["counts"] == {"missing": 4, "queued": 0, "running": 2, "failed": 0, "done": 0}
    orphans = {identity for identity, _ in sweeps.begun()}
    sweeps.release()
    check_continued(sweeps, undisturbed, done_before=orphans)
    assert max(Counter(identity for identity, _ in sweeps.begun()).values()) == 1


def test_a_job_is_killed(sweeps: StubSweeps, undisturbed: dict[str, str]) -> None:
    sweeps.hold()
    process = sweeps.start(*JOBS)
    until(lambda: len(sweeps.begun()) == 2)
    victim, pid = sweeps.begun()[0]
    kill(pid)
    until(lambda: len(sweeps.begun()) == 3)  # its place goes to the next job
    sweeps.release()
    out, _ = process.communicate()
    assert process.returncode == 1
    assert "6 jobs: 5 done, 1 failed" in out
    assert f"jobs/{victim}  interrupted" in out
    check_continued(sweeps, undisturbed, done_before=set(undisturbed) - {victim})
    assert Counter(identity for identity, _ in sweeps.begun())[victim] == 2


def test_both_are_killed(sweeps: StubSweeps, undisturbed: dict[str, str]) -> None:
    assert sweeps.run(*JOBS[:1], "seed=0").returncode == 0
    done = set(scores(sweeps.folder))
    sweeps.hold()
    process = sweeps.start(*JOBS)
    until(lambda: len(sweeps.begun()) == 5)
    for pid in (process.pid, *(pid for _, pid in sweeps.begun()[3:])):
        kill(pid)
    process.wait()
    table = sweeps.states(*JOBS)
    assert table["counts"] == {"missing": 1, "queued": 0, "running": 0, "failed": 2, "done": 3}
    assert {job["detail"] for job in table["jobs"] if job["state"] == "failed"} == {"interrupted"}
    sweeps.release()
    check_continued(sweeps, undisturbed, done_before=done)


def test_two_sweeps_at_once_run_no_job_twice(sweeps: StubSweeps, undisturbed: dict[str, str]) -> None:
    both = [sweeps.start(*JOBS[:2], "parallel=3") for _ in range(2)]
    for process in both:
        out, _ = process.communicate()
        assert process.returncode == 0, out
        assert "6 jobs: 6 done" in out
    assert Counter(identity for identity, _ in sweeps.begun()) == dict.fromkeys(undisturbed, 1)
    assert scores(sweeps.folder) == undisturbed


def test_a_job_that_dies_in_another_sweep_is_taken_over(sweeps: StubSweeps, undisturbed: dict[str, str]) -> None:
    sweeps.hold()
    first = sweeps.start(*JOBS[:2], "parallel=1")
    until(lambda: len(sweeps.begun()) == 1)
    second = sweeps.start(*JOBS[:2], "parallel=2")
    until(lambda: len(sweeps.begun()) == 2)
    for pid in (first.pid, sweeps.begun()[0][1]):
        kill(pid)
    first.wait()
    sweeps.release()
    out, _ = second.communicate()
    assert second.returncode == 0, out
    assert scores(sweeps.folder) == undisturbed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stops_its_jobs(sweeps: StubSweeps, number: int) -> None:
    sweeps.hold()
    process = sweeps.start(*JOBS)
    until(lambda: len(sweeps.begun()) == 2)
    os.kill(process.pid, number)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "the same command continues where it stopped" in err
    table = sweeps.states(*JOBS)
    assert (table["counts"]["running"], table["counts"]["failed"]) == (0, 2)


def test_a_job_that_fails_is_told_with_its_reason_and_tried_again_by_the_next_command(sweeps: StubSweeps) -> None:
    first = sweeps.run("split=voc2nonvoc", "seed=12,13")
    assert first.returncode == 1
    assert "seed 13 fails" in " ".join(first.stdout.split())
    assert len(sweeps.begun()) == 2
    again = sweeps.run("retries=2")  # the folder knows its keys
    assert again.returncode == 1
    assert len(sweeps.begun()) == 5
    (sweeps.folder / "lucky").touch()
    assert sweeps.run().returncode == 0
    assert len(sweeps.begun()) == 6
    assert sweeps.run().returncode == 0
    assert len(sweeps.begun()) == 6
