"""Where the rows come from: one class for each `data.source.kind`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from common.scenario.base import FilePath, Part, expecting, folder_or_name, key, refuse
from common.scenario.registry import Family

SOURCES: Family[SourcePart] = Family("sources", "kind")


class SourcePart(Part):
    """Where rows come from."""

    family: ClassVar[Family[SourcePart]] = SOURCES

    kind: str = ""


Task = Literal["auto", "classification", "regression"]
Files = Annotated[
    FilePath | Annotated[tuple[FilePath, ...], Field(min_length=1, strict=False)],
    expecting("a path, or a list of paths"),
]


class SklearnSource(SourcePart, name="sklearn", runs="common.data.sources.sklearn"):
    """A small data set that comes with scikit-learn; needs no download."""

    name: Literal["digits", "breast_cancer", "wine", "iris", "diabetes"] = key(
        "Which one: four classifications and diabetes, a regression.", "digits"
    )


class IdxSource(SourcePart, name="idx", runs="common.data.sources.idx"):
    """A folder with the four files of MNIST's format: images and labels, training and test."""

    path: FilePath = key(
        "The folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte, each plain or with .gz."
    )


class NpzSource(SourcePart, name="npz", runs="common.data.sources.npz"):
    """A NumPy archive with x_train and y_train, and where you have them x_test, y_test and client."""

    path: FilePath = key("The .npz file.")
    task: Task = key(
        "What y_train is: auto takes whole numbers and text for labels, other numbers for targets.", "auto"
    )


class CsvSource(SourcePart, name="csv", runs="common.data.sources.csv"):
    """Tables in text files, of numbers and categories; several files are several natural clients."""

    path: Files = key(
        "The file; or several, as a list or a pattern with * in it: each is a natural client (partition: natural)."
    )
    target: str = key("The column to predict.")
    task: Task = key("auto takes texts and up to 20 whole numbers for labels, other numbers for targets.", "auto")
    threshold: float | None = key(
        "Make two classes of a numeric target: 0 up to this number, 1 above it.", None, unit="of the target"
    )
    header: bool = key("Whether the first line names the columns; if not, give names.", True)
    names: tuple[str, ...] | None = key("The columns' names, for files without a header.", None, strict=False)
    separator: str = key("What stands between values.", ",", min_length=1, max_length=1)
    decimal: Literal["auto", ".", ","] = key(
        "What stands before decimals: auto reads a column with a comma where all of it are numbers so.", "auto"
    )
    drop: tuple[str, ...] = key("Columns to leave out.", (), strict=False)
    numeric: tuple[str, ...] = key(
        "Columns that must hold numbers; anything else in them is a mistake.", (), strict=False
    )
    categorical: tuple[str, ...] = key("Columns to take for categories though they hold numbers.", (), strict=False)
    client: str | None = key("The column that names each row's natural client; it is no feature.", None)
    missing: tuple[str, ...] = key(
        "What stands for a missing value.", ("", "?", "NA", "NaN", "nan", "null"), strict=False
    )

    @model_validator(mode="after")
    def _fits(self) -> CsvSource:
        if not self.header and self.names is None:
            raise refuse("names", "the columns' names, since the file has no header")
        if self.header and self.names is not None:
            raise refuse("names", "no names, since the file has a header (or header: false)")
        if self.task == "regression" and self.threshold is not None:
            raise refuse("threshold", "no threshold for a regression: it makes two classes")
        if self.decimal == self.separator:
            raise refuse("decimal", "another character than the separator")
        if self.client == self.target:
            raise refuse("client", "another column than the target")
        if self.separator in '"\r\n':
            raise refuse("separator", "a character that neither quotes nor ends a line")
        for name in self.numeric:
            if name in self.categorical:
                raise refuse("numeric", f"columns that are not categorical, too; {name} is")
        for name in self.drop:
            if name in (self.target, self.client):
                raise refuse("drop", f"columns that are not needed; {name} is")
        return self


class TextSource(SourcePart, name="text", runs="common.data.sources.text"):
    """Labelled texts: a file with a label and a text per line, or a folder with a folder of texts per label."""

    path: FilePath = key(
        "The file, or the folder with a folder of .txt files for each label; or with folders train, validation "
        "(or val) and test that hold such folders."
    )
    separator: str = key("What stands between label and text.", "\t", min_length=1, max_length=1)
    quotes: Literal["auto", "csv", "none"] = key(
        "Whether values may stand in quotes as in CSV, over several lines too: auto says so unless tabs separate them.",
        "auto",
    )
    header: bool = key("Whether the first line names the columns.", False)
    label_column: int = key("Where the label stands, from 0.", 0, unit="column", ge=0)
    text_column: int = key("Where the text stands, from 0.", 1, unit="column", ge=0)

    @model_validator(mode="after")
    def _two_columns(self) -> TextSource:
        if self.label_column == self.text_column:
            raise refuse("text_column", "another column than label_column")
        return self


class ImagesSource(SourcePart, name="images", runs="common.data.sources.images"):
    """Pictures: a folder of files for each class, brought to one size."""

    path: FilePath = key(
        "The folder with a folder of pictures for each class, in any format that Pillow reads by itself; or with "
        "folders train, validation (or val) and test that hold such folders."
    )
    height: int = key("Every picture becomes so high.", 28, unit="pixels", ge=1, le=4096)
    width: int = key("And so wide.", 28, unit="pixels", ge=1, le=4096)
    color: Literal["grey", "rgb"] = key("Grey, or red, green and blue.", "grey")


class HubSource(SourcePart, name="hub", runs="common.data.sources.hub"):
    """A data set of the Hugging Face hub, or one in its format on this machine; offline after the first time."""

    name: Annotated[str, BeforeValidator(folder_or_name)] = key(
        "Its name on the hub, or a folder: files as on the hub, or what save_to_disk wrote.", min_length=1
    )
    config: str | None = key("Its configuration, where it has several.", None)
    train: str = key("The split to train on.", "train")
    test: str | None = key("The split to test on; left out where the data set has no such split.", "test")
    target: str = key("The column to predict.", "label")
    features: tuple[str, ...] | None = key(
        "The columns to learn from: one of images or texts, or several of numbers; all others if left out.",
        None,
        strict=False,
    )
    client: str | None = key("The column that names each row's natural client; it is no feature.", None)
    task: Task = key("auto takes class labels, texts and whole numbers for labels, other numbers for targets.", "auto")


class SyntheticSource(SourcePart, name="synthetic", runs="common.data.sources.synthetic"):
    """Synthetic(α, β) of FedProx: every client has a model and features of its own (Li et al. 2020, section 5.1)."""

    clients: int = key("How many clients; use partition: natural.", 30, unit="clients", ge=1, le=100_000)
    alpha: float = key("How much the clients' models differ.", 1.0, unit="none", ge=0)
    beta: float = key("How much the clients' features differ.", 1.0, unit="none", ge=0)
    iid: bool = key("One model and one kind of features for all; alpha and beta decide nothing.", False)
    most_rows: int = key("No client has more rows.", 10_000, unit="rows", ge=51)


class TeacherSource(SourcePart, name="teacher", runs="common.data.sources.teacher"):
    """Rows labelled by a random linear teacher: as many as you like, for trials of scale and speed."""

    rows: int = key("How many rows to train on.", 10_000, unit="rows", ge=1, le=10_000_000_000)
    features: int = key("How many features.", 32, unit="features", ge=1, le=1_000_000)
    classes: int = key("How many classes; 1 makes it a regression.", 10, unit="classes", ge=1, le=100_000)
    noise: float = key("Normal noise on the teacher's answers.", 0.0, unit="of their deviation", ge=0)
    test_rows: int = key("How many further rows to test on.", 0, unit="rows", ge=0, le=1_000_000_000)

    @model_validator(mode="after")
    def _bearable(self) -> TeacherSource:
        size = (self.rows + self.test_rows) * self.features * 4
        if size > 1 << 40:
            raise refuse("rows", f"a table of at most 1 TiB, not {size / (1 << 40):.0f} TiB")
        if self.features * self.classes > 1 << 28:
            raise refuse("classes", f"features times classes of at most {1 << 28}: the teacher itself takes memory")
        return self


Source = Annotated[SourcePart, SOURCES]
