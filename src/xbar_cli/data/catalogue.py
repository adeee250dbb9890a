"""The data sets that xbar knows: where TFDS keeps them, what the official files are, how many images they hold.

References:
    File sizes, checksums and addresses: TensorFlow Datasets 4.9.10, `url_checksums/*.txt`. Class names: the sets' own
    `batches.meta.txt`, `fine_label_names.txt` and README. EMNIST: Cohen et al. (2017), arXiv 1702.05373.
"""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from xbar_cli.errors import DataError
from xbar_cli.outside import did_you_mean, quoted

SPLITS = ("train", "test")
BUNDLED = "fashion_mnist_mini"


@dataclass(frozen=True)
class OfficialFile:
    """One file of the official distribution: its address, size [byte] and registered sha256."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, the last part of its address."""
        return PurePosixPath(self.url).name


@dataclass(frozen=True)
class Spec:
    """What one data set is made of.

    Attributes:
        name: xbar's name.
        folder: the official TFDS folder below the data directory, `name[/config]/version`.
        layout: `idx` (image and label files of the MNIST family) or `cifar` (records of label bytes and pixels).
        shape: height, width, channels of one image.
        counts: official number of images of (train, test).
        class_names: one for each class; a stored label is an index into them plus `first_label`.
        tfds_classes: the number of classes that TFDS declares.
        members: file names of (train, test) without `.gz`; idx: images, labels.
        official: the files of the official distribution: the members themselves, or one archive that holds them.
        label_bytes: cifar: label bytes before the pixels; the last is the label.
        coarse_names: cifar100: names of the superclasses.
        first_label: the smallest label in the files and in TFDS's records.
        transposed: whether files and TFDS's records hold rows and columns exchanged.
        other_counts: (train, test) of a different official cut that may lie in the same folder.
        first_labels: the first labels of the (train, test) files, a digit each, by which the set is told from others whose
            files have the same names; None where there is no such set.
    """

    name: str
    folder: str
    layout: Literal["idx", "cifar"]
    shape: tuple[int, int, int]
    counts: tuple[int, int]
    class_names: tuple[str, ...]
    tfds_classes: int
    members: tuple[tuple[str, ...], tuple[str, ...]]
    official: tuple[OfficialFile, ...]
    homepage: str
    description: str
    label_bytes: int = 1
    coarse_names: tuple[str, ...] = ()
    first_label: int = 0
    transposed: bool = False
    other_counts: tuple[int, int] | None = None
    first_labels: tuple[str, str] | None = None

    @property
    def tfds_name(self) -> str:
        """The name of the TFDS builder."""
        return self.folder.split("/")[0]

    @property
    def tfds_config(self) -> str | None:
        """The configuration of the TFDS builder; None where it has none."""
        parts = self.folder.split("/")
        return parts[1] if len(parts) == 3 else None

    @property
    def version(self) -> str:
        """The version of the TFDS builder."""
        return self.folder.split("/")[-1]

    @property
    def archive(self) -> str | None:
        """The name of the official archive; None where the official files are the members themselves."""
        return self.official[0].name if len(self.official) == 1 else None

    @property
    def pixels(self) -> int:
        """Bytes of one image."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def member_limit(self) -> int:
        """The size [byte] that no unpacked member may pass: all official training images in one file, and a header."""
        return max(self.counts) * (self.pixels + self.label_bytes) + 65_536


def _idx_members(prefix: str, test: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    train, held_out = (
        (f"{prefix}{split}-images-idx3-ubyte", f"{prefix}{split}-labels-idx1-ubyte") for split in ("train", test)
    )
    return train, held_out


_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_CIFAR100_FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
    "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
    "trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
_CIFAR100_COARSE = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices "
    "household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes "
    "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees "
    "vehicles_1 vehicles_2"
)

MNIST = Spec(
    name="mnist",
    folder="mnist/3.0.1",
    layout="idx",
    shape=(28, 28, 1),
    counts=(60_000, 10_000),
    class_names=tuple("0123456789"),
    tfds_classes=10,
    members=_idx_members("", "t10k"),
    official=tuple(
        OfficialFile(_MNIST_URL + name + ".gz", size, sha256)
        for name, size, sha256 in (
            ("train-images-idx3-ubyte", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            ("train-labels-idx1-ubyte", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ("t10k-images-idx3-ubyte", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            ("t10k-labels-idx1-ubyte", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        )
    ),
    homepage="http://yann.lecun.com/exdb/mnist/",
    description="The MNIST database of handwritten digits (LeCun, Cortes, Burges).",
    first_labels=("50419213143536172869", "72104149590690159734"),
)

FASHION_MNIST = replace(
    MNIST,
    name="fashion_mnist",
    folder="fashion_mnist/3.0.1",
    class_names=FASHION_CLASSES,
    official=tuple(
        OfficialFile(_FASHION_URL + name + ".gz", size, sha256)
        for name, size, sha256 in (
            ("train-images-idx3-ubyte", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            ("train-labels-idx1-ubyte", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ("t10k-images-idx3-ubyte", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ("t10k-labels-idx1-ubyte", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        )
    ),
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    description="Fashion-MNIST: Zalando's article images (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747).",
    first_labels=("90030272550955791064", "92116146574573412480"),
)

CIFAR10 = Spec(
    name="cifar10",
    folder="cifar10/3.0.2",
    layout="cifar",
    shape=(32, 32, 3),
    counts=(50_000, 10_000),
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    tfds_classes=10,
    members=(tuple(f"data_batch_{index}.bin" for index in range(1, 6)), ("test_batch.bin",)),
    official=(
        OfficialFile(
            _CIFAR_URL + "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    description="CIFAR-10: 32x32 colour images in 10 classes (Krizhevsky 2009).",
)

CIFAR100 = replace(
    CIFAR10,
    name="cifar100",
    folder="cifar100/3.0.2",
    class_names=tuple(_CIFAR100_FINE.split()),
    tfds_classes=100,
    members=(("train.bin",), ("test.bin",)),
    official=(
        OfficialFile(
            _CIFAR_URL + "cifar-100-binary.tar.gz",
            168_513_733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    ),
    description="CIFAR-100: 32x32 colour images in 100 classes, 20 superclasses (Krizhevsky 2009).",
    label_bytes=2,
    coarse_names=tuple(_CIFAR100_COARSE.split()),
)

EMNIST_LETTERS = Spec(
    name="emnist_letters",
    folder="emnist/letters/3.1.0",
    layout="idx",
    shape=(28, 28, 1),
    counts=(124_800, 20_800),
    class_names=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    tfds_classes=37,
    members=_idx_members("emnist-letters-", "test"),
    official=(
        OfficialFile(
            "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
            561_753_746,
            "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        ),
    ),
    homepage="https://www.nist.gov/itl/products-and-services/emnist-dataset",
    description="EMNIST Letters as published by NIST: 26 classes, labels 1-26, rows and columns exchanged.",
    first_label=1,
    transposed=True,
    other_counts=(88_800, 14_800),
)

SPECS = (MNIST, FASHION_MNIST, CIFAR10, CIFAR100, EMNIST_LETTERS)


def names() -> tuple[str, ...]:
    """The names of all data sets; the bundled one comes first."""
    return (BUNDLED, *(spec.name for spec in SPECS))


def find(name: str) -> Spec:
    """The full data set called `name`. Raises DataError where there is none."""
    for spec in SPECS:
        if spec.name == name:
            return spec
    near = did_you_mean(name, names())
    raise DataError(f"unknown data set {quoted(name)}{near}: it must be one of {', '.join(names())}")


def import_again(spec: Spec) -> str:
    """What to do about a prepared set that is damaged."""
    return f"import it again by `xbar data import {spec.name}`"


def wanted_files(spec: Spec) -> str:
    """The official files in words, for messages."""
    if spec.archive is None:
        return ", ".join(file.name for file in spec.official)
    members = ", ".join(member for split in spec.members for member in split)
    return f"{spec.archive} (or its files {members})"
