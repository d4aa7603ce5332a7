"""Tables of other locales are read alike, whatever they hold."""

from __future__ import annotations

import codecs

import pytest

from ddspvae import InputError
from ddspvae.editing.note_table import read_table
from ddspvae.features.f0_csv import read_f0_csv
from ddspvae.signals.tables import read_cells
from ddspvae.training.recordings import read_manifest

PITCH = "time_s,f0_hz,periodicity\n0,440.5,1\n0.01,441,0.95\n"
NOTES = "onset_s,offset_s,pitch,velocity,volume\n0.25,1.5,60,80,0.5\n"
MANIFEST = "file,kind,f0_hz\na.wav,note,440.5\n"


def local(text, delimiter):
    return "\n".join(delimiter.join(cell.replace(".", ",") if cell[:1].isdigit() else cell for cell in line.split(","))
                     for line in text.splitlines()) + "\n"


WRITTEN = {
    "plain": lambda text: text.encode(), "marked": lambda text: codecs.BOM_UTF8 + text.encode(),
    "semicolons": lambda text: local(text, ";").encode(), "tabs": lambda text: local(text, "\t").encode(),
    "utf-16": lambda text: text.encode("utf-16"), "utf-16 tabs": lambda text: local(text, "\t").encode("utf-16"),
    "windows": lambda text: text.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_every_table_is_read_alike(tmp_path, how):
    write = WRITTEN[how]
    (tmp_path / "f0.csv").write_bytes(write(PITCH))
    assert read_f0_csv(tmp_path / "f0.csv").f0_hz.tolist() == [440.5, 441.0]
    (tmp_path / "notes.csv").write_bytes(write(NOTES))
    note, = read_table(tmp_path / "notes.csv").notes.notes
    assert (note.onset_s, note.offset_s, note.pitch) == (0.25, 1.5, 60)
    folder = tmp_path / "takes"
    folder.mkdir()
    (folder / "manifest.csv").write_bytes(write(MANIFEST))
    row, = read_manifest(folder).values()
    assert row.prior_hz == 440.5


def test_words_with_commas_stay_words(tmp_path):
    (tmp_path / "a.csv").write_text("name;note\nBach, J. S.;1,5\n")
    assert read_cells("x", tmp_path / "a.csv") == [["name", "note"], ["Bach, J. S.", "1.5"]]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\xc3\x28,a", b'"never closed\na,b'])
def test_what_is_no_table_is_told(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"x: cannot read .*a\.csv"):
        read_cells("x", tmp_path / "a.csv")


def test_the_delimiter_is_the_one_that_there_is_most_of(tmp_path):
    (tmp_path / "a.csv").write_text('time,note; remark,"a;b;c"\n1,2,"two\nlines"\n')
    assert read_cells("x", tmp_path / "a.csv") == [["time", "note; remark", "a;b;c"], ["1", "2", "two\nlines"]]
