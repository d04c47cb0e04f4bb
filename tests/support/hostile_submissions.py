"""Submissions made to do harm. Each function turns the valid submission of a `World` into one and returns its path.

`HOSTILE` lists them by name, with words that the refusal must have.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from raw_zip import CHARACTER_DEVICE, DEFLATED, LINK, LZMA, Entry, RawZip, many_empty_files, zeros
from small_world import CAT, World, all_detections, all_on_boxes, counts, detection, on_box

SCRIPT = "<script>alert(1)</script>"
Make = Callable[[World], Path]


class Hostile(NamedTuple):
    """How a submission is made, and what its refusal says."""

    make: Make
    told: str


HOSTILE: dict[str, Hostile] = {}
OPENED: set[str] = set()
"""Names of those that are only found out when their predictions are opened."""


def hostile(told: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        HOSTILE[make.__name__] = Hostile(make, told)
        return make

    return register


def case(name: str, told: str, make: Callable[[World], object]) -> None:
    """Register a change of the folder of the submission."""

    def changed(world: World) -> Path:
        make(world)
        return world.submission

    HOSTILE[name] = Hostile(changed, told)


class RunsWhenLoaded:
    """Unpickling this writes a file where the process stands."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


PICKLE = pickle.dumps(RunsWhenLoaded())


def archive_with(world: World, *entries: Entry, **options: Any) -> Path:
    """The submission as an archive, with further entries."""
    honest = [
        Entry(path.relative_to(world.submission).as_posix().encode(), path.read_bytes())
        for path in sorted(world.submission.rglob("*"))
        if path.is_file()
    ]
    return RawZip([*honest, *entries], **options).write(world.folder / "hostile.zip")


# Archives: paths


PATHS = {
    "zip_parent": b"../evil.json",
    "zip_deep_parent": b"predictions/../../../evil.json",
    "zip_absolute": b"/etc/evil.json",
    "zip_backslash": b"..\\evil.json",
    "zip_drive": b"C:/evil.json",
    "zip_nul": b"metrics.json\0.py",
    "zip_double_slash": b"predictions//evil.parquet",
    "zip_dot": b"./submission.json",
    "zip_newline": b"evil\n\x1b[31m.json",
    "zip_not_ascii": "\u202enosj.exe".encode(),
    "zip_code": b"psis_bench/__init__.py",
    "zip_inner_archive": b"inner.zip",
    "zip_pickle": b"weights/final.pth",
}


def _with_path(name: bytes) -> Make:
    return lambda world: archive_with(world, Entry(name, b"{}"))


for _name, _path in PATHS.items():
    HOSTILE[_name] = Hostile(_with_path(_path), "hostile.zip: ")


@hostile("is a link or no regular file")
def zip_link(world: World) -> Path:
    return archive_with(world, Entry(b"config.json", b"/etc/passwd", mode=LINK))


@hostile("is a link or no regular file")
def zip_device(world: World) -> Path:
    return archive_with(world, Entry(b"config.json", mode=CHARACTER_DEVICE))


@hostile("has a name twice")
def zip_name_twice(world: World) -> Path:
    return archive_with(world, Entry(b"metrics.json", b"{}"))


# Archives: sizes


@hostile("unpacks to 10,737,418,240 bytes")
def zip_ten_gigabytes_of_zeros(world: World) -> Path:
    size = 10 * 2**30
    zip64 = struct.pack("<2HQ", 1, 8, size)
    entry = Entry(b"weights/a.safetensors", method=DEFLATED, packed=zeros(10), size=size, extra=zip64)
    return archive_with(world, entry)


@hostile("cannot be unpacked")
def zip_ten_gigabytes_that_say_ten_bytes(world: World) -> Path:
    return archive_with(world, Entry(b"config.json", method=DEFLATED, packed=zeros(10), size=10))


@hostile("entries in a directory of")
def zip_million_files_that_say_one(world: World) -> Path:
    return many_empty_files(world.folder / "hostile.zip", 1_000_000, told=1)


@hostile("extensions for many or large files")
def zip_million_files_counted(world: World) -> Path:
    return many_empty_files(world.folder / "hostile.zip", 1_000_000)


@hostile("unpacks to 838,860,")
def zip_overlapping_files(world: World) -> Path:
    data = bytes(range(256)) * 2**14
    names = [b"predictions/detections/part-%05d.parquet" % number for number in range(2000)]
    first = Entry(names[0], packed=data, size=400 * 2**20)
    others = [Entry(name, packed=data, size=400 * 2**20, offset=0) for name in names[1:]]
    return RawZip([first, *others]).write(world.folder / "hostile.zip")


@hostile("is encrypted")
def zip_encrypted(world: World) -> Path:
    return archive_with(world, Entry(b"config.json", b"{}", flags=1))


@hostile("is packed by a method other than deflate")
def zip_other_method(world: World) -> Path:
    return archive_with(world, Entry(b"config.json", b"{}", method=LZMA))


@hostile("submission.json: is missing")
def zip_with_another_behind(world: World) -> Path:
    return archive_with(world, comment=b"PK\5\6" + bytes(18))


@hostile("is no zip archive")
def zip_cut_short(world: World) -> Path:
    path = archive_with(world)
    path.write_bytes(path.read_bytes()[:-30])
    return path


@hostile("cannot be unpacked")
def zip_damaged(world: World) -> Path:
    path = archive_with(world)
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(bytes(content))
    return path


@hostile("is no zip archive")
def no_archive(world: World) -> Path:
    path = world.folder / "hostile.zip"
    path.write_bytes(PICKLE * 10)
    return path


@hostile("submission.json: is missing")
def empty_archive(world: World) -> Path:
    with zipfile.ZipFile(world.folder / "hostile.zip", "w"):
        return world.folder / "hostile.zip"


# Folders


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


def _extra(name: str, content: bytes) -> Callable[[World], object]:
    def make(world: World) -> None:
        path = world.submission / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return make


DELETES = b"import shutil\nshutil.rmtree('..')\nmodel = dict(type='x')\n"
TAG = b"!!python/object/apply:os.system ['touch pwned']\n"

case("config_that_deletes_files", "mm_config.py: is code", _extra("mm_config.py", DELETES))
case("yaml_that_calls_a_function", "config.yaml: is code", _extra("config.yaml", TAG))
case("module_in_place_of_ours", "psis_bench/: is no file", _extra("psis_bench/__init__.py", DELETES))
case("module_of_the_library", "json.py: is code", _extra("json.py", DELETES))
case("pickled_weights", "final.pth: is a format that can hold code", _extra("weights/final.pth", PICKLE))
case("pickled_predictions", "can hold code", _extra("predictions/results.pkl", PICKLE))
case("array_of_objects", "can hold code", _extra("predictions/masks.npy", PICKLE))
case("pickle_named_safetensors", "is a pickle", _extra("weights/a.safetensors", PICKLE))
case("page_of_its_own", "index.html: is no file", _extra("index.html", SCRIPT.encode()))
case("settings_of_git", "is no file", _extra(".gitattributes", b"* filter=x"))


def _weights(header: bytes, *, length: int | None = None, rest: bytes = b"") -> Callable[[World], object]:
    size = len(header) if length is None else length
    return _extra("weights/a.safetensors", size.to_bytes(8, "little") + header + rest)


def _tensor(begin: int, end: int, shape: list[int]) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


_OVERLAPPING = json.dumps({"a": _tensor(0, 8, [2]), "b": _tensor(4, 12, [2])}).encode()
_HUGE = json.dumps({"a": _tensor(0, 4, [2**40, 2**40])}).encode()
case("weights_with_an_endless_header", "is no safetensors file", _weights(b"{}", length=2**60))
case("weights_that_overlap", "overlap or leave gaps", _weights(_OVERLAPPING, rest=bytes(12)))
case("weights_larger_than_their_file", "not that of its shape", _weights(_HUGE, rest=bytes(4)))
case("weights_nested_deeply", "nested deeper", _weights(b"[" * 100_000))


# JSON and CSV


def _raw(name: str, change: Callable[[str], str | bytes]) -> Callable[[World], object]:
    def make(world: World) -> None:
        path = world.submission / name
        content = change(path.read_text())
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    return make


def _value(text: str) -> Callable[[World], object]:
    """Put a text where ``metrics.json`` has its first AP."""
    return _raw("metrics.json", lambda content: content.replace('"AP": 0.7', f'"AP": {text}', 1))


case("score_nan", "has NaN", _value("NaN"))
case("score_infinite", "has Infinity", _value("Infinity"))
case("score_too_large_for_a_float", "not finite", _value("1e999"))
case("score_above_one", "groups.all.box.AP: must be less than or equal to 1", _value("1.01"))
case("score_of_many_digits", "metrics.json: ", _value("9" * 100_000))
case("score_as_text", "must be a valid number", _value('"0.7"'))
case("score_true", "must be a valid number", _value("true"))
case("json_nested_deeply", "nested deeper than 32", _raw("metrics.json", lambda _: "[" * 1_000_000))
case(
    "json_nested_and_closed",
    "nested deeper than 32",
    _raw("submission.json", lambda _: '{"a":' * 500 + "1" + "}" * 500),
)
case("json_key_twice", "has the key 'licence' twice", _raw("submission.json", lambda t: '{"licence": "x",' + t[1:]))
case(
    "json_too_large",
    "has 8,388,608 bytes",
    _extra("config.json", b" " * 2**23),
)
case("json_half_a_character", "half a character", _extra("config.json", b'{"a": "\\ud800"}'))
case("json_not_utf8", "is not text in UTF-8", _raw("submission.json", lambda t: t.encode("utf-16")))
case("json_a_list", "submission.json: must be", _raw("submission.json", lambda _: "[]"))
case("json_cut_short", "is not JSON", _raw("submission.json", lambda t: t[: len(t) // 2]))
case("json_very_many_authors", "authors: ", lambda w: w.set("submission.json", "authors", ["A"] * 100_000))
case("csv_huge_field", "per_class.csv: ", _raw("per_class.csv", lambda t: t.replace("cat", "c" * 200_000)))
case(
    "csv_many_rows",
    "per_class.csv: has 100",
    _raw("per_class.csv", lambda t: t + "3,x,other,0" + "," * 17 + "\n" + "\n".join(["1"] * 100_000)),
)
case("csv_nul", "per_class.csv", _raw("per_class.csv", lambda t: t.replace("dog", "d\0g")))
case("csv_formula", "'=1+1", _raw("per_class.csv", lambda t: t.replace("dog", "'=1+1")))
case("csv_nan", "'nan' is no number", _raw("per_class.csv", lambda t: t.replace("0.4", "nan", 1)))


# Texts

TEXTS = (
    "model.title",
    "model.backbone",
    "model.mask_head",
    "model.pretraining",
    "supervision.mask_sources.0",
    "supervision.extra_data.0",
    "training.hardware",
    "code.software",
    "authors.1",
    "paper.title",
    "licence",
    "notes",
    "model.name",
    "dataset.name",
    "split.name",
    "split.definition.seen.0",
    "paper.url",
)
for _place in TEXTS:
    _shown = _place.replace(".0", "[0]").replace(".1", "[1]")
    case(
        f"script_in_{_place}",
        f"submission.json: {_shown}: ",
        lambda w, place=_place: w.set("submission.json", place, SCRIPT),  # type: ignore[misc]
    )
case(
    "script_in_a_class_name",
    "per_class.csv: row 2, name: has HTML",
    _raw("per_class.csv", lambda t: t.replace("dog", SCRIPT)),
)
case("script_in_a_note", "metrics.json: notes[0]", lambda w: w.set("metrics.json", "notes", [SCRIPT]))
case(
    "script_in_a_group",
    "metrics.json: groups",
    lambda w: w.change("metrics.json", lambda c: c["groups"].update({SCRIPT: c["groups"]["all"]})),
)
case("script_in_a_score", "no name of a score", lambda w: w.set("metrics.json", f"groups.all.box.{SCRIPT}", 0.5))
case("script_in_a_field", "is no field of this file", lambda w: w.set("submission.json", SCRIPT, 1))
case(
    "script_in_the_settings",
    "config.json: has HTML",
    _extra("config.json", json.dumps({"run": {"a": SCRIPT}}).encode()),
)
case(
    "script_in_the_environment",
    "environment.json: has HTML",
    _extra("environment.json", json.dumps({SCRIPT: 1}).encode()),
)
case(
    "colours_of_the_terminal",
    "invisible character U+001B",
    lambda w: w.set("submission.json", "model.title", "\x1b[2J\x1b[31mX"),
)
case(
    "two_lines", "invisible character U+000A", lambda w: w.set("submission.json", "notes", "x\n::set-output name=a::b")
)
case(
    "text_that_runs_backwards",
    "invisible character U+202E",
    lambda w: w.set("submission.json", "authors.0", "\u202etxt.exe"),
)
case(
    "text_without_end",
    "model.title: must have at most 200",
    lambda w: w.set("submission.json", "model.title", "x" * 10**6),
)
case(
    "address_that_runs", "paper.url: must match", lambda w: w.set("submission.json", "paper.url", "javascript:alert(1)")
)
case(
    "address_with_a_quote",
    "paper.url: must match",
    lambda w: w.set("submission.json", "paper.url", "https://a.org/' onclick=x"),
)
case(
    "model_in_another_folder",
    "model.name: must match",
    lambda w: w.set("submission.json", "model.name", "../../../evil"),
)
case(
    "split_in_another_folder", "split.name: must match", lambda w: w.set("submission.json", "split.name", "../../evil")
)
case(
    "predictions_in_another_folder",
    "files[0].path: must match",
    lambda w: w.set("submission.json", "predictions.files.0.path", "../../x.parquet"),
)
case(
    "weights_in_another_folder",
    "weights[0].name: must match",
    lambda w: w.set("submission.json", "weights", [{"name": "../a.safetensors", "bytes": 1, "sha256": "0" * 64}]),
)


# Predictions: refused in the process that opens them

_BEFORE = frozenset(HOSTILE)


def _boxes(row: dict[str, Any]) -> Callable[[World], object]:
    return lambda world: world.write_rows("detections", [*all_detections()[1:], row])


def _masks(**changes: Any) -> Callable[[World], object]:
    return lambda world: world.write_rows("gt_box_masks", [*all_on_boxes()[:3], on_box(4, **changes)])


case("mask_that_overflows", "row 3, mask: ", _masks(mask="oooooooooooo0" * 40))
case("mask_larger_than_its_image", "row 3, mask: run length 1 is larger", _masks(mask=counts([0, 2**31])))
case("mask_of_other_characters", "row 3, mask: character", _masks(mask="\x01\x7f" * 10))
case("mask_without_end", "unpacks to 1,048,", _masks(mask="0" * 2**20))
case("mask_of_one_pixel_too_many", "row 3, mask: the run lengths add up to 201", _masks(mask=counts([160, 41])))
case("mask_of_an_image_of_terapixels", "row 3, height: ", _masks(height=2**31 - 1, width=2**31 - 1))
case("annotation_that_does_not_exist", "annotation", _masks(annotation_id=99))
case("image_that_does_not_exist", "row 3, image_id: val.json has no image 77", _boxes(detection(77)))
case("category_that_does_not_exist", "row 3, category_id: val.json has no category", _boxes(detection(category_id=-5)))
case("score_of_a_detection_nan", "row 3, score: must be a finite number", _boxes(detection(score=float("nan"))))
case("box_without_end", "row 3, bbox: must be four finite", _boxes(detection(bbox=[0.0, 0.0, float("inf"), 1.0])))


def _parquet(content: Callable[[bytes], bytes]) -> Callable[[World], object]:
    def make(world: World) -> None:
        path = world.submission / "predictions" / "gt_box_masks" / "part-00000.parquet"
        path.write_bytes(content(path.read_bytes()))
        world.hash_predictions()

    return make


def _table(make_table: Callable[[], Any], **options: Any) -> Callable[[World], object]:
    def make(world: World) -> None:
        import pyarrow.parquet as pq

        path = world.submission / "predictions" / "gt_box_masks" / "part-00000.parquet"
        pq.write_table(make_table(), path, store_schema=False, **options)
        world.hash_predictions()

    return make


def _rows(count: int, mask: str) -> Any:
    """A table whose bytes do not grow with its rows: every column is one value, many times."""
    import pyarrow as pa

    row = on_box(1)
    columns = {name: pa.array([row[name]] * count, pa.int64()) for name in ("image_id", "annotation_id", "category_id")}
    columns |= {name: pa.array([row[name]] * count, pa.int32()) for name in ("height", "width")}
    columns["mask"] = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [mask])
    return pa.table(columns)


case("parquet_that_is_a_pickle", "is no Parquet file", _parquet(lambda _: PICKLE))
case("parquet_cut_short", "is no Parquet file", _parquet(lambda content: content[:-50]))
case("parquet_scrambled", "gt_box_masks", _parquet(lambda content: content[:40] + bytes(60) + content[100:]))
case("parquet_of_many_rows", "has 100,000 rows or more", _table(lambda: _rows(100_000, counts(CAT))))
case("parquet_of_a_long_text", "unpacks to", _table(lambda: _rows(1, "0" * 2**23), compression="zstd"))
# Eight megabytes in its file and by its own words, which become a gigabyte and a half when they are read.
case("parquet_of_one_text_many_times", "gt_box_masks", _table(lambda: _rows(200, "0" * 2**23), compression="none"))

OPENED.update(name for name in HOSTILE if name not in _BEFORE)
