from __future__ import annotations

import json

import pytest

from psis_bench.data.synthetic.parameters import SceneParameters, SyntheticParameters
from psis_bench.errors import UserError


def test_a_round_trip_through_json_keeps_every_value():
    parameters = SyntheticParameters(images=3, seed=5, scene=SceneParameters(clutter=2.5, instances_max=9))

    assert SyntheticParameters.from_dict(json.loads(json.dumps(parameters.as_dict()))) == parameters


def test_the_hash_names_every_parameter():
    base = SyntheticParameters()
    others = [
        SyntheticParameters(seed=1),
        SyntheticParameters(images=999),
        SyntheticParameters(size=128),
        SyntheticParameters(scene=SceneParameters(rim_strength=0.3)),
    ]

    assert SyntheticParameters().hash() == base.hash()
    assert len({base.hash(), *(other.hash() for other in others)}) == 5


def test_what_is_missing_keeps_its_default():
    assert SyntheticParameters.from_dict({}) == SyntheticParameters()
    assert SyntheticParameters.from_dict({"scene": {"noise": 0.0}}).scene == SceneParameters(noise=0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": 3}, "synthetic: unknown parameter 'image'; did you mean 'images'"),
        ({"scene": {"outline": 1}}, "synthetic.scene: unknown parameter 'outline'; did you mean 'outline_strength'"),
        ({"scene": 3}, "synthetic.scene: 3 is not a mapping"),
        ({"images": "many"}, "synthetic.images: 'many' is not a whole number"),
        ({"images": True}, "synthetic.images: True is not a whole number"),
        ({"seed": -1}, "seed=-1 is out of range"),
        ({"size": 8}, "size=8 is out of range"),
        ({"jpeg_quality": 101}, "jpeg_quality=101 is out of range"),
        ({"aspect": 0.5}, "aspect=0.5 is out of range"),
        ({"scene": {"noise": "loud"}}, "synthetic.scene.noise: 'loud' is not a number"),
        ({"scene": {"overlap": 1.5}}, "scene.overlap=1.5 is out of range"),
        ({"scene": {"side_min": 0}}, "scene.side_min=0.0 is out of range"),
        ({"scene": {"side_min": 50, "side_max": 40}}, "scene.side_max=40.0 is below scene.side_min=50.0"),
        ({"scene": {"instances_min": 9}}, "scene.instances_max=8 is below scene.instances_min=9"),
        ({"scene": {"instances_max": 300}}, "scene.instances_max=300 is out of range"),
        ({"scene": {"materials": 0}}, "scene.materials=0 is out of range"),
        ({"scene": {"noise": float("nan")}}, "scene.noise=nan is out of range"),
    ],
)
def test_wrong_parameters_are_told_in_one_line(values, message):
    with pytest.raises(UserError) as caught:
        SyntheticParameters.from_dict(values)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_numbers_may_stand_for_numbers():
    assert SyntheticParameters.from_dict({"scene": {"noise": 3}}).scene.noise == 3.0
