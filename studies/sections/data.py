"""Where images come from: one of three sources, each with its split into training and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from archspec.text.suggest import did_you_mean
from studies.sections.section import Count, Natural, Place, Section, Share, only_key


class Digits(Section):
    """Scikit-learn's handwritten digits: 1,797 grey images of 8×8 pixels that need no download."""

    digits: Literal[True] = Field(default=True, description="Marks this source; `data: digits` is the short form.")
    holdout: Share = Field(0.1, description="Share of the images kept out of training and used for evaluation only.")
    split_seed: Natural = Field(0, description="Seed of the split; the same for all variants and training seeds.")

    @property
    def name(self) -> str:
        """What reports call this source."""
        return "digits"

    def resolved(self, folder: Path) -> Digits:
        """This source with its paths taken relative to `folder`; it has none."""
        del folder
        return self


class ImageFolder(Section):
    """A folder of image files, read recursively in the order of their names through Pillow."""

    images: Place = Field(description="Folder of image files; relative to the study file.")
    resolution: Count | None = Field(
        None,
        description="Pixels per side after a centre crop to a square; null: the files' own size, all equal.",
    )
    channels: Literal[1, 3] = Field(3, description="3 reads the files as RGB, 1 as grey.")
    holdout: Share = Field(0.1, description="Share of the images kept out of training and used for evaluation only.")
    split_seed: Natural = Field(0, description="Seed of the split; the same for all variants and training seeds.")

    @property
    def name(self) -> str:
        """What reports call this source."""
        return self.images.name

    def resolved(self, folder: Path) -> ImageFolder:
        """This source with its paths taken relative to `folder`."""
        return self.model_copy(update={"images": (folder / self.images.expanduser()).resolve()})


class NpzFile(Section):
    """An array of images in a numpy `.npz` file: uint8 in 0…255, or floats in 0…1 or −1…1."""

    npz: Place = Field(description="File written by numpy.savez; relative to the study file.")
    key: str | None = Field(None, description="Name of the array in the file; null: its only array.")
    layout: Literal["auto", "NCHW", "NHWC"] = Field(
        "auto", description="Order of the axes; auto finds the axis of 1, 3 or 4 channels. [n, h, w] is grey."
    )
    holdout: Share = Field(0.1, description="Share of the images kept out of training and used for evaluation only.")
    split_seed: Natural = Field(0, description="Seed of the split; the same for all variants and training seeds.")

    @property
    def name(self) -> str:
        """What reports call this source."""
        return self.npz.name

    def resolved(self, folder: Path) -> NpzFile:
        """This source with its paths taken relative to `folder`."""
        return self.model_copy(update={"npz": (folder / self.npz.expanduser()).resolve()})


SOURCES: tuple[str, ...] = ("digits", "images", "npz")


_WHICH = (
    "Must be `digits`, or a mapping with exactly one of the keys digits, images, npz, such as "
    "`{images: FOLDER, resolution: 32}`"
)


def _spelled_out(value: Any) -> Any:
    """The short form `digits` as the mapping it stands for."""
    if isinstance(value, str) and value != "digits":
        raise PydanticCustomError("data_source", _WHICH, {"hint": did_you_mean(value, ["digits"])})
    return {"digits": True} if value == "digits" else value


_AnySource = Annotated[
    Annotated[Digits, Tag("digits")] | Annotated[ImageFolder, Tag("images")] | Annotated[NpzFile, Tag("npz")],
    Discriminator(
        lambda value: only_key(value, SOURCES),
        custom_error_type="data_source",
        custom_error_message=_WHICH,
    ),
]
Data = Annotated[_AnySource, BeforeValidator(_spelled_out, json_schema_input_type=Literal["digits"] | _AnySource)]
Source = Digits | ImageFolder | NpzFile
