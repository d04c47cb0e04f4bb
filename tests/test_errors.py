from __future__ import annotations

from psis_bench.errors import UserError, did_you_mean


def test_an_error_is_one_line_with_place_fault_and_cure() -> None:
    error = UserError("box of zero\narea", where="a.json: annotations[12].bbox", cure="give a width above 0")
    assert str(error) == "a.json: annotations[12].bbox: box of zero area; give a width above 0"
    assert (error.what, error.where, error.cure) == (
        "box of zero\narea",
        "a.json: annotations[12].bbox",
        "give a width above 0",
    )
    assert error.exit_code == 2


def test_place_and_cure_may_be_missing() -> None:
    assert str(UserError("the loss is NaN")) == "the loss is NaN"
    assert (
        str(UserError("the loss is NaN", cure="lower the learning rate")) == "the loss is NaN; lower the learning rate"
    )


def test_near_names_are_offered_whatever_their_case() -> None:
    assert did_you_mean("VOC2novoc", ["voc2nonvoc", "fully_supervised"]) == "did you mean 'voc2nonvoc'?"


def test_without_a_near_name_the_valid_ones_are_listed() -> None:
    assert did_you_mean("zzz", ["one", "two", "one"]) == "choose one of: one, two"
    assert did_you_mean("zzz", []) == "there is none to choose from"
    many = did_you_mean("zzz", [f"name{i}" for i in range(80)])
    assert many.endswith("name11, ... (80 in all)")
