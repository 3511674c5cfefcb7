"""Timelines, actors, places and sources, as clients write and read them."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, StringConstraints, model_validator

from service.wire.values import (
    Answer,
    Body,
    Edtf,
    Instant,
    Language,
    Name,
    Phrase,
    Prose,
    Slug,
    Title,
    WebAddress,
)

Visibility = Literal["public", "private"]
ActorKind = Literal["person", "organization", "state", "group"]
SameAs = Annotated[list[WebAddress], Field(max_length=50, description="The same thing elsewhere.")]
Aliases = Annotated[list[Name], Field(max_length=50, description="Other names, each once.")]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(description="ISO 3166-1 alpha-2 code.")]

ItemT = TypeVar("ItemT")


class Page(Answer, Generic[ItemT]):
    """A page of a list, in the order of the slugs."""

    items: list[ItemT]
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")


class TimelineBody(Body):
    """A story being followed."""

    slug: Slug = Field(examples=["syria-2013"])
    title: Title = Field(examples=["Russia, the United States and Syria, early 2013"])
    description: Prose | None = None
    visibility: Visibility = "public"


class TimelinePatch(Body):
    """Members of a timeline to change (RFC 7396)."""

    title: Title | None = None
    description: Prose | None = None
    visibility: Visibility | None = None


class Timeline(Answer):
    """A story being followed."""

    slug: Slug
    title: Title
    description: Prose | None
    visibility: Visibility
    version: Annotated[int, Field(ge=1)]
    created_at: Instant


class ActorBody(Body):
    """A person, organization, state or group that takes part in events."""

    slug: Slug = Field(examples=["john-kerry"])
    name: Name = Field(examples=["John Kerry"])
    kind: ActorKind
    aliases: Aliases = Field(default_factory=list)
    same_as: SameAs = Field(default_factory=list)


class ActorPatch(Body):
    """Members of an actor to change (RFC 7396)."""

    name: Name | None = None
    kind: ActorKind | None = None
    aliases: Aliases | None = None
    same_as: SameAs | None = None


class Actor(Answer):
    """A person, organization, state or group that takes part in events."""

    slug: Slug
    name: Name
    kind: ActorKind
    aliases: list[Name]
    same_as: list[WebAddress]


class PlaceEntryBody(Body):
    """A place where events take place."""

    slug: Slug = Field(examples=["moscow"])
    name: Name = Field(examples=["Moscow"])
    country: Country | None = Field(None, examples=["RU"])
    latitude: Latitude | None = Field(None, description="Degrees north, WGS 84.", examples=[55.7558])
    longitude: Longitude | None = Field(None, description="Degrees east, WGS 84.", examples=[37.6173])
    same_as: SameAs = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_both_coordinates_or_none(self) -> PlaceEntryBody:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude stand together or not at all")
        return self


class PlaceEntryPatch(Body):
    """Members of a place to change (RFC 7396)."""

    name: Name | None = None
    country: Country | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    same_as: SameAs | None = None


class PlaceEntry(Answer):
    """A place where events take place."""

    slug: Slug
    name: Name
    country: Country | None
    latitude: Latitude | None
    longitude: Longitude | None
    same_as: list[WebAddress]


class SourceBody(Body):
    """A publication that claims rest on."""

    slug: Slug = Field(examples=["ballout-2013-02-20"])
    title: Title = Field(examples=["Russia-US Rapprochement on Syria"])
    publisher: Phrase | None = None
    author: Phrase | None = Field(None, examples=["Mohammad Ballout"])
    url: WebAddress | None = None
    published: Edtf | None = Field(None, examples=["2013-02-20"])
    language: Language | None = Field(None, examples=["en"])


class SourcePatch(Body):
    """Members of a source to change (RFC 7396)."""

    title: Title | None = None
    publisher: Phrase | None = None
    author: Phrase | None = None
    url: WebAddress | None = None
    published: Edtf | None = None
    language: Language | None = None


class Source(Answer):
    """A publication that claims rest on."""

    slug: Slug
    title: Title
    publisher: Phrase | None
    author: Phrase | None
    url: WebAddress | None
    published: str | None
    language: Language | None
