"""Configuration of `xbar train`: network, data set, optimisation and the method's own section."""

from typing import Annotated, Any, Literal

from pydantic import Field

from .base import NonNegativeQuantity, PositiveQuantity, Quantity, Section, Text, require
from .ranges import TileSize, WeightLimit

Method = Literal["ideal", "neat", "tat"]
Network = Literal["mlp", "lenet5", "cnn", "vgg9", "vgg11", "resnet18", "resnet20"]


class NetworkSection(Section):
    """The network; input shape and class count come from the data set."""

    name: Network = "lenet5"
    width: Annotated[Quantity, Field(gt=0, le=8)] = 1.0
    """Multiplies hidden units and channels; lenet5 has its own."""
    activation: Literal["relu", "sigmoid"] = "relu"
    """Of mlp's hidden layer; tat has sigmoid."""

    def rules(self) -> None:
        """A setting that the network does not have is an error."""
        require(
            self.activation == "relu" or self.name == "mlp", f"network.activation belongs to mlp, not to {self.name}"
        )
        require(
            self.width == 1 or self.name != "lenet5", "network.width: lenet5 has its own widths; use another network"
        )


class DatasetSection(Section):
    """The data set, and the part of its training images held out for every selection."""

    name: str = "fashion_mnist_mini"
    data_dir: str | None = None
    validation_fraction: Annotated[Quantity, Field(gt=0, lt=1)] = 0.1


class TrainingSection(Section):
    """Plain training: Adam on the cross-entropy; the epoch best on the validation part is kept."""

    epochs: Annotated[int, Field(ge=0, le=100_000)] = 15
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 64
    learning_rate: PositiveQuantity = 2e-3


class NeatSection(Section):
    """NEAT: restrict to ±W_cut, retrain, repeat (Algorithm 2, eq. 3)."""

    cell: str | None = None
    """The characterize run whose linear ranges apply."""
    vg: Text | None = None
    """Gate voltage of every layer [V], one of the cell's table."""
    start: str | None = None
    """A train run to start from; without one, a network is trained first."""
    rounds: Annotated[int, Field(ge=0, le=10_000)] = 30
    epochs_per_round: Annotated[int, Field(ge=1, le=1000)] = 2
    learning_rate: PositiveQuantity = 1e-5
    weight_scale: Literal["network", "layer"] = "network"


class TatSection(Section):
    """Technology aware training: discretised weights on non-ideal arrays in every forward pass."""

    array: Literal["published", "lumped", "nodal"] | None = None
    """The array model: the paper's closed form, the exact arrays that share neurons, or with wires (own neurons)."""
    technology: str | None = None
    """Sets R_on and the ratio of the levels (R_off/R_on)."""
    bits: Annotated[int, Field(ge=1, le=16)] = 4
    weight_limit: WeightLimit = "max"
    """|W| at the highest level: the layer's largest at each step, or a number."""
    r_source_ohm: NonNegativeQuantity = 0.0
    r_neuron_ohm: NonNegativeQuantity = 0.0
    r_wire_ohm: NonNegativeQuantity = 0.0
    tile: TileSize | None = None
    """Rows and outputs of one array; as large as the layer when absent."""
    corner: Annotated[Quantity, Field(ge=-10, le=10)] = 0.0
    """Chip-to-chip corner k, in units of the technology's sigma."""
    sigma_chip: Annotated[Quantity, Field(ge=0, le=1)] | None = None
    layers: Literal["all", "dense"] = "all"
    """Which layers sit on arrays."""


class InjectSection(Section):
    """Noise on the weights of every training step: additive in units of the largest weight, or proportional."""

    model: Literal["additive", "proportional"] = "additive"
    sigma: Annotated[Quantity, Field(ge=0, le=10)] = 0.0


class TrainConfig(Section):
    """Everything that determines a training run."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    method: Method = "ideal"
    network: NetworkSection = NetworkSection()
    dataset: DatasetSection = DatasetSection()
    training: TrainingSection = TrainingSection()
    neat: NeatSection = NeatSection()
    tat: TatSection = TatSection()
    inject: InjectSection = InjectSection()

    def in_use(self) -> dict[str, Any]:
        """Every key with a value; the method's own section only."""
        return self.model_dump(exclude_none=True, exclude={"neat", "tat"} - {self.method})

    def check(self) -> None:
        """Rules that join several keys; an option that the method does not use is an error."""
        self.network.rules()
        for method in ("neat", "tat"):
            given = sorted(getattr(self, method).model_fields_set)
            require(
                self.method == method or not given,
                f"--method {self.method} does not use {', '.join(f'{method}.{name}' for name in given)}; "
                f"only --method {method} does",
            )
        if self.method == "neat":
            require(self.neat.cell is not None, "--method neat needs --cell RUN, a characterize run")
            require(self.neat.vg is not None, "--method neat needs --vg VOLT, a gate voltage of the cell's table")
        if self.method == "tat":
            require(self.tat.array is not None, "--method tat needs --array published, lumped or nodal")
            require(
                self.tat.technology is not None,
                "--method tat needs --technology NAME|FILE: R_on and the ratio of levels",
            )
            require(self.tat.r_wire_ohm == 0 or self.tat.array == "nodal", "--r-wire belongs to --array nodal")
            require(
                self.tat.weight_limit != "auto", "--weight-limit auto belongs to xbar map; give max or a number here"
            )
