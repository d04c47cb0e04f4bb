"""Puts configs/ inside the wheel; an editable installation uses the ones of the checkout, never a copy."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConfigsInTheWheel(BuildHookInterface):
    """Build hook of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add configs/ as psis_bench/configs, unless the installation is editable."""
        if version == "standard":
            build_data["force_include"]["configs"] = "psis_bench/configs"
