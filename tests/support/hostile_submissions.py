"""Submissions made to do harm. Each turns the valid submission of a `World` into one and returns its path.

`HOSTILE` lists them by name, with words that the refusal must have.
"""

from __future__ import annotations

import hostile_archives  # noqa: F401
import hostile_folders  # noqa: F401
import hostile_predictions  # noqa: F401
import hostile_texts  # noqa: F401
from hostile_cases import HOSTILE, OPENED

__all__ = ["HOSTILE", "OPENED"]
