"""Many changed files of one format, read in this process within limits of memory and time.

    python tests/fuzz/run.py --format deployment --count 1000000

Ctrl-C ends it, and says how many were read. Stops at the first escape and keeps its file: an
exception that is none of ours, more memory than
1 GB beyond what the program itself takes, more than 5 s of the processor, or 60 s of waiting.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.formats import FORMATS, Format

from snn_deploy.errors import SnnDeployError

MEMORY = 1 << 30  # bytes beyond those of the program
SECONDS = 5.0  # of the processor: other programs may keep us waiting
WAITING = 60.0


class TooSlowError(BaseException):
    """A file took longer than it may; no handler of exceptions must catch it."""


def changed_files(target: Format, folder: Path, count: int, seed: int) -> Iterator[bytes]:
    """Give ``count`` changed files; the same for the same seed."""
    seeds = target.seeds(folder)
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        yield target.change(rng, rng.choice(seeds))


def try_file(target: Format, path: Path, content: bytes) -> str:
    """Read one file, and give how it ended: ``read``, or the class of our error."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    try:
        target.read(path)
    except SnnDeployError as error:
        str(error)
        return type(error).__name__
    return "read"


@contextmanager
def limits() -> Iterator[None]:
    """Bound this process's memory and the seconds of each file while the block runs."""

    def late(*arguments: object) -> None:
        raise TooSlowError

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    before = resource.getrlimit(resource.RLIMIT_AS)
    signal.signal(signal.SIGPROF, late)
    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        _set_timers(0, 0)


def _set_timers(seconds: float, waiting: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, waiting)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    options = parser.parse_args()
    target = FORMATS[options.format]
    warnings.simplefilter("ignore")
    outcomes: Counter[str] = Counter()
    slowest, begun = 0.0, time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        path = folder / f"file{target.suffix}"
        for content in target.seeds(folder):  # what is imported or compiled late is so now
            try_file(target, path, content)
        gc.freeze()  # what the program itself holds need not be looked through again
        with limits():
            for content in changed_files(target, folder, options.count, options.seed):
                if time.monotonic() - begun > options.seconds:
                    break
                started = time.process_time()
                _set_timers(SECONDS, WAITING)
                try:
                    outcomes[try_file(target, path, content)] += 1
                except KeyboardInterrupt:
                    break
                except BaseException:
                    _set_timers(0, 0)
                    kept = Path(f"escaped-{options.format}{target.suffix}")
                    kept.write_bytes(content)
                    print(f"{kept}: escaped after {outcomes.total()} files", flush=True)
                    raise
                slowest = max(slowest, time.process_time() - started)
                if outcomes.total() % 20_000 == 0:
                    print(_told(options.format, outcomes, slowest), flush=True)
    print(_told(options.format, outcomes, slowest))
    return 0


def _told(name: str, outcomes: Counter[str], slowest: float) -> str:
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    return f"{name}: {outcomes.total():,} files, slowest {slowest:.2f} s: {told}"


if __name__ == "__main__":
    sys.exit(main())
