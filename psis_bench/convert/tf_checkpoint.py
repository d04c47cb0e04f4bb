"""Reads the variables of a TensorFlow 2 checkpoint without TensorFlow.

Source: tensorflow/core/util/tensor_bundle and tensorflow/core/protobuf/tensor_bundle.proto. ``PREFIX.index`` is a table
of names to entries, ``PREFIX.data-00000-of-0000N`` the bytes. Only what object-based checkpoints of variables hold is
read: dense numbers in little-endian order. Optimizer slots and counters are passed over by rule and can be named.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from psis_bench.convert.protobuf import fields, varint
from psis_bench.convert.sources import Array
from psis_bench.convert.table import read_table
from psis_bench.errors import UserError

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_BOOKKEEPING = ("save_counter", "optimizer", "global_step", "step")
_HEADER, _GRAPH = "", "_CHECKPOINTABLE_OBJECT_GRAPH"
# The index of Deep-MAC's largest model has less than one of them; a whole file of this size is read into memory.
_LARGEST_INDEX = 64 * 1024**2
_MOST_SHARDS = 99_999


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where the bytes of one variable are.

    Attributes:
        dtype: Number of the type in tensorflow's types.proto.
        shape: Sizes of its axes.
        shard: Which data file.
        offset: First byte in it.
        size: Number of bytes.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


class TfCheckpoint:
    """The variables of a checkpoint, by the path of attributes that leads to them, e.g. ``model/_net/conv/kernel``.

    Args:
        prefix: Path of the checkpoint, with or without ``.index``.

    Attributes:
        prefix: The path without ``.index``.
        entries: The variables of the model.
        skipped: Names of optimizer slots, counters and other bookkeeping, sorted.

    Raises:
        UserError: There is no such checkpoint, it is damaged, or it holds no variables.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix.with_name(prefix.name.removesuffix(".index"))
        index = self.prefix.with_name(f"{self.prefix.name}.index")
        try:
            content = _read_index(index)
            table = {name.decode(): value for name, value in read_table(content)}
            self.shards = _header_shards(table.pop(_HEADER, None))
            graph = table.pop(_GRAPH, None)
            self._graph = None if graph is None else _entry(graph)
            self.skipped = sorted(name.removesuffix(_SUFFIX) for name in table if not _is_variable(name))
            self.entries = {
                name.removesuffix(_SUFFIX): _entry(value) for name, value in table.items() if _is_variable(name)
            }
        except (ValueError, IndexError, struct.error, UnicodeDecodeError) as error:
            raise UserError(
                f"not a TensorFlow 2 checkpoint: {error}", where=str(index), cure="copy it again, all of its files"
            ) from error
        if not self.entries:
            raise UserError(
                "holds no variables of a model",
                where=str(index),
                cure="give a checkpoint that tf.train.Checkpoint saved, not a frozen graph or one of TensorFlow 1",
            )

    def names(self) -> list[str]:
        """Return the names of all variables, sorted."""
        return sorted(self.entries)

    def full_names(self) -> dict[str, str]:
        """Return the name that each variable had in the program that saved it, e.g. ``conv2d_7/kernel``.

        Raises:
            UserError: The checkpoint has no object graph, or a damaged one.
        """
        if self._graph is None:
            raise UserError(
                "has no object graph", where=str(self.prefix), cure="give one that tf.train.Checkpoint saved"
            )
        try:
            content = self._bytes(self._graph, _GRAPH)
            length, place = varint(content, 0)
            # Behind the length of the one string is a checksum of it.
            graph = content[place + 4 : place + 4 + length]
            return dict(_attributes(graph))
        except (ValueError, IndexError, UnicodeDecodeError) as error:
            raise UserError(f"its object graph is damaged: {error}", where=str(self.prefix)) from error

    def read(self, name: str) -> Array:
        """Return the values of a variable.

        Raises:
            UserError: The data file is missing or cut short, or entry and type do not go together.
        """
        entry = self.entries[name]
        if entry.dtype not in _DTYPES:
            raise UserError(f"{name} is of type {entry.dtype}, which is not read", where=str(self.prefix))
        dtype = np.dtype(_DTYPES[entry.dtype])
        if entry.size != math.prod(entry.shape) * dtype.itemsize:
            raise UserError(
                f"{name} has {entry.size} bytes for the shape {entry.shape}",
                where=str(self.prefix),
                cure="copy it again",
            )
        return np.frombuffer(self._bytes(entry, name), dtype).reshape(entry.shape)

    def _bytes(self, entry: Entry, name: str) -> bytes:
        path = self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}")
        try:
            if entry.offset + entry.size > path.stat().st_size:
                raise UserError(f"is cut short at {name}", where=str(path), cure="copy it again")
            with path.open("rb") as file:
                file.seek(entry.offset)
                return file.read(entry.size)
        except OSError as error:
            raise UserError(f"cannot read: {error.strerror}", where=str(path), cure="copy all of its files") from error


def _read_index(index: Path) -> bytes:
    try:
        if index.stat().st_size > _LARGEST_INDEX:
            raise ValueError(f"its index has more than {_LARGEST_INDEX // 1024**2} MB")
        return index.read_bytes()
    except OSError as error:
        raise UserError(
            f"no readable checkpoint: {error.strerror}", where=str(index), cure="give the path up to .index"
        ) from error


def _is_variable(name: str) -> bool:
    if not name.endswith(_SUFFIX) or "/.OPTIMIZER_SLOT/" in name:
        return False
    parts = name.removesuffix(_SUFFIX).split("/")
    return parts[0] not in _BOOKKEEPING and parts[-1] != "save_counter"


def _attributes(graph: bytes) -> Iterator[tuple[str, str]]:
    """Yield path and name of each variable of a TrackableObjectGraph (trackable_object_graph.proto)."""
    for number, node in fields(graph):
        if number != 1 or not isinstance(node, bytes):
            continue
        for kind, attribute in fields(node):
            if kind != 2 or not isinstance(attribute, bytes):
                continue
            texts = {place: value.decode() for place, value in fields(attribute) if isinstance(value, bytes)}
            if texts.get(3, "").endswith(_SUFFIX):
                yield texts[3].removesuffix(_SUFFIX), texts.get(2, "")


def _entry(message: bytes) -> Entry:
    """Return what BundleEntryProto says."""
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: list[int] = []
    for field, value in fields(message):
        if field in numbers and isinstance(value, int):
            numbers[field] = value
        elif field == 2 and isinstance(value, bytes):
            shape += [_dimension(size) for number, size in fields(value) if number == 2 and isinstance(size, bytes)]
        elif field == 7:
            raise ValueError("it holds variables in slices, of a partitioned model")
    return Entry(dtype=numbers[1], shape=tuple(shape), shard=numbers[3], offset=numbers[4], size=numbers[5])


def _dimension(message: bytes) -> int:
    size = next((value for number, value in fields(message) if number == 1), 0)
    if not isinstance(size, int) or size >= 2**40:
        raise ValueError("an axis has no size")
    return size


def _header_shards(message: bytes | None) -> int:
    """Return the number of data files that BundleHeaderProto gives."""
    if message is None:
        raise ValueError("its index has no header")
    known = dict(fields(message))
    if known.get(2, 0) != 0:
        raise ValueError("its numbers are in big-endian order")
    shards = known.get(1, 0)
    if not isinstance(shards, int) or not 1 <= shards <= _MOST_SHARDS:
        raise ValueError("its header gives no number of data files")
    return shards
