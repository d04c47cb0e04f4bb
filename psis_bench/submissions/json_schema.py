"""The JSON Schema of submissions, for editors and for other software: ``model_zoo/submission.schema.json``.

Run as a program, it writes the file::

    python -m psis_bench.submissions.json_schema model_zoo/submission.schema.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from psis_bench.files import write_text
from psis_bench.submissions.schema import Submission

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema of ``submission.json``.

    It says less than `Submission`: what characters a text may have is only told in words.
    """
    return {"$schema": _DRAFT, **Submission.model_json_schema()}


def as_text() -> str:
    """Return the schema as the text of the file."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), as_text())
