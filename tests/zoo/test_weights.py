"""Files of weights: found, checked, refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.zoo.weights import check_file, get_weights, hashed_name

from .conftest import CONTENT, safetensors, sha256

Put = Callable[..., dict[str, object]]


def written(folder: Path, content: bytes, name: str | None = None) -> Path:
    path = folder / (name or hashed_name("tiny", sha256(content)))
    path.write_bytes(content)
    return path


def test_shipped_weights_are_used_where_they_are(root: Path, put: Put):
    entry = put()
    assert get_weights("tiny", root=root) == root / str(entry["Weights"])


def test_a_copy_goes_where_one_wants_it(root: Path, put: Put, tmp_path: Path):
    put()
    path = get_weights("tiny", out=tmp_path / "mine", root=root)
    assert path == tmp_path / "mine" / hashed_name("tiny", sha256(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_file_of_the_package_of_the_format_is_accepted(tmp_path: Path):
    numpy = pytest.importorskip("safetensors.numpy")
    import numpy as np

    content = numpy.save({"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.array(5, np.int64)})
    check_file(written(tmp_path, content))


def test_weights_that_have_changed_are_refused(root: Path, put: Put):
    entry = put()
    path = root / str(entry["Weights"])
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(UserError, match=r"has the SHA-256 \w+\.\.\. and should have"):
        get_weights("tiny", root=root)
    path.write_bytes(CONTENT + b"x")
    with pytest.raises(UserError, match=rf"has {len(CONTENT) + 1} bytes and should have {len(CONTENT)}"):
        get_weights("tiny", root=root)
    path.unlink()
    with pytest.raises(UserError, match="no such file; check it out again"):
        get_weights("tiny", root=root)


def test_a_model_without_weights_says_so(root: Path):
    with pytest.raises(UserError, match="model 'deep_marc_r50' has no weights; train it"):
        get_weights("deep_marc_r50", root=root)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('a pickle was loaded')",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Harmful()),
        b"PK\x03\x04" + b"\0" * 64,
        b"",
        b"\0" * 7,
        b"\xff" * 64,
        (2**62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        CONTENT[:-1],
        CONTENT + b"\0",
        safetensors({"a": [1.0]}).replace(b'"F32"', b'"F99"'),
        safetensors({"a": [1.0]}).replace(b"[0, 4]", b"[0, 9]"),
        safetensors({"a": [1.0]}).replace(b"[1]", b"[7]"),
    ],
)
def test_what_is_no_whole_safetensors_file_is_refused_whatever_it_is_called(tmp_path: Path, content: bytes):
    with pytest.raises(UserError):
        check_file(written(tmp_path, content), sha256=sha256(content), size=len(content))


def test_a_name_without_the_hash_of_the_content_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="which is not that of its name"):
        check_file(written(tmp_path, CONTENT, "tiny-00000000.safetensors"))
    with pytest.raises(UserError, match="is not called <name>-<8 digits of its SHA-256>"):
        check_file(written(tmp_path, CONTENT, "tiny.safetensors"))
