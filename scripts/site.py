"""What the site has beside the pages in docs/: reference, from --help and docstrings; a gallery.

mkdocs calls these functions while it builds; see its documentation of hooks.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)#\s]*)(#[^)\s]*)?\)")
MARKUP = re.compile(r"(?::\w+:)?`{1,2}~?([^`]+)`{1,2}")
PAGES = {"SECURITY.md": "security.md", "CHANGELOG.md": "changelog.md"}
"""Files beside docs/ that are pages, too."""


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    sys.path.insert(0, str(Path(__file__).parent))  # hooks are loaded from their file alone
    from gallery import gallery, gallery_page

    pages = dict(gallery())
    made = {
        "gallery.md": gallery_page(pages),
        **{f"gallery/{name}.html": html for name, html in pages.items()},
        "reference/commands.md": commands_page(),
        "reference/python.md": python_page(),
        **{page: root_page(name) for name, page in PAGES.items()},
    }
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to a page of the site, or write the file's name."""
    folder = (ROOT / "docs" / page.file.src_uri).parent
    up = "../" * page.file.src_uri.count("/")
    return LINK.sub(lambda found: _led(found, folder, up), markdown)


def _led(found: re.Match[str], folder: Path, up: str) -> str:
    text, target, anchor = found[1], found[2], found[3] or ""
    file = (folder / target).resolve()
    if not target or file.is_relative_to(ROOT / "docs") or not file.exists():
        return found[0]
    name = file.relative_to(ROOT).as_posix()
    if text.strip("`/") == name:
        return text
    return f"[{text}]({up}{PAGES[name]}{anchor})" if name in PAGES else f"{text} (`{name}`)"


def root_page(name: str) -> str:
    """Give a page that stands beside docs/, its links led to pages of the site."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for file, page in PAGES.items():
        text = text.replace(f"]({file}", f"]({page}")
    return text.replace("](docs/", "](")


def commands_page() -> str:
    """Give every command's --help."""
    import click

    from snn_deploy.cli.main import commands

    parts = ["# Every option", ""]
    group = click.Context(commands, info_name="snn-deploy")
    for name, command in commands.commands.items():
        context = click.Context(command, info_name=name, parent=group, max_content_width=96)
        parts += [f"## {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)


def python_page() -> str:
    """Give what the package offers, with signatures and docstrings."""
    import snn_deploy

    parts = ["# Every function", ""]
    for name in snn_deploy.__all__:
        thing = getattr(snn_deploy, name)
        if name == "__version__":
            continue
        parts += [f"## {name}", "", *_described(name, thing), ""]
        if inspect.isclass(thing):
            for method, value in inspect.getmembers(thing):
                if not method.startswith("_") and (value.__doc__ or "").strip():
                    parts += [f"### {name}.{method}", "", *_described(method, value), ""]
    return "\n".join(parts)


def _described(name: str, thing: Any) -> list[str]:
    signature = ""
    if callable(thing):
        try:
            signature = f"{name}{inspect.signature(thing)}\n\n"
        except ValueError:  # of a builtin
            signature = ""
    told = MARKUP.sub(r"`\1`", inspect.getdoc(thing) or "")
    return ["```{ .text .wrapped }", f"{signature}{told}".rstrip(), "```"]
