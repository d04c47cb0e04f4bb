"""Two images of 10 x 20 pixels with a cat and a dog each, predictions for them, and the submission of these.

The cat is found exactly; of the dog, four columns of six.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psis_bench.run_length_strings import encode_string
from psis_bench.scoring.inputs.records import Kind, write_part
from psis_bench.splits.registry import get_split
from psis_bench.submissions.about import read_about, write_template
from psis_bench.submissions.annotations import AnnotationSource
from psis_bench.submissions.bundle import Source, bundle
from psis_bench.submissions.validation import Options, Report, validate

HEIGHT, WIDTH = 10, 20
CAT, DOG, FOUND = [0, 60, 140], [140, 60], [160, 40]
ABOUT = {
    "model": "two_columns",
    "title": "A model of two columns",
    "backbone": "none",
    "mask_head": "columns",
    "pretraining": "none",
    "mask_sources": ["the cats"],
    "extra_data": ["the dogs' boxes"],
    "seed": 0,
    "hardware": "1 CPU",
    "software": "other 1.0",
    "authors": ["A. Author", "B. Author"],
    "paper_title": "On columns",
    "paper_url": "https://example.org/columns",
    "licence": "CC0-1.0",
    "notes": "made by hand",
}


def counts(runs: Sequence[int]) -> str:
    import numpy as np

    return encode_string(np.array(runs, np.int64))


class World:
    """The files of the world.

    Attributes:
        folder: Holds ``val.json``, ``pets.yaml``, ``results.json``, ``found/`` and ``submissions/``.
        submission: The submission, to be changed.
        untouched: A copy of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.annotations = folder / "val.json"
        self.submission = folder / "submissions" / "pets@1" / "two_columns" / "0"
        self.untouched = folder / "untouched"
        self.options = Options(source=AnnotationSource(data=str(self.annotations)))

    def source(self, predictions: str = "found") -> Source:
        """What a submission is made from; ``results.json`` or the folder ``found``."""
        return Source(
            predictions=self.folder / predictions,
            annotations=self.annotations,
            data="pets",
            on_bad_boxes="error",
            split=get_split(str(self.folder / "pets.yaml")),
        )

    def bundle(self, *, predictions: str = "found", out: str = "submissions", **about: Any) -> Path:
        """Bundle a submission and return its folder."""
        write_template(self.folder / "about.yaml", ABOUT | about)
        known = read_about(self.folder / "about.yaml")
        seeds = about.pop("seeds", None) or [known["seed"]]
        return bundle(self.source(predictions), known, self.folder / out, seeds=seeds, replace=True)

    def check(self, path: Path | None = None) -> Report:
        """Check a submission, by default the one of this world."""
        return validate([path or self.submission], self.options)[0]

    def change(self, name: str, edit: Callable[[Any], object]) -> None:
        """Change the content of a JSON file of the submission."""
        path = self.submission / name
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))

    def set(self, name: str, place: str, value: Any) -> None:
        """Set one field of a JSON file, named as ``model.title`` or ``authors.0``."""
        *parents, last = [int(part) if part.isdigit() else part for part in place.split(".")]

        def edit(content: Any) -> None:
            for parent in parents:
                content = content[parent]
            content[last] = value

        self.change(name, edit)

    def write_rows(self, kind: Kind, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the predictions of one kind, with their hashes."""
        write_part(self.submission / "predictions" / kind, 0, rows, kind=kind)
        self.hash_predictions()

    def hash_predictions(self) -> None:
        """Put the hashes of the predictions as they are now into ``submission.json``."""
        folder = self.submission / "predictions"
        files = [
            {
                "path": path.relative_to(folder).as_posix(),
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in sorted(folder.glob("*/*.parquet"))
        ]
        self.set("submission.json", "predictions.files", files)


def detection(image: int = 1, **changes: Any) -> dict[str, Any]:
    """A row of ``detections``: the cat of an image."""
    row = {"image_id": image, "category_id": 1, "score": 0.9, "bbox": [0.0, 0.0, 6.0, 10.0]}
    return {**row, "height": HEIGHT, "width": WIDTH, "mask": counts(CAT), **changes}


def on_box(annotation: int, **changes: Any) -> dict[str, Any]:
    """A row of ``gt_box_masks``: an odd annotation is a cat, an even one a dog."""
    category = 2 - annotation % 2
    row = {"image_id": (annotation + 1) // 2, "annotation_id": annotation, "category_id": category}
    return {**row, "height": HEIGHT, "width": WIDTH, "mask": counts(CAT if category == 1 else FOUND), **changes}


def all_detections() -> list[dict[str, Any]]:
    dogs = {"category_id": 2, "score": 0.8, "bbox": [16.0, 0.0, 4.0, 10.0], "mask": counts(FOUND)}
    return [detection(1), detection(1, **dogs), detection(2), detection(2, **dogs)]


def all_on_boxes() -> list[dict[str, Any]]:
    return [on_box(annotation) for annotation in (1, 2, 3, 4)]


def make_world(folder: Path) -> World:
    """Write the world into an empty folder."""
    truth: dict[str, Any] = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH} for i in (1, 2)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [],
    }
    for number in (1, 2, 3, 4):
        is_cat = number % 2 == 1
        box = [0, 0, 6, 10] if is_cat else [14, 0, 6, 10]
        mask = {"size": [HEIGHT, WIDTH], "counts": CAT if is_cat else DOG}
        ids = {"id": number, "image_id": (number + 1) // 2, "category_id": 1 if is_cat else 2}
        truth["annotations"].append({**ids, "bbox": box, "segmentation": mask})
    (folder / "val.json").write_text(json.dumps(truth))
    (folder / "pets.yaml").write_text("{name: pets, version: 1, seen: [cat], unseen: [dog], description: Pets.}")
    results = [
        {
            **{key: row[key] for key in ("image_id", "category_id", "score", "bbox")},
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": row["mask"]},
        }
        for row in all_detections()
    ]
    (folder / "results.json").write_text(json.dumps(results))
    write_part(folder / "found" / "detections", 0, all_detections(), kind="detections")
    write_part(folder / "found" / "gt_box_masks", 0, all_on_boxes(), kind="gt_box_masks")
    world = World(folder)
    shutil.copytree(world.bundle(), world.untouched)
    return world
