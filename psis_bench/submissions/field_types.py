"""The types that the fields of a submission are made of.

A text is one line of visible characters: no control or invisible characters (which could hide or reorder what a
reader sees), no HTML mark-up, and not long. Pages that show a text still escape it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # categories of the Unicode standard, section 4.5
_MARKUP = re.compile(r"<\s*[A-Za-z/!?]")
_DEVICE_NAMES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


Fraction = Annotated[float, Field(ge=0, le=1)]
"""A score in [0, 1], not rounded."""

SCORE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
MAX_SCORES = 64


class Strict(BaseModel):
    """Base of all parts: immutable, no unknown keys, no conversion of types, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


class Scores(Strict):
    """Scores by name: those of its fields, and any others that a later version of the scoring knows."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Fraction | None]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        check_score_names(self.__pydantic_extra__)
        return self


def check_score_names(names: Collection[str]) -> None:
    """Refuse names of further scores that are not names, or very many.

    Raises:
        ValueError: Says which.
    """
    for name in names:
        if not SCORE_NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!a} is no name of a score; use letters, digits and _")
    if len(names) > MAX_SCORES:
        raise ValueError(f"has more than {MAX_SCORES} further scores; leave some out")


def visible_text(text: str) -> str:
    """Return the text when it can be shown in one line as it is.

    Raises:
        ValueError: It has control or invisible characters, or HTML mark-up, or blanks at an end.
    """
    for character in text:
        if unicodedata.category(character) in _INVISIBLE:
            raise ValueError(f"has the invisible character U+{ord(character):04X}; write one line of plain text")
    if _MARKUP.search(text):
        raise ValueError("has HTML mark-up; write plain text, with a blank after every '<'")
    if text != text.strip():
        raise ValueError("begins or ends with a blank; leave it out")
    return text


def _portable(name: str) -> str:
    if _DEVICE_NAMES.fullmatch(name) or name.endswith("."):
        raise ValueError("is no file name on some systems; choose another")
    return name


Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(visible_text)]
"""One visible line."""

LongText = Annotated[str, StringConstraints(max_length=2000), AfterValidator(visible_text)]
"""One visible line that may be long, or empty."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.+-]{0,79}$"), AfterValidator(_portable)]
"""A name that is also the name of a folder: lower-case letters, digits and ``_ . + -``."""

SplitName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,2}$", max_length=80),
]
"""As in ``psis-bench ls splits``, e.g. ``voc2nonvoc`` or ``random/20/0``."""

Url = Annotated[
    str,
    StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?#=&%+,:;@-]*)?$", max_length=500),
]
"""An https address."""

GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A group of classes that is scored together."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""64 lower-case hexadecimal digits."""

Count = Annotated[int, Field(ge=0, lt=2**53)]
"""A whole number that every reader of JSON holds exactly."""

Positive = Annotated[float, Field(gt=0, lt=1e9)]
"""A positive measurement."""
