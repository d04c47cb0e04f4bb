"""The images that a person names, measured, and each with its boxes."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psis_bench.console import progress
from psis_bench.data.coco_rules import MAX_PIXELS
from psis_bench.errors import UserError, did_you_mean
from psis_bench.user_boxes.boxes import XYWH, GivenBox

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_MAX_BOXES = 10_000
_MANY = 20
_ORIENTATION = 0x0112  # EXIF
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One image and the boxes whose masks are wanted.

    Attributes:
        path: The image's file.
        height: Height in pixels, turned upright as its EXIF says.
        width: Width in pixels, likewise.
        boxes: The boxes as they were given.
        cut: The same as x, y, width, height, cut off at the image's edges; each has a positive area.
    """

    path: Path
    height: int
    width: int
    boxes: tuple[GivenBox, ...]
    cut: tuple[XYWH, ...]


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Requests, and what was left out or changed on the way (notes are whole sentences for the user)."""

    requests: list[Request]
    notes: list[str] = field(default_factory=list)


def find_images(words: Sequence[str]) -> dict[Path, bool]:
    """Return the image files that words stand for, in order, and whether each was named itself.

    Args:
        words: Files, folders, patterns (``photos/*.jpg``), or several files with commas between them.

    Raises:
        UserError: One stands for no file.
    """
    found: dict[Path, bool] = {}
    for word in words:
        path = Path(word).expanduser()
        if path.is_file():
            found[path] = True
        elif path.is_dir():
            inside = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES and item.is_file())
            if not inside:
                raise UserError("holds no images", where=str(path), cure=f"images end in {', '.join(SUFFIXES)}")
            found |= {item: found.get(item, False) for item in inside}
        elif "," in word:
            found |= find_images([part for part in word.split(",") if part])
        elif any(letter in word for letter in "*?["):
            matches = sorted(Path(match) for match in glob.glob(str(path)) if Path(match).is_file())  # noqa: PTH207
            if not matches:
                raise UserError("no image matches", where=word, cure="check the pattern; quote it for the shell")
            found |= {item: found.get(item, False) for item in matches}
        else:
            raise _no_such_image(path)
    return found


def gather(images: Mapping[Path, bool], boxes: Sequence[GivenBox]) -> Gathered:
    """Give each image its boxes, and measure the images that have any.

    Args:
        images: From `find_images`.
        boxes: From `psis_bench.user_boxes.boxes.read_boxes`. A box names its image by its path, or by the end of
            it; with one image only it may name none.

    Raises:
        UserError: An image that was named has no boxes, a box's image is not clear, a box lies outside its image,
            or an image cannot be decoded.
    """
    paths = list(images)
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    mine: dict[Path, list[GivenBox]] = {path: [] for path in paths}
    others: dict[str, int] = {}
    for box in boxes:
        owner = _owner(box, paths, by_name)
        if owner is None:
            others[str(box.image)] = others.get(str(box.image), 0) + 1
        else:
            mine[owner].append(box)
    for path, named in images.items():
        if not mine[path] and (named or len(paths) == 1):
            near = did_you_mean(path.name, others) if others else "add boxes for it, or leave it out"
            raise UserError("no boxes are given for this image", where=str(path), cure=near)
    wanted = [path for path in paths if mine[path]]
    if not wanted:
        raise UserError("the boxes are of none of these images", cure=f"they name {', '.join(list(others)[:3])}, ...")
    with progress("images", total=len(wanted)) if len(wanted) > _MANY else _silent() as bar:
        requests = []
        for path in wanted:
            requests.append(_request(path, mine[path]))
            if bar is not None:
                bar.advance()
    return Gathered(requests=requests, notes=_notes(requests, others, without=len(paths) - len(wanted)))


class _silent:  # noqa: N801 - used like a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _no_such_image(path: Path) -> UserError:
    folder = path.parent
    names = [item.name for item in folder.iterdir()] if folder.is_dir() else []
    near = did_you_mean(path.name, [name for name in names if Path(name).suffix.lower() in SUFFIXES])
    return UserError("no such image", where=str(path), cure=near if near.startswith("did") else "check the path")


def _owner(box: GivenBox, paths: Sequence[Path], by_name: Mapping[str, list[Path]]) -> Path | None:
    if box.image is None:
        if len(paths) > 1:
            raise UserError(
                f"the box does not say which of the {len(paths)} images it is of",
                where=box.where,
                cure="give a CSV or JSON with file names (docs/user_boxes.md), or one image at a time",
            )
        return paths[0]
    told = Path(box.image).expanduser()
    same = by_name.get(told.name, [])
    fitting = [path for path in same if path == told] or [
        path for path in same if path.parts[-len(told.parts) :] == told.parts
    ]
    if len(fitting) > 1:
        raise UserError(
            f"the image {box.image!r} may be {fitting[0]} or {fitting[1]}",
            where=box.where,
            cure="name it with its folder",
        )
    return fitting[0] if fitting else None


def _request(path: Path, boxes: Sequence[GivenBox]) -> Request:
    if len(boxes) > _MAX_BOXES:
        raise UserError(f"{len(boxes)} boxes are too many for one image", where=str(path), cure=f"at most {_MAX_BOXES}")
    height, width = measure(path)
    cut = tuple(_cut(box, height=height, width=width, image=path.name) for box in boxes)
    return Request(path=path, height=height, width=width, boxes=tuple(boxes), cut=cut)


def _cut(box: GivenBox, *, height: int, width: int, image: str) -> XYWH:
    x, y, w, h = box.xywh
    if max(box.xywh) <= 1 < min(height, width):
        raise UserError(
            "the box is smaller than a pixel", where=box.where, cure="give pixels of the image, not fractions of it"
        )
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if right <= left or bottom <= top:
        raise UserError(
            f"the box lies outside of {image}, which has {width} x {height} pixels",
            where=box.where,
            cure="give x, y, width, height in pixels of the upright image",
        )
    return left, top, right - left, bottom - top


def measure(path: Path) -> tuple[int, int]:
    """Decode an image completely and return its height and width in pixels, turned upright as its EXIF says.

    Raises:
        UserError: It is no image, is broken, or has too many pixels.
    """
    from PIL import Image, UnidentifiedImageError

    where, limit = str(path), Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
                turned = image.getexif().get(_ORIENTATION) in _SIDEWAYS
                return (image.width, image.height) if turned else (image.height, image.width)
    except UnidentifiedImageError:
        raise UserError("is not an image, or a broken one", where=where, cure="give a JPEG or PNG file") from None
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot be decoded: {error}", where=where, cure="give a whole JPEG or PNG file") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _notes(requests: Sequence[Request], others: Mapping[str, int], *, without: int) -> list[str]:
    notes = []
    if without:
        notes.append(f"{without} images have no boxes and are left out")
    if others:
        notes.append(f"{sum(others.values())} boxes are of {len(others)} other images and are left out")
    beyond = [
        box
        for request in requests
        for box, cut in zip(request.boxes, request.cut, strict=True)
        if any(abs(a - b) > 1 for a, b in zip(box.xywh, cut, strict=True))
    ]
    if beyond:
        notes.append(
            f"{len(beyond)} boxes reach beyond their image and are cut off there, the first at {beyond[0].where} "
            "(boxes are x, y, width, height, not corners)"
        )
    return notes
