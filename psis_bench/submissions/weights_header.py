"""What a safetensors file says about itself, read without the package and without reading a tensor.

Format: https://github.com/huggingface/safetensors#format: eight bytes with the length of a JSON header, the header
(name -> dtype, shape, data_offsets), and the tensors, without gaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.submissions.plain_json import parse_json

_MAX_HEADER = 16 * 2**20
_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_SMALL = ("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2")
_NOT_LEARNT = ("running_mean", "running_var", "num_batches_tracked")
_CURE = "write weights with safetensors.torch.save_file"


@dataclass(frozen=True, kw_only=True)
class WeightsHeader:
    """What is in a file of weights.

    Attributes:
        tensors: Number of tensors.
        parameters: Numbers in them, without the running statistics of normalisation.
    """

    tensors: int
    parameters: int


def read_weights_header(path: Path) -> WeightsHeader:
    """Read and check the header of a safetensors file.

    Raises:
        UserError: It is another format (a pickle among them), or the header does not fit the file.
    """
    where = str(path)
    size = path.stat().st_size
    with path.open("rb") as handle:
        start = handle.read(8)
        length = int.from_bytes(start, "little")
        if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise UserError("is a pickle of torch.save, which can hold code", where=where, cure=_CURE)
        if len(start) < 8 or not 2 <= length <= min(_MAX_HEADER, size - 8):
            raise UserError("is no safetensors file", where=where, cure=_CURE)
        header = parse_json(handle.read(length), where=where)
    if not isinstance(header, dict):
        raise UserError("is no safetensors file", where=where, cure=_CURE)
    header.pop("__metadata__", None)
    spans = [_span(name, entry, where) for name, entry in header.items()]
    place = 0
    for begin, end, _ in sorted(spans):
        if begin != place or end < begin:
            raise UserError("has tensors that overlap or leave gaps", where=where, cure=_CURE)
        place = end
    if place != size - 8 - length:
        raise UserError("is not as long as its header says", where=where, cure="copy or download it again")
    learnt = sum(count for name, (_, _, count) in zip(header, spans, strict=True) if not name.endswith(_NOT_LEARNT))
    return WeightsHeader(tensors=len(spans), parameters=learnt)


def _span(name: str, entry: Any, where: str) -> tuple[int, int, int]:
    """Return where a tensor begins and ends in the file, and how many numbers it holds."""
    try:
        (begin, end), shape, kind = entry["data_offsets"], entry["shape"], entry["dtype"]
        whole = all(type(number) is int and 0 <= number < 2**48 for number in (begin, end, *shape))
        each = 1 if kind in _SMALL else _BYTES[kind]
        count = math.prod(shape) if whole and len(shape) <= 16 else -1
    except (TypeError, KeyError, ValueError):
        count = -1
    if count < 0 or end - begin != count * each:
        raise UserError("has a tensor whose size is not that of its shape", where=f"{where}: {name[:80]!r}", cure=_CURE)
    return begin, end, count
