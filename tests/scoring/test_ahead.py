from __future__ import annotations

import threading

import pytest

from psis_bench.scoring.ahead import ahead


def test_parts_come_in_order_and_one_ahead():
    made: list[int] = []
    gate = threading.Semaphore(0)

    def parts():
        for number in range(5):
            made.append(number)
            gate.release()
            yield number

    taken = []
    for number in ahead(parts()):
        taken.append(number)
        gate.acquire()  # this part
        if number < 4:
            assert gate.acquire(timeout=30)  # the next is made while this one is used,
            gate.release()
        assert made == list(range(min(number + 2, 5)))  # and none after it
    assert taken == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("falsy", [None, 0, "", []])
def test_parts_may_be_anything(falsy):
    assert list(ahead([falsy, 1, falsy])) == [falsy, 1, falsy]
    assert list(ahead([])) == []


def test_an_error_comes_where_its_part_would_have_come():
    def parts():
        yield 1
        yield 2
        raise KeyError("third")

    taken = []
    with pytest.raises(KeyError, match="third"):
        for part in ahead(parts()):
            taken.append(part)
    assert taken == [1, 2]


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    for _ in ahead(iter(range(1000))):
        break
    assert threading.active_count() == before
