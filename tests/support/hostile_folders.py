"""Folders with links, code, pickles and weights that are none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile_cases import PICKLE, SCRIPT, case, extra, hostile
from small_world import World


@hostile("metrics.json: is a link")
def link_to_a_secret(world: World) -> Path:
    (world.submission / "metrics.json").unlink()
    (world.submission / "metrics.json").symlink_to("/etc/passwd")
    return world.submission


@hostile("predictions: is a link")
def link_to_a_folder(world: World) -> Path:
    shutil.move(world.submission / "predictions", world.folder / "elsewhere")
    (world.submission / "predictions").symlink_to(world.folder / "elsewhere")
    return world.submission


@hostile("metrics.json: is no regular file")
def pipe_that_never_ends(world: World) -> Path:
    (world.submission / "metrics.json").unlink()
    os.mkfifo(world.submission / "metrics.json")
    return world.submission


@hostile("has more than 2100 files")
def folder_of_many_files(world: World) -> Path:
    folder = world.submission / "predictions" / "detections"
    for number in range(2200):
        (folder / f"part-{number:05d}.parquet").touch()
    return world.submission


@hostile("is no file of a submission")
def folder_of_endless_depth(world: World) -> Path:
    place = world.submission
    for _ in range(200):
        place = place / "d"
        place.mkdir()
    return world.submission


DELETES = b"import shutil\nshutil.rmtree('..')\nmodel = dict(type='x')\n"
TAG = b"!!python/object/apply:os.system ['touch pwned']\n"

case("config_that_deletes_files", "mm_config.py: is code", extra("mm_config.py", DELETES))
case("yaml_that_calls_a_function", "config.yaml: is code", extra("config.yaml", TAG))
case("module_in_place_of_ours", "psis_bench/: is no file", extra("psis_bench/__init__.py", DELETES))
case("module_of_the_library", "json.py: is code", extra("json.py", DELETES))
case("pickled_weights", "final.pth: is a format that can hold code", extra("weights/final.pth", PICKLE))
case("pickled_predictions", "can hold code", extra("predictions/results.pkl", PICKLE))
case("array_of_objects", "can hold code", extra("predictions/masks.npy", PICKLE))
case("pickle_named_safetensors", "is a pickle", extra("weights/a.safetensors", PICKLE))
case("page_of_its_own", "index.html: is no file", extra("index.html", SCRIPT.encode()))
case("settings_of_git", "is no file", extra(".gitattributes", b"* filter=x"))


def _weights(header: bytes, *, length: int | None = None, rest: bytes = b"") -> Callable[[World], object]:
    size = len(header) if length is None else length
    return extra("weights/a.safetensors", size.to_bytes(8, "little") + header + rest)


def _tensor(begin: int, end: int, shape: list[int]) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


_OVERLAPPING = json.dumps({"a": _tensor(0, 8, [2]), "b": _tensor(4, 12, [2])}).encode()
_HUGE = json.dumps({"a": _tensor(0, 4, [2**40, 2**40])}).encode()
case("weights_with_an_endless_header", "is no safetensors file", _weights(b"{}", length=2**60))
case("weights_that_overlap", "overlap or leave gaps", _weights(_OVERLAPPING, rest=bytes(12)))
case("weights_larger_than_their_file", "not that of its shape", _weights(_HUGE, rest=bytes(4)))
case("weights_nested_deeply", "nested deeper", _weights(b"[" * 100_000))
