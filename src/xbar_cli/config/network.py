"""Configuration of a network, and the network that it asks for: the only place where a name chooses one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self, assert_never, cast, get_args

from pydantic import AfterValidator, Field, model_validator

from xbar_cli.errors import ConfigError
from xbar_cli.outside import did_you_mean, quoted

from .base import Option, Quantity, Section, require
from .ranges import PixelValues, above_zero

if TYPE_CHECKING:
    import numpy as np

    from xbar_cli.nn.cnn import Cnn
    from xbar_cli.nn.lenet import LeNet, LeNet5
    from xbar_cli.nn.mlp import Mlp
    from xbar_cli.nn.normalisation import Normalisation
    from xbar_cli.nn.resnet import ResNet
    from xbar_cli.nn.sites.crossbar import Crossbar
    from xbar_cli.nn.vgg import Vgg

    Built = Mlp | LeNet5 | LeNet | Cnn | Vgg | ResNet | Crossbar

NetworkName = Literal[
    "mlp", "lenet5", "lenet", "cnn", "vgg9", "vgg11", "resnet18", "resnet20", "mobilenet", "lstm", "gru", "transformer"
]
MODULES = ("mobilenet", "lstm", "gru", "transformer")
"""Networks that say themselves which inputs they take."""
MLP_HIDDEN = 500
"""Hidden units of `mlp`: 784-500-10 (tat, Section IV-A)."""
NORM_EPSILON = 1e-5
"""Of torch's and flax's batch norm (Ioffe and Szegedy 2015 name none; Keras has 1e-3)."""


class OwnFile(NamedTuple):
    """A network of the user's: `name` of the Python file `path`."""

    path: Path
    name: str


def own_file(name: str) -> OwnFile | None:
    """The file that a network's name `FILE.py:NAME` speaks of; None where it is none."""
    path, colon, factory = name.rpartition(":")
    return OwnFile(Path(path), factory) if colon and path.endswith(".py") and factory.isidentifier() else None


def graph_file(name: str) -> Path | None:
    """The ONNX file that a network's name speaks of; None where it is none."""
    return Path(name) if name.endswith(".onnx") else None


def is_own(name: str) -> bool:
    """Whether a name speaks of a file of the user's."""
    return own_file(name) is not None or graph_file(name) is not None


def _known_network(name: str) -> str:
    names = get_args(NetworkName)
    if name not in names and not is_own(name):
        raise ValueError(
            f"{quoted(name)} is no network{did_you_mean(name, names)}: give one of {', '.join(names)}, or FILE.py:NAME or "
            "FILE.onnx for your own"
        )
    return name


def _argument(text: str) -> str:
    key, equals, _ = text.partition("=")
    if not equals or not key.strip().isidentifier():
        raise ValueError(f"{quoted(text)} is not KEY=VALUE with the name of an argument")
    return text


def _value(text: str) -> int | float | bool | str:
    """A whole number, a number, true or false where a text is one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.strip().lower(), text)


class NetworkSection(Section):
    """The network; input shape and class count come from the data set."""

    name: Annotated[str, AfterValidator(_known_network), Option("--network", metavar="NAME")] = "lenet5"
    """mlp, lenet5, lenet, cnn, vgg9, vgg11, resnet18, resnet20, mobilenet, lstm, gru or transformer, FILE.py:NAME, a class or
    function of your own that makes an nnx.Module, or FILE.onnx, with the file's weights (docs/networks.md). Input shape and
    classes are those of the data set."""
    args: Annotated[
        tuple[Annotated[str, AfterValidator(_argument)], ...],
        Option("--network-arg", metavar="KEY=VALUE", repeatable=True),
    ] = ()
    """An argument of the network of FILE.py:NAME; may be given several times."""
    width: Annotated[Quantity, Field(gt=0, le=8), Option(metavar="X")] = 1.0
    """Multiplies hidden units and channels (default 1); lenet5 has its own."""
    depth: Annotated[Annotated[int, Field(ge=1, le=64)] | None, Option()] = None
    """Layers of lstm and gru (default 1), blocks of transformer (default 4)."""
    heads: Annotated[Annotated[int, Field(ge=1, le=64)] | None, Option()] = None
    """Heads of transformer's attention (default 4)."""
    hidden: Annotated[Annotated[int, Field(ge=1, le=65536)] | None, Option()] = None
    """Hidden units of mlp (default 500)."""
    activation: Annotated[Literal["relu", "sigmoid"], Option()] = "relu"
    """Activation of mlp's hidden layer; tat's is sigmoid."""
    bias: Annotated[Literal["digital", "row"], Option()] = "digital"
    """Biases added after the arrays, or as one more row of each layer's, whose input is always 1."""
    mean: Annotated[PixelValues | None, Option(metavar="X[,X...]")] = None
    """Taken off the pixels, which are 0 to 1, before the first layer: one number, or one a channel (default 0)."""
    std: Annotated[Annotated[PixelValues, AfterValidator(above_zero)] | None, Option(metavar="X[,X...]")] = None
    """What the pixels are then divided by (default 1)."""
    padding: Annotated[Literal["same", "torch"], Option()] = "same"
    """resnet18, resnet20: convolutions of stride 2 padded by (0, 1), or torch's (1, 1) (default same, or as the tensors
    that are imported)."""
    norm_epsilon: Annotated[Quantity, Field(gt=0, lt=1), Option(metavar="X")] = NORM_EPSILON
    """Added to batch norm's variance."""

    @model_validator(mode="after")
    def _has_what_is_set(self) -> Self:
        """A setting that the network does not have is an error."""
        own = is_own(self.name)
        require(
            own_file(self.name) is not None or not self.args,
            f"network.args belongs to networks of FILE.py:NAME, not to {self.name}",
        )
        if own:
            require(self.width == 1, f"network.width: {self.name} has widths of its own; use network.args")
        require(
            self.bias == "digital" or not (own or self.traced),
            f"network.bias = row does not go with {self.name}, whose biases are no part of its products",
        )
        require(
            self.depth is None or self.deep, f"network.depth belongs to lstm, gru or transformer, not to {self.name}"
        )
        require(
            self.heads is None or self.name == "transformer",
            f"network.heads belongs to transformer, not to {self.name}",
        )
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
            f"network.padding belongs to resnet18 and resnet20, not to {self.name}",
        )
        require(
            self.norm_epsilon == NORM_EPSILON or self.normed or self.name == "mobilenet",
            f"network.norm_epsilon: {self.name} has no batch norm",
        )
        return self

    @property
    def traced(self) -> bool:
        """Whether it is a plain flax module of the package."""
        return self.name in ("mobilenet", "lstm", "gru", "transformer")

    @property
    def deep(self) -> bool:
        """Whether it can have more or fewer layers."""
        return self.name in ("lstm", "gru", "transformer")

    @property
    def strided(self) -> bool:
        """Whether it has convolutions of stride 2 that can be padded in two ways."""
        return self.name in ("resnet18", "resnet20")

    @property
    def normed(self) -> bool:
        """Whether it has batch norm that can be folded."""
        return self.name in ("cnn", "vgg9", "vgg11", "resnet18", "resnet20")

    @property
    def hidden_units(self) -> int:
        """Hidden units of mlp."""
        return self.hidden or max(1, round(MLP_HIDDEN * self.width))

    def build(
        self, *, shape: tuple[int, ...], outputs: int, seed: int, dtype: "np.dtype[Any] | None" = None
    ) -> "Built":
        """The network for inputs of `shape` ([h w c] of pictures), initialised from `seed`.

        Args:
            shape: of one input.
            outputs: numbers that it gives for an input, or at each place of it: classes, where the task has some.
            seed: of the first weights.
            dtype: of the inputs; None for float32.

        Raises:
            ConfigError: the network cannot take such inputs, or a setting that it does not have.
        """
        from xbar_cli.nn.layers import bias_rows
        from xbar_cli.nn.norm import set_epsilon

        if (own := own_file(self.name)) is not None:
            return self._own(own, shape=shape, outputs=outputs, seed=seed, dtype=dtype)
        if (file := graph_file(self.name)) is not None:
            from xbar_cli.nn.sites.graph_file import graph_network

            found = graph_network(file, shape=shape, outputs=outputs, dtype=dtype or "float32")
            found.normalisation = self.normalisation(channels=shape[-1])
            return found
        self._require_pictures(shape, dtype)
        try:
            net = _with_digital_biases(self, shape=shape, outputs=outputs, seed=seed, dtype=dtype)
        except ValueError as error:
            raise ConfigError(f"network {self.name}: {error}") from None
        set_epsilon(net, self.norm_epsilon)
        net.normalisation = self.normalisation(channels=shape[-1])
        if self.bias == "row":
            bias_rows(net)
        return net

    def _require_pictures(self, shape: tuple[int, ...], dtype: "np.dtype[Any] | None") -> None:
        """Raise ConfigError where the inputs are none that the package's network takes."""
        own = "; FILE.py:NAME gives a network of your own"
        if self.name not in MODULES and dtype is not None and dtype.kind == "i":
            raise ConfigError(f"network {self.name} takes numbers, and the inputs of this data set are tokens{own}")
        if self.name not in ("mlp", *MODULES) and len(shape) != 3:
            raise ConfigError(
                f"network {self.name} takes pictures [height width channels], and an input of this data set has shape "
                f"{list(shape)}: take mlp, which takes any{own}"
            )

    def _own(
        self, own: OwnFile, *, shape: tuple[int, ...], outputs: int, seed: int, dtype: "np.dtype[Any] | None"
    ) -> "Crossbar":
        """The network of the user's file."""
        import numpy as np

        from xbar_cli.nn.sites.own import own_network

        args = {key.strip(): _value(value) for key, _, value in (text.partition("=") for text in self.args)}
        kind = np.dtype(np.float32) if dtype is None else dtype
        net = own_network(own.path, own.name, shape=shape, outputs=outputs, seed=seed, args=args, dtype=kind)
        net.normalisation = self.normalisation(channels=shape[-1])
        return net

    def normalisation(self, *, channels: int) -> "Normalisation | None":
        """What the images go through before the first layer, by one number or one a channel; None where they come as they are."""
        from xbar_cli.nn.normalisation import Normalisation

        if self.mean is None and self.std is None:
            return None
        found = Normalisation(self.mean or (0.0,), self.std or (1.0,))
        for key, values in (("mean", found.mean), ("std", found.std)):
            require(
                len(values) in (1, channels),
                f"network.{key} has {len(values)} values; give one, or one for each of the {channels} channel(s) of the "
                "images",
            )
        return found


def _with_digital_biases(
    section: NetworkSection, *, shape: tuple[int, ...], outputs: int, seed: int, dtype: "np.dtype[Any] | None"
) -> "Built":
    """The network with digital biases: a ValueError where it cannot take inputs of this shape."""
    from xbar_cli.nn.cnn import Cnn
    from xbar_cli.nn.layers import streams
    from xbar_cli.nn.lenet import LeNet, LeNet5
    from xbar_cli.nn.mlp import Mlp
    from xbar_cli.nn.modules.build import on_crossbars
    from xbar_cli.nn.resnet import ResNet
    from xbar_cli.nn.vgg import Vgg

    given: dict[str, Any] = {"shape": shape, "n_classes": outputs, "rngs": streams(seed)}
    name, width = cast(NetworkName, section.name), section.width
    match name:
        case "mlp":
            return Mlp(**given, hidden=section.hidden_units, activation=section.activation)
        case "lenet5":
            return LeNet5(**given)
        case "lenet":
            return LeNet(**given, width=width)
        case "cnn":
            return Cnn(**given, width=width)
        case "vgg9" | "vgg11":
            return Vgg(name, **given, width=width)
        case "resnet18" | "resnet20":
            return ResNet(name, **given, width=width, padding=section.padding)
        case "mobilenet" | "lstm" | "gru" | "transformer":
            own = {"width": width, "depth": section.depth, "heads": section.heads, "epsilon": section.norm_epsilon}
            return on_crossbars(name, **given, **own, dtype=dtype)
        case _:
            assert_never(name)
