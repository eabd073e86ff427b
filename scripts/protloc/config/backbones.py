"""The registry of backbones: what each row of `config/backbones.yaml` may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from protloc.config.settings import Settings

Unit = Annotated[float, Field(ge=0)]


class Network(Settings):
    """A timm model, with packaged or random weights, and what its inputs expect."""

    kind: Literal["network"]
    title: str = Field(description="name on figures")
    architecture: str = Field(description="timm name")
    options: dict[str, int | float | bool] = Field({}, description="further arguments of timm.create_model")
    weights: str | None = Field(None, description="package that holds the weights; none: untrained")
    seed: int | None = Field(None, description="seed of random weights")
    slots: list[str] = Field(description="the model's inputs by name, in order")
    natural: dict[str, str] = Field(description="slot that an image's channel belongs in")
    mean: list[Unit] = Field(description="per slot, of intensities scaled to 0-1")
    std: list[Unit] = Field(description="per slot")
    um_per_px: float = Field(gt=0, description="scale at which images are shown to it")
    size_multiple: int = Field(1, ge=1, description="image sides are rounded to a multiple of this, px")
    control: bool = Field(False, description="a control: nothing was learned from images")
    licence: str | None = None
    citation: str | None = None


class Features(Settings):
    """Numbers computed from the pixels without a network."""

    kind: Literal["features"]
    title: str
    method: Literal["handmade", "constant"] = Field(description="module of the embed room")
    control: bool = True


Backbone = Annotated[Network | Features, Field(discriminator="kind")]
