"""Files in odd places: no folder for temporary ones, names that are none, folders of others."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import pytest

import interstate
from interstate.incoming import Incoming, NoRoomError
from interstate.remote import hostfiles, places
from interstate.remote.files import DESCRIPTION
from interstate.remote.hostfiles import HostFile


def come(name: bytes, content: bytes = b"content") -> interstate.File:
    incoming = Incoming(name, len(content), False)
    incoming.take(memoryview(content + hashlib.sha256(content).digest()))
    return incoming.taken()


def test_no_folder_for_temporary_files_fails_the_call_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_at_all() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none_at_all)
    with pytest.raises(NoRoomError, match=r"'x' of 7 bytes .* No usable temporary directory"):
        come(b"x")


@pytest.mark.parametrize("name", [b"a\0b", b"../a", b"/etc/a", b"", b".", b"..", b"a/b"])
def test_a_name_that_leads_elsewhere_is_none(name: bytes) -> None:
    with pytest.raises(NoRoomError, match="its name leads elsewhere"):
        come(name)


@pytest.mark.parametrize("name", ["other.csv", "same.csv", ""])
def test_what_is_saved_where_it_lies_stays(name: str) -> None:
    file = come(b"same.csv")
    folder = file.path.parent
    try:
        saved = file.save(folder / name)
        del file
        assert saved.read_bytes() == b"content"
    finally:
        hostfiles.remove(str(folder))


def test_a_folder_that_is_saved_to_must_be_there_and_the_file_is_where_it_was(
    tmp_path: Path,
) -> None:
    file = come(b"x.csv")
    with pytest.raises(FileNotFoundError):
        file.save(tmp_path / "none" / "x.csv")
    assert file.path.read_bytes() == b"content"


def test_nothing_is_put_into_a_folder_that_somebody_else_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(places, "folder", "")
    places.settle()
    os.mkdir(places.folder)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    about = DESCRIPTION.pack(3, False, hashlib.sha256(b"abc").digest())
    file = HostFile(1, about + b"name")
    assert "File exists" in file.obstacle
    assert not os.listdir(places.folder)
