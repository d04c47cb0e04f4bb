"""COCO-format data: reading and checking it, and taking away the masks that a split withholds. Needs no torch."""
