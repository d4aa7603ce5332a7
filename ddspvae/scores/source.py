"""Score files as trees of elements: plain or compressed, and whatever is wrong with them said in a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.signals.checks import InputError
from ddspvae.signals.files import read_whole

if TYPE_CHECKING:
    from lxml.etree import _Element as Element
else:
    Element = Any

MOST_BYTES = 100_000_000  # of the text; a symphony has 30 MB
WHERE = "read_score"
MISSING = f"{WHERE}: partitura is not installed, which reads scores; pip install 'ddspvae[scores]'."


def read_tree(path: Path) -> Element:
    """The root element of a score file: MusicXML, plain or in a .mxl archive, or MEI.

    Entities are not resolved and nothing is fetched.

    Raises:
        InputError: missing, empty, too large, no XML, or an archive without a score; or lxml is not installed.
    """
    try:
        from lxml import etree
    except ImportError as error:
        raise InputError(MISSING) from error
    data = read_whole(WHERE, path, MOST_BYTES, "a score")
    if data[:2] == b"PK":
        data = _unpack(path, data)
    if len(data) > MOST_BYTES:
        raise InputError(f"{WHERE}: {path} is larger than {MOST_BYTES // 1_000_000} MB; is it a score?")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
                             remove_pis=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        said = " ".join(str(error.msg).split())
        raise InputError(f"{WHERE}: {path} is not a score that can be read ({said}); export it again as "
                         "MusicXML.") from error


def _unpack(path: Path, data: bytes) -> bytes:
    """The score in a .mxl archive: the one that its container names first, else the first there is."""
    from lxml import etree

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            inside = next((name for name in names if name.endswith((".musicxml", ".xml")) and "META-INF" not in name), "")
            if "META-INF/container.xml" in names and archive.getinfo("META-INF/container.xml").file_size < MOST_BYTES:
                parser = etree.XMLParser(resolve_entities=False, no_network=True)
                root = etree.fromstring(archive.read("META-INF/container.xml"), parser)
                inside = next((found.get("full-path", "") for found in root.iter("{*}rootfile")), inside)
            if inside not in names:
                raise InputError(f"{WHERE}: {path} is an archive without a score in it; export it again.")
            if archive.getinfo(inside).file_size > MOST_BYTES:
                raise InputError(f"{WHERE}: {path} is larger than {MOST_BYTES // 1_000_000} MB; is it a score?")
            return archive.read(inside)
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and lxml each have their own words for a broken archive
        said = " ".join(str(error).split())
        raise InputError(f"{WHERE}: {path} is a damaged archive ({said}); export it again.") from error
