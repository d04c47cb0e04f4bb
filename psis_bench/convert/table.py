"""A LevelDB table of names and values, uncompressed, as TensorFlow writes the index of a checkpoint.

Source: https://github.com/google/leveldb/blob/main/doc/table_format.md. A hostile file is refused, not unrolled: blocks
may not overlap, so that what is read stays as long as the file, and names may not be long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from psis_bench.convert.protobuf import varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_LONGEST_NAME = 4096


def read_table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values of a table.

    Raises:
        ValueError: It is none, compressed, or damaged.
        IndexError, struct.error: It is damaged.
    """
    if len(content) < _FOOTER or struct.unpack("<Q", content[-8:])[0] != _MAGIC:
        raise ValueError("its index has another format")
    footer = content[-_FOOTER:]
    _, place = varint(footer, 0)  # of the meta index
    _, place = varint(footer, place)
    offset, place = varint(footer, place)
    size, _ = varint(footer, place)
    end = 0
    for _, handle in _block(content, offset, size):
        start, place = varint(handle, 0)
        length, _ = varint(handle, place)
        if start < end:
            raise ValueError("its index overlaps itself")
        end = start + length
        yield from _block(content, start, length)


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values of one block; each name repeats a part of the one before it."""
    if offset + size >= len(content):
        raise ValueError("its index is cut short")
    if content[offset + size]:
        raise ValueError("its index is compressed")
    block = content[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 - 4 * restarts
    place, name = 0, b""
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(name) or shared + own > _LONGEST_NAME or place + own + length > end:
            raise ValueError("an entry of its index is damaged")
        name = name[:shared] + block[place : place + own]
        place += own
        yield name, block[place : place + length]
        place += length
