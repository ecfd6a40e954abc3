"""Pages taken apart: what their tests share."""

from __future__ import annotations

import base64
import html.parser
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = (
    "<script>document.title='in'</script>",
    '"><img src=x onerror="document.title=1">',
    "'-alert(1)-'",
    "</script><script>document.title='in'</script>",
    "--></style></svg><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "]]>&lt;b&gt;\x00\x1b[31m\ud800",
    "=HYPERLINK(1)",
)
QUIETLY = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync --dump-dom"
)
VOID = frozenset(("meta", "link", "img", "br"))


class Reading(html.parser.HTMLParser):
    """A page taken apart: its tags with their attributes, its text, its style sheet and script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        self.raw.get(inside, self.words).append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def links(text: str) -> dict[str, str]:
    """Contents of all files that the page offers, by name."""
    found = {}
    for tag, attributes in Reading(text).tags:
        if tag == "a" and attributes.get("download"):
            head, _, encoded = (attributes["href"] or "").partition("base64,")
            assert head.startswith("data:")
            found[attributes["download"] or ""] = base64.b64decode(encoded).decode()
    return found


def browse(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page in a browser of its own, which prints what the page has become."""
    profile = f"--user-data-dir={file.parent / 'profile'}"
    return subprocess.run(
        [str(CHROMIUM), *QUIETLY.split(), *options, profile, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
