"""Pictures that come from a browser: decoded safely, made upright and small enough to work on, never written to disk.

What a file is called and what the browser says it is do not count: it is decoded as JPEG, PNG or WebP or not at all,
after its size in bytes and in pixels is known to be bearable.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from psis_bench.errors import UserError

Pixels = NDArray[np.uint8]

MAX_BYTES: Final = 20_000_000
"""Bytes of an uploaded file."""
MAX_PIXELS: Final = 50_000_000
"""Pixels of an uploaded picture: about half a gigabyte of memory while it is decoded."""
LONGEST_SIDE: Final = 1600
"""Of the copy that is shown and segmented, pixels."""

_FORMATS = ("JPEG", "PNG", "WEBP")
# Requests are served by threads; several large pictures at once would add up.
_ONE_AT_A_TIME = threading.Lock()
_LOSSLESS_PIXELS = 500_000
_JPEG_QUALITY = 95
_LONGEST_NAME = 60
_ORIENTATION = 0x0112  # EXIF
_SIDEWAYS = (5, 6, 7, 8)
# What turns an image upright, as numbers of PIL.Image.Transpose.
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_CURE = "give a JPEG, PNG or WebP picture"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that is worked on.

    Attributes:
        name: For file names and titles: letters, digits, ``_``, ``.`` and ``-`` alone, never a path.
        width: Of the upright original, pixels.
        height: Likewise.
        pixels: The working copy (h, w, 3), BGR, of the same proportions and with sides of at most `LONGEST_SIDE`.
    """

    name: str
    width: int
    height: int
    pixels: Pixels

    @property
    def scale(self) -> tuple[float, float]:
        """Original pixels for one of the working copy, across and down."""
        height, width = self.pixels.shape[:2]
        return self.width / width, self.height / height

    def as_state(self) -> dict[str, Any]:
        """Return what the browser keeps beside the pixels."""
        height, width = self.pixels.shape[:2]
        sizes = {"width": self.width, "height": self.height, "shown_width": width, "shown_height": height}
        return {"name": self.name, **sizes}


def read_upload(contents: Any, file_name: Any) -> Picture:
    """Return the picture of an upload.

    Args:
        contents: ``data:<type>;base64,<bytes>``.
        file_name: As the browser says; only its letters are used.

    Raises:
        UserError: It is no picture, a broken one, or too large.
    """
    pixels, width, height = _decoded(_bytes_of(contents), max_pixels=MAX_PIXELS)
    return Picture(name=plain_name(file_name), width=width, height=height, pixels=pixels)


def picture_of_state(state: Any, address: Any = None) -> Picture:
    """Return the picture that the browser sends back, checked as if it were new.

    Args:
        state: From `Picture.as_state`.
        address: The pixels as `address_of` made them; None: they are not needed, and are blank.

    Raises:
        UserError: It is something else.
    """
    if not isinstance(state, Mapping):
        raise UserError("there is no picture", cure="upload one, or choose an example")
    width, height = _size(state, "", most=MAX_PIXELS)
    shown_width, shown_height = _size(state, "shown_", most=LONGEST_SIDE**2)
    if address is None:
        pixels: Pixels = np.zeros((shown_height, shown_width, 3), np.uint8)
    else:
        pixels, *_ = _decoded(_bytes_of(address), max_pixels=LONGEST_SIDE**2)
        if pixels.shape[:2] != (shown_height, shown_width):
            raise UserError("the picture has another size than it had", cure="upload it again")
    return Picture(name=plain_name(state.get("name")), width=width, height=height, pixels=pixels)


def _size(state: Mapping[str, Any], which: str, *, most: int) -> tuple[int, int]:
    width, height = state.get(f"{which}width"), state.get(f"{which}height")
    for side in (width, height):
        if not isinstance(side, int) or isinstance(side, bool) or not 0 < side <= most:
            raise UserError("the picture has no size", cure="upload it again")
    if width * height > most:  # type: ignore[operator] # both are whole numbers by now
        raise UserError("the picture has too many pixels", cure="upload it again")
    return width, height  # type: ignore[return-value]


def plain_name(name: Any) -> str:
    """Return the letters of a file's name that can do no harm anywhere, without its ending."""
    last = re.split(r"[/\\]", str(name or ""))[-1]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", last.rsplit(".", 1)[0] if "." in last else last).strip("_-")
    return plain[:_LONGEST_NAME] or "picture"


def address_of(pixels: Pixels) -> str:
    """Return a picture (h, w, 3) BGR as a ``data:`` address: without loss unless it is large."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    lossless = pixels.shape[0] * pixels.shape[1] <= _LOSSLESS_PIXELS
    stored = io.BytesIO()
    if lossless:
        image.save(stored, format="PNG")
    else:
        image.save(stored, format="JPEG", quality=_JPEG_QUALITY)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(stored.getvalue()).decode()}"


def _bytes_of(contents: Any) -> bytes:
    if not isinstance(contents, str) or not contents.startswith("data:"):
        raise UserError("no file has arrived", cure="upload a picture")
    head, comma, body = contents.partition(",")
    if not comma or not head.endswith(";base64"):
        raise UserError("the file has not arrived whole", cure="upload it again")
    if len(body) > (MAX_BYTES + 2) // 3 * 4:
        raise UserError(f"the file has more than {MAX_BYTES // 1_000_000} MB", cure="give a smaller one")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise UserError("the file has not arrived whole", cure="upload it again") from None


def _decoded(content: bytes, *, max_pixels: int) -> tuple[Pixels, int, int]:
    """Return the working copy in BGR, and width and height of the upright original."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                size = image.size
                if size[0] * size[1] > max_pixels:
                    raise UserError(
                        f"the picture has {size[0]} x {size[1]} pixels",
                        cure=f"give one of at most {max_pixels / 1e6:.0f} million pixels",
                    )
                # JPEG can be decoded at a half, a quarter or an eighth of its size: less work and memory.
                image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                orientation = image.getexif().get(_ORIENTATION)
                factor = min(1.0, LONGEST_SIDE / max(size))
                small = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
                decoded = _opaque(image, small)
    except UnidentifiedImageError:
        raise UserError("the file is no picture, or a broken one", cure=_CURE) from None
    except Image.DecompressionBombError:
        cure = f"give one of at most {max_pixels / 1e6:.0f} million pixels"
        raise UserError("the picture has far too many pixels", cure=cure) from None
    except (OSError, SyntaxError, ValueError, OverflowError, MemoryError):
        raise UserError("the picture cannot be decoded: it is damaged or cut off", cure=_CURE) from None
    if orientation in _UPRIGHT:
        decoded = decoded.transpose(Image.Transpose(_UPRIGHT[orientation]))
    width, height = size[::-1] if orientation in _SIDEWAYS else size
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1]), width, height


def _opaque(image: Any, size: tuple[int, int]) -> Any:
    """Return an image in RGB and of a size; what is transparent becomes white."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        raise UserError("the picture has more than 8 bits a colour", cure="save it with 8 bits")
    clear = "A" in image.getbands() or "transparency" in image.info
    mode = "RGBA" if clear else "RGB"
    image.load()
    # Every copy of a large picture counts: made smaller first, then laid on white.
    found = image if image.mode == mode else image.convert(mode)
    if found.size != size:
        found = found.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if clear:
        found = Image.alpha_composite(Image.new("RGBA", size, "white"), found).convert("RGB")
    return found if found is not image else found.copy()
