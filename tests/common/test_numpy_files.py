"""Arrays from files that lie: nothing is taken that is not there, whatever a header or an archive promises."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from common.data.numpy_files import read_npy, read_npz
from common.errors import InputError


def npy(array: NDArray[np.generic]) -> bytes:
    into = io.BytesIO()
    np.save(into, array)
    return into.getvalue()


def claiming(shape: str) -> bytes:
    """An .npy file of four numbers whose header claims another shape."""
    content = npy(np.zeros(4)).replace(b"(4,), }" + b" " * (len(shape) - 4), f"{shape}, }}".encode(), 1)
    assert shape.encode() in content
    return content


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.float64(3),
        np.array(["a", "bc"]),
        np.zeros((0, 3), np.uint8),
        np.arange(4, dtype=">f4"),
    ],
    ids=range(6),
)
def test_arrays_are_those_that_numpy_reads(tmp_path: Path, array: NDArray[np.generic]) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array, other=np.zeros(3))
    (members, names) = read_npz(tmp_path / "a.npz", ["a", "missing"])
    assert names == ["a", "other"]
    for found in (read_npy(tmp_path / "a.npy"), members["a"]):
        expected = np.load(tmp_path / "a.npy")
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(found, expected)
        assert found.flags.writeable


CONTENTS = [
    (b"", "damaged or not"),
    (b"hello", "damaged or not"),
    (npy(np.zeros(4))[:-3], "the header promises 32 bytes for (4,), there are 29"),
    (npy(np.zeros(4))[:20], "damaged or not"),
    (npy(np.zeros(4)) + b"more", "the header promises 32 bytes for (4,), there are 36"),
    (claiming("(4000000000000,)"), "the header promises 32000000000000 bytes"),
    (claiming("(2**99,)"), "damaged or not"),
    (npy(np.array([{}], dtype=object)), "an array of Python objects is never read"),
    (b"\x93NUMPY\3\0" + npy(np.zeros(4))[8:], "never read"),
]


@pytest.mark.parametrize(("content", "message"), CONTENTS, ids=range(len(CONTENTS)))
@pytest.mark.parametrize("inside", [False, True])
def test_an_array_that_is_not_there_is_refused(tmp_path: Path, content: bytes, message: str, inside: bool) -> None:
    path = tmp_path / ("a.npz" if inside else "a.npy")
    if inside:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", content)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_npz(path, ["a"]) if inside else read_npy(path)
    assert str(caught.value).startswith(str(path))
    assert message.replace("damaged or not", "not an" if inside else "damaged or not") in str(caught.value)


def test_a_checksum_that_does_not_match_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", npy(np.arange(1000.0)))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[4000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: damaged or not an \.npz archive \(Bad CRC-32"):
        read_npz(tmp_path / "a.npz", ["a"])


def test_a_size_that_only_the_archive_claims_is_not_taken(tmp_path: Path) -> None:
    numbers = (1 << 29) - 32
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", claiming(f"({numbers},)"))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    # In the archive's directory, where both agree.
    place = content.rindex(b"PK\1\2")
    content[place + 24 : place + 28] = (128 + 8 * numbers).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"it ends after 32 of 4294967040 bytes|Bad CRC|a\.npz: damaged"):
        read_npz(tmp_path / "a.npz", ["a"])


def test_other_things_in_an_archive_are_no_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a", b"x")
    with pytest.raises(InputError, match="a is no array"):
        read_npz(tmp_path / "a.npz", ["a"])
    (tmp_path / "b.npz").write_bytes(npy(np.zeros(3)))
    with pytest.raises(InputError, match="found a single array"):
        read_npz(tmp_path / "b.npz", ["a"])
