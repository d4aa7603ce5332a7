"""Shards: tar files as WebDataset has them, where files of one name and several endings are one sample.

Any reader of WebDataset reads them (a test holds them to it); the same samples give the same bytes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ddspvae.corpora.places import reading, write_whole
from ddspvae.signals.checks import InputError

Sample = Mapping[str, bytes]  # content by ending


def write_shard(where: str | Path, samples: Iterable[tuple[str, Sample]]) -> int:
    """Write samples, in their order; whole or not at all.

    Args:
        where: path or URL of a .tar file.
        samples: name without a dot, and content by ending.
    Returns:
        bytes written.
    Raises:
        InputError: it cannot be written.
    Source: WebDataset, https://github.com/webdataset/webdataset, on which names make a sample.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, sample in samples:
            for ending, content in sorted(sample.items()):
                entry = tarfile.TarInfo(f"{name}.{ending}")
                entry.size, entry.mode = len(content), 0o644  # no time and no owner: the same samples, the same bytes
                tar.addfile(entry, io.BytesIO(content))
    write_whole(where, buffer.getvalue())
    return len(buffer.getvalue())


def read_shard(where: str | Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of a shard, one after the other, without going back.

    Raises:
        InputError: it cannot be read, or is cut or damaged.
    """
    try:
        with reading(where) as file, tarfile.open(fileobj=file, mode="r|") as tar:
            name, sample = "", dict[str, bytes]()
            for entry in tar:
                content = tar.extractfile(entry)
                if content is None:
                    continue
                head, _, ending = entry.name.partition(".")
                if head != name and sample:
                    yield name, sample
                    sample = {}
                name = head
                sample[ending] = content.read()
                if len(sample[ending]) < entry.size:
                    raise tarfile.ReadError("unexpected end of data")
            if sample:
                yield name, sample
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"corpus: the shard {where} is cut or damaged ({error}); delete it, and the same command makes it "
                         "again.") from error
