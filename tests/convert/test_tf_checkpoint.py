"""The reader of TensorFlow checkpoints against files whose bytes the tests write; damaged and hostile ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_bundle

from psis_bench.convert.tf_checkpoint import TfCheckpoint
from psis_bench.errors import UserError


def some_variables() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    found: dict[str, Any] = {"model/net/empty": np.zeros((0, 3), np.float32)}
    found |= {
        f"model/net/layer_with_weights-{place}/kernel": generator.normal(size=(3, 3, 2, place + 1)).astype(np.float32)
        for place in range(60)
    }
    found["model/net/step_size"] = np.float64(0.25)
    found["model/net/counts"] = generator.integers(-9, 9, (4,)).astype(np.int64)
    found["model/net/small"] = generator.normal(size=(2, 5)).astype(np.float16)
    return found


@pytest.mark.parametrize("shards", [1, 3])
def test_what_was_written_is_read(tmp_path: Path, shards: int) -> None:
    variables = some_variables()
    tf_bundle.write_checkpoint(tmp_path / "ckpt-7", variables, shards=shards)
    checkpoint = TfCheckpoint(tmp_path / "ckpt-7")
    assert checkpoint.names() == sorted(variables)
    for name, values in variables.items():
        found = checkpoint.read(name)
        assert found.dtype == np.asarray(values).dtype
        np.testing.assert_array_equal(found, values)


def test_the_path_may_end_in_index(tmp_path: Path) -> None:
    tf_bundle.write_checkpoint(tmp_path / "ckpt-7", some_variables())
    assert TfCheckpoint(tmp_path / "ckpt-7.index").prefix == tmp_path / "ckpt-7"


def test_optimizer_slots_and_counters_are_left_out_and_named(tmp_path: Path) -> None:
    one = np.ones(2, np.float32)
    left_out = {
        "model/net/kernel/.OPTIMIZER_SLOT/optimizer/momentum": one,
        "optimizer/iter": np.int64(70_000),
        "optimizer/_learning_rate": np.float32(0.1),
        "save_counter": np.int64(3),
        "global_step": np.int64(70_000),
    }
    tf_bundle.write_checkpoint(tmp_path / "ckpt", {"model/net/kernel": one, "model/optimizer/w": one, **left_out})
    checkpoint = TfCheckpoint(tmp_path / "ckpt")
    assert checkpoint.names() == ["model/net/kernel", "model/optimizer/w"]
    assert checkpoint.skipped == sorted(left_out)


def test_names_of_variables_are_those_of_the_object_graph(tmp_path: Path) -> None:
    names = {"model/backbone/layer_with_weights-0/kernel": "conv2d_3/kernel"}
    variables = dict.fromkeys(names, np.ones(3, np.float32))
    tf_bundle.write_checkpoint(tmp_path / "ckpt", variables, names=names)
    assert TfCheckpoint(tmp_path / "ckpt").full_names() == names
    tf_bundle.write_checkpoint(tmp_path / "without", variables)
    with pytest.raises(UserError, match="has no object graph"):
        TfCheckpoint(tmp_path / "without").full_names()


def _cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda index: index.unlink(), "no readable checkpoint"),
        (lambda index: _cut(index, 1), "another format"),
        (lambda index: index.write_bytes(b""), "another format"),
        (lambda index: index.write_bytes(index.read_bytes()[100:]), "not a TensorFlow 2 checkpoint"),
        (lambda index: index.write_bytes(tf_bundle.table({})), "no header"),
        (lambda index: index.write_bytes(tf_bundle.table({b"": b"\x08\x01"})), "no variables"),
        (lambda index: index.write_bytes(tf_bundle.table({b"": b"\x08\x01\x10\x01"})), "big-endian"),
        (lambda index: index.write_bytes(tf_bundle.table({b"": tf_bundle.number_field(1, 10**9)})), "data files"),
        (lambda index: index.write_bytes(tf_bundle.table({b"": b"\x08\x01", b"\xff": b""})), "not a TensorFlow"),
    ],
)
def test_a_damaged_index_is_one_line(tmp_path: Path, damage: Any, message: str) -> None:
    tf_bundle.write_checkpoint(tmp_path / "ckpt", some_variables())
    damage(tmp_path / "ckpt.index")
    with pytest.raises(UserError, match=message) as caught:
        TfCheckpoint(tmp_path / "ckpt")
    assert "\n" not in str(caught.value)


def test_every_truncation_and_every_changed_byte_of_an_index_is_read_or_refused(tmp_path: Path) -> None:
    """Never another error, and never values of another shape than the entry says."""
    tf_bundle.write_checkpoint(tmp_path / "ckpt", {f"model/{name}": np.ones((2, 2), np.float32) for name in "abc"})
    whole = (tmp_path / "ckpt.index").read_bytes()
    changed = [whole[:length] for length in range(len(whole))]
    changed += [whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :] for place in range(len(whole))]
    refused = 0
    for content in changed:
        (tmp_path / "ckpt.index").write_bytes(content)
        try:
            checkpoint = TfCheckpoint(tmp_path / "ckpt")
            for name in checkpoint.names():
                assert checkpoint.read(name).shape == checkpoint.entries[name].shape
        except UserError:
            refused += 1
    assert refused > len(whole)


def _entry(**changes: int) -> bytes:
    values: dict[str, Any] = {"dtype": 1, "shape": (2,), "offset": 0, "size": 8} | changes
    return tf_bundle.entry_message(**values)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (_entry(size=2**62), "has 4611686018427387904 bytes for the shape"),
        (_entry(size=2**40, shape=(2**38,)), "is cut short"),  # type: ignore[arg-type]
        (_entry(offset=2**60), "is cut short"),
        (_entry(shard=7), "cannot read"),
        (_entry(dtype=7), "of type 7, which is not read"),
        (_entry(shape=(3,)), "bytes for the shape"),  # type: ignore[arg-type]
    ],
)
def test_an_entry_that_claims_too_much_is_refused_before_it_is_read(tmp_path: Path, entry: bytes, message: str) -> None:
    tf_bundle.write_checkpoint(
        tmp_path / "ckpt", {"model/a": np.ones(2, np.float32)}, extra={"model/b" + tf_bundle.SUFFIX: entry}
    )
    checkpoint = TfCheckpoint(tmp_path / "ckpt")
    with pytest.raises(UserError, match=message) as caught:
        checkpoint.read("model/b")
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(checkpoint.read("model/a"), [1, 1])


def test_axes_without_a_size_and_slices_are_refused(tmp_path: Path) -> None:
    for entry in (_entry(shape=(2**62,)), _entry() + tf_bundle.bytes_field(7, b"")):  # type: ignore[arg-type]
        extra = {"model/b" + tf_bundle.SUFFIX: entry}
        tf_bundle.write_checkpoint(tmp_path / "ckpt", {"model/a": np.ones(2, np.float32)}, extra=extra)
        with pytest.raises(UserError, match=r"an axis has no size|in slices"):
            TfCheckpoint(tmp_path / "ckpt")


def test_a_huge_index_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "ckpt.index").open("wb") as file:
        file.truncate(2**40)  # sparse: no byte of it is on the disk
    with pytest.raises(UserError, match="more than 64 MB"):
        TfCheckpoint(tmp_path / "ckpt")


def test_an_index_whose_blocks_are_one_block_again_and_again_is_refused(tmp_path: Path) -> None:
    """A few bytes for each time that a large block would be unrolled."""
    made = tf_bundle.block([(b"model/%05d" % number, b"") for number in range(2000)])
    handle = tf_bundle.varint(0) + tf_bundle.varint(len(made) - 5)
    places, content = [], made
    for part in (tf_bundle.block([]), tf_bundle.block([(b"%05d" % number, handle) for number in range(5000)])):
        places.append(tf_bundle.varint(len(content)) + tf_bundle.varint(len(part) - 5))
        content += part
    footer = b"".join(places).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    (tmp_path / "ckpt.index").write_bytes(content + footer)
    with pytest.raises(UserError, match="overlaps itself"):
        TfCheckpoint(tmp_path / "ckpt")


def test_names_that_repeat_a_long_one_are_refused(tmp_path: Path) -> None:
    """Each of a million names would take two bytes of the file and a megabyte of memory."""
    (tmp_path / "ckpt.index").write_bytes(
        tf_bundle.table({b"": b"\x08\x01", b"a" * 10**6: b"", b"a" * 10**6 + b"b": b""})
    )
    with pytest.raises(UserError, match="an entry of its index is damaged"):
        TfCheckpoint(tmp_path / "ckpt")


def test_a_missing_or_short_data_file_is_named(tmp_path: Path) -> None:
    tf_bundle.write_checkpoint(tmp_path / "ckpt", some_variables())
    checkpoint = TfCheckpoint(tmp_path / "ckpt")
    data = tmp_path / "ckpt.data-00000-of-00001"
    _cut(data, 1)
    with pytest.raises(UserError, match=r"data-00000-of-00001: is cut short at model/net/small"):
        for name in checkpoint.names():
            checkpoint.read(name)
    data.unlink()
    with pytest.raises(UserError, match="copy all of its files"):
        checkpoint.read("model/net/small")
