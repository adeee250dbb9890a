"""Configuration of `xbar train`: network, data set, optimisation, and the method with what is its own.

In files a method is `method = "neat"` and a table `[neat]`; a configuration holds both as one section.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from xbar_cli.tasks import MetricName

from .base import (
    Apart,
    LearningRate,
    Magnitude,
    NonNegativeQuantity,
    Option,
    Quantity,
    RootSection,
    Section,
    require,
    within,
)
from .chips.learned import TrainConverters
from .chips.robust import made_robust
from .effect_list import InjectSection, parse_injection
from .known.shorthands import SHORTHANDS, key_in, written_out
from .methods import METHODS, AnyMethod, IdealMethod, NeatMethod, TatArray, TatMapping, TatMethod, check_method
from .network import NetworkSection
from .ranges import Rates


class DatasetSection(Section):
    """The data set, and the part of its training images held out for every selection."""

    name: Annotated[str, Option("--dataset", metavar="NAME")] = "fashion_mnist_mini"
    """Data set (default fashion_mnist_mini; see xbar data ls)."""
    data_dir: Annotated[str | None, Option(metavar="DIR")] = None
    """Where imported data sets are."""
    validation_fraction: Annotated[Quantity, Field(gt=0, lt=1)] = 0.1
    """Share of the training part that is held out to choose by."""
    train_images: Annotated[Annotated[int, Field(ge=2, le=1_000_000_000)] | None, Option()] = None
    """Only the first training images (default all)."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Draws the held-out part; the run's seed when absent."""

    def drawn_by(self, seed: int) -> int:
        """The seed of the held-out part in a run of `seed`."""
        return seed if self.split_seed is None else self.split_seed


class TrainingSection(Section):
    """Plain training: the task's loss, an optimiser, a schedule; the epoch best on the validation part is kept."""

    epochs: Annotated[int, Field(ge=0, le=100_000), Option()] = 15
    """Epochs of plain training."""
    batch_size: Annotated[int, Field(ge=1, le=65536), Option()] = 64
    """Images of one step."""
    epoch_images: Annotated[Annotated[int, Field(ge=1, le=1_000_000_000)] | None, Option()] = None
    """Images of one epoch, others each time (default all)."""
    learning_rate: Annotated[LearningRate | None, Option(metavar="X")] = None
    """Rate of plain training (default 2e-3 for adam, 0.05 for sgd)."""
    rates: Annotated[Rates | None, Option(metavar="X,X[,...]")] = None
    """Instead: the best of these rates on the validation part, each trained in full; one that diverges counts as worst."""
    optimizer: Annotated[Literal["adam", "sgd"] | None, Option()] = None
    """Optimiser (default adam; periphery sgd, as in the paper; insitu sgd)."""
    momentum: Annotated[Quantity, Field(ge=0, lt=1), Option(metavar="X")] = 0.0
    """sgd: momentum."""
    weight_decay: Annotated[NonNegativeQuantity, within(0, 1e4), Option(metavar="X")] = 0.0
    """L2: added to the gradient of every kernel, in units of the kernel (default 0)."""
    schedule: Annotated[Literal["constant", "cosine", "step"], Option()] = "constant"
    """Learning rate: constant, to 0 along a cosine, or a tenth of it after 1/2 and 3/4 of the epochs."""
    label_smoothing: Annotated[Quantity, Field(ge=0, lt=1), Option(metavar="X")] = 0.0
    """Share of the target that is spread over all classes."""
    clip_norm: Annotated[Magnitude | None, Option(metavar="X")] = None
    """Largest global norm of the gradient (default any)."""
    clip_weights: Annotated[Annotated[Quantity, Field(ge=0.5, le=100)] | None, Option(metavar="K")] = None
    """Cut the weights of every layer at K of their standard deviations after every step (default never)."""
    inject_schedule: Annotated[Literal["constant", "ramp"], Option()] = "constant"
    """Injected noise: constant, or growing from none over the first half of the epochs."""
    precision: Annotated[Literal["float32", "bfloat16"], Option()] = "float32"
    """Precision of the products; everything else is float32."""
    augment: Annotated[Literal["none", "flip", "crop", "crop+flip"], Option()] = "none"
    """Random mirror images and shifts by up to 4 pixels, new at every step."""
    metric: Annotated[MetricName | None, Option()] = None
    """What the network is measured by (default: accuracy, mse of regression, perplexity of next_token)."""
    early_stop: Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, Option()] = None
    """Stop after so many epochs that are no better on the validation part."""
    keep: Annotated[Literal["best", "last"], Option()] = "best"
    """The epoch kept: best on the validation part, or the last."""
    fold_norm: Annotated[bool, Option()] = False
    """ideal: move batch norm into the weights when training is done, instead of leaving it digital after the arrays."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(
            self.rates is None or self.learning_rate is None,
            "training.rates and training.learning_rate both say the learning rate: give one of them",
        )
        require(
            self.epoch_images is None or self.epoch_images >= self.batch_size,
            f"training.epoch_images = {self.epoch_images} is no step of training.batch_size = {self.batch_size}: give more, "
            "or smaller steps",
        )
        require(self.early_stop is None or self.keep == "best", "training.early_stop needs training.keep = best")
        return self

    def steps_of(self, images: int) -> int:
        """Steps of one epoch of a training part of so many images."""
        return min(images, self.epoch_images or images) // min(self.batch_size, images)


PLAIN_ONLY = frozenset({"epochs", "learning_rate", "rates", "schedule", "early_stop", "keep", "fold_norm"})
"""Keys of plain training that NEAT's retraining, at a constant rate for a number of rounds, has none of."""


class TrainConfig(RootSection):
    """Everything that determines a training run."""

    method: Annotated[AnyMethod, Field(discriminator="name"), BeforeValidator(check_method), Apart(), Option()] = (
        IdealMethod()
    )
    """How to train."""
    network: NetworkSection = NetworkSection()
    dataset: DatasetSection = DatasetSection()
    training: TrainingSection = TrainingSection()
    array: TatArray = TatArray()
    mapping: TatMapping = TatMapping()
    converters: TrainConverters = TrainConverters()
    robust: Annotated[bool, Option()] = False
    """Against 15 % additive variation of the devices: what this stands for is said, and any of it given otherwise is kept."""
    inject: Annotated[InjectSection, BeforeValidator(parse_injection), Option(metavar="MODEL:X")] = InjectSection()
    """Noise on the weights of every step: normal:0.1, proportional, lognormal, chip_to_chip, stuck; or an effect of
    xbar evaluate on the devices, a new chip at every step: states:scale=0.5,technology=rram2bit."""

    @model_validator(mode="before")
    @classmethod
    def _joined(cls, tree: Any) -> Any:
        """`method = "neat"` and `[neat]` as one section; keys that are written short in their places."""
        if not isinstance(tree, dict):
            return tree
        method = tree.get("method", "ideal")
        if not isinstance(method, str) or method not in METHODS:
            return tree  # a section, or for pydantic to say so
        tree = written_out(tree, method, cls.stands_for(tree))
        if tree.get("robust") in (True, "true"):
            tree = made_robust(tree, method)
        for name in [name for name in METHODS if name != method and name in tree]:
            given = tree.pop(name)
            keys = ", ".join(f"{name}.{key}" for key in sorted(given)) if isinstance(given, dict) else name
            if given != {}:
                raise ValueError(f"method = {method} does not use {keys}; only method = {name} does")
        own = tree.pop(method, {})
        if not isinstance(own, dict):
            wrong = InitErrorDetails(type="dict_type", loc=(method,), input=own)
            raise ValidationError.from_exception_data(cls.__name__, [wrong])
        tree["method"] = {**own, "name": method}
        return tree

    @classmethod
    def stands_for(cls, given: Mapping[str, Any]) -> Mapping[str, str]:
        """The keys of the method's section, and of those that it shares, that shorthands stand for."""
        method = given.get("method", "ideal")
        section = METHODS.get(method) if isinstance(method, str) else None
        return {key: found for key in SHORTHANDS if section and (found := key_in(section, key)) is not None}

    @classmethod
    def key_of(cls, loc: tuple[int | str, ...]) -> str:
        """The dotted key at which pydantic found something: a method's table is called as the method is."""
        return super().key_of(loc[1:] if loc[:1] == ("method",) and len(loc) > 1 else loc)

    def in_use(self) -> dict[str, Any]:
        """Every key with a value; the method's own section, and of shared ones what it uses."""
        tree = self.model_dump(exclude_none=True)
        own = tree.pop("method")
        name = own.pop("name")
        for shared in ("array", "mapping"):
            used = {key: value for key, value in tree.pop(shared).items() if f"{shared}.{key}" in self.method.shares}
            tree |= {shared: used} if used else {}
        if not tree["converters"]:
            del tree["converters"]
        if self.retrains_only:
            tree["training"] = {key: value for key, value in tree["training"].items() if key not in PLAIN_ONLY}
        return tree | {"method": name} | ({name: own} if own else {})

    @property
    def retrains_only(self) -> bool:
        """Whether there is no plain training: NEAT from the weights of another run."""
        return isinstance(self.method, NeatMethod) and self.method.start is not None

    @property
    def optimizer(self) -> str:
        """The optimiser: adam, or sgd for periphery and insitu, unless given."""
        return self.training.optimizer or ("sgd" if self.method.name in ("periphery", "insitu") else "adam")

    @property
    def learning_rate(self) -> float:
        """The learning rate of plain training."""
        return self.training.learning_rate or (2e-3 if self.optimizer == "adam" else 0.05)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Rules that join sections; a key that the method does not use is an error."""
        method, training = self.method, self.training
        unused = [
            f"{name}.{key}" for name in ("array", "mapping") for key in sorted(getattr(self, name).model_fields_set)
            if f"{name}.{key}" not in method.shares
        ]  # fmt: skip
        users = [name for name, section in METHODS.items() if {*unused} <= {*section.shares}]
        only = f"; only method = {' or '.join(users)} does" if users else ""
        require(not unused, f"method = {method.name} does not use {', '.join(unused)}{only}")
        require(
            self.optimizer == "sgd" or training.momentum == 0, "training.momentum belongs to training.optimizer = sgd"
        )
        require(
            method.name == "ideal" or not training.fold_norm,
            f"training.fold_norm moves weights that method = {method.name} trained where they are; it belongs to ideal",
        )
        require(
            not training.fold_norm or self.network.normed, f"training.fold_norm: {self.network.name} has no batch norm"
        )
        require(
            method.name not in ("periphery", "biased") or training.clip_weights is None,
            f"training.clip_weights cuts weights; those of method = {method.name} have a range of their own",
        )
        self.converters.agree(method.name, tile=self.mapping.tile is not None, fold_norm=training.fold_norm)
        match method.name:
            case "neat":
                self._neat_agrees(method)
            case "tat":
                self._tat_agrees(method)
            case "insitu":
                plain, injected = TrainingSection().model_dump(), self.inject != InjectSection()
                method.agree(training.model_dump(), plain, optimizer=self.optimizer, injected=injected)
                method.agree_with(self.array, self.mapping)
            case "biased":
                require(
                    method.select == "validation" or training.keep == "best",
                    "biased.select = test chooses the best epoch; training.keep = last chooses none",
                )
        return self

    def _neat_agrees(self, neat: NeatMethod) -> None:
        model, array = self.array.model, sorted({*self.array.model_dump(exclude_none=True)} - {"model"})
        require(model in (None, "gated"), f"method = neat trains through array.model = gated, not {model}")
        require(
            model is not None or not (array or self.mapping.tile or neat.refold),
            "method = neat trains through no arrays: array.* keys, mapping.tile and neat.refold need array.model = gated",
        )
        require(model is None or neat.start is not None, "array.model = gated of method = neat needs neat.start")
        require(
            not self.inject.effects or neat.start is not None,
            "inject: effects act on the cells of method = neat, whose scale the weights of neat.start set: give it, or "
            "inject = normal:X",
        )
        given = [f"array.{key}" for key in ("wired", "wired_error") if key in array]
        require(not given, f"training takes products and does not use {', '.join(given)}")
        require(
            self.optimizer == "adam" or "learning_rate" in neat.model_fields_set,
            "training.optimizer = sgd needs neat.learning_rate: the default 1e-5 is Adam's",
        )
        plain = sorted(self.training.model_fields_set & PLAIN_ONLY)
        require(
            not (self.retrains_only and plain),
            f"method = neat with neat.start trains nothing before its rounds and does not use "
            f"{', '.join(f'training.{name}' for name in plain)}; set neat.rounds, neat.epochs_per_round, neat.learning_rate",
        )

    def _tat_agrees(self, tat: TatMethod) -> None:
        model, mapping = self.array.model, self.mapping
        require(model not in (None, "gated"), "method = tat needs array.model = published, lumped or nodal")
        require(mapping.technology is not None, "method = tat needs mapping.technology: R_on and the ratio of levels")
        require(tat.refold is None or model != "published", "tat.refold belongs to array.model = lumped or nodal")
        require(
            mapping.weight_limit != "auto" or tat.start is not None,
            "mapping.weight_limit = auto chooses for weights that are trained: it needs tat.start, or give max or a number",
        )
