"""The wire format of protocol buffers, as far as checkpoints need it.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def varint(data: bytes, place: int) -> tuple[int, int]:
    """Return the number that starts at a place, and the place after it.

    Raises:
        ValueError: The number is too long.
        IndexError: The data end inside it.
    """
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field of a message.

    Raises:
        ValueError: A field is of a kind that nobody writes any more, or longer than the message.
        IndexError: The message ends inside a number.
    """
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        kind = tag & 7
        if kind == _VARINT:
            number, place = varint(message, place)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            length, place = varint(message, place)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        value, place = message[place : place + length], place + length
        if place > len(message):
            raise ValueError("a field is cut short")
        yield tag >> 3, value if kind == _BYTES else int.from_bytes(value, "little")
