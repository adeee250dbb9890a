"""Data sets of one's own: what files hold comes back from `load`, and what is wrong with them is one line that says where."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from xbar_cli.data.datasets import describe, load
from xbar_cli.data.own import stored
from xbar_cli.data.own.adding import add
from xbar_cli.data.own.raw import Ingest
from xbar_cli.errors import DataError

RNG = np.random.default_rng(5)


@pytest.fixture
def make(tmp_path):
    """Adds a file and loads the set."""

    def made(file, *, overwrite=False, **asked):
        add("mine", file, Ingest(**asked), data_dir=tmp_path / "data", overwrite=overwrite)
        return load("mine", data_dir=tmp_path / "data")

    return made


@pytest.fixture
def archive(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return save


def table(tmp_path, text):
    (tmp_path / "set.csv").write_text(text)
    return tmp_path / "set.csv"


def numbers(n=40, columns=3):
    return RNG.normal(size=(n, columns)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int32])
def test_arrays_of_parts_come_back_as_they_are(make, archive, dtype):
    x = RNG.integers(0, 200, (30, 4, 2)).astype(dtype)
    y = np.arange(30) % 3
    data = make(archive(x_train=x[:21], y_train=y[:21], x_test=x[21:], y_test=y[21:]))
    np.testing.assert_array_equal(data.train_images, x[:21])
    np.testing.assert_array_equal(data.test_labels, y[21:])
    assert (data.train_images.dtype, data.task, data.n_classes) == (dtype, "classification", 3)
    with pytest.raises(ValueError, match="read-only"):
        data.train_images[0] = 0


def test_one_array_is_divided_by_the_seed_with_every_class_in_both_parts(make, archive):
    x, y = numbers(50), np.arange(50) % 5
    data, same = (make(archive(x=x, y=y), seed=3, test_fraction=0.2, overwrite=True) for _ in range(2))
    assert (len(data.train_labels), len(data.test_labels)) == (40, 10)
    assert np.bincount(data.test_labels).tolist() == [2] * 5
    np.testing.assert_array_equal(data.train_images, same.train_images)
    assert not np.array_equal(make(archive(x=x, y=y), seed=4, overwrite=True).test_images, data.test_images)
    rows = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
    assert all(rows[row.tobytes()] == label for row, label in zip(data.train_images, data.train_labels, strict=True))


def test_tasks_are_told_by_the_labels(make, archive):
    x = numbers(20, 6)
    regression = make(archive(x=x, y=x[:, :2]), overwrite=True)
    assert (regression.task, regression.outputs, regression.train_labels.shape) == ("regression", 2, (16, 2))
    with pytest.raises(ValueError, match="no classes"):
        _ = regression.n_classes
    places = RNG.integers(0, 4, (20, 6))
    labelling = make(archive(x=x, y=places), overwrite=True)
    assert (labelling.task, labelling.outputs, labelling.test_labels.shape) == ("labelling", 4, (4, 6))
    tokens = RNG.integers(0, 7, (20, 9))
    following = make(archive(x=tokens), task="next_token", overwrite=True)
    assert (following.task, following.outputs) == ("next_token", tokens.max() + 1)
    np.testing.assert_array_equal(following.train_images[:, 1:], following.train_labels[:, :-1])
    named = make(archive(x=x, y=np.array(["b", "a"] * 10)), overwrite=True)
    assert named.class_names == ("a", "b")


def test_a_table_has_columns_by_name_or_number_and_classes_by_their_texts(make, tmp_path):
    x = numbers(30)
    kinds = ["cat", "dog", "10"]
    rows = [f"{i};{a:.6f};{kinds[i % 3]};{b:.6f}" for i, (a, b, _) in enumerate(x)]
    file = table(tmp_path, "id;a;kind;b\n" + "\n".join(rows) + "\n\n")
    data = make(file, label=("kind",), columns=("b", "2"))
    assert data.class_names == ("10", "cat", "dog")
    by_value = {round(float(b), 4): (float(a), i % 3) for i, (a, b, _) in enumerate(x)}
    for (b, a), label in zip(data.train_images, data.train_labels, strict=True):
        wanted, kind = by_value[round(float(b), 4)]
        assert a == pytest.approx(wanted, abs=1e-6)
        assert data.class_names[label] == kinds[kind]
    bare = make(
        table(tmp_path, "\n".join(f"{a},{a * 2}" for a in range(20))), header=False, task="regression", overwrite=True
    )
    np.testing.assert_array_equal(bare.train_labels, bare.train_images * 2)
    assert describe("mine", data_dir=tmp_path / "data")["label"] == ["2"]


def test_standardised_columns_have_mean_0_and_deviation_1_over_the_training_part(make, archive, tmp_path):
    x = numbers(60) * 40 + 7
    x[:, 2] = 3
    data = make(archive(x=x, y=x[:, :1] * 10), standardise=True)
    np.testing.assert_allclose(data.train_images[:, :2].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train_images[:, :2].std(axis=0), 1, rtol=1e-5)
    assert not data.train_images[:, 2].any()
    assert data.train_labels.std() == pytest.approx(1, rel=1e-5)
    facts = describe("mine", data_dir=tmp_path / "data")
    back = data.test_images[:, 0] * facts["std"][0] + facts["mean"][0]
    assert np.isclose(back[:, None], x[:, 0], rtol=1e-5).any(axis=1).all()


def test_pictures_of_a_folder_a_class(make, tmp_path):
    for part, n in (("train", 3), ("test", 2)):
        for kind, level in (("dark", 10), ("light", 200)):
            (tmp_path / "p" / part / kind).mkdir(parents=True)
            for k in range(n):
                Image.new("L", (5, 4), level + k).save(tmp_path / "p" / part / kind / f"{k}.png")
    data = make(tmp_path / "p")
    assert (data.class_names, data.train_images.shape, data.train_images.dtype) == (
        ("dark", "light"),
        (6, 4, 5, 1),
        np.uint8,
    )
    assert data.test_images[:, 0, 0, 0].tolist() == [10, 11, 200, 201]
    assert data.note == "4 of 4 test inputs are training inputs too"
    Image.new("RGB", (9, 9), (1, 2, 3)).save(tmp_path / "p" / "test" / "dark" / "z.png")
    with pytest.raises(DataError, match=r"z\.png: 9x9 pixels, and 0\.png has 4x5; give `size`"):
        make(tmp_path / "p", overwrite=True)
    coloured = make(tmp_path / "p", size=(4, 5), overwrite=True)
    assert coloured.test_images.shape == (5, 4, 5, 3)
    assert coloured.test_images[2, 0, 0].tolist() == [1, 2, 3]


def test_sounds_of_a_folder_a_class_have_one_rate(make, tmp_path):
    for kind, sign in (("down", -1), ("up", 1)):
        (tmp_path / "s" / kind).mkdir(parents=True)
        for k in range(5):
            ramp = (sign * np.arange(20 + k) * 100).astype(np.int16)
            wavfile.write(tmp_path / "s" / kind / f"{k}.wav", 8000, ramp)
    data = make(tmp_path / "s", length=22)
    assert (data.train_images.shape[1:], data.train_images.dtype) == ((22, 1), np.float32)
    assert describe("mine", data_dir=tmp_path / "data")["rate_hertz"] == 8000
    np.testing.assert_allclose(data.train_images[data.train_labels == 1][0, :20, 0], np.arange(20) * 100 / 32768)
    wavfile.write(tmp_path / "s" / "up" / "9.wav", 16000, np.zeros(9, np.int16))
    with pytest.raises(DataError, match=r"9\.wav: 16000 Hz, and 8000 Hz are wanted"):
        make(tmp_path / "s", overwrite=True)
    (tmp_path / "s" / "up" / "9.wav").write_bytes(b"RIFF....WAVE")
    with pytest.raises(DataError, match=r"9\.wav: no wav file that can be read"):
        make(tmp_path / "s", overwrite=True)


def test_a_text_becomes_sequences_of_its_characters(make, tmp_path):
    text = "the cat sat on the mat, and that was that. " * 20
    (tmp_path / "t.txt").write_text(text)
    data = make(tmp_path / "t.txt", length=16, test_fraction=0.1)
    assert data.class_names == tuple(sorted(set(text)))
    sequences = np.concatenate([data.train_images, data.test_images])
    assert "".join(data.class_names[code] for code in sequences.ravel()) == text[: sequences.size]
    assert (
        "".join(data.class_names[code] for code in data.test_labels[-1])
        == text[sequences.size - 15 : sequences.size + 1]
    )


def test_a_set_for_a_network_with_more_classes_than_it_has_rows_of(make, archive, tmp_path):
    x, y = numbers(12), np.arange(12) % 2 * 3
    data = make(archive(x=x, y=y), classes=10, test_fraction=0.5)
    assert (data.outputs, data.class_names) == (10, tuple("0123456789"))
    assert sorted({*data.train_labels, *data.test_labels}) == [0, 3]
    places = make(archive(x=np.ones((6, 4, 2)), y=np.full((6, 4), 7)), classes=9, overwrite=True)
    assert (places.task, places.outputs) == ("labelling", 9)
    for arrays, asked, said in (
        ({"x": x, "y": y}, {"classes": 3}, r"label 3 lies outside 0 … 2 of classes = 3"),
        ({"x": x, "y": y.astype(str)}, {"classes": 4}, "goes with labels that are whole numbers"),
        ({"x": x, "y": y + 0.5}, {"classes": 4}, "classes = 4 says nothing of task regression"),
    ):
        with pytest.raises(DataError, match=said):
            make(archive(**arrays), overwrite=True, **asked)
    with pytest.raises(DataError, match=r"classes says nothing of a \.csv file"):
        make(table(tmp_path, "a,b\n1,x\n2,y\n"), classes=3, overwrite=True)


X, Y = numbers(12), np.arange(12) % 3
HOLED = np.where(np.arange(12)[:, None] == 4, np.nan, X)
BAD_ARRAYS = {
    "no array x; x and y are wanted, or x_train": {"a": X, "y": Y},
    "no array y_test": {"x_train": X, "y_train": Y, "x_test": X},
    r"x has nan in row 4 \(place \[0\]; 3 such values\)": {"x": HOLED, "y": Y},
    "x has 12 rows and y has 11": {"x": X, "y": Y[:11]},
    "no row is of class 1, and labels go up to 4": {"x": X, "y": Y * 2},
    "label -1 lies outside": {"x": X, "y": Y - 1},
    r"the test part has no row of 1 of 3 classes: '2'": {"x_train": X, "y_train": Y, "x_test": X[:2], "y_test": Y[:2]},
    r"an empty part: x has shape \[0, 3\]": {"x_train": X, "y_train": Y, "x_test": X[:0], "y_test": Y[:0]},
    r"training inputs are float32 \[3\] and test inputs float32 \[2\]": {
        "x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y,
    },
    "x holds pickled objects": {"x": np.array([{"a": 1}] * 12), "y": Y},
    "all rows are of one class": {"x": X, "y": Y * 0},
    "x is of type": {"x": X.astype(str), "y": Y},
    r"labels of shape \[rows places\]": {"x": X, "y": np.zeros((12, 5), int)},
}  # fmt: skip


@pytest.mark.parametrize("said", BAD_ARRAYS)
def test_bad_arrays_are_refused_in_one_line(make, archive, said):
    with pytest.raises(DataError, match=said) as raised:
        make(archive(**BAD_ARRAYS[said]))
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(("/", "C:"))


ROWS = "".join(f"{k},{k}.5,{'ab'[k % 2]}\n" for k in range(8))
BAD_TABLES = {
    "a,b,c\n" + ROWS + "1,many,a\n": r"line 10, column 'b': 'many' is no number; inputs are numbers",
    "a,b,c\n" + ROWS + "1,,a\n": r"line 10, column 'b': empty",
    "a,b,c\n" + ROWS + "1,nan,a\n": r"x has nan in row 8 \(place \[1\]",
    "a,b,c\n" + ROWS + "1,2\n": r"line 10: 2 fields; 3 are wanted",
    "a,b,c\n": "no rows below the header",
    "1,2,3\n" + ROWS: "line 1 holds numbers, not names of columns",
    "a,b,c\n" + ROWS + '1,"2': "not CSV",
    "a,b,c\n" + ROWS + "1,2,z\n": "the test part has no row of 1 of 3 classes: 'z'",
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_bad_tables_are_refused_with_line_and_column(make, tmp_path, text):
    with pytest.raises(DataError, match=BAD_TABLES[text]) as raised:
        make(table(tmp_path, text))
    assert "\n" not in str(raised.value)


def test_columns_and_keys_that_are_not_there(make, tmp_path, archive):
    file = table(tmp_path, "a,b,c\n" + ROWS)
    with pytest.raises(DataError, match="no column 'd'; there are 'a, b, c', numbered from 1"):
        make(file, label=("d",))
    with pytest.raises(DataError, match="'c' is among `columns` and is `label` too"):
        make(file, columns=("c", "a"))
    with pytest.raises(DataError, match=r"size says nothing of a \.csv file"):
        make(file, size=(2, 2))
    with pytest.raises(DataError, match="standardise takes columns of numbers, and the inputs are int32"):
        make(archive(x=RNG.integers(0, 9, (12, 3)), y=Y), standardise=True, test_fraction=0.5)
    with pytest.raises(DataError, match="no such file"):
        make(tmp_path / "nothing.bin")
    (tmp_path / "f").mkdir()
    with pytest.raises(DataError, match="no folders in it"):
        make(tmp_path / "f")


def test_names_are_ones_own_and_a_failed_addition_leaves_what_was_there(make, archive, tmp_path):
    data = tmp_path / "data"
    for name, said in (("mnist", "xbar knows"), ("jargon", "xbar knows"), ("../x", "no name"), ("", "no name")):
        with pytest.raises(DataError, match=said):
            add(name, archive(x=X, y=Y), Ingest(), data_dir=data, overwrite=True)
    first = make(archive(x=X, y=Y), test_fraction=0.3)
    with pytest.raises(DataError, match="there already"):
        make(archive(x=X, y=Y))
    with pytest.raises(DataError, match="has nan"):
        make(archive(x=HOLED, y=Y), overwrite=True)
    np.testing.assert_array_equal(load("mine", data_dir=data).train_images, first.train_images)
    with pytest.raises(DataError, match=r"unknown data set 'other'.*jargon, mine"):
        load("other", data_dir=data)
    (data / "xbar" / "mine" / "arrays.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"arrays\.npz is missing or damaged"):
        load("mine", data_dir=data)
    (data / "xbar" / "mine" / "set.json").write_text(json.dumps({"task": "guess"}))
    with pytest.raises(DataError, match=r"set\.json is damaged"):
        load("mine", data_dir=data)


@pytest.mark.parametrize(
    ("name", "task", "shape", "outputs", "counts"),
    [
        ("breast_cancer", "classification", (30,), 2, (427, 142)),
        ("japanese_vowels", "classification", (29, 12), 9, (270, 370)),
        ("jargon", "next_token", (64,), 96, (5624, 625)),
    ],
)
def test_bundled_sets_are_small_and_have_a_licence(name, task, shape, outputs, counts):
    data = load(name, data_dir=None)
    assert (data.task, data.train_images.shape[1:], data.outputs) == (task, shape, outputs)
    assert (len(data.train_labels), len(data.test_labels)) == counts
    assert len(data.class_names) == outputs
    assert len(np.unique(data.train_labels)) == outputs
    folder = stored.BUNDLED_FOLDER / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 300_000
    assert "Source: " in (folder / "LICENSE.txt").read_text()
