from __future__ import annotations

import json
import math

import numpy as np
import pytest

from psis_bench.data.json_file import parse_json


def random_value(random: np.random.Generator, depth: int = 0):
    kind = random.integers(0, 8 if depth < 4 else 6)
    if kind < 2:
        return float(random.normal() * 10.0 ** random.integers(-320, 300))
    if kind < 4:
        return int(random.integers(-(2**63), 2**63, dtype=np.int64))
    if kind == 4:
        return [None, True, False, "", 'é\u2028 \\ " \t', "0"][random.integers(0, 6)]
    if kind == 5:
        return "".join(map(chr, random.integers(32, 0xD7FF, 5)))
    if kind == 6:
        return [random_value(random, depth + 1) for _ in range(random.integers(0, 5))]
    return {str(place): random_value(random, depth + 1) for place in range(random.integers(0, 5))}


def test_values_are_those_of_the_standard_library():
    random = np.random.default_rng(0)
    for _ in range(2000):
        content = json.dumps(random_value(random), ensure_ascii=bool(random.integers(0, 2))).encode()
        found, expected = parse_json(content), json.loads(content)
        assert repr(found) == repr(expected)  # the same types, and every bit of a float


def test_what_only_the_standard_library_reads_is_read():
    assert math.isnan(parse_json(b"[NaN]")[0])
    assert parse_json(b"[-Infinity, 1e400]") == [-math.inf, math.inf]
    assert parse_json('["ü"]'.encode("utf-16")) == ["ü"]
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize("content", [b"", b"[1,]", b"[1", b"{'a': 1}", b"\xff\xff", b"[" * 100_000])
def test_faults_are_told_as_the_standard_library_tells_them(content):
    with pytest.raises((ValueError, RecursionError)) as expected:
        json.loads(content)
    with pytest.raises(type(expected.value)) as found:
        parse_json(content)
    assert str(found.value) == str(expected.value)
