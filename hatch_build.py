"""Puts configs/ and the zoo's index and weights inside the wheel; an editable installation uses the checkout's."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConfigsInTheWheel(BuildHookInterface):
    """Build hook of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them below psis_bench/ with the paths that they have in the checkout, unless it is editable."""
        if version == "standard":
            for path in ("configs", "model-index.yml", "model_zoo/weights"):
                build_data["force_include"][path] = f"psis_bench/{path}"
