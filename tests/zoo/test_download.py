"""Downloading, from servers of this machine that are friendly, broken or hostile."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.zoo import download as downloading
from psis_bench.zoo.download import download
from psis_bench.zoo.weights import get_weights

from .conftest import CONTENT, sha256

Put = Callable[..., dict[str, object]]
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = f"Content-Length: {len(CONTENT)}\r\n".encode()
TIMEOUT = 0.5


@contextmanager
def served(*parts: bytes, hold: bool = False) -> Iterator[str]:
    """Answer every request with these bytes, whatever they are, and close; or hold the connection open."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65536)
                        for part in parts:
                            connection.sendall(part)
                        if hold:
                            stop.wait(10)
                    except OSError:
                        continue

        threading.Thread(target=answer, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            server.shutdown(socket.SHUT_RDWR)


def fetch(address: str, target: Path, *, content: bytes = CONTENT) -> Path:
    url = f"{address}/tiny-{sha256(content)[:8]}.safetensors"
    return download(url, target / "tiny.safetensors", sha256=sha256(content), size=len(content), timeout=TIMEOUT)


def test_a_file_is_downloaded_once_and_then_taken_from_the_cache(root: Path, put: Put, tmp_path: Path):
    with served(OK + LENGTH + b"\r\n" + CONTENT) as address:
        entry = put(address=address)
        path = get_weights("tiny", root=root)
    assert path == tmp_path / "cache" / "zoo" / str(entry["Weights"]).rpartition("/")[2]
    assert path.read_bytes() == CONTENT
    assert get_weights("tiny", root=root) == path  # the server is gone


def test_a_damaged_file_in_the_cache_is_refused_with_the_cure(root: Path, put: Put):
    with served(OK + LENGTH + b"\r\n" + CONTENT) as address:
        put(address=address)
        path = get_weights("tiny", root=root)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UserError, match=r"should have .*; remove it and get it again"):
        get_weights("tiny", root=root)


def test_without_a_length_the_file_is_counted(tmp_path: Path):
    with served(OK + b"\r\n" + CONTENT) as address:
        assert fetch(address, tmp_path).read_bytes() == CONTENT


CASES = {
    "another length": ([OK + b"Content-Length: 5\r\n\r\n12345"], "the server sends 5 bytes instead of"),
    "a length that is no number": (
        [OK + b"Content-Length: 5, 7\r\n\r\n12345"],
        "the server sends 5, 7 bytes instead of",
    ),
    "too much": ([OK + b"\r\n" + CONTENT + b"x"], "sends more than the"),
    "without an end": ([OK + b"\r\n" + CONTENT, *[b"\0" * 65536] * 500], "sends more than the"),
    "too little": ([OK + LENGTH + b"\r\n" + CONTENT[:20]], "20 of"),
    "too little, unannounced": ([OK + b"\r\n" + CONTENT[:20]], "the server stopped after 20 of"),
    "another file": ([OK + LENGTH + b"\r\n" + bytes(len(CONTENT))], "the server sent another file"),
    "nothing": ([b""], "cannot be downloaded"),
    "no HTTP": ([b"SSH-2.0-OpenSSH\r\n"], "cannot be downloaded"),
    "headers without an end": ([OK, *[b"X-Header: " + b"a" * 70000 + b"\r\n"] * 30], "cannot be downloaded"),
    "an error": ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "the server answers 404"),
    "a wrong chunk": ([OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], "cannot be downloaded"),
    "a file of this machine": (
        [b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"],
        "the server answers 302",
    ),
    "an unencrypted host": (
        [b"HTTP/1.1 302 Found\r\nLocation: http://example.org/x\r\nContent-Length: 0\r\n\r\n"],
        "leads to 'http://example.org/x', which is no https address",
    ),
    "itself": ([b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"], "the server answers 302"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_server_that_sends(case: str, tmp_path: Path):
    parts, message = CASES[case]
    with served(*parts) as address, pytest.raises(UserError) as caught:
        fetch(address, tmp_path)
    assert message in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_of_the_right_hash_is_no_weights(tmp_path: Path):
    content = pickle.dumps({"weights": [1.0]})
    with served(OK + b"\r\n" + content) as address, pytest.raises(UserError, match="pickle"):
        fetch(address, tmp_path, content=content)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path):
    with served(hold=True) as address, pytest.raises(UserError, match="cannot be downloaded: timed out"):
        fetch(address, tmp_path)
    part = OK + LENGTH + b"\r\n" + CONTENT[:9]
    with served(part, hold=True) as address, pytest.raises(UserError, match="cannot be downloaded: timed out"):
        fetch(address, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_a_byte_an_hour_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hours = iter(range(0, 10**6, 3600))
    monkeypatch.setattr(downloading.time, "monotonic", lambda: float(next(hours)))
    part = OK + LENGTH + b"\r\n" + CONTENT[:9]
    with served(part, hold=True) as address, pytest.raises(UserError, match="the server is too slow"):
        fetch(address, tmp_path)


def test_no_server_at_all(tmp_path: Path):
    with served() as address:
        pass
    with pytest.raises(UserError, match=r"cannot be downloaded: .*refused"):
        fetch(address, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://example.org/x", "file:///etc/passwd", "https://user:word@example.org/x", "x"]
)
def test_addresses_that_are_not_https_are_not_asked(url: str, tmp_path: Path):
    with pytest.raises(UserError, match="which is no https address"):
        download(url, tmp_path / "x", sha256="0" * 64, size=1)
