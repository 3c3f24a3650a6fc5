"""Tables in CSV files: columns are told apart, gaps kept, mistakes named with their line."""

from __future__ import annotations

import csv as python_csv
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.labels import encode_names
from common.data.partitions.columns import groups
from common.data.sources import csv, npz
from common.data.sources.csv import CsvSource
from common.data.sources.files import distinct_names
from common.data.sources.npz import NpzSource
from common.data.table import Column, Table, category
from common.errors import InputError
from tests.conftest import shared_data

PEOPLE = """age,city,born,score,well
30,oslo,1990-05-01,1.5,yes
?,rome,1985-12-24,2,no
41,oslo,1979-01-30,,yes
"""


def people(tmp_path: Path, text: str = PEOPLE, **options: Any) -> Table:
    (tmp_path / "people.csv").write_text(text)
    return csv.read(CsvSource(path=str(tmp_path / "people.csv"), **{"target": "well", **options}), 0)


def complaint(tmp_path: Path, text: str = PEOPLE, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        people(tmp_path, text, **options)
    return str(caught.value).replace(str(tmp_path / "people.csv"), "FILE")


def test_columns_are_numbers_or_categories_and_dates_are_dropped_with_a_hint(tmp_path: Path) -> None:
    table = people(tmp_path)
    assert table.columns == [Column("age"), Column("city", ("oslo", "rome")), Column("score")]
    assert (table.task, table.labels, table.y.tolist()) == ("classification", ["no", "yes"], [1, 0, 1])
    np.testing.assert_array_equal(table.x, [[30, 0, 1.5], [np.nan, 1, 2], [41, 0, np.nan]])
    assert table.hints == [
        "column born: left out, it holds dates; give their parts (month, hour, …) as columns",
    ]


def test_what_a_target_is_follows_from_its_values_or_is_said(tmp_path: Path) -> None:
    assert people(tmp_path, target="score").task == "regression"
    assert people(tmp_path, target="score").hints[-1] == "1 rows are left out, their score is missing"
    assert people(tmp_path, target="age", task="classification").labels == [30, 41]
    above = people(tmp_path, target="score", threshold=1.5)
    assert (above.task, above.labels, above.y.tolist()) == ("classification", [0, 1], [0, 1])


def test_columns_can_be_dropped_taken_for_categories_or_name_clients(tmp_path: Path) -> None:
    table = people(tmp_path, drop=["born", "score"], categorical=["age"])
    assert table.columns == [Column("age", ("30", "41")), Column("city", ("oslo", "rome"))]
    table = people(tmp_path, client="city")
    assert table.groups is not None
    assert (table.groups.tolist(), table.group_names) == ([0, 1, 0], ["oslo", "rome"])
    assert "city" not in [column.name for column in table.columns]


def test_a_category_is_the_same_however_many_zeros_stand_behind_its_point(tmp_path: Path) -> None:
    (tmp_path / "north.csv").write_text("pain,ill\n4.0,no\n3.0,yes\n?,no\n")
    (tmp_path / "south.csv").write_text("pain,ill\n4,no\n1.10,yes\n1.1,no\n")
    table = csv.read(CsvSource(path=str(tmp_path / "*.csv"), target="ill", categorical=("pain",)), 0)
    assert table.columns == [Column("pain", ("1.1", "1.10", "3", "4"))]
    np.testing.assert_array_equal(table.x[:, 0], [3, 2, np.nan, 3, 1, 0])


def test_files_without_header_are_given_names(tmp_path: Path) -> None:
    table = people(tmp_path, "1;a\n2;b\n", header=False, names=["n", "l"], target="l", separator=";")
    assert (table.columns, table.labels) == ([Column("n")], ["a", "b"])


def test_several_files_are_several_clients(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "a.csv").write_text("x,y\n3,a\n")
    for path in (str(tmp_path / "*.csv"), [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]):
        spec = CsvSource(path=path if isinstance(path, str) else tuple(path), target="y")
        table = csv.read(spec, 0)
        assert table.groups is not None
        assert (table.group_names, table.groups.tolist(), table.x[:, 0].tolist()) == (["a", "b"], [0, 1, 1], [3, 1, 2])
    (tmp_path / "c.csv").write_text("x,z\n1,2\n")
    with pytest.raises(InputError, match=r"c\.csv: expected the columns of .*a\.csv; differs in \['y', 'z'\]"):
        csv.read(CsvSource(path=str(tmp_path / "*.csv"), target="y"), 0)


def test_four_hospitals_are_four_clients() -> None:
    names = [
        "age",
        "sex",
        "cp",
        "trestbps",
        "chol",
        "fbs",
        "restecg",
        "thalach",
        "exang",
        "oldpeak",
        "slope",
        "ca",
        "thal",
        "num",
    ]
    spec = CsvSource(
        path=str(shared_data("heart_disease") / "processed.*.data"),
        header=False,
        names=tuple(names),
        target="num",
        threshold=0.0,
        categorical=("cp", "thal"),
    )
    table = csv.read(spec, 0)
    assert table.group_names == [f"processed.{town}" for town in ("cleveland", "hungarian", "switzerland", "va")]
    assert len(table.y) == 920
    assert np.isnan(table.x).sum() > 1000
    assert table.labels == [0, 1]
    assert table.columns[names.index("cp")].categories == ("1", "2", "3", "4"), "in all four hospitals"
    assert table.columns[names.index("thal")].categories == ("3", "6", "7")


def test_hourly_rentals_are_a_regression() -> None:
    spec = CsvSource(
        path=str(shared_data("bike_sharing_hour.csv")), target="count", drop=("casual", "registered", "instant")
    )
    table = csv.read(spec, 0)
    assert (table.task, len(table.y)) == ("regression", 17379)
    assert [hint.split(":")[0] for hint in table.hints] == ["column dateday"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n3\n", {"target": "b"}, "FILE:3: expected 2 values, found 1"),
        ("a,b\n1,2\n3,4,5\n", {"target": "b"}, "FILE:3: expected 2 values, found 3"),
        ('a,b\n1,"2\n', {"target": "b"}, "FILE:3: not a CSV file: unexpected end of data"),
        ('a,b\n1,"2"x\n', {"target": "b"}, "FILE:2: not a CSV file: ',' expected after '\"'"),
        # Lines are the file's, whatever is empty or goes over several of them.
        ('a,b\n\n1,"x\ny"\n\n3\n', {"target": "b"}, "FILE:6: expected 2 values, found 1"),
        ('a,b\n\n1,"x\ny"\n\nx,z\n', {"target": "b", "numeric": ["a"]}, "FILE:6: a: expected a number, found 'x'"),
        ("1,2\n3\n", {"names": ["a", "b"], "target": "b", "header": False}, "FILE:2: expected 2 values, found 1"),
        ("a,b\n", {"target": "b"}, "FILE: no rows in it"),
        ("", {"target": "b"}, "FILE: no rows in it"),
        ("a,a\n1,2\n", {"target": "a"}, "FILE: two columns are named 'a'"),
        ("a,b\n1,2\n", {"target": "c"}, "data.source.target: no column 'c'; the file has a, b"),
        ("alpha,beta\n1,2\n", {"target": "beat"}, "data.source.target: no column 'beat'; did you mean beta?"),
        ("a,b\n1,2\n", {"target": "b", "drop": ["z"]}, "data.source.drop: no column 'z'"),
        ("a,b\n1,2\nx,4\n", {"target": "b", "numeric": ["a"]}, "FILE:3: a: expected a number, found 'x'"),
        ("a,b\n1,2\ninf,4\n", {"target": "b", "numeric": ["a"]}, "FILE:3: a: expected a finite number, found 'inf'"),
        ("a,b\n1,2\n1,x\n", {"target": "b", "task": "regression"}, "FILE:3: b: expected a number, found 'x'"),
        ("a,b\n1,x\n", {"target": "b", "threshold": 1.0}, "FILE:2: b: expected a number, found 'x'"),
        (
            "a,b\n1,0.5\n",
            {"target": "b", "task": "classification"},
            "expected whole numbers or texts as labels, found fractions",
        ),
        ("a,b\n1,?\n", {"target": "b"}, "data.source.target: every b is missing"),
        ("a,b\n1,2\n", {"target": "b", "drop": ["a"]}, "FILE: no column is left to learn from"),
        ("a,b\n?,2\n", {"target": "b"}, "FILE: no column is left to learn from"),
        (
            "a,b\n" + "".join(f"id{n},1\n" for n in range(1001)),
            {"target": "b"},
            "data.source.drop: a: 1001 different texts in 1001 rows are no categories",
        ),
    ],
)
def test_a_broken_file_is_one_message(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    assert message in complaint(tmp_path, text, **options)


def test_a_long_text_and_a_number_of_many_digits_are_values_like_others(tmp_path: Path) -> None:
    long, many = "x" * 200_000, "1" * 5000
    (tmp_path / "a.csv").write_text(f'a,b\n"{long}",{many}\ny,2\n"{long}",2\n')
    table = csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="b", task="classification"), 0)
    assert table.labels == sorted([many, "2"])
    assert table.columns[0].categories == (long, "y")
    assert "two columns are named" in complaint(tmp_path, f'"{long}","{long}"\n1,2\n', target=long)


_WIDE = """
import resource, sys
from common.data.labels import encode_names
from common.data.partitions.columns import groups
from common.data.sources import csv, npz
from common.data.sources.files import distinct_names
from common.data.sources.csv import CsvSource
from common.data.sources.npz import NpzSource

# Seconds of a processor, not of a clock: a signal ends a process that takes more.
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
print(csv.read(CsvSource(path=sys.argv[1], target="c0"), 0).x.shape)
"""


@pytest.mark.slow
def test_many_columns_take_time_in_proportion(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(200_000)]
    (tmp_path / "wide.csv").write_text(f"{','.join(names)}\n" + ",".join("1" for _ in names) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", _WIDE, tmp_path / "wide.csv"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "(1, 199999)\n", done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a,b\n1,\xe9\n", "people.csv:2: expected UTF-8 text"), (b"a,b\n1,\0\n", "people.csv:2: a NUL byte")],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "people.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        csv.read(CsvSource(path=str(tmp_path / "people.csv"), target="b"), 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**20), 10**20)).map(repr),
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(lambda t: t.strip()),
        ),
        min_size=1,
    )
)
def test_values_are_those_that_python_writes(rows: list[tuple[str, str]]) -> None:
    """Numbers to the last bit, and texts with whatever in them that their quotes allow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = python_csv.writer(file, lineterminator="\n")
            writer.writerows([("number", "text", "y"), *((number, text, "1") for number, text in rows)])
        spec = CsvSource(path=str(path), target="y", categorical=("text",), missing=("no such text",))
        table = csv.read(spec, 0)
    categories = table.columns[1].categories
    assert table.x[:, 0].tolist() == [float(number) for number, _ in rows]
    assert categories is not None
    assert [categories[int(code)] for code in table.x[:, 1]] == [category(text.strip()) for _, text in rows]


def test_numbers_may_be_written_as_python_writes_them(tmp_path: Path) -> None:
    table = people(tmp_path, "a,b,well\n+1,1000.,x\n1e3,.5,y\n?,-0,x\n")
    np.testing.assert_array_equal(table.x, [[1, 1000], [1000, 0.5], [np.nan, 0]])


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(b"\xef\xbb\xbfa,b\r\n1,x\r\n")
    assert csv.read(CsvSource(path=str(tmp_path / "people.csv"), target="b"), 0).columns == [Column("a")]


class TestNumbersAsPeopleWriteThem:
    """Whatever is not plain is read where the whole column fits, and told with an example."""

    def numbers(
        self, tmp_path: Path, *values: str, separator: str = ";", **options: Any
    ) -> tuple[list[float], list[str]]:
        lines = [f"{value}{separator}{'uv'[place % 2]}" for place, value in enumerate(values)]
        text = "\n".join([f"a{separator}well", *lines]) + "\n"
        table = people(tmp_path, text, separator=separator, **options)
        assert table.columns[0].categories is None
        return table.x[:, 0].tolist(), [hint.replace(str(tmp_path / "people.csv"), "FILE") for hint in table.hints]

    @pytest.mark.parametrize(
        ("values", "separator", "read", "told"),
        [
            (["1,5", "-20", "0,25"], ";", [1.5, -20, 0.25], "with a decimal comma, such as '1,5' in FILE:2"),
            (["12,345", "900"], ";", [12.345, 900], "with a decimal comma, such as '12,345' in FILE:2"),
            (["12,345", "900"], "\t", [12345, 900], "with ',' between thousands, such as '12,345' in FILE:2"),
            (["1,234.5", "7"], ";", [1234.5, 7], "with ',' between thousands, such as '1,234.5' in FILE:2"),
            (["1.234,5", "7"], ";", [1234.5, 7], "with a decimal comma and '.' between thousands"),
            (["1 234,5", "7"], ";", [1234.5, 7], "with a decimal comma and ' ' between thousands"),
            (["3", "40%", "5%"], ";", None, ""),
            (["40%", "5 %"], ";", [40, 5], "with percent signs, which are left out, such as '40%' in FILE:2"),
            (["\u22123", "5"], ";", [-3, 5], ""),
        ],
    )
    def test_forms(
        self, tmp_path: Path, values: list[str], separator: str, read: list[float] | None, told: str
    ) -> None:
        if read is None:
            text = "\n".join(["a;well", *(f"{value};{'uv'[n % 2]}" for n, value in enumerate(values))])
            assert people(tmp_path, text, separator=";").columns[0].categories == ("3", "40%", "5%")
            return
        found, hints = self.numbers(tmp_path, *values, separator=separator)
        assert found == read
        assert told in " ".join(hints)
        assert bool(hints) == bool(told)

    def test_the_scenario_may_say_which_mark_is_meant(self, tmp_path: Path) -> None:
        assert self.numbers(tmp_path, "12,345", "900", decimal=".")[0] == [12345, 900]
        assert self.numbers(tmp_path, "12,345", "900", separator="\t", decimal=",")[0] == [12.345, 900]
        assert self.numbers(tmp_path, "1.234", "900", decimal=",")[0] == [1234, 900]

    def test_codes_are_no_numbers(self, tmp_path: Path) -> None:
        table = people(tmp_path, "code,well\n1_10,x\n11_0,y\n1_10,x\n")
        assert table.columns[0].categories == ("11_0", "1_10")

    @pytest.mark.parametrize("mark", ["N/A", "-", "n/a", "#N/A", "None", "—"])
    @pytest.mark.parametrize("share", [0.02, 0.6])
    def test_marks_among_numbers_are_missing_values(self, tmp_path: Path, mark: str, share: float) -> None:
        rows = [(mark if n < share * 100 else f"{n / 7:.3f}", f"{n / 3:.3f}") for n in range(100)]
        text = "a,b\n" + "".join(f"{a},{b}\n" for a, b in rows)
        table = people(tmp_path, text, target="b")
        marked = int(share * 100)
        assert np.isnan(table.x[:, 0]).sum() == marked
        assert f"column a: {marked} values {mark!r} are taken for missing, the first in" in table.hints[0]
        table = people(tmp_path, text, target="a")
        assert (table.task, len(table.y)) == ("regression", 100 - marked)
        assert table.hints[-1] == f"{marked} rows are left out, their a is missing"

    def test_a_text_among_many_different_numbers_is_refused(self, tmp_path: Path) -> None:
        text = "a,b\n" + "".join(f"{'x' if n == 7 else n / 3},{n / 7}\n" for n in range(60))
        told = complaint(tmp_path, text, target="b")
        assert told.startswith("FILE:9: a: 'x' is no number, 59 other values are; name it in data.source.missing")
        assert complaint(tmp_path, text, target="a").startswith("FILE:9: a: 'x' is no number")
        assert people(tmp_path, text, target="b", missing=["x"]).hints == []

    def test_an_index_without_a_name_is_left_out(self, tmp_path: Path) -> None:
        table = people(tmp_path, ",a,well\n0,5,x\n1,6,y\n2,7,x\n")
        assert table.columns == [Column("a")]
        assert table.hints == ["column '': left out, it has no name and numbers the rows"]

    def test_a_text_for_each_row_is_told(self, tmp_path: Path) -> None:
        table = people(tmp_path, "name,well\n" + "".join(f"person {n},{n % 2}\n" for n in range(40)))
        assert "column name: 40 different texts in 40 rows, such as 'person 0', become a feature each" in table.hints[0]

    def test_many_whole_numbers_may_be_labels(self, tmp_path: Path) -> None:
        text = "a,well\n" + "".join(f"{n},{n % 26}\n" for n in range(100))
        assert people(tmp_path, text).task == "regression"
        assert "26 different whole numbers are taken for a quantity" in people(tmp_path, text).hints[0]
        assert len(people(tmp_path, text, task="classification").labels) == 26


@pytest.mark.parametrize(
    "when",
    [
        "2024-03-01T10:00:00+02:00",
        "2024-03-01 10:00 UTC",
        "1 Mar 1999",
        "March 1, 1999",
        "01-Mar-99",
        "10:45",
        "10:45 PM",
    ],
)
def test_times_and_dates_are_left_out_with_a_hint(tmp_path: Path, when: str) -> None:
    table = people(tmp_path, f'when,a,well\n"{when}",1,x\n"{when}",2,y\n')
    assert table.columns == [Column("a")]
    assert "column when: left out, it holds dates" in table.hints[0]


class TestFilesAsProgramsWriteThem:
    def test_any_ends_of_lines(self, tmp_path: Path) -> None:
        for end in ("\n", "\r\n", "\r"):
            (tmp_path / "a.csv").write_bytes(end.join(["a,b", "1,x", "2,y", ""]).encode())
            assert csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="b"), 0).x.tolist() == [[1], [2]]
        (tmp_path / "a.csv").write_bytes(b"a,b\r1,x\r2\r")
        with pytest.raises(InputError, match=r"a\.csv:3: expected 2 values, found 1"):
            csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="b"), 0)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_utf_16(self, tmp_path: Path, encoding: str) -> None:
        mark = {"utf-16": b"", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding]
        (tmp_path / "a.csv").write_bytes(mark + "ä,b\n1,x\n2,y\n".encode(encoding))
        assert csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="b"), 0).columns == [Column("ä")]

    def test_what_is_compressed_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes(gzip.compress(b"a,b\n1,x\n"))
        with pytest.raises(InputError, match=r"a\.csv: compressed by gzip; unpack it first"):
            csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="b"), 0)

    def test_the_line_in_which_excel_names_the_separator(self, tmp_path: Path) -> None:
        assert people(tmp_path, "sep=;\na;well\n1;x\n2;y\n", separator=";").x.tolist() == [[1], [2]]
        told = complaint(tmp_path, "sep=;\na;well\n1;x\n")
        assert told == "data.source.separator: FILE:1: the file says ';' stands between values"


class TestNamesOfClients:
    def test_files_of_the_same_name_are_told_apart_by_their_folders(self, tmp_path: Path) -> None:
        for place, rows in (("north/a", 2), ("south/a", 3), ("west/b", 4)):
            (tmp_path / place).parent.mkdir(parents=True)
            for suffix in (".csv", ".txt"):
                (tmp_path / place).with_suffix(suffix).write_text("a,b\n" + "1,x\n" * rows)
        paths = [tmp_path / name for name in ("north/a.csv", "south/a.csv", "west/b.csv")]
        assert distinct_names(paths[:2]) == ["north", "south"]
        assert distinct_names(paths) == ["north/a", "south/a", "west/b"]
        assert distinct_names([paths[0], paths[2]]) == ["a", "b"]
        assert distinct_names([paths[0], paths[0].with_suffix(".txt")]) == ["a.csv", "a.txt"]
        table = csv.read(CsvSource(path=str(tmp_path / "*" / "a.csv"), target="b"), 0)
        assert table.groups is not None
        assert (table.group_names, np.bincount(table.groups).tolist()) == (["north", "south"], [2, 3])
        with pytest.raises(InputError, match=r"north/a\.csv: named twice"):
            distinct_names([paths[0], tmp_path / "south" / ".." / "north" / "a.csv"])

    def test_numbers_are_in_their_own_order_whatever_the_source(self, tmp_path: Path) -> None:
        sites = [2, 10, 1, 10, 2, 1, 11]
        (tmp_path / "a.csv").write_text("site,x,y\n" + "".join(f"{site},{n},{n % 2}\n" for n, site in enumerate(sites)))
        table = csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="y", client="site"), 0)
        assert table.group_names == ["1", "2", "10", "11"]
        assert encode_names(["site10", "site2", "2.0", "2", 1])[1] == ["1", "2", "site2", "site10"]
        np.savez(tmp_path / "a.npz", x_train=np.zeros((7, 1)), y_train=np.zeros(7, int), client=np.array(sites, str))
        assert npz.read(NpzSource(path=str(tmp_path / "a.npz")), 0).group_names == ["1", "2", "10", "11"]
        by_column = csv.read(CsvSource(path=str(tmp_path / "a.csv"), target="y", categorical=("site",)), 0)
        assert groups(by_column, np.arange(7), "site")[1] == ["1", "2", "10", "11"]
