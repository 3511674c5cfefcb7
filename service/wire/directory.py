"""Timelines, actors, places and sources, as clients write and read them."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from service.wire.values import (
    COUNTRY_PATTERN,
    Answer,
    Body,
    Edtf,
    Language,
    Name,
    Phrase,
    Prose,
    Recorded,
    Slug,
    StoredEdtf,
    Title,
    WebAddress,
    having,
    never_null,
    refuse_null,
)

Visibility = Annotated[Literal["public", "private"], Field(description="`private` is for those alone who have a key.")]
ActorKind = Annotated[Literal["person", "organization", "state", "group"], Field(description="What it is.")]
SameAs = Annotated[list[WebAddress], Field(max_length=50, description="The same thing elsewhere.")]
Aliases = Annotated[list[Name], Field(max_length=50, description="Other names, each once.")]
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]
Country = Annotated[
    str, StringConstraints(max_length=2, pattern=COUNTRY_PATTERN), Field(description="ISO 3166-1 alpha-2 code.")
]

ItemT = TypeVar("ItemT")


class Page(Answer, Generic[ItemT]):
    """A page of a list, in the order of the slugs."""

    items: list[ItemT] = Field(description="The entries of this page.")
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")


class TimelineBody(Body):
    """A story being followed."""

    slug: Slug = Field(description="Its name in addresses; it never changes.", examples=["syria-2013"])
    title: Title = Field(
        description="What the story is, in a line.", examples=["Russia, the United States and Syria, early 2013"]
    )
    description: Prose | None = Field(None, description="What the story is, in a few sentences.")
    visibility: Visibility = "public"


class TimelinePatch(Body):
    """Members of a timeline to change (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra=never_null("title"))

    title: Title | None = Field(None, description="What the story is, in a line.")
    description: Prose | None = Field(None, description="What the story is, in a few sentences.")
    visibility: Visibility | None = Field(None, description="`private` is for those alone who have a key.")

    _keep = field_validator("title", mode="before")(refuse_null)


class Timeline(Answer):
    """A story being followed."""

    slug: Slug = Field(description="Its name in addresses; it never changes.")
    title: Title = Field(description="What the story is, in a line.")
    description: Prose | None = Field(description="What the story is, in a few sentences.")
    visibility: Visibility
    version: Annotated[int, Field(ge=1)] = Field(description="Counts its writes; its `ETag` is made of it.")
    created_at: Recorded = Field(description="When this store first learned of it, by its own clock.")


class ActorBody(Body):
    """A person, organization, state or group that takes part in events."""

    slug: Slug = Field(description="Its name in addresses; it never changes.", examples=["john-kerry"])
    name: Name = Field(description="Its name.", examples=["John Kerry"])
    kind: ActorKind
    aliases: Aliases = Field(default_factory=list)
    same_as: SameAs = Field(default_factory=list)


class ActorPatch(Body):
    """Members of an actor to change (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra=never_null("name", "kind"))

    name: Name | None = Field(None, description="Its name.")
    kind: ActorKind | None = Field(None, description="What it is.")
    aliases: Aliases | None = Field(None, description="Other names: the whole list anew.")
    same_as: SameAs | None = Field(None, description="The same thing elsewhere: the whole list anew.")

    _keep = field_validator("name", "kind", mode="before")(refuse_null)


class Actor(Answer):
    """A person, organization, state or group that takes part in events."""

    slug: Slug = Field(description="Its name in addresses; it never changes.")
    name: Name = Field(description="Its name.")
    kind: ActorKind
    aliases: list[Name] = Field(description="Other names.")
    same_as: list[WebAddress] = Field(description="The same thing elsewhere.")


class PlaceEntryBody(Body):
    """A place where events take place."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": having({"latitude": {"type": "number"}}),
            "then": having({"longitude": {"type": "number"}}),
            "else": having({"longitude": {"type": "null"}}, required=False),
        }
    )

    slug: Slug = Field(description="Its name in addresses; it never changes.", examples=["moscow"])
    name: Name = Field(description="Its name.", examples=["Moscow"])
    country: Country | None = Field(None, examples=["RU"])
    latitude: Latitude | None = Field(None, description="Degrees north, WGS 84.", examples=[55.7558])
    longitude: Longitude | None = Field(None, description="Degrees east, WGS 84.", examples=[37.6173])
    same_as: SameAs = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_both_coordinates_or_none(self) -> PlaceEntryBody:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude stand together or not at all")
        return self


class Coordinates(NamedTuple):
    """Where a place is: degrees north and east, WGS 84."""

    latitude: float
    longitude: float


class PlaceEntryPatch(Body):
    """Members of a place to change (RFC 7396); afterwards it has both coordinates or none."""

    model_config = ConfigDict(json_schema_extra=never_null("name"))

    name: Name | None = Field(None, description="Its name.")
    country: Country | None = None
    latitude: Latitude | None = Field(None, description="Degrees north, WGS 84.")
    longitude: Longitude | None = Field(None, description="Degrees east, WGS 84.")
    same_as: SameAs | None = Field(None, description="The same thing elsewhere: the whole list anew.")

    _keep = field_validator("name", mode="before")(refuse_null)


class PlaceEntry(Answer):
    """A place where events take place."""

    slug: Slug = Field(description="Its name in addresses; it never changes.")
    name: Name = Field(description="Its name.")
    country: Country | None
    latitude: Latitude | None = Field(description="Degrees north, WGS 84.")
    longitude: Longitude | None = Field(description="Degrees east, WGS 84.")
    same_as: list[WebAddress] = Field(description="The same thing elsewhere.")


class SourceBody(Body):
    """A publication that claims rest on."""

    slug: Slug = Field(description="Its name in addresses; it never changes.", examples=["ballout-2013-02-20"])
    title: Title = Field(description="Its title.", examples=["Russia-US Rapprochement on Syria"])
    publisher: Phrase | None = Field(None, description="Who published it.")
    author: Phrase | None = Field(None, description="Who wrote it.", examples=["Mohammad Ballout"])
    url: WebAddress | None = None
    published: Edtf | None = Field(
        None,
        description="When it was published: an EDTF expression (ISO 8601-2:2019 Annex A, levels 0 to 2).",
        examples=["2013-02-20"],
    )
    language: Language | None = Field(None, examples=["en"])


class SourcePatch(Body):
    """Members of a source to change (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra=never_null("title"))

    title: Title | None = Field(None, description="Its title.")
    publisher: Phrase | None = Field(None, description="Who published it.")
    author: Phrase | None = Field(None, description="Who wrote it.")
    url: WebAddress | None = None
    published: Edtf | None = Field(None, description="When it was published: an EDTF expression.")
    language: Language | None = None

    _keep = field_validator("title", mode="before")(refuse_null)


class Source(Answer):
    """A publication that claims rest on."""

    slug: Slug = Field(description="Its name in addresses; it never changes.")
    title: Title = Field(description="Its title.")
    publisher: Phrase | None = Field(description="Who published it.")
    author: Phrase | None = Field(description="Who wrote it.")
    url: WebAddress | None
    published: StoredEdtf | None = Field(description="When it was published: an EDTF expression.")
    language: Language | None


class TimelinePage(Page[Timeline]):
    """A page of timelines, in the order of their slugs."""


class ActorPage(Page[Actor]):
    """A page of actors, in the order of their slugs."""


class PlaceEntryPage(Page[PlaceEntry]):
    """A page of places, in the order of their slugs."""


class SourcePage(Page[Source]):
    """A page of sources, in the order of their slugs."""
