"""What a wheel carries and what it does not; that the locks hold what the project asks for, and no place."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.version import VERSION

ROOT = Path(__file__).parents[2]
PACKAGES = ("noc_console", "engine", "data", "themes")
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    if find_spec("hatchling") is None:
        pytest.fail("hatchling is not installed: make setup")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_carries_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    assert expected - set(wheel.namelist()) == set()
    assert {"noc_console/noc.tcss", "data/migrations/head.sql", "data/migrations/env.py", "themes/dark.py"} <= expected


def test_the_wheel_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {*PACKAGES, f"noc_console-{VERSION}.dist-info"}


def test_the_wheel_is_named_licensed_and_has_its_command(wheel: zipfile.ZipFile) -> None:
    info = f"noc_console-{VERSION}.dist-info"
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"Version: {VERSION}\n" in metadata and "License-Expression: Apache-2.0\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata and "Requires-Dist: textual==8.2.8\n" in metadata
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "noc-console = noc_console.__main__:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_the_version_stands_once() -> None:
    assert PROJECT["project"]["version"] == VERSION


def pinned(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = PROJECT["project"]
    assert names(project["dependencies"]) <= set(pinned("requirements.lock"))
    assert names(project["optional-dependencies"]["dev"]) <= set(pinned("requirements-dev.lock"))
    assert names(PROJECT["build-system"]["requires"]) <= set(pinned("requirements-build.lock"))


def test_the_locks_agree() -> None:
    whole = pinned("requirements-dev.lock")
    for lock in LOCKS[:2]:
        assert {name: version for name, version in pinned(lock).items() if whole.get(name, version) != version} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", "\n" + text)[1:]
    assert len(blocks) == len(pinned(lock)) > 0
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text and "--find-links" not in text and "--index-url" not in text
