"""Saves randomly initialised official mask heads as checkpoints, with inputs and the logits they give.

Runs in the environment of the official code (`make parity`):

    python tests/parity/official_heads.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from official_runtime import DEEP_MAC_HEADS, DEEP_MARC_HEADS, disturb, np, save

EPS = 1e-4  # of the configs with ResNet backbones
SIDE = 32


def deep_mac(folder: Path) -> None:
    """Save the heads of Deep-MAC; the fully connected one, which the released configs cannot build, too."""
    from object_detection.meta_architectures import deepmac_meta_arch

    heads = {**DEEP_MAC_HEADS, "fully_connected": "fully_connected2"}
    for official, mine in heads.items():
        generator = np.random.default_rng(len(official))
        size = SIDE if official == "fully_connected" else None
        network = deepmac_meta_arch.MaskHeadNetwork(official, 64, mask_size=size)
        # Coordinates (2) and pixel embedding (16), then instance embedding (32).
        pixels = generator.normal(size=(2, SIDE, SIDE, 18)).astype(np.float32)
        instances = generator.normal(size=(2, 32)).astype(np.float32)
        network(instances, pixels, training=False)
        disturb(network, generator)
        logits = network(instances, pixels, training=False).numpy()
        tiled = np.broadcast_to(instances[:, None, None], (2, SIDE, SIDE, 32))
        crops = np.concatenate([pixels, tiled], axis=3).transpose(0, 3, 1, 2)
        save(folder, f"deep_mac-{mine}", network, {"crops": crops, "logits": logits})


def deep_marc(folder: Path) -> None:
    """Save the heads of Deep-MARC, and one of them with a mask for each of 91 classes."""
    from official.projects.deepmac_maskrcnn.modeling.heads import instance_heads

    for official, (mine, side, channels) in DEEP_MARC_HEADS.items():
        for agnostic in (True, False) if official == "default" else (True,):
            generator = np.random.default_rng(len(official))
            network = instance_heads.DeepMaskHead(
                num_classes=91,
                upsample_factor=2,
                num_convs=4,
                num_filters=channels,
                class_agnostic=agnostic,
                convnet_variant=official,
                norm_epsilon=EPS,
            )
            crops = generator.normal(size=(1, 2, side, side, 256)).astype(np.float32)
            classes = np.array([[1, 88]], np.int32)
            network([crops, classes], training=False)
            disturb(network, generator)
            logits = network([crops, classes], training=False).numpy()[0]
            name = f"deep_marc{'' if agnostic else '_specific'}-{mine}"
            save(folder, name, network, {"crops": crops[0].transpose(0, 3, 1, 2), "logits": logits})


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    deep_mac(out)
    deep_marc(out)
