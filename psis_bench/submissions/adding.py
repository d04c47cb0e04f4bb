"""Placing valid submissions in a model zoo, each with the record of what was checked."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from psis_bench import __version__
from psis_bench.errors import UserError
from psis_bench.files import write_error, write_json
from psis_bench.submissions.bundle import put
from psis_bench.submissions.contents import limit_of
from psis_bench.submissions.reading import VERIFICATION, InvalidFileError, hashes_of, read_model
from psis_bench.submissions.schema import SCHEMA_VERSION, Submission, Tier, Verification, place_of
from psis_bench.submissions.validation import Report, opened

KEPT_BYTES = 50_000_000
"""Predictions of a submission, and likewise its weights, are kept in the zoo up to this size."""


def add(reports: Sequence[Report], zoo: Path) -> list[Path]:
    """Copy submissions without problems to ``<zoo>/submissions/<split>@<version>/<model>/<seed>``.

    Predictions or weights above `KEPT_BYTES` stay behind; their hashes and addresses are on record.

    Args:
        reports: Of submissions that were found valid.
        zoo: The model zoo.

    Returns:
        Their new folders.

    Raises:
        UserError: Predictions are too large to be kept and have no address, or the zoo cannot be written to.
    """
    described = [(report, _described(report)) for report in reports]
    return [_add_one(report, submission, zoo) for report, submission in described]


def record(folder: Path, report: Report) -> None:
    """Write ``verification.json``: what a report says about the files of a folder."""
    submission, metrics, per_class = hashes_of(folder)
    write_json(
        folder / VERIFICATION,
        {
            "schema_version": SCHEMA_VERSION,
            "tier": str(report.tier),
            "checked": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "checked_with": f"psis_bench {__version__}",
            "largest_difference": report.largest_difference,
            "submission_sha256": submission,
            "metrics_sha256": metrics,
            "per_class_sha256": per_class,
        },
    )


def raise_tier(report: Report) -> bool:
    """Rewrite the record of a submission in a zoo when a check has confirmed more than it says.

    Returns:
        Whether it was rewritten.
    """
    recorded = recorded_tier(report.path)
    if report.problems or recorded is None or report.tier.rank <= recorded.rank:
        return False
    record(report.path, report)
    return True


def recorded_tier(folder: Path) -> Tier | None:
    """Return the tier on record for a folder; None without a record."""
    if not folder.is_dir() or not (folder / VERIFICATION).is_file():
        return None
    try:
        return read_model(folder / VERIFICATION, Verification).tier
    except InvalidFileError:
        return None


def _described(report: Report) -> Submission:
    """Return what a report is about, when it can be added."""
    if report.parts is None or report.problems:
        raise UserError("is not valid", where=str(report.path), cure="psis-bench validate tells why")
    predictions = report.parts.submission.predictions
    size = sum(file.bytes for file in predictions.files)
    if size > KEPT_BYTES and predictions.url is None:
        what = f"the predictions have {size:,} bytes; up to {KEPT_BYTES:,} are kept in the zoo"
        raise UserError(what, where=str(report.path), cure="put them on the web and bundle again with predictions_url")
    return report.parts.submission


def _add_one(report: Report, submission: Submission, zoo: Path) -> Path:
    root = zoo / "submissions"
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".add-", dir=root))
    except OSError as error:
        raise write_error(root, error) from error
    try:
        with opened(report.path) as folder:
            _copy(folder, temporary)
        target = root / place_of(submission)
        known = recorded_tier(target)
        if known is not None and known.rank > report.tier.rank and hashes_of(target) == hashes_of(temporary):
            shutil.copyfile(target / VERIFICATION, temporary / VERIFICATION)
        else:
            record(temporary, report)
        return put(temporary, target)
    except OSError as error:
        raise write_error(root, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy(folder: Path, target: Path) -> None:
    """Copy the files of the closed list, without those of a large subfolder and without the submitter's own record."""
    for part in ("", "predictions", "weights"):
        pattern = "*" if part in ("", "weights") else "*/*"
        files = [path for path in sorted((folder / part).glob(pattern)) if path.is_file() and not path.is_symlink()]
        if part and sum(path.stat().st_size for path in files) > KEPT_BYTES:
            continue
        for path in files:
            name = path.relative_to(folder)
            if path.name == VERIFICATION or limit_of(name.as_posix()) is None:
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
