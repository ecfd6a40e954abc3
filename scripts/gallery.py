"""Report pages of the bundled example, for the site: made when it is built, kept nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["gallery", "gallery_page"]

EXAMPLE = Path(__file__).parent.parent / "examples" / "seqdigits_uni"
SEQUENCES = 16

INTRODUCTION = f"""\
# Gallery

Report pages of the bundled example, sequential digits, on {SEQUENCES} test sequences, as
`snn-deploy report --html` writes them. They were made when this site was built;
[reading a report](tutorials/reading-a-report.md) says what is on them.

"""

PAGES: dict[str, tuple[str, str, dict[str, Any], bool]] = {
    "loihi2": ("Loihi 2", "loihi2", {}, True),
    "four-bits": ("Loihi 2, synapses of four bits", "loihi2", {"weight_bits": 4}, True),
    "cortex-m4": ("A Cortex-M4, as exported C99", "cortex_m4", {}, False),
    "algorithm": ("Arithmetic alone, as papers count energy", "algorithm_45nm", {}, False),
}
"""Name -> what it shows, target, settings, and whether it is compared with the float network."""


def gallery() -> Iterator[tuple[str, str]]:
    """Give each page's name and HTML: a few test sequences of the bundled example."""
    import snn_deploy
    from snn_deploy.data.inputs import load_data

    checkpoint = EXAMPLE / "seqdigits_uni.ckpt"
    for name, (_, target, settings, compared) in PAGES.items():
        deployment = snn_deploy.convert(
            checkpoint, target=target, calibration=EXAMPLE / "train.npz", settings=settings
        )
        data = load_data(EXAMPLE / "test.npz", deployment.network).first(SEQUENCES)
        page = deployment.page(data, against=checkpoint if compared else None)
        yield name, page.html()


def gallery_page(pages: dict[str, str]) -> str:
    """Give the page that links to them, with what each says first."""
    parts = []
    for name, (shown, *_) in PAGES.items():
        verdict = re.search(r'<p class="verdict">(.*?)</p>', pages[name], re.DOTALL)
        said = f"> {verdict[1]}\n" if verdict else ""
        parts.append(f"## [{shown}](gallery/{name}.html)\n\n{said}")
    return INTRODUCTION + "\n".join(parts)
