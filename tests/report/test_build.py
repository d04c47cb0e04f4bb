from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from psis_bench.errors import UserError
from psis_bench.report.build import build_report
from psis_bench.splits import SplitProtocol, get_split

VOID = {"meta", "link", "br", "img", "use"}
SECTIONS = ["scores", "pictures", "classes", "instances", "training", "table"]


class Page(HTMLParser):
    """The elements of a page, with the texts in them; fails on a closing tag that closes nothing."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(" ".join(data.split()))

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(fake_run: Any) -> str:
    return str(fake_run.build())


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Any], Any]:
    """Returns a copy of a fake run that a test may change."""

    def copied(run: Any) -> Any:
        directory = Path(shutil.copytree(run.directory, tmp_path / "run"))
        images = Path(shutil.copytree(run.images, tmp_path / "images"))
        return type(run)(directory=directory, annotations=run.annotations, images=images, split=run.split)

    return copied


def test_page_is_well_formed_and_has_every_section(html: str) -> None:
    page = Page(html)
    assert [section["id"] for section in page.named("section")] == SECTIONS
    assert {link["href"] for link in page.named("a")} == {f"#{name}" for name in SECTIONS}
    assert len(page.named("h1")) == 1


def test_page_refers_to_nothing_outside_of_itself(html: str) -> None:
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    for _, attributes in Page(html).elements:
        for key in ("src", "href", "data", "action", "poster", "srcset"):
            assert attributes.get(key, "#").startswith(("#", "data:"))


def test_ids_are_unique_and_every_reference_finds_its_own(html: str) -> None:
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = re.findall(r"url\(#([^)]+)\)", html) + [use["href"][1:] for use in page.named("use")]
    assert references
    assert set(references) <= set(ids)


def test_size_is_bounded(html: str) -> None:
    assert len(html.encode()) < 3_000_000


def test_pictures_show_three_rows_of_unseen_and_of_seen_classes(html: str, fake_run: Any) -> None:
    page = Page(html)
    tiles = [image for image in page.named("img") if "whole" not in image.get("class", "")]
    assert len(tiles) == 3 * 6 + 3 * 3
    table = pd.read_parquet(fake_run.directory / "per_instance.parquet").set_index("annotation_id")
    names = pd.read_csv(fake_run.directory / "per_class.csv").set_index("category_id")
    groups = []
    for tile in tiles:
        assert tile["src"].startswith("data:image/jpeg;base64,")
        row = table.loc[int(tile["title"].rsplit(" ", 1)[1])]
        own = names.loc[int(row["category_id"])]
        assert tile["alt"].startswith(f"{own['name']}: ground truth")
        assert tile["alt"].endswith(f"IoU {100 * row['iou']:.1f}")
        groups.append(own["group"])
        w, h = fake_run.boxes[int(row.name)][2:]
        assert w * h >= 24**2
    assert groups == ["unseen"] * 18 + ["seen"] * 9


def test_numbers_of_the_scores_are_on_the_page_times_100(html: str) -> None:
    texts = Page(html).texts
    assert {"31.2", "52.1", "44.0"} <= set(texts)
    assert "this model" in texts
    assert any(text.startswith("psis-bench run split=voc2nonvoc model=deep_marc/small") for text in texts)
    assert any("train 4 min 12 s · predict 31 s · score 0.4 s" in text for text in texts)


def test_every_class_has_a_row_in_the_table(html: str) -> None:
    body = html.partition('<table class="sortable">')[2].partition("</table>")[0]
    assert body.count("<tr>") == 81


def test_same_run_gives_the_same_page(html: str, fake_run: Any) -> None:
    assert fake_run.build() == html


def test_missing_pieces_are_told_and_nothing_breaks(fake_run: Any, copy_of: Callable[[Any], Any]) -> None:
    run = copy_of(fake_run)
    (run.directory / "train_log.jsonl").unlink()
    shutil.rmtree(run.directory / "predictions" / "detections")
    shutil.rmtree(run.directory / "stages")
    (run.directory / "predictions" / "manifest.json").unlink()
    html = run.build()
    page = Page(html)
    assert [section["id"] for section in page.named("section")] == SECTIONS
    assert "There is no training log in this run." in page.texts
    assert "There are no detections in this run." in page.texts


def test_missing_damaged_and_wrong_pictures_become_placeholders_with_their_names(
    fake_run: Any, copy_of: Callable[[Any], Any]
) -> None:
    run = copy_of(fake_run)
    pictures = sorted(run.images.glob("*.jpg"))
    for picture in pictures[::3]:
        picture.unlink()
    for picture in pictures[1::3]:
        picture.write_bytes(picture.read_bytes()[:40])
    for picture in pictures[2::3]:
        cv2.imwrite(str(picture), np.zeros((10, 12, 3), np.uint8))
    page = Page(run.build())
    placeholders = [element for element in page.named("div") if element.get("class") == "placeholder"]
    assert len(placeholders) >= 27
    assert "picture is 12 by 10, not 256 by 192" in page.texts
    assert pictures[0].name in page.texts


def test_missing_predictions_become_placeholders(fake_run: Any, copy_of: Callable[[Any], Any]) -> None:
    run = copy_of(fake_run)
    shutil.rmtree(run.directory / "predictions")
    assert Page(run.build()).texts.count("no predicted mask") == 27


def test_run_without_masks_on_ground_truth_boxes(fake_run: Any, copy_of: Callable[[Any], Any]) -> None:
    run = copy_of(fake_run)
    table = pd.read_parquet(run.directory / "per_instance.parquet")
    table.assign(iou=np.nan).to_parquet(run.directory / "per_instance.parquet")
    classes = pd.read_csv(run.directory / "per_class.csv")
    classes.assign(gt_box_miou=np.nan).to_csv(run.directory / "per_class.csv", index=False)
    scores = json.loads((run.directory / "scores.json").read_text())
    run.edit_json(
        "scores.json", groups={name: group | {"gt_box_miou": None} for name, group in scores["groups"].items()}
    )
    texts = Page(run.build()).texts
    assert "No class has a GT-box mIoU in this run." in texts
    assert "No instance was scored on its ground-truth box." in texts
    assert "No instance of unseen classes was scored on its ground-truth box." in texts


def test_scores_of_another_split_are_refused(fake_run: Any) -> None:
    other = get_split("nonvoc2voc")
    run = type(fake_run)(
        directory=fake_run.directory, annotations=fake_run.annotations, images=fake_run.images, split=other
    )
    with pytest.raises(UserError, match=r"scores\.json: .*voc2nonvoc@1, not of nonvoc2voc@1"):
        run.build()


def test_another_annotation_file_is_told(fake_run: Any, copy_of: Callable[[Any], Any], tmp_path: Path) -> None:
    run = copy_of(fake_run)
    run.annotations = tmp_path / "instances.json"
    run.annotations.write_text(fake_run.annotations.read_text() + "\n")
    assert any("instances.json has changed since the run was scored" in text for text in Page(run.build()).texts)


def test_bad_boxes_that_were_dropped_for_scoring_are_dropped_here(
    fake_run: Any, copy_of: Callable[[Any], Any], tmp_path: Path
) -> None:
    run = copy_of(fake_run)
    content = json.loads(fake_run.annotations.read_text())
    content["annotations"].append({**content["annotations"][0], "id": 10**9, "bbox": [1, 1, 0, 5]})
    run.annotations = tmp_path / "instances.json"
    run.annotations.write_text(json.dumps(content))
    given = {"annotations": run.annotations, "images": run.images, "split": run.split}
    with pytest.raises(UserError, match="has no area"):
        build_report(run.directory, **given)
    assert build_report(run.directory, **given, on_bad_boxes="drop").is_file()


def test_split_without_unseen_classes(make_run: Callable[..., Any]) -> None:
    page = Page(make_run(images=4, split=get_split("fully_supervised"), detections=False).build())
    assert "No instance of unseen classes was scored on its ground-truth box." in page.texts
    assert "The split has no unseen classes." in page.texts
    assert "Detection AP left out: the model has no detector." in page.texts


HOSTILE = {
    1: "<script>alert(1)</script>", 2: "a\"b'c&d", 3: "$x^2$", 4: "fill: #0072b2; 漢字", 5: "--> ]]>", 6: "{{ 7 * 7 }}",
    7: "w" * 300, 8: "</style><img src=x onerror=alert(1)>",
}  # fmt: skip


def test_hostile_names_are_shown_as_they_are_written(make_run: Callable[..., Any]) -> None:
    split = SplitProtocol(
        name="<b>mine</b>", version=1, seen=tuple(HOSTILE.values())[:3], unseen=tuple(HOSTILE.values())[3:],
        description="</p><script>alert(2)</script>",
    )  # fmt: skip
    html = make_run(images=5, names=HOSTILE, split=split).build()
    page = Page(html)
    assert len(page.named("script")) == 1
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert html.count("alert(1)") == html.count("&lt;script&gt;alert(1)") + html.count("onerror=alert(1)&gt;")
    assert "alert(2)" in html
    for name in HOSTILE.values():
        # Once at the bar, where a long one is cut, and once in the table at the least.
        assert page.texts.count(name) >= (1 if len(name) > 24 else 2)
