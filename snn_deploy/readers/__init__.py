"""Readers: whatever holds a trained network -> :class:`Source`, a float network and its provenance.

``read_source`` is the one door: it finds the reader that recognises a thing. Checkpoints are one of
several, and other packages add readers as entry points of the group ``snn_deploy.readers``.
"""

from __future__ import annotations

from snn_deploy.readers.registry import READERS, read_source, reader_names
from snn_deploy.readers.source import (
    Reader,
    Reading,
    ReadingFurther,
    ReadingStored,
    ReadOptions,
    Source,
    SourceProvenance,
)

__all__ = [
    "READERS",
    "ReadOptions",
    "Reader",
    "Reading",
    "ReadingFurther",
    "ReadingStored",
    "Source",
    "SourceProvenance",
    "read_source",
    "reader_names",
]
