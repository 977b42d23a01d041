"""Every message has Chinese; the catalogue fits the source."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.pofile import read_po

from lujin.language import Speech, language_of, parse_catalogue, translator

ROOT = Path(__file__).parents[1]
CATALOGUE = ROOT / "src" / "lujin" / "locale" / "zh.po"
CHINESE = re.compile("[一-鿿]")


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "scripts" / "messages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_message_of_the_source_has_chinese_with_the_same_fields(messages: ModuleType) -> None:
    """If this fails: `make messages`, then translate what it lists in src/lujin/locale/zh.po."""
    known = dict(parse_catalogue(CATALOGUE.read_text(encoding="utf-8")))
    assert messages.faults(known) == []


def test_messages_are_found_wherever_they_are_marked(messages: ModuleType) -> None:
    found = messages.messages()
    assert "there is no enterprise {enterprise}" in found
    assert "the park has no meter {value}" in found  # marked inside a table of reasons
    assert any("purchased_electricity_location@1" in message for message in found)  # the formula of a rule


def test_a_missing_and_a_misfilled_translation_are_told(messages: ModuleType) -> None:
    known = dict(parse_catalogue(CATALOGUE.read_text(encoding="utf-8")))
    before = messages.faults(known)
    del known["total"]
    known["there is no book {book}"] = "没有账簿 {name}"
    known["nobody says this"] = "无人这样说"
    told = [fault for fault in messages.faults(known) if fault not in before]
    assert [fault.split(":")[0] for fault in told] == ["not translated", "other fields", "no longer said"]


def test_translations_are_chinese() -> None:
    for message, said in parse_catalogue(CATALOGUE.read_text(encoding="utf-8")).items():
        words = re.sub(r"\{[^}]*\}|\b(h|min|scope)\b", "", message)
        if re.search("[a-z]{3}", words):
            assert CHINESE.search(said), f"{message!r} → {said!r}"


def test_our_reader_of_catalogues_agrees_with_babel() -> None:
    with CATALOGUE.open("rb") as file:
        theirs = {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}
    assert parse_catalogue(CATALOGUE.read_text(encoding="utf-8")) == theirs


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LUJIN_LANG": "en"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
    ],
)
def test_the_language_follows_the_environment(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_an_unknown_message_is_shown_as_written() -> None:
    assert Speech("zh")("never said {before}") == "never said {before}"
    assert translator("zh").fill("there is no book {book}", book="x") == "没有账簿 x"
    assert translator("en").fill("there is no book {book}", book="x") == "there is no book x"
