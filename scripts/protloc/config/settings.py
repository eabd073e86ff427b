"""The configuration of a study. Every setting, its type, its limits and its default are stated here alone."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from protloc.flags import FLAGS
from protloc.opencell import CLASSES

Item = TypeVar("Item")


def _without_repeats(values: list[Item]) -> list[Item]:
    if len(set(values)) < len(values):
        raise ValueError(f"has a value twice: {values}")
    return values


def _ascending(values: list[float]) -> list[float]:
    if values != sorted(values):
        raise ValueError(f"give the smaller one first: {values}")
    return values


Distinct = Annotated[list[Item], Field(min_length=1), AfterValidator(_without_repeats)]
Shots = Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(_without_repeats)]
Share = Annotated[float, Field(ge=0, lt=1)]
Range = Annotated[
    list[Annotated[float, Field(gt=0, le=1)]],
    Field(min_length=2, max_length=2),
    AfterValidator(_ascending),
]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
Scales = dict[Name, Distinct[Annotated[float, Field(gt=0, le=16)]]]
Strategy = Literal[
    "map_natural", "map_random", "replicate_fill", "replicate_concat", "channelwise_concat", "adapt"
]
Segmenter = Literal["classical", "stardist", "cellpose"]
Flag = Literal[tuple(FLAGS)]
SplitUnit = Literal["protein", "fov"]
LabelPolicy = Literal["single", "multi"]
LowerGrades = Literal["masked", "negative"]
Head = Literal["logistic", "linear", "mlp", "wide"]
DescentHead = Literal["linear", "mlp", "wide"]
FinetuneMode = Literal["full", "last_n_blocks", "low_rank"]


class Settings(BaseModel):
    """A group of settings: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Simulation(Settings):
    """An OpenCell in small, drawn by the simulator instead of downloaded."""

    proteins_per_class: Count = Field(20, description="proteins whose main localization is a given class")
    fields_per_protein: Count = Field(4, description="fields of view per protein")
    field_size_px: int = Field(600, ge=64, le=2048, description="height and width of a field, px")
    seed: int = Field(1, ge=0, description="seed of everything that is drawn")


class Acquisition(Settings):
    """Where the images and labels come from. Left out for a simulated study."""

    mirror: str = Field(description="a folder with the bucket's keys, or s3://bucket")
    labels: str = Field(description="the label table, a CSV file")
    region: str = Field("us-west-2", description="region of the bucket")
    endpoint: str | None = Field(None, description="address of another S3 server than Amazon's")
    pixel_size_um: float = Field(0.206349, gt=0, description="µm per px of the images")
    expected_fields: Count | None = Field(
        None, description="projections in the bucket: fewer stop the run, as a listing may lose a page"
    )


class Quality(Settings):
    """How much may be wrong with the images before the run stops."""

    max_bad_share: Share = Field(0.02, description="share of fields that may be unreadable and left out")


class Cells(Settings):
    """Single cells: nuclei are found, a crop is cut around each."""

    segmenter: Segmenter = Field("classical", description="finds nuclei; only `classical` needs no weights")
    crop_um: float = Field(24.0, gt=0, le=200, description="side of a crop around the nucleus, µm")
    max_padding: float = Field(
        0.0, ge=0, le=1, description="largest share of a crop beyond its field; above it, `beyond_field`"
    )
    reach_um: float = Field(5.0, ge=0, description="how far a cell extends from its nucleus, µm")
    exclude: list[Flag] = Field(
        ["touches_border", "too_small", "saturated", "out_of_focus", "beyond_field"],
        description="flags of cells that are not embedded",
    )
    mask_neighbours: bool = Field(False, description="embed a cell without what belongs to its neighbours")
    backbones: Distinct[Name] | None = Field(None, description="null: all of embedding.backbones")
    scales: Scales = Field({}, description="scales of cells by backbone, as embedding.scales")
    probe: bool = Field(True, description="train the heads of `probe` on cells too, split as fields")
    probe_cells_per_protein: Count | None = Field(
        10, description="cells drawn of each protein for probes, one draw per seed; null: all"
    )
    labels: str | None = Field(None, description="cells labelled by a person: CSV with cell_id, label")


class Knn(Settings):
    """Localization of single cells from their nearest neighbours."""

    k: Distinct[Count] = Field([1, 3, 5, 10, 20, 50, 100, 200], description="numbers of neighbours")
    temperature: float = Field(0.07, gt=0, description="of the weights exp(similarity / temperature)")
    apart: Distinct[SplitUnit | Literal["cell"]] = Field(
        ["protein", "fov", "cell"], description="what a neighbour may not share with the cell it votes on"
    )
    cells_per_protein: Count | None = Field(50, description="cells drawn of each protein; null: all")
    seeds: Distinct[Seed] = Field([0, 1, 2], description="one draw of cells per seed")
    memory_mb: Count = Field(500, description="most that the similarities may take at once, MB")


class Embedding(Settings):
    """Which backbones turn images into vectors, and how."""

    backbones: Distinct[Name] = Field(description="names in config/backbones.yaml")
    strategies: Distinct[Strategy] = Field(["replicate_fill"], description="channel strategies")
    random_draws: Count = Field(3, description="different mappings that `map_random` draws")
    scales: Scales = Field(
        {}, description="scales of fields by backbone: 2 shows twice the px per µm; left out: 1, its own"
    )
    batch_size: Count = Field(32, description="fields a GPU takes at once; a CPU takes eight")
    cell_batch_size: Count = Field(256, description="cells a GPU takes at once; a CPU takes eight")


class Untested(Settings):
    """The fields of view that a split tests, which pretraining is not to see."""

    unit: SplitUnit = Field("protein", description="of the split, one of splits.units")
    label_policy: LabelPolicy = Field("single", description="of the split, one of splits.label_policies")
    seed: Seed | None = Field(None, description="of the split, one of splits.seeds; null: each of them")


class Pretraining(Settings):
    """DINO on the study's own images: makes the weights of one row of config/backbones.yaml.

    The row says architecture, scale, normalization and feature. Defaults are those of DINO for one GPU;
    docs/pretraining.md lists where the recipe differs.
    """

    backbone: Name = Field("own_dino", description="the row whose weights are made")
    exclude: Untested | None = Field(
        None, description="leave out what a split tests; null: all images are seen, without their labels"
    )
    seed: Seed = Field(0, description="of the first weights, the order of images, the views")
    epochs: Count = Field(description="each ends with a checkpoint and a row of the curve")
    repeats: Count = Field(1, description="passes over the images in an epoch, with other views in each")
    batch_size: int = Field(64, ge=2, description="images per step")
    large_px: Count = Field(224, description="side of the large views, which the teacher sees")
    small_px: Count = Field(96, description="side of the small views, which only the student sees")
    large_area: Range = Field(
        [0.4, 1.0], description="smallest and largest share of a field's area that a large view shows"
    )
    small_area: Range = Field([0.05, 0.4], description="the same of a small view")
    large_views: int = Field(2, ge=2, description="large views of each image")
    small_views: int = Field(8, ge=0, description="small views of each image")
    learning_rate: float = Field(
        1.25e-4, gt=0, description="highest one of AdamW; DINO: 5e-4 for each 256 images of a batch"
    )
    final_learning_rate: float = Field(1e-6, ge=0, description="at the last step")
    warmup_steps: Count = Field(1000, description="steps over which it rises; DINO: 10 epochs of 100")
    cooldown_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="last share of the steps, in which it falls by a cosine; 1: after the rise",
    )
    weight_decay: float = Field(0.04, ge=0, description="of AdamW, on matrices, at the first step")
    final_weight_decay: float = Field(0.4, ge=0, description="at the last step, along a cosine")
    clip_norm: float = Field(3.0, gt=0, description="longest gradient")
    momentum: float = Field(0.996, ge=0, le=1, description="of the teacher, at the first step")
    final_momentum: float = Field(1.0, ge=0, le=1, description="at the last step, along a cosine")
    prototypes: Count = Field(4096, description="that views are assigned to")
    frozen_epochs: int = Field(1, ge=0, description="first epochs, in which prototypes stay as they are")
    head_layers: int = Field(3, ge=2, description="linear layers of the projection head")
    head_width: Count = Field(2048, description="of the layers between")
    bottleneck: Count = Field(256, description="dimension in which views are compared with prototypes")
    student_temperature: float = Field(0.1, gt=0, description="on cosines")
    teacher_temperature: float = Field(0.15, gt=0, description="in standard deviations of the cosines")
    gpus: int = Field(0, ge=0, description="GPUs that a cluster is asked for; without any it runs on a CPU")
    held_out_share: Share = Field(0.15, gt=0, description="share of proteins that the curve's kNN is on")

    def epoch_steps(self, images: int) -> int:
        """The steps of an epoch on so many images; what does not fill a batch waits for the next epoch."""
        return max(1, self.repeats * images // self.batch_size)


class Splits(Settings):
    """How fields are divided for training, choosing and testing."""

    units: Distinct[SplitUnit] = Field(["protein", "fov"], description="what never lies on two sides")
    label_policies: Distinct[LabelPolicy] = Field(["single"], description="which labels count")
    min_grade: Literal[1, 2, 3] = Field(3, description="lowest grade that counts under `multi`")
    lower_grades: LowerGrades = Field(
        "masked",
        description="annotations that do not count: neither right nor wrong in loss and score, or wrong",
    )
    min_proteins: Count = Field(4, description="a class with fewer proteins is left out and reported")
    test_share: Share = Field(0.25, gt=0, description="share of units held out for the final score")
    validation_share: Share = Field(0.15, gt=0, description="share of units that choices are made on")
    fractions: Distinct[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.01, 0.05, 0.1, 0.25, 0.5, 1.0],
        description="shares of the training part, nested; of each class one unit at least",
    )
    whole_validation: bool = Field(
        False, description="choose on the whole validation part whatever the fraction, not on the same share"
    )
    shots: Shots = Field(
        [], description="few-shot runs beside fractions: units per class, nested; [] for none"
    )
    seeds: Distinct[Seed] = Field([0, 1, 2], description="one split per seed")

    @model_validator(mode="after")
    def leaves_something_to_train_on(self) -> Self:
        """Refuse shares that leave no training part."""
        if self.test_share + self.validation_share >= 1:
            raise ValueError("test_share + validation_share must be below 1, or nothing is left to train on")
        return self


class Probe(Settings):
    """The frozen probe: heads on standardized vectors. All choices are by macro F1 on the validation part."""

    heads: Distinct[Head] = Field(
        ["logistic"],
        description="logistic: logistic regression that converges; by AdamW: linear; mlp, 512 and 256 hidden "
        "units; wide, 1024 hidden units. Fine-tuning starts from the first",
    )
    c: Distinct[Annotated[float, Field(gt=0)]] = Field(
        [float(f"{10 ** (quarter / 4):.3g}") for quarter in range(-20, 21)],
        description="of `logistic`: inverse strengths of the L2 penalty, as in scikit-learn",
    )
    epochs: Count = Field(200, description="of other heads: most passes over the training part")
    min_steps: Count = Field(10, description="steps of a pass at least: a small part is passed repeatedly")
    patience: Count = Field(20, description="passes without a better score after which a head is finished")
    batch_size: int = Field(64, ge=16, multiple_of=16, description="fields of a step")
    learning_rate: dict[DescentHead, Annotated[float, Field(gt=0)]] = Field(
        {"linear": 1e-2, "mlp": 1e-3, "wide": 1e-3}, description="at each step, by head"
    )
    weight_decay: Distinct[Annotated[float, Field(ge=0)]] = Field(
        [0.1, 1.0, 10.0, 100.0], description="of AdamW, on weights; the best is taken"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="after each hidden layer")
    balance: bool = Field(False, description="let all classes count the same in the loss")
    soft_targets: dict[Literal[1, 2, 3], Annotated[float, Field(ge=0, le=1)]] | None = Field(
        None, description="under `multi`, probabilities to learn by grade; null: 1 for each label that counts"
    )
    pack: Count = Field(32, description="heads that are trained at once")


class Augment(Settings):
    """How the crops differ that fine-tuning is shown: what happens to microscope images, nothing else."""

    flips: bool = Field(True, description="mirrored and turned by quarters")
    crop_share: float = Field(0.8, gt=0, le=1, description="smallest crop, enlarged to px: share of its side")
    gain: float = Field(0.2, ge=0, description="most that a channel is brightened or dimmed by, as a share")
    offset: float = Field(0.05, ge=0, description="most that a channel is shifted by, in intensity 0 to 1")


class Finetune(Settings):
    """Networks trained end to end, from the head that the probe fits on their frozen vectors.

    That is the first of `probe.heads`, by the settings of `probe`.
    """

    mode: FinetuneMode = Field("full", description="what is trained of the network")
    n_blocks: Count = Field(2, description="last blocks, or stages, that `last_n_blocks` trains")
    rank: Count = Field(8, description="of the adapters of `low_rank`, on all attention blocks")
    alpha: float = Field(16.0, gt=0, description="adapters count alpha / rank times")
    epochs: Count = Field(20, description="most passes over the training part; each ends with a checkpoint")
    min_steps: Count = Field(10, description="steps of an epoch at least: a small part is passed repeatedly")
    batch_size: int = Field(32, ge=8, multiple_of=8, description="fields per step of the optimizer")
    micro_batch: int = Field(32, ge=8, multiple_of=8, description="fields a GPU takes at once; a CPU takes 8")
    learning_rate: float = Field(3e-4, gt=0, description="of AdamW, of the network's last layers")
    head_learning_rate: float = Field(1e-3, gt=0, description="of AdamW, of the head")
    layer_decay: float = Field(
        0.75, gt=0, le=1, description="each layer's rate is that of the next times this"
    )
    warmup_share: Share = Field(0.1, description="first share of the steps, in which rates rise")
    weight_decay: float = Field(0.05, ge=0, description="of AdamW, on matrices")
    drop_path: Share = Field(0.0, description="chance that a field skips the last residual branch")
    patience: Count = Field(
        5, description="epochs at full rates without a higher macro F1 on validation before the end"
    )
    px: Count | None = Field(None, description="side of crops at the network's scale; null: the fields' own")
    augment: Augment = Augment()
    memory_mb: Count = Field(
        6000, description="most that fields in memory may take, MB; else they are reread"
    )
    gpus: int = Field(0, ge=0, description="GPUs that a cluster is asked for; without any it runs on a CPU")
    backbones: Distinct[Name] | None = Field(None, description="null: all networks of embedding.backbones")
    strategies: Distinct[Strategy] | None = Field(None, description="null: as embedding.strategies")
    units: Distinct[SplitUnit] | None = Field(None, description="null: as splits.units")
    policies: Distinct[LabelPolicy] | None = Field(None, description="null: as splits.label_policies")
    fractions: Distinct[float] | None = Field(None, description="null: as splits.fractions")
    shots: Shots | None = Field(None, description="null: as splits.shots; [] for none")
    seeds: Distinct[Seed] | None = Field(None, description="null: as splits.seeds")


class Figures(Settings):
    """What the figures show."""

    bootstrap_draws: Count = Field(2000, description="draws over proteins behind each interval")
    sheet_fields: Count = Field(24, description="fields on a contact sheet")
    queries: Count = Field(9, description="fields, and cells, whose nearest neighbours are shown")
    neighbours: Count = Field(5, description="neighbours beside each query")
    umap_cells: Count = Field(3000, description="most cells on a map, spread over proteins")


class Study(Settings):
    """A whole study: one configuration file."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(
        description="names results/{study} and data/{study}"
    )
    simulation: Simulation | None = Field(None, description="draw the images")
    acquisition: Acquisition | None = Field(None, description="or get them")
    classes: Distinct[Name] = Field(list(CLASSES), description="localizations that the label table may name")
    quality: Quality = Quality()
    embedding: Embedding
    pretraining: Pretraining | None = Field(None, description="null: none")
    cells: Cells | None = Field(None, description="null: no single cells")
    knn: Knn = Knn()
    splits: Splits | None = Field(Splits(), description="null: stop at the embeddings")
    probe: Probe = Probe()
    finetune: Finetune | None = Field(None, description="null: frozen networks alone")
    figures: Figures = Figures()
    partial: bool = Field(False, description="after steps have failed: show what there is, train nothing")

    @model_validator(mode="after")
    def embeds_cells_as_fields(self) -> Self:
        """Refuse a backbone for cells that is none for fields."""
        there, cells = set(self.embedding.backbones), self.cells or Cells()
        groups = {"cells.backbones": cells.backbones or (), "cells.scales": cells.scales}
        for key, names in (groups | {"embedding.scales": self.embedding.scales}).items():
            if unknown := set(names) - there:
                raise ValueError(f"{key}: {min(unknown)} is not one of embedding.backbones")
        return self

    @model_validator(mode="after")
    def fine_tunes_what_there_is(self) -> Self:
        """Refuse to fine-tune without splits, or on others than there are."""
        if self.finetune is None:
            return self
        if self.splits is None:
            raise ValueError("finetune: there are no splits to train on; give splits, or leave it out")
        there = {
            "backbones": self.embedding.backbones,
            "strategies": self.embedding.strategies,
            "units": self.splits.units,
            "policies": self.splits.label_policies,
            "fractions": self.splits.fractions,
            "shots": self.splits.shots,
            "seeds": self.splits.seeds,
        }
        for name, values in there.items():
            unknown = set(getattr(self.finetune, name) or ()) - set(values)
            if unknown:
                raise ValueError(f"finetune.{name}: {min(unknown)} is not one of the study's {values}")
        return self

    @model_validator(mode="after")
    def leaves_out_what_is_tested(self) -> Self:
        """Refuse to leave out of pretraining the test part of a split that the study does not have."""
        left_out = self.pretraining and self.pretraining.exclude
        if not left_out:
            return self
        if self.splits is None:
            raise ValueError("pretraining.exclude: there are no splits; give splits, or leave it out")
        there = {
            "unit": self.splits.units,
            "label_policy": self.splits.label_policies,
            "seed": self.splits.seeds,
        }
        for name, values in there.items():
            value = getattr(left_out, name)
            if value is not None and value not in values:
                raise ValueError(f"pretraining.exclude.{name}: {value} is not one of the study's {values}")
        return self

    @model_validator(mode="after")
    def has_one_source(self) -> Self:
        """Refuse a study without images, or with two sources of them."""
        if (self.simulation is None) == (self.acquisition is None):
            raise ValueError("give either simulation or acquisition: the images are drawn or fetched")
        return self
