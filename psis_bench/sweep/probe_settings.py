"""The settings of probe mode: how long and on how many crops each mask head is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from psis_bench.errors import UserError, did_you_mean

PREFIX = "probe."


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How the mask heads of a probe are trained and used.

    Attributes:
        iterations: Length of a head's training; the schedule of the model is stretched to it.
        batch: Crops an iteration.
        detections: Whether masks of detections are predicted too, for mask AP; takes much longer.
    """

    iterations: int = 300
    batch: int = 16
    detections: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)

    @classmethod
    def read(cls, values: Mapping[str, str]) -> ProbeSettings:
        """Read ``probe.`` keys as typed, without the prefix.

        Raises:
            UserError: An unknown key, or a value of the wrong kind.
        """
        names = [field.name for field in fields(cls)]
        read: dict[str, Any] = {}
        for key, text in values.items():
            if key not in names:
                raise UserError(f"unknown key 'probe.{key}'", cure=did_you_mean(key, names))
            if key == "detections":
                if text not in ("true", "false"):
                    raise UserError(f"probe.detections must be true or false, not {text!r}")
                read[key] = text == "true"
            elif not text.isdecimal() or int(text) < 1:
                raise UserError(f"probe.{key} must be a whole number of at least 1, not {text!r}")
            else:
                read[key] = int(text)
        return cls(**read)
