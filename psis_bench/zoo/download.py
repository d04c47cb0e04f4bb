"""Downloads one file whose size and hash are known beforehand. The server is not trusted.

It may send too much, too little, something else, nothing at all or a byte an hour, or lead elsewhere: none of it ends
as a file, and no more than the expected bytes are ever written.
"""

from __future__ import annotations

import hashlib
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from psis_bench import __version__, console
from psis_bench.errors import UserError
from psis_bench.files import atomic_path
from psis_bench.submissions.weights_header import read_weights_header

TIMEOUT: Final = 30.0
"""Seconds without a byte after which a server is given up."""

SLOWEST: Final = 20_000.0
"""Bytes a second; a server that is slower than this on the whole is given up."""

_CHUNK: Final = 1 << 16
_CURE: Final = "check the network and try again, or get the file in another way and put it into the cache"
_NETWORK: Final = (urllib.error.URLError, HTTPException, OSError, ValueError)


def download(url: str, target: Path, *, sha256: str, size: int, timeout: float = TIMEOUT) -> Path:
    """Download a file of weights.

    Args:
        url: https; http only from this machine.
        target: Where it goes; appears whole and checked, or not at all.
        sha256: What it must be.
        size: Bytes that it must have.
        timeout: Seconds without a byte after which to give up.

    Returns:
        ``target``.

    Raises:
        UserError: The server cannot be reached, is too slow, or sends anything else.
    """
    _check_address(url, url)
    headers = {"User-Agent": f"psis_bench/{__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme has just been checked
    try:
        answer = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        raise UserError(f"the server answers {error.code}", where=url, cure=_CURE) from error
    except _NETWORK as error:
        raise _unreachable(url, error) from error
    with answer, atomic_path(target) as temporary:
        _receive(answer, temporary, url=url, sha256=sha256, size=size)
        read_weights_header(temporary)
    return target


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https and nothing else: no files, no ftp, no ``data:``."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _CheckedRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _unreachable(url: str, error: Exception) -> UserError:
    reason = str(getattr(error, "reason", None) or error) or type(error).__name__
    return UserError(f"cannot be downloaded: {' '.join(reason.split())[:200]}", where=url, cure=_CURE)


def _receive(answer: Any, temporary: Path, *, url: str, sha256: str, size: int) -> None:
    announced = answer.headers.get("Content-Length")
    if announced is not None and announced.strip() != str(size):
        raise UserError(f"the server sends {announced[:20]} bytes instead of {size:,}", where=url, cure=_CURE)
    digest, received, started = hashlib.sha256(), 0, time.monotonic()
    with temporary.open("wb") as file, console.progress("download", total=size) as bar:
        while chunk := _next(answer, min(_CHUNK, size + 1 - received), url):
            received += len(chunk)
            if received > size:
                raise UserError(f"the server sends more than the {size:,} bytes there should be", where=url, cure=_CURE)
            digest.update(chunk)
            file.write(chunk)
            bar.advance(len(chunk))
            if time.monotonic() - started > TIMEOUT + received / SLOWEST:
                raise UserError("the server is too slow", where=url, cure=_CURE)
    if received != size:
        raise UserError(f"the server stopped after {received:,} of {size:,} bytes", where=url, cure=_CURE)
    if digest.hexdigest() != sha256:
        raise UserError(
            f"the server sent another file, with the SHA-256 {digest.hexdigest()[:12]}...", where=url, cure=_CURE
        )


def _next(answer: Any, most: int, url: str) -> bytes:
    """Return what has come, at most ``most`` bytes: waiting for all of them would let a server send one an hour."""
    try:
        return bytes(answer.read1(most))
    except _NETWORK as error:
        # Not to be taken for an error of the disk, which is an OSError too.
        raise _unreachable(url, error) from error


def _check_address(url: str, asked: str) -> None:
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    if parts.username or parts.password or not (parts.scheme == "https" or here):
        raise UserError(f"leads to {url[:100]!r}, which is no https address", where=asked, cure="use https://")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(  # noqa: PLR0917 - the signature is that of the base
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Follow to https addresses only; to this machine only from this machine."""
        _check_address(newurl, req.full_url)
        if urlsplit(newurl).scheme == "http" and urlsplit(req.full_url).scheme == "https":
            raise UserError(f"leads to {newurl[:100]!r}, which is no https address", where=req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
