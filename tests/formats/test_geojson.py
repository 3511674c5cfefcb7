"""A layer of a map is GeoJSON as RFC 7946 has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from service.formats.geojson import GeoJsonWriter
from service.formats.writing import Batch
from service.wire.directory import Coordinates
from service.wire.event import Event
from tests.formats.making import batch, events, make, thorough, written


def features_of(*batches: Batch) -> list[dict[str, Any]]:
    """Write a layer, and give its features."""
    layer = json.loads(written(GeoJsonWriter(), *batches))
    assert layer.keys() == {"type", "features"}
    assert layer["type"] == "FeatureCollection"
    features: list[dict[str, Any]] = layer["features"]
    return features


@thorough
@given(events())
def test_a_feature_has_the_event_as_it_is_in_json(event: Event) -> None:
    where = Coordinates(33.5, -36.25)
    (feature,) = features_of(batch(event, places={} if event.place is None else {event.place.place: where}))
    assert feature == {
        "type": "Feature",
        "id": f"{event.timeline}/{event.id}",
        "geometry": None if event.place is None else {"type": "Point", "coordinates": [-36.25, 33.5]},
        "properties": json.loads(event.model_dump_json()),
    }


def test_an_event_of_no_place_that_is_known_has_no_geometry() -> None:
    places = {"moscow": Coordinates(55.75, 37.625)}
    there, elsewhere, nowhere = features_of(
        batch(make(place={"place": "moscow"}), make(place={"place": "damascus"}), make(), places=places)
    )
    assert there["geometry"] == {"type": "Point", "coordinates": [37.625, 55.75]}
    assert [elsewhere["geometry"], nowhere["geometry"]] == [None, None]


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (0, 0, 1), (2, 0, 1), (0, 1, 1, 0)])
def test_batches_are_one_layer(sizes: tuple[int, ...]) -> None:
    batches = [batch(*(make(title=f"{number}.{one}") for one in range(size))) for number, size in enumerate(sizes)]
    titles = [feature["properties"]["title"] for feature in features_of(*batches)]
    assert titles == [f"{number}.{one}" for number, size in enumerate(sizes) for one in range(size)]
