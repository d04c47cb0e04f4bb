"""JSON, CSV and texts that would hurt a parser, a page or a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable

from hostile_cases import SCRIPT, case, extra, rewritten
from small_world import World


def _value(text: str) -> Callable[[World], object]:
    """Put a text where ``metrics.json`` has its first AP."""
    return rewritten("metrics.json", lambda content: content.replace('"AP": 0.7', f'"AP": {text}', 1))


case("score_nan", "has NaN", _value("NaN"))
case("score_infinite", "has Infinity", _value("Infinity"))
case("score_too_large_for_a_float", "not finite", _value("1e999"))
case("score_above_one", "groups.all.box.AP: must be less than or equal to 1", _value("1.01"))
case("score_of_many_digits", "metrics.json: ", _value("9" * 100_000))
case("score_as_text", "must be a valid number", _value('"0.7"'))
case("score_true", "must be a valid number", _value("true"))
case("json_nested_deeply", "nested deeper than 32", rewritten("metrics.json", lambda _: "[" * 1_000_000))
case(
    "json_nested_and_closed",
    "nested deeper than 32",
    rewritten("submission.json", lambda _: '{"a":' * 500 + "1" + "}" * 500),
)
case(
    "json_key_twice", "has the key 'licence' twice", rewritten("submission.json", lambda t: '{"licence": "x",' + t[1:])
)
case(
    "json_too_large",
    "has 8,388,608 bytes",
    extra("config.json", b" " * 2**23),
)
case("json_half_a_character", "half a character", extra("config.json", b'{"a": "\\ud800"}'))
case("json_not_utf8", "is not text in UTF-8", rewritten("submission.json", lambda t: t.encode("utf-16")))
case("json_a_list", "submission.json: must be", rewritten("submission.json", lambda _: "[]"))
case("json_cut_short", "is not JSON", rewritten("submission.json", lambda t: t[: len(t) // 2]))
case("json_very_many_authors", "authors: ", lambda w: w.set("submission.json", "authors", ["A"] * 100_000))
case("csv_huge_field", "per_class.csv: ", rewritten("per_class.csv", lambda t: t.replace("cat", "c" * 200_000)))
case(
    "csv_many_rows",
    "per_class.csv: has 100",
    rewritten("per_class.csv", lambda t: t + "3,x,other,0" + "," * 17 + "\n" + "\n".join(["1"] * 100_000)),
)
case("csv_nul", "per_class.csv", rewritten("per_class.csv", lambda t: t.replace("dog", "d\0g")))
case("csv_formula", "'=1+1", rewritten("per_class.csv", lambda t: t.replace("dog", "'=1+1")))
case("csv_nan", "'nan' is no number", rewritten("per_class.csv", lambda t: t.replace("0.4", "nan", 1)))


# Texts

TEXTS = (
    "model.title",
    "model.backbone",
    "model.mask_head",
    "model.pretraining",
    "supervision.mask_sources.0",
    "supervision.extra_data.0",
    "training.hardware",
    "code.software",
    "authors.1",
    "paper.title",
    "licence",
    "notes",
    "model.name",
    "dataset.name",
    "split.name",
    "split.definition.seen.0",
    "paper.url",
)
for _place in TEXTS:
    _shown = _place.replace(".0", "[0]").replace(".1", "[1]")
    case(
        f"script_in_{_place}",
        f"submission.json: {_shown}: ",
        lambda w, place=_place: w.set("submission.json", place, SCRIPT),  # type: ignore[misc]
    )
case(
    "script_in_a_class_name",
    "per_class.csv: row 2, name: has HTML",
    rewritten("per_class.csv", lambda t: t.replace("dog", SCRIPT)),
)
case("script_in_a_note", "metrics.json: notes[0]", lambda w: w.set("metrics.json", "notes", [SCRIPT]))
case(
    "script_in_a_group",
    "metrics.json: groups",
    lambda w: w.change("metrics.json", lambda c: c["groups"].update({SCRIPT: c["groups"]["all"]})),
)
case("script_in_a_score", "no name of a score", lambda w: w.set("metrics.json", f"groups.all.box.{SCRIPT}", 0.5))
case("script_in_a_field", "is no field of this file", lambda w: w.set("submission.json", SCRIPT, 1))
case(
    "script_in_the_settings",
    "config.json: has HTML",
    extra("config.json", json.dumps({"run": {"a": SCRIPT}}).encode()),
)
case(
    "script_in_the_environment",
    "environment.json: has HTML",
    extra("environment.json", json.dumps({SCRIPT: 1}).encode()),
)
case(
    "colours_of_the_terminal",
    "invisible character U+001B",
    lambda w: w.set("submission.json", "model.title", "\x1b[2J\x1b[31mX"),
)
case(
    "two_lines", "invisible character U+000A", lambda w: w.set("submission.json", "notes", "x\n::set-output name=a::b")
)
case(
    "text_that_runs_backwards",
    "invisible character U+202E",
    lambda w: w.set("submission.json", "authors.0", "\u202etxt.exe"),
)
case(
    "text_without_end",
    "model.title: must have at most 200",
    lambda w: w.set("submission.json", "model.title", "x" * 10**6),
)
case(
    "address_that_runs", "paper.url: must match", lambda w: w.set("submission.json", "paper.url", "javascript:alert(1)")
)
case(
    "address_with_a_quote",
    "paper.url: must match",
    lambda w: w.set("submission.json", "paper.url", "https://a.org/' onclick=x"),
)
case(
    "model_in_another_folder",
    "model.name: must match",
    lambda w: w.set("submission.json", "model.name", "../../../evil"),
)
case(
    "split_in_another_folder", "split.name: must match", lambda w: w.set("submission.json", "split.name", "../../evil")
)
case(
    "predictions_in_another_folder",
    "files[0].path: must match",
    lambda w: w.set("submission.json", "predictions.files.0.path", "../../x.parquet"),
)
case(
    "weights_in_another_folder",
    "weights[0].name: must match",
    lambda w: w.set("submission.json", "weights", [{"name": "../a.safetensors", "bytes": 1, "sha256": "0" * 64}]),
)
