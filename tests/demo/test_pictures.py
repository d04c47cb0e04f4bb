"""Uploads: what is a picture is taken as it is meant to be seen, and nothing else is."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from psis_bench.demo.pictures import (
    LONGEST_SIDE,
    MAX_BYTES,
    address_of,
    picture_of_state,
    plain_name,
    read_upload,
)
from psis_bench.errors import UserError


def address(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def stored(image: Image.Image, form: str = "PNG", **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=form, **settings)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_zeros(width: int, height: int, *, rows: int | None = None) -> bytes:
    """A PNG as a bomb has it: many pixels in few bytes; with ``rows``, fewer than it claims."""
    body = zlib.compress(bytes((width + 7) // 8 + 1) * (height if rows is None else rows), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
JPEG = stored(NOISE, "JPEG")
HOSTILE = {
    "a bomb of 10 billion pixels": (address(png_of_zeros(100_000, 100_000, rows=10)), "far too many pixels"),
    "a whole bomb of 60 million pixels": (address(png_of_zeros(10_000, 6_000)), "10000 x 6000 pixels"),
    "a JPEG cut off": (address(JPEG[: len(JPEG) // 2], "image/jpeg"), "damaged or cut off"),
    "a PNG cut off": (address(stored(NOISE)[:900]), "damaged or cut off"),
    "SVG with a script": (
        address(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        "no picture",
    ),
    "SVG that says what it is": (address(b"<svg/>", "image/svg+xml"), "no picture"),
    "HTML called a picture": (address(b"<html><script>alert(1)</script>", "image/jpeg"), "no picture"),
    "TIFF": (address(stored(NOISE, "TIFF")), "no picture"),
    "GIF": (address(stored(NOISE.convert("P"), "GIF")), "no picture"),
    "PDF": (address(b"%PDF-1.7\n"), "no picture"),
    "EPS, which would start a program": (address(stored(NOISE, "EPS")), "no picture"),
    "a pickle": (address(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."), "no picture"),
    "a ZIP of weights": (address(b"PK\x03\x04" + bytes(100)), "no picture"),
    "nothing at all": (address(b""), "no picture"),
    "16 bits": (address(stored(Image.fromarray(np.full((9, 9), 60_000, np.uint16)))), "more than 8 bits"),
    "no base64": ("data:image/png;base64,&&&&", "not arrived whole"),
    "an address of the web": ("http://127.0.0.1:1/x.png", "no file has arrived"),
    "a path": ("/etc/passwd", "no file has arrived"),
    "a file address": ("file:///etc/passwd", "no file has arrived"),
    "text": ("data:text/plain,hello", "not arrived whole"),
    "a number": (7, "no file has arrived"),
    "several files": ([address(JPEG), address(JPEG)], "no file has arrived"),
    "too many bytes": ("data:image/png;base64," + "A" * (MAX_BYTES * 4 // 3 + 8), "more than 20 MB"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_bearable_picture_is_refused_in_one_line(what: str):
    contents, told = HOSTILE[what]
    with pytest.raises(UserError, match=told) as caught:
        read_upload(contents, "x.png")
    assert "\n" not in str(caught.value)
    assert caught.value.cure


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kind", ["image/jpeg", "text/html", "application/x-msdownload"])
def test_what_a_file_says_it_is_does_not_count(form: str, kind: str):
    picture = read_upload(address(stored(NOISE, form, quality=100), kind), "x.exe")
    assert picture.pixels.shape == (60, 80, 3)
    assert (picture.width, picture.height) == (80, 60)
    if form == "PNG":
        assert (picture.pixels[..., ::-1] == np.asarray(NOISE)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(orientation: int):
    # Each corner of the upright picture has its colour; the stored one is turned as the tag says.
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24], upright[:16, 24:], upright[16:, :24] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(turns[orientation](upright)))
    picture = read_upload(address(stored(image, exif=exif)), "x")
    assert (picture.width, picture.height) == (48, 32)
    assert (picture.pixels[..., ::-1] == upright).all()


def test_large_pictures_are_worked_on_smaller_and_keep_their_size():
    picture = read_upload(address(stored(Image.new("RGB", (4000, 1000), "red"), "JPEG")), "x")
    assert (picture.width, picture.height) == (4000, 1000)
    assert picture.pixels.shape == (LONGEST_SIDE // 4, LONGEST_SIDE, 3)
    assert picture.scale == (2.5, 2.5)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_every_kind_of_colours_becomes_three(mode: str):
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert read_upload(address(stored(NOISE.convert(mode), form)), "x").pixels.shape == (60, 80, 3)


def test_what_is_transparent_becomes_white():
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (read_upload(address(stored(clear)), "x").pixels == 255).all()


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("dog.jpg", "dog"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\cat.png", "cat"),
        ("<img src=x onerror=alert(1)>.png", "img_src_x_onerror_alert_1"),
        ("a\r\nSet-Cookie: b.png", "a_Set-Cookie_b"),
        ("\u202egnp.exe", "gnp"),
        ("..", "picture"),
        ("x" * 300, "x" * 60),
        (None, "picture"),
        (["a"], "a"),
    ],
)
def test_names_are_letters(given: Any, plain: str):
    assert plain_name(given) == plain


def test_what_the_browser_keeps_comes_back():
    picture = read_upload(address(stored(NOISE)), "dog.png")
    again = picture_of_state(picture.as_state(), address_of(picture.pixels))
    assert (again.name, again.width, again.height) == ("dog", 80, 60)
    assert (again.pixels == picture.pixels).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"width": 10**9},
        {"height": "60"},
        {"height": True},
        {"shown_width": 79},
        {"shown_height": -1},
        {"shown_width": 10**7, "shown_height": 1},
        {"width": float("nan")},
    ],
)
def test_a_tampered_state_is_refused(changes: dict[str, Any]):
    picture = read_upload(address(stored(NOISE)), "dog.png")
    with pytest.raises(UserError, match=r"size|pixels"):
        picture_of_state(picture.as_state() | changes, address_of(picture.pixels))


def test_no_state_is_refused():
    for state in (None, [], "x", {}):
        with pytest.raises(UserError):
            picture_of_state(state)
