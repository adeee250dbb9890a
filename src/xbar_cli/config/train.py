"""Configuration of `xbar train`: network, data set, optimisation and the method's own section."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .base import NonNegativeQuantity, PositiveQuantity, Quantity, Section, require
from .methods import BiasedSection, InjectSection, NeatSection, PeripherySection, TatSection, parse_injection

Method = Literal["ideal", "neat", "tat", "periphery", "biased"]
Network = Literal["mlp", "lenet5", "lenet", "cnn", "vgg9", "vgg11", "resnet18", "resnet20"]
SECTIONS: dict[str, type[Section]] = {
    "neat": NeatSection,
    "tat": TatSection,
    "periphery": PeripherySection,
    "biased": BiasedSection,
}
"""Methods with a section of their own."""
SHORTHANDS = ("array", "bits", "scheme", "start", "tile", "weight_limit", "technology", "encoding")
"""Top-level keys that stand for the key of the same name in the section of the method."""


NORM_EPSILON = 1e-5
"""Of torch's and flax's batch norm (Ioffe and Szegedy 2015 name none; Keras has 1e-3)."""


def parse_pixels(value: Any) -> Any:
    """One number, or one for each channel: `0.286`, `0.49,0.48,0.45`, or a list."""
    if isinstance(value, str):
        value = value.split(",")
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _in_unit_range(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, where they can be those of pixels in 0 … 1."""
    for value in values:
        if not 0 <= value <= 1:
            raise ValueError(f"{value:g} lies outside 0 … 1, the range of the pixels; divide one of 0 … 255 by 255")
    return values


def _above_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(value > 0 for value in values):
        raise ValueError("pixels cannot be divided by 0")
    return values


PixelValues = Annotated[
    tuple[Quantity, ...], BeforeValidator(parse_pixels), Field(min_length=1), AfterValidator(_in_unit_range)
]


class NetworkSection(Section):
    """The network; input shape and class count come from the data set."""

    name: Network = "lenet5"
    width: Annotated[Quantity, Field(gt=0, le=8)] = 1.0
    """Multiplies hidden units and channels; lenet5 has its own."""
    hidden: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Hidden units of mlp (default 500)."""
    activation: Literal["relu", "sigmoid"] = "relu"
    """Of mlp's hidden layer; tat has sigmoid."""
    bias: Literal["digital", "row"] = "digital"
    """Biases added after the arrays, or one more row of each layer's, whose input is always 1."""
    mean: PixelValues | None = None
    """Taken off the pixels, which are 0 … 1, before the first layer: one number, or one for each channel."""
    std: Annotated[PixelValues, AfterValidator(_above_zero)] | None = None
    """What the pixels are then divided by."""
    padding: Literal["same", "torch"] = "same"
    """Of a resnet's convolutions of stride 2: (0, 1) zeros before and behind the picture, or torch's (1, 1)."""
    norm_epsilon: Annotated[Quantity, Field(gt=0, lt=1)] = NORM_EPSILON
    """Added to the variance by batch norm."""

    def rules(self) -> None:
        """A setting that the network does not have is an error."""
        require(
            self.activation == "relu" or self.name == "mlp", f"network.activation belongs to mlp, not to {self.name}"
        )
        require(self.hidden is None or self.name == "mlp", f"network.hidden belongs to mlp, not to {self.name}")
        require(
            self.width == 1 or self.name != "lenet5", "network.width: lenet5 has its own widths; use another network"
        )
        require(self.hidden is None or self.width == 1, "network.hidden and network.width both set mlp's hidden units")
        require(
            self.padding == "same" or self.strided,
            f"network.padding: {self.name} has no convolution of stride 2; both ways are the same for it",
        )
        require(
            self.norm_epsilon == NORM_EPSILON or self.normed, f"network.norm_epsilon: {self.name} has no batch norm"
        )

    @property
    def strided(self) -> bool:
        """Whether it has convolutions of stride 2."""
        return self.name in ("resnet18", "resnet20")

    @property
    def normed(self) -> bool:
        """Whether it has batch norm."""
        return self.name not in ("mlp", "lenet5", "lenet")


class DatasetSection(Section):
    """The data set, and the part of its training images held out for every selection."""

    name: str = "fashion_mnist_mini"
    data_dir: str | None = None
    validation_fraction: Annotated[Quantity, Field(gt=0, lt=1)] = 0.1
    train_images: Annotated[int, Field(ge=2)] | None = None
    """Take only the first training images; all of them when absent."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Draws the held-out part; the run's seed when absent."""

    def drawn_by(self, seed: int) -> int:
        """The seed of the held-out part in a run of `seed`."""
        return seed if self.split_seed is None else self.split_seed


class TrainingSection(Section):
    """Plain training: cross-entropy, an optimiser, a schedule; the epoch best on the validation part is kept."""

    epochs: Annotated[int, Field(ge=0, le=100_000)] = 15
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 64
    learning_rate: PositiveQuantity | None = None
    """2e-3 for Adam, 0.05 for SGD."""
    optimizer: Literal["adam", "sgd"] | None = None
    """adam; periphery has sgd, the paper's."""
    momentum: Annotated[Quantity, Field(ge=0, lt=1)] = 0.0
    """Of sgd."""
    weight_decay: NonNegativeQuantity = 0.0
    """Added to the gradient of every kernel, in units of the kernel (L2)."""
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """The learning rate: constant, to 0 along a cosine, or a tenth of it after 1/2 and 3/4 of the epochs."""
    label_smoothing: Annotated[Quantity, Field(ge=0, lt=1)] = 0.0
    clip_norm: PositiveQuantity | None = None
    """Largest global norm of the gradient."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the products; everything else is float32."""
    augment: Literal["none", "flip", "crop", "crop+flip"] = "none"
    """Random mirror images and shifts by up to 4 pixels, new at every step."""
    early_stop: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many epochs without a better validation accuracy."""
    keep: Literal["best", "last"] = "best"
    """The epoch kept: best on the validation part, or the last."""
    fold_norm: bool = False
    """Move batch norm into the weights when training is done (ideal only)."""

    def rules(self) -> None:
        """Rules that join several keys."""
        require(self.early_stop is None or self.keep == "best", "training.early_stop needs training.keep = best")


PLAIN_ONLY = frozenset({"epochs", "learning_rate", "schedule", "early_stop", "keep", "fold_norm"})
"""Keys of plain training that NEAT's retraining, at a constant rate for a number of rounds, has none of."""


class TrainConfig(Section):
    """Everything that determines a training run."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    method: Method = "ideal"
    network: NetworkSection = NetworkSection()
    dataset: DatasetSection = DatasetSection()
    training: TrainingSection = TrainingSection()
    neat: NeatSection = NeatSection()
    tat: TatSection = TatSection()
    periphery: PeripherySection = PeripherySection()
    biased: BiasedSection = BiasedSection()
    inject: Annotated[InjectSection, BeforeValidator(parse_injection)] = InjectSection()

    @model_validator(mode="before")
    @classmethod
    def shorthands(cls, tree: Any) -> Any:
        """Move top-level `bits`, `start`, … into the section of the method."""
        method = tree.get("method", "ideal") if isinstance(tree, dict) else None
        if method not in get_args(Method):
            return tree  # for pydantic to say so
        names, tree = cls.stands_for(tree), dict(tree)
        for key in [key for key in SHORTHANDS if key in tree]:
            if key not in names:
                users = [name for name, section in SECTIONS.items() if key in section.model_fields]
                option = "--" + key.replace("_", "-")
                raise ValueError(f"--method {method} does not use {option}; it belongs to {', '.join(users)}")
            section = tree.get(method, {})
            if not isinstance(section, dict):
                raise ValueError(f"{method} = {section!r} is a value, not a section")
            if key in section:
                raise ValueError(f"{key} and {names[key]} say the same: give one of them")
            tree[method] = {**section, key: tree.pop(key)}
        return tree

    @classmethod
    def stands_for(cls, given: Mapping[str, Any]) -> Mapping[str, str]:
        """The keys of the method's section that shorthands stand for; none when it has no section."""
        method = given.get("method")
        section = SECTIONS.get(method) if isinstance(method, str) else None
        return {key: f"{method}.{key}" for key in SHORTHANDS if section and key in section.model_fields}

    def in_use(self) -> dict[str, Any]:
        """Every key with a value; the method's own section only."""
        tree = self.model_dump(exclude_none=True, exclude={name for name in SECTIONS if name != self.method})
        if self.retrains_only:
            tree["training"] = {key: value for key, value in tree["training"].items() if key not in PLAIN_ONLY}
        return tree

    @property
    def retrains_only(self) -> bool:
        """Whether there is no plain training: NEAT from the weights of another run."""
        return self.method == "neat" and self.neat.start is not None

    @property
    def optimizer(self) -> str:
        """The optimiser: adam, or sgd for periphery, unless given."""
        return self.training.optimizer or ("sgd" if self.method == "periphery" else "adam")

    @property
    def learning_rate(self) -> float:
        """The learning rate of plain training."""
        return self.training.learning_rate or (2e-3 if self.optimizer == "adam" else 0.05)

    def check(self) -> None:
        """Rules that join several keys; an option that the method does not use is an error."""
        for section in (self.network, self.training, self.inject):
            section.rules()
        require(
            self.optimizer == "sgd" or self.training.momentum == 0,
            "training.momentum belongs to training.optimizer = sgd",
        )
        require(
            self.method == "ideal" or not self.training.fold_norm,
            f"--fold-norm moves weights that --method {self.method} trained where they are; it belongs to ideal",
        )
        require(
            not self.training.fold_norm or self.network.normed,
            f"--fold-norm: {self.network.name} has no batch norm",
        )
        for method in SECTIONS:
            given = sorted(getattr(self, method).model_fields_set)
            require(
                self.method == method or not given,
                f"--method {self.method} does not use {', '.join(f'{method}.{name}' for name in given)}; "
                f"only --method {method} does",
            )
        if self.method in ("neat", "tat", "biased"):
            getattr(self, self.method).rules()
        require(
            self.method != "neat" or self.optimizer == "adam" or "learning_rate" in self.neat.model_fields_set,
            "--optimizer sgd needs --retrain-learning-rate: the default 1e-5 is Adam's",
        )
        plain = sorted(self.training.model_fields_set & PLAIN_ONLY)
        require(
            not (self.retrains_only and plain),
            f"--method neat --start trains nothing before its rounds and does not use "
            f"{', '.join(f'training.{name}' for name in plain)}; set --rounds, --epochs-per-round, --retrain-learning-rate",
        )
        require(
            self.method != "biased" or self.biased.select == "validation" or self.training.keep == "best",
            "--select test chooses the best epoch; --keep last chooses none",
        )
