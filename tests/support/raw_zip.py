"""Zip archives byte by byte: what no packer would write. Layout: APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

STORED, DEFLATED, LZMA = 0, 8, 14
LINK, CHARACTER_DEVICE, FIFO = 0o120777, 0o020666, 0o010666


@dataclass
class Entry:
    """One entry; what is not given is what an honest packer would write."""

    name: bytes
    data: bytes = b""
    method: int = STORED
    flags: int = 0
    mode: int = 0
    packed: bytes | None = None
    size: int | None = None
    extra: bytes = b""
    offset: int | None = None

    @property
    def content(self) -> bytes:
        return self.data if self.packed is None else self.packed

    @property
    def unpacked_size(self) -> int:
        return len(self.data) if self.size is None else self.size


@dataclass
class RawZip:
    """An archive under construction."""

    entries: list[Entry] = field(default_factory=list)
    comment: bytes = b""
    count: int | None = None

    def write(self, path: Path) -> Path:
        body, directory = bytearray(), bytearray()
        for entry in self.entries:
            offset = len(body) if entry.offset is None else entry.offset
            check = zlib.crc32(entry.data)
            sizes = (check, len(entry.content), min(entry.unpacked_size, 2**32 - 1), len(entry.name))
            if entry.offset is None:
                body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, entry.flags, entry.method, 0, 0, *sizes, 0)
                body += entry.name + entry.content
            head = struct.pack("<4s6H3L", b"PK\1\2", 788, 20, entry.flags, entry.method, 0, 0, *sizes[:3])
            tail = struct.pack("<5H2L", len(entry.name), len(entry.extra), 0, 0, 0, entry.mode << 16, offset)
            directory += head + tail + entry.name + entry.extra
        count = min(len(self.entries) if self.count is None else self.count, 0xFFFF)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), len(self.comment))
        path.write_bytes(bytes(body + directory) + end + self.comment)
        return path


def zeros(gigabytes: int) -> bytes:
    """Return a deflate stream that unpacks to so many gigabytes of zeros, without packing them one by one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (64 * gigabytes) + packer.flush(zlib.Z_FINISH)


def many_empty_files(path: Path, count: int, *, told: int | None = None) -> Path:
    """Write an archive of so many empty files, in one go."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 7, 0)
    central = struct.pack("<4s6H3L5H2L", b"PK\1\2", 788, 20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    names = [b"%07d" % number for number in range(count)]
    body, directory = local + local.join(names), central + central.join(names)
    shown = min(count if told is None else told, 0xFFFF)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, shown, shown, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path
