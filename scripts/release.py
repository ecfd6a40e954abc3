"""Build a release and try it: sdist and wheels, their metadata, and what a new user does first.

Run by make release, which has what it needs. Nothing is uploaded; what to do then is printed.
Every supported Python that scripts/find-python finds (python3.10 … python3.13) is tried; which were
not is said.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import resource
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
FIRST_COMMANDS = (
    "convert mine.ckpt --calibration train.npz",
    "simulate mine.safetensors --data test.npz",
    "report mine.safetensors --data test.npz --html report.html",
)
FIRST_ANSWER = 2  # commands until there is one
MOST_SECONDS = 5.0  # of a processor, until then
ATTEMPTS = 3  # of which the best counts: what else runs on a machine slows its processors, too


def main() -> None:
    """Build, check and try a release; leave with what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the files go")
    parser.add_argument("--no-try", action="store_true", help="do not install them anywhere")
    given = parser.parse_args()
    version = told_version()
    refuse_for(check_sources(version))
    shutil.rmtree(given.out, ignore_errors=True)
    print(f"building {version}", flush=True)
    build = (sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir")
    run(*build, str(given.out), cwd=ROOT)
    run("make", "wheels", f"WHEELS={given.out.resolve()}", cwd=ROOT)
    (source,) = given.out.glob("*.tar.gz")
    wheels = sorted(given.out.glob("*.whl"))
    refuse_for([told for wheel in wheels for told in check_files(wheel, source, version)])
    (here,) = (wheel for wheel in wheels if wheel.stem.endswith(platform.machine()))
    tried = [] if given.no_try else [number for number in VERSIONS if try_out(number, here)]
    if tried:
        try_out(tried[0], source)
    print(f"{source.name} and {', '.join(wheel.name for wheel in wheels)} are fit for a release.")
    print(f"Tried on {platform.machine()} with Python {', '.join(tried) or '– none'}.")
    if missing := [number for number in VERSIONS if number not in tried]:
        print(f"NOT tried with Python {', '.join(missing)}.")
    print(f"Then: git tag v{version}, and upload {given.out}/*.whl and *.tar.gz")
    zoo = pack_zoo(ROOT / "build" / "zoo", given.out / f"snn_deploy_zoo-{version}.zip")
    if zoo is not None:
        print(f"The zoo's weights are no package: attach {zoo} to the release.")


def refuse_for(problems: list[str]) -> None:
    """Leave with what is wrong, if anything is."""
    if problems:
        sys.exit("not fit for a release:\n  " + "\n  ".join(problems))


def told_version() -> str:
    """Give the version, from the one file that says it."""
    told = runpy.run_path(str(ROOT / "snn_deploy" / "version.py"))
    return str(told["__version__"])


def check_sources(version: str) -> list[str]:
    """Say where the version is not told alike."""
    problems = []
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", changelog, re.MULTILINE)
    if section is None:
        problems.append(f"CHANGELOG.md has no section [{version}] - DATE: rename Unreleased")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    told = {"version": version, **({"date-released": section[1]} if section else {})}
    for key, value in told.items():
        if f"{key}: {value}\n" not in citation:
            problems.append(f"CITATION.cff does not say {key}: {value}")
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


def try_out(number: str, package: Path) -> bool:
    """Install a wheel or the sdist into a fresh environment of a Python, and do there what a new
    user does, and the demo; False where there is no such Python.
    """
    find = ["sh", str(ROOT / "scripts" / "find-python"), f"python{number}"]
    found = subprocess.run(find, check=False, capture_output=True, text=True)
    if found.returncode:
        return False
    with tempfile.TemporaryDirectory() as folder:
        print(f"trying {package.name} with {found.stdout.strip()}", flush=True)
        run(found.stdout.strip(), "-m", "venv", folder)
        # -I: neither PYTHONPATH nor the working directory may stand in for what is in the wheel
        inner = [str(Path(folder) / "bin" / "python"), "-I", "-m"]
        run(*inner, "pip", "install", "--quiet", str(package))
        run(*inner, "snn_deploy", "demo", cwd=folder)
        seconds = first_answer([*inner, "snn_deploy"], Path(folder))
        print(f"Python {number}: the first answer took {seconds:.1f} s of a processor", flush=True)
    return True


def first_answer(program: list[str], folder: Path) -> float:
    """Give the seconds of a processor until the first answer, in the best of a few attempts; leave
    where none was fast enough.
    """
    took = []
    for attempt in range(ATTEMPTS):
        took.append(start_out(program, folder / f"empty{attempt}"))
        if took[-1] <= MOST_SECONDS:
            return took[-1]
    told = ", ".join(f"{seconds:.1f}" for seconds in took)
    sys.exit(f"the first answer took {told} s of a processor, and never under {MOST_SECONDS}")


def start_out(program: list[str], folder: Path) -> float:
    """Take a checkpoint to a report page in a folder that holds it and its data alone, and give
    the seconds of a processor until the first answer.
    """
    folder.mkdir()
    for file in (ROOT / "examples" / "seqdigits_uni").glob("*.*"):
        shutil.copy(file, folder / ("mine.ckpt" if file.suffix == ".ckpt" else file.name))
    spent = []
    for command in FIRST_COMMANDS:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(*program, *command.split(), cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    if "<svg" not in (folder / "report.html").read_text(encoding="utf-8"):
        sys.exit("the report page has no charts")
    return sum(spent[:FIRST_ANSWER])


def run(*words: str, cwd: Path | str | None = None) -> None:
    """Run a command; where it fails, show what it printed and leave."""
    done = subprocess.run(
        words, check=False, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.exit(f"{done.stdout.decode(errors='replace')}failed: {' '.join(words)}")


if __name__ == "__main__":
    main()
