"""Versions, succession and falling back: what is damaged never serves and never stops anything."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.models import child
from engine.models.loading import MANIFEST, MODEL, load
from engine.models.refused import ModelRefused
from engine.models.registry import CHECKED, INDEX, Registry
from engine.models.serving import Models
from tests.models.conftest import NOW, Trained


def taken(_: Path) -> None:
    """A check that finds nothing; the real one runs in tests of its own."""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models", shipped=tmp_path / "shipped", check=taken)


def test_the_first_challenger_serves_and_is_what_was_trained(registry: Registry, trained: Trained) -> None:
    verdict = registry.offer(trained.offer(), NOW)
    assert (verdict.version, verdict.promoted) == ("0001", True)
    served = registry.load("likeness")
    assert served.manifest.version == "0001"
    row = trained.rows[0].tolist()
    assert served.trees.score_one(row) == pytest.approx(float(trained.fitted.predict([row])[0]), abs=3e-6)


def test_a_challenger_must_be_better(registry: Registry, trained: Trained) -> None:
    registry.offer(trained.offer(0.8), NOW)
    worse = registry.offer(trained.offer(0.79, champion=0.8), NOW)
    equal = registry.offer(trained.offer(0.80, champion=0.8), NOW)
    assert (worse.promoted, equal.promoted, registry.champion("likeness")) == (False, False, "0001")
    assert "0.7900" in worse.why and "0.8000" in worse.why
    better = registry.offer(trained.offer(0.81, champion=0.8), NOW)
    assert better.promoted and registry.champion("likeness") == better.version
    assert registry.versions("likeness") == ["0001", "0002", "0003", "0004"]


def test_a_rollback_goes_back_step_by_step(registry: Registry, trained: Trained) -> None:
    for score in (0.7, 0.8, 0.9):
        registry.offer(trained.offer(score, champion=score - 0.1), NOW)
    assert registry.rollback("likeness", NOW) == "0002"
    assert registry.rollback("likeness", NOW) == "0001"
    assert registry.champion("likeness") == "0001"
    with pytest.raises(ModelRefused, match="no longer here"):
        registry.rollback("likeness", NOW)


def test_old_versions_go_but_never_those_that_serve(registry: Registry, trained: Trained) -> None:
    for number in range(14):
        registry.offer(trained.offer(0.55 + number / 100, champion=0.9 if number else None), NOW)
    assert registry.champion("likeness") == "0001"
    assert registry.versions("likeness")[:2] == ["0001", "0005"]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda folder: (folder / MODEL).unlink(), "missing"),
        (lambda folder: (folder / MODEL).write_bytes((folder / MODEL).read_bytes()[:-9]), "size"),
        (lambda folder: (folder / MODEL).write_bytes((folder / MODEL).read_bytes().replace(b"1", b"2", 1)), "sha256"),
        (lambda folder: (folder / MANIFEST).write_bytes(b'{"name": "likeness"'), "malformed"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"[" * 100_000), "malformed"),
        (
            lambda folder: (folder / MANIFEST).write_bytes(
                (folder / MANIFEST).read_bytes().replace(b'"auc": 0.8', b'"auc": "much"')
            ),
            "malformed",
        ),
    ],
)
def test_a_damaged_champion_is_a_banner_and_not_a_crash(
    registry: Registry, trained: Trained, damage: object, code: str
) -> None:
    registry.offer(trained.offer(), NOW)
    damage(registry.folder / "likeness" / "0001")  # type: ignore[operator]
    with pytest.raises(ModelRefused) as refused:
        registry.load("likeness")
    assert refused.value.code == code
    models = Models(registry)
    assert models.serve("likeness") is None
    (banner,) = models.banners()
    assert "likeness" in banner and "without a model" in banner


def test_an_unreadable_index_is_a_banner_too(registry: Registry, trained: Trained) -> None:
    registry.offer(trained.offer(), NOW)
    (registry.folder / "likeness" / INDEX).write_bytes(b"\x00")
    assert Models(registry).serve("likeness") is None


def test_nothing_trained_is_no_trouble(registry: Registry) -> None:
    models = Models(registry)
    assert models.serve("likeness") is None and models.banners() == []


def test_scores_that_differ_from_those_at_training_are_refused(registry: Registry, trained: Trained) -> None:
    golden = tuple(type(one)(one.row, one.score + 1e-4) for one in trained.fitted.golden)
    registry.offer(trained.offer(golden=golden), NOW)
    with pytest.raises(ModelRefused) as refused:
        registry.load("likeness")
    assert refused.value.code == "parity"


def test_names_and_versions_are_never_paths(registry: Registry) -> None:
    for name in ("../etc", "", "A", "a/b", "a" * 65):
        with pytest.raises(ModelRefused):
            registry.load(name)
    with pytest.raises(ModelRefused):
        registry.manifest("likeness", "../0001")


def test_mutations_never_load_to_other_scores(trained: Trained, tmp_path: Path) -> None:
    """Past the SHA-256, as if the manifest had been made for the mutated file."""
    from hashlib import sha256

    from msgspec.structs import replace

    from engine.models.manifest import encode

    dice = random.Random(3)
    refused = 0
    for number in range(160):
        raw = bytearray(trained.fitted.raw)
        place = dice.randrange(len(raw))
        if number % 4 == 0:
            raw = raw[:place]
        elif number % 4 == 1:
            raw[place] ^= 1 << dice.randrange(8)
        elif number % 4 == 2:
            raw[place : place + 8] = dice.randbytes(8)
        else:
            del raw[place : place + dice.randrange(1, 40)]
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / MODEL).write_bytes(raw)
        manifest = replace(trained.offer().manifest, version="0001", sha256=sha256(raw).hexdigest(), size=len(raw))
        (folder / MANIFEST).write_bytes(encode(manifest))
        try:
            served = load(folder)
        except ModelRefused:
            refused += 1
            continue
        for golden in manifest.golden:
            assert served.trees.score_one(golden.values()) == pytest.approx(golden.score, abs=3e-6)
    assert refused > 80


def test_the_child_loads_a_good_model_once(tmp_path: Path, trained: Trained) -> None:
    registry = Registry(tmp_path / "models", shipped=tmp_path / "none")
    registry.offer(trained.offer(), NOW)
    place = registry.folder / "likeness" / "0001"
    assert (place / CHECKED).read_text() == registry.manifest("likeness").sha256
    assert registry.load("likeness").manifest.version == "0001"


def test_the_child_refuses_and_the_challenger_is_gone(tmp_path: Path, trained: Trained) -> None:
    registry = Registry(tmp_path / "models", shipped=tmp_path / "none")
    golden = tuple(type(one)(one.row, one.score + 1e-4) for one in trained.fitted.golden)
    with pytest.raises(ModelRefused) as refused:
        registry.offer(trained.offer(golden=golden), NOW)
    assert refused.value.code == "parity"
    assert registry.versions("likeness") == []


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused) as refused:
        child.check(tmp_path, seconds=0.001)
    assert refused.value.code == "slow"


def test_only_known_modules_are_started() -> None:
    with pytest.raises(ValueError, match="not started"):
        child.command("os")
