"""Build a release and try it: sdist and wheel, their metadata, and the demo in fresh environments.

Run by make release, which has what it needs. Nothing is uploaded; what to do then is printed.
Pythons of other versions are tried where they are on the PATH (python3.10 … python3.13).
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parent.parent
ZOO_CARDS = ROOT / "docs" / "zoo"
ZOO_FACTS = "*/facts.json"  # stands where a network was trained and measured
ZOO_FILES = ("network.ckpt", "network.safetensors", "facts.json")
VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def main() -> None:
    """Build, check and try a release; leave with what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the files go")
    parser.add_argument("--no-try", action="store_true", help="do not install them anywhere")
    given = parser.parse_args()
    version = told_version()
    problems = list(check_sources(version))
    shutil.rmtree(given.out, ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(given.out), str(ROOT))
    (wheel,) = given.out.glob("*.whl")
    (source,) = given.out.glob("*.tar.gz")
    problems += check_files(wheel, source, version)
    if problems:
        sys.exit("not fit for a release:\n  " + "\n  ".join(problems))
    if not given.no_try:
        for number in VERSIONS:
            python = shutil.which(f"python{number}")
            if python is None or not starts(python):
                print(f"not tried with Python {number}, which is not on the PATH")
            else:
                try_out(python, wheel)
    print(f"{wheel.name} and {source.name} are fit for a release.")
    print(f"Then: git tag v{version}, and upload {given.out}/*.whl and *.tar.gz")
    zoo = pack_zoo(ROOT / "build" / "zoo", given.out / f"snn_deploy_zoo-{version}.zip")
    if zoo is not None:
        print(f"The zoo's weights are no package: attach {zoo} to the release.")


def told_version() -> str:
    """Give the version, from the one file that says it."""
    told = runpy.run_path(str(ROOT / "snn_deploy" / "version.py"))
    return str(told["__version__"])


def check_sources(version: str) -> list[str]:
    """Say where the version is not told alike."""
    problems = []
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE):
        problems.append(f"CHANGELOG.md has no section [{version}]: rename Unreleased, add the date")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    if f"version: {version}\n" not in citation:
        problems.append(f"CITATION.cff does not say version: {version}")
    return problems


def check_files(wheel: Path, source: Path, version: str) -> list[str]:
    """Say what the built files lack."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
        files = archive.namelist()
    with tarfile.open(source) as archive_of_source:
        sources = archive_of_source.getnames()
    problems = []
    for field, wanted in {"Name": "snn-deploy", "Version": version}.items():
        if metadata[field] != wanted:
            problems.append(f"{wheel.name}: {field} is {metadata[field]}, not {wanted}")
    missing = {"Summary", "License-Expression", "Requires-Python"} - set(metadata.keys())
    problems += [f"{wheel.name}: no {field} in its metadata" for field in sorted(missing)]
    for ending in ("LICENSE", "NOTICE"):
        if not any(file.endswith(ending) for file in files):
            problems.append(f"{wheel.name}: no {ending} in it")
    if not any(file.endswith("pyproject.toml") for file in sources):
        problems.append(f"{source.name}: no pyproject.toml in it")
    return problems


def starts(python: str) -> bool:
    """Tell a Python from the shim of one that is not there, as pyenv leaves them."""
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


def pack_zoo(folder: Path, archive: Path) -> Path | None:
    """Put checkpoints, deployments and cards of all networks that were trained as their cards say
    into one archive; the same files give the same bytes. None where there are none.
    """
    files = {}
    for facts in sorted(folder.glob(ZOO_FACTS)):
        network, card = facts.parent, ZOO_CARDS / f"{facts.parent.name}.md"
        if card.exists() and json.loads(facts.read_text())["digest"] in card.read_text("utf-8"):
            files[f"{network.name}/card.md"] = card
            files |= {f"{network.name}/{name}": network / name for name in ZOO_FILES}
    if not files:
        return None
    with zipfile.ZipFile(archive, "w") as packed:
        for name, path in files.items():
            packed.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return archive


def try_out(python: str, wheel: Path) -> None:
    """Install the wheel into a fresh environment, and run the demo there."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"trying {wheel.name} with {python}")
        run(python, "-m", "venv", folder)
        inner = str(Path(folder) / "bin" / "python")
        # -I: neither PYTHONPATH nor the working directory may stand in for what is in the wheel
        run(inner, "-I", "-m", "pip", "install", "--quiet", str(wheel))
        run(inner, "-I", "-m", "snn_deploy", "demo", cwd=folder)


def run(*words: str, cwd: str | None = None) -> None:
    """Run a command, and leave where it fails."""
    done = subprocess.run(words, check=False, cwd=cwd)
    if done.returncode:
        sys.exit(f"failed: {' '.join(words)}")


if __name__ == "__main__":
    main()
