"""Writes small TensorFlow checkpoints byte by byte, from the description of the format alone.

LevelDB's table format, and tensor_bundle.proto and trackable_object_graph.proto of TensorFlow; nothing of it is shared
with the reader under test.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19}
_STRING = 7
_RESTART_EVERY = 16


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(128 + number % 128)
        number //= 128
    return bytes([*digits, number])


def number_field(field: int, value: int) -> bytes:
    """A varint of a message; zero is the default and is not written."""
    return varint(field * 8) + varint(value) if value else b""


def bytes_field(field: int, value: bytes) -> bytes:
    return varint(field * 8 + 2) + varint(len(value)) + value


def entry_message(*, dtype: int, shape: tuple[int, ...], offset: int, size: int, shard: int = 0) -> bytes:
    dimensions = b"".join(bytes_field(2, number_field(1, length)) for length in shape)
    numbers = number_field(3, shard) + number_field(4, offset) + number_field(5, size)
    return number_field(1, dtype) + bytes_field(2, dimensions) + numbers + varint(6 * 8 + 5) + b"\0\0\0\0"


def block(rows: list[tuple[bytes, bytes]]) -> bytes:
    """A block with prefix compression, its restarts, its type and (unchecked) checksum."""
    content, restarts, last = bytearray(), [], b""
    for place, (name, value) in enumerate(rows):
        shared = 0
        if place % _RESTART_EVERY == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(last), len(name)) and last[shared] == name[shared]:
                shared += 1
        content += varint(shared) + varint(len(name) - shared) + varint(len(value)) + name[shared:] + value
        last = name
    restarts = restarts or [0]
    content += b"".join(struct.pack("<I", start) for start in restarts) + struct.pack("<I", len(restarts))
    return bytes(content) + b"\0" + b"\0\0\0\0"


def table(rows: Mapping[bytes, bytes], *, rows_a_block: int = 40) -> bytes:
    """A table of several blocks, with an empty meta index and an index of the blocks."""
    ordered = sorted(rows.items())
    content, handles = b"", []
    for start in range(0, len(ordered), rows_a_block):
        part = ordered[start : start + rows_a_block]
        made = block(part)
        handles.append((part[-1][0], varint(len(content)) + varint(len(made) - 5)))
        content += made
    places = []
    for made in (block([]), block(handles)):
        places.append(varint(len(content)) + varint(len(made) - 5))
        content += made
    return content + b"".join(places).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def object_graph(names: Mapping[str, str]) -> bytes:
    """A graph with one node for each variable, that keeps its path and its name."""
    nodes = b""
    for path, name in names.items():
        attribute = bytes_field(1, b"VARIABLE_VALUE") + bytes_field(2, name.encode())
        nodes += bytes_field(1, bytes_field(2, attribute + bytes_field(3, (path + SUFFIX).encode())))
    return nodes


def write_checkpoint(
    prefix: Path,
    variables: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    shards: int = 1,
    extra: Mapping[str, bytes] | None = None,
) -> None:
    """Write variables (arrays by path), dealt out to data files, and the names that they had.

    Args:
        prefix: Path of the checkpoint.
        variables: Arrays by the path of attributes.
        names: Names for the object graph; None writes none.
        shards: Number of data files.
        extra: More rows of the table, as they are.
    """
    contents = [bytearray() for _ in range(shards)]
    rows = {b"": number_field(1, shards) + bytes_field(3, number_field(1, 1))}
    for place, (path, values) in enumerate(variables.items()):
        shard, array = place % shards, np.ascontiguousarray(values)
        data = array.tobytes()
        where = {"offset": len(contents[shard]), "size": len(data), "shard": shard}
        rows[(path + SUFFIX).encode()] = entry_message(dtype=_DTYPES[array.dtype.name], shape=array.shape, **where)
        contents[shard] += data
    if names is not None:
        graph = object_graph(names)
        text = varint(len(graph)) + b"\0\0\0\0" + graph
        rows[GRAPH.encode()] = entry_message(dtype=_STRING, shape=(), offset=len(contents[0]), size=len(text))
        contents[0] += text
    rows |= {name.encode(): value for name, value in (extra or {}).items()}
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(rows))
    for shard, data in enumerate(contents):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}").write_bytes(bytes(data))
