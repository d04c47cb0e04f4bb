"""Weights on the Hugging Face Hub: addresses ``hf://<owner>/<repository>/<file>``. Needs the extra ``[hub]``."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from psis_bench.errors import UserError
from psis_bench.files import atomic_path
from psis_bench.zoo.weights import check_file

_ADDRESS: Final = re.compile(r"hf://([\w.-]{1,96}/[\w.-]{1,96})/([\w.-]{1,96}(?:/[\w.-]{1,96}){0,3})")
_REPOSITORY: Final = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


def download_from_hub(address: str, target: Path, *, sha256: str, size: int) -> Path:
    """Download a file of weights from the Hub and check it.

    Args:
        address: ``hf://<owner>/<repository>/<file>``.
        target: Where it goes, whole and checked, or not at all.
        sha256: What it must be.
        size: Bytes that it must have.

    Raises:
        UserError: The extra is not installed, the Hub has no such file, or it is another file.
    """
    parts = _ADDRESS.fullmatch(address)
    if not parts or ".." in address:
        raise UserError(f"{address!r} is no address on the Hub", cure="write hf://<owner>/<repository>/<file>")
    hub = _hub()
    with tempfile.TemporaryDirectory(prefix="psis_bench-hub-") as folder:
        try:
            path = Path(hub.hf_hub_download(repo_id=parts[1], filename=parts[2], local_dir=folder))
        except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
            told = " ".join(str(error).split())[:200]
            raise UserError(f"cannot be downloaded: {told}", where=address, cure="check name and network") from error
        named = Path(folder) / target.name
        if path != named:
            path.replace(named)
        check_file(named, sha256=sha256, size=size)
        with atomic_path(target) as temporary:
            shutil.copyfile(named, temporary)
    return target


def upload_to_hub(path: Path, repository: str) -> str:
    """Upload a checked file of weights to a repository of the Hub, which must exist.

    Args:
        path: A file named with its hash.
        repository: ``<owner>/<repository>``; the token is the one that ``hf auth login`` keeps.

    Returns:
        Its address, ``hf://...``, to be put into the metafile as ``Weights``.

    Raises:
        UserError: The extra is not installed, the file is not what its name says, or the Hub refuses it.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise UserError(f"{repository!r} is no repository of the Hub", cure="write repo=<owner>/<repository>")
    check_file(path)
    hub = _hub()
    try:
        hub.HfApi().upload_file(
            path_or_fileobj=path, path_in_repo=path.name, repo_id=repository, commit_message=f"Add {path.name}"
        )
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        told = " ".join(str(error).split())[:200]
        raise UserError(f"cannot be uploaded: {told}", where=repository, cure="log in with: hf auth login") from error
    return f"hf://{repository}/{path.name}"


def _hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError:
        raise UserError("huggingface_hub is not installed", cure="pip install 'psis_bench[hub]'") from None
    return huggingface_hub
