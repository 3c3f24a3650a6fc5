"""Archives: a finished run in one compressed file, and back, trusting nothing in between."""

from __future__ import annotations

import io
import json
import platform
import secrets
import shutil
import zipfile
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from common.archives import FORMAT, MANIFEST, MODEL, RECORDS, REQUIRED, check_contents, digest, read_archive
from common.errors import InputError
from common.models.model_file import check_model, to_bytes
from common.run_files import check_plain, is_taken
from common.scenario.uses import UNTRUSTED, Use, describe, named_only
from hothouse.archives.card import model_card
from hothouse.report.page import write_page
from hothouse.report.run import run_page
from hothouse.results.records import NO_RUN, RunRecords
from hothouse.results.run_folder import RunFolder
from hothouse.running.finished import Run, load
from hothouse.writing import write_file

_EPOCH = (1980, 1, 1, 0, 0, 0)


def export_run(
    folder: str | Path,
    out: str | Path | None = None,
    onnx: bool = False,
    client: int | None = None,
    trust_code: bool = False,
) -> Path:
    """Write the run in `folder` into one file, by default `<folder>.hothouse`; returns its path.

    With a `client` its own model takes the global one's place, where the strategy leaves clients one.

    It holds the weights, the resolved scenario with the files that it uses, metrics and events, what the report is
    made of, the environment, a model card and checksums, and with `onnx` the model in that format too. The same run
    gives the same bytes. `trust_code` is as in `load`.

    Raises InputError for a folder without a finished model, for `onnx` without the package, for files that changed
    since the run, and where the archive cannot be written.
    """
    run = load(folder, trust_code)
    path = Path(out) if out is not None else run.folder.with_name(f"{run.folder.name}.hothouse")
    missing = [name for name in REQUIRED if not (run.folder / name).is_file()]
    if missing:
        raise InputError(f"{run.folder}: nothing to export yet, there is no {missing[0]}")
    kept = [name for name in (*REQUIRED, *RECORDS) if (run.folder / name).is_file()]
    contents = {name: (run.folder / name).read_bytes() for name in kept}
    contents |= {f"uses/{use.name}": _source(run.folder, use) for use in _uses(RunRecords(run.folder)) if use.is_file}
    contents["environment.json"] = json.dumps(_environment(run), indent=1).encode()
    model = run.stored_model if client is None else run.own_model(client)
    if client is not None:
        contents[MODEL] = to_bytes(model)
    contents["README.md"] = model_card(run, model).encode()
    if onnx:
        # PyTorch's exporter takes a while to import.
        from hothouse.archives.onnx import onnx_files

        contents |= onnx_files(run.model if client is None else model)
    check_contents(contents, path)
    sums = {name: {"bytes": len(content), "blake2b": digest(content)} for name, content in contents.items()}
    manifest = json.dumps({"format": FORMAT, "files": sums}, indent=1).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST: manifest, **contents}.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return write_file(path, packed.getvalue())


def import_run(archive: str | Path, out: str | Path | None = None) -> Run:
    """Unpack an archive into a new run folder, by default `runs/<archive's name>`, if everything in it checks.

    Its report is written anew. Code in it is not run, now or later, without `trust_code`; see `load`. Raises
    InputError, and leaves nothing behind, for what is no archive of ours: damaged files, paths that lead elsewhere,
    links, unexpected files, sizes that are not what was promised, content that is no run.
    """
    archive = Path(archive)
    folder = Path(out) if out is not None else Path("runs") / archive.name.removesuffix(".hothouse")
    if is_taken(folder):
        raise InputError(f"{folder} exists and is not empty; choose another with --out")
    contents = read_archive(archive)
    building = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        building.mkdir(parents=True)
        try:
            for name, content in contents.items():
                (building / name).parent.mkdir(exist_ok=True)
                (building / name).write_bytes(content)
            _check(RunFolder(building), archive, folder)
            building.replace(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder}: the run cannot be restored ({error.strerror})") from None
    return load(folder)


def _check(run: RunFolder, archive: Path, folder: Path) -> None:
    """Read all that came out of an archive, and write its report; it is to become `folder`.

    Raises InputError where it is no run.
    """
    try:
        records = RunRecords(run.folder, folder)
        page = write_page(run_page(records), run.folder / "report.html")
        uses, model_uses = _uses(records), check_model((run.folder / MODEL).read_bytes())
        if not set(named_only(model_uses)) <= set(uses):
            raise ValueError(f"its model uses {', '.join(use.name for use in model_uses)}, its scenario does not")
        _check_uses(run.folder, uses, archive)
        # A scenario with parts of its author's own can only be read once these are loaded.
        if not records.scenario.get("uses"):
            _ = run.scenario
        if run.metrics.empty or not (run.summary["versions"] and page):
            raise ValueError("it has no rounds")
    except (InputError, MemoryError, *NO_RUN) as error:
        told = str(error).replace(f"{run.folder}/", "").replace(f"{run.folder}: ", "")
        raise InputError(f"{archive}: it does not contain a Hothouse run ({told})") from None


def _uses(records: RunRecords) -> list[Use]:
    """The files and modules that the recorded scenario uses. Raises ValueError for what no run records."""
    listed = records.scenario.get("uses") or ()
    found = named_only(map(Use.model_validate, listed))
    for use, written in zip(found, listed, strict=True):
        if use.sha256 is None or written["source"] != (f"uses/{use.name}" if use.is_file else use.name):
            raise ValueError(f"uses: {written['source']}: expected uses/NAME.py or a module, with its SHA-256")
    return list(found)


def _source(folder: Path, use: Use) -> bytes:
    """A file that a run used, as the run recorded it."""
    path = folder / "uses" / use.name
    check_plain(path)
    content = path.read_bytes() if path.exists() else b""
    if sha256(content).hexdigest() != use.sha256:
        raise InputError(f"{path}: missing, or changed since the run: expected SHA-256 {str(use.sha256)[:12]}…")
    return content


def _check_uses(folder: Path, uses: list[Use], archive: Path) -> None:
    """Compare the files in `uses` with those that the scenario names, and mark them as not trusted; runs nothing."""
    inside = {path.name for path in (folder / "uses").glob("*")}
    for use in uses:
        if use.is_file:
            _source(folder, use)
    if more := sorted(inside - {use.name for use in uses}):
        raise ValueError(f"uses/{more[0]} is not among the files that its scenario uses")
    if uses:
        (folder / "uses").mkdir(exist_ok=True)
        told = f"Came with {archive.name}. Delete this file to let Hothouse load it without --trust-code:\n"
        (folder / "uses" / UNTRUSTED).write_text(f"{told}{describe(uses)}\n")


def _environment(run: RunFolder) -> dict[str, Any]:
    """What the run ran on, as it recorded it, and what is installed here."""
    packages = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
    return {
        "run": run.summary["versions"],
        "platform": platform.platform(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }
