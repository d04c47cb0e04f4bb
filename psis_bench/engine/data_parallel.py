"""The wrapper that makes several processes one training: PyTorch's DistributedDataParallel, as MMEngine has it."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch import nn


@MODEL_WRAPPERS.register_module()
class SharedOut(MMDistributedDataParallel):
    """A model whose gradients are averaged over the processes.

    Args:
        module: The model.
        channels_last: Give its weights that memory layout, as a single process does. It has to be done here: where the
            layout changes after wrapping, gradients come back with their elements in another order.
        **kwargs: Arguments of `mmengine.model.MMDistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, *, channels_last: bool, **kwargs: Any) -> None:
        if channels_last:
            module.to(memory_format=torch.channels_last)
        super().__init__(module, **kwargs)


def wrapper_config(device: torch.device) -> dict[str, Any]:
    """Return the config of the wrapper for a device."""
    return {
        "type": "SharedOut",
        "channels_last": device.type == "cpu",
        "device_ids": [device.index] if device.type == "cuda" else None,
        "broadcast_buffers": False,
        # The coarse levels of a feature pyramid have no user in a detection-free model.
        "find_unused_parameters": True,
    }
