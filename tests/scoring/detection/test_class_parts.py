"""Many detections, some classes at a time: nothing changes; and their masks' texts without an object for each."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from exactness import problems
from exactness.differences import sides

from psis_bench.data.lvis import read_federation
from psis_bench.run_lengths import offsets_of
from psis_bench.scoring.detection import class_parts
from psis_bench.scoring.detection.average_precision import evaluate_detections
from psis_bench.scoring.detection.lvis import evaluate_lvis
from psis_bench.scoring.inputs.mask_texts import MaskTexts, chosen_texts, texts_as_bytes


@pytest.mark.parametrize("at_once", [1, 7, 40])
@pytest.mark.parametrize("measure", ["bbox", "segm"])
def test_parts_give_the_arrays_of_the_whole(at_once, measure, monkeypatch):
    evaluated = []
    for seed in (1, 2, 14, 23):
        truth, found = sides(*problems.problem(seed))
        federated, results = problems.federated(seed)
        lvis_truth, lvis_found = sides(federated, results)
        federation = read_federation(SimpleNamespace(path="lvis.json", **copy.deepcopy(federated)))

        def tables(truth=truth, found=found, lvis=(lvis_truth, lvis_found, federation)):
            coco = evaluate_detections(truth, found, iou_type=measure)
            return coco, evaluate_lvis(lvis[0], lvis[1].best_of_each_image(300), lvis[2], measure=measure)

        monkeypatch.setattr(class_parts, "_AT_ONCE", 10**6)
        whole = tables()
        monkeypatch.setattr(class_parts, "_AT_ONCE", at_once)
        for one, other in zip(whole, tables(), strict=True):
            for name in ("precision", "recall", "scores"):
                assert np.array_equal(getattr(one, name), getattr(other, name))
        evaluated.append(len(found))
    assert max(evaluated) > 40


def chunk(texts: list[str]):
    return memoryview("".join(texts).encode()), offsets_of(np.array([len(text) for text in texts], np.int64))


def test_texts_are_a_sequence():
    plain = ["ab", "", "c", "defg", "h", "ij"]
    texts = MaskTexts([chunk(plain[:3]), chunk([]), chunk(plain[3:5]), chunk(plain[5:])])
    assert len(texts) == 6
    assert list(texts) == plain == [texts[place] for place in range(6)] == texts[:]
    assert [texts[place] for place in (-1, -6)] == ["ij", "ab"]
    assert texts == plain
    assert texts != plain[:-1]
    for kept in ([True, False, True, False, True, False], [False] * 6, [True] * 6, [False] * 3 + [True] * 3):
        expected = [text for text, keep in zip(plain, kept, strict=True) if keep]
        assert list(chosen_texts(texts, np.array(kept))) == expected
        assert list(chosen_texts(tuple(plain), np.array(kept))) == expected
        for given in (texts, tuple(plain)):
            assert b" ".join(texts_as_bytes(given, np.flatnonzero(kept))).decode() == " ".join(expected)
        assert (
            list(chosen_texts(chosen_texts(texts, np.array(kept)), np.arange(len(expected)) % 2 == 1)) == expected[1::2]
        )
    for beyond in (6, -7):
        with pytest.raises(IndexError):
            texts[beyond]
    assert list(MaskTexts([])) == []
