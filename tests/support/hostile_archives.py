"""Archives that lead out of their folder, unpack to more than they are, or are none."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

from hostile_cases import HOSTILE, PICKLE, Hostile, Make, hostile
from raw_zip import CHARACTER_DEVICE, DEFLATED, LINK, LZMA, Entry, RawZip, many_empty_files, zeros
from small_world import World


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


@hostile("unpacks to 125,829,120,000 bytes")
def zip_overlapping_files(world: World) -> Path:
    data = bytes(range(256)) * 2**14
    names = [b"predictions/detections/part-%05d.parquet" % number for number in range(2000)]
    first = Entry(names[0], packed=data, size=60 * 2**20)
    others = [Entry(name, packed=data, size=60 * 2**20, offset=0) for name in names[1:]]
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
