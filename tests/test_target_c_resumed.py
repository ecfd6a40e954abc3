"""A stream that was simulated goes on in C, from its state as a constant."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from test_spiking_anywhere import inputs as recurrent_inputs
from test_spiking_anywhere import recurrent

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import commands
from snn_deploy.engines.result import by_name
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.run.simulation import encode
from snn_deploy.targets.c.compiler import STRICT

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
STEPS, RESUMED = 24, 11

GO_ON = """
#include <stdio.h>
#include <string.h>
#include "snn_resumed.h"

static snn_state state, simulated;
static snn_work work;

int main(void)
{
    snn_init(&state, &work);
    simulated = snn_resumed;
    for (int32_t t = 0; t < STEPS; t++) {
        snn_input input[SNN_INPUTS];
        for (int32_t h = 0; h < SNN_INPUTS; h++) {
            int number = 0;
            if (scanf("%d", &number) != 1) {
                return 2;
            }
            input[h] = (snn_input)number;
        }
        if (t == RESUMED) {
            printf("%d\\n", memcmp(&state, &simulated, sizeof state) == 0 ? 1 : 0);
            state = simulated;
        }
        snn_step(&state, &work, input);
    }
    snn_output output[SNN_OUTPUTS];
    snn_finish(&state, &work, output);
    for (int32_t h = 0; h < SNN_OUTPUTS; h++) {
        printf("%d\\n", (int)output[h]);
    }
    return 0;
}
"""


def made(kind: str) -> tuple[snn_deploy.Deployment, Any]:
    if kind == "recurrent":
        source: Any = recurrent(2)
        data = recurrent_inputs()
    else:
        example = Path(examples.__file__).parent / "seqdigits_uni"
        source = str(example / "seqdigits_uni.ckpt")
        with np.load(example / "train.npz") as train:
            data = train["inputs"][:64, :STEPS]
    return snn_deploy.convert(source, calibration=data), data


@pytest.mark.parametrize("kind", ["digits", "recurrent"])
def test_c_goes_on_where_the_simulator_stopped(kind: str, tmp_path: Path) -> None:
    deployment, data = made(kind)
    file, state = tmp_path / "d.safetensors", tmp_path / "d.state"
    deployment.save(file)
    stream = deployment.stream()
    stream.step(data[:1, :RESUMED])
    stream.save(state)
    stream.step(data[:1, RESUMED:])
    words = ["export", str(file), "-o", str(tmp_path / "c"), "--state", str(state)]
    done = CliRunner().invoke(commands, words, standalone_mode=False)
    assert done.exception is None
    assert "snn_resumed.h" in done.output
    (tmp_path / "c" / "go_on.c").write_text(GO_ON)
    call = [
        "cc",
        *STRICT,
        f"-DSTEPS={STEPS}",
        f"-DRESUMED={RESUMED}",
        "go_on.c",
        "snn.c",
        "-o",
        "go",
    ]
    subprocess.run(call, cwd=tmp_path / "c", check=True)
    (mantissas,) = by_name(deployment.network, encode(deployment.network, data[:1])[0]).values()
    given = " ".join(map(str, mantissas.reshape(-1).tolist()))
    told = subprocess.run(
        [tmp_path / "c" / "go"], input=given, capture_output=True, text=True, check=True
    ).stdout.split()
    assert told[1:] == [str(n) for n in stream.last_outputs().reshape(-1)]
    # a ring of past steps may begin elsewhere; without one the states are the same bytes
    assert told[0] == "1" or kind == "recurrent"


def test_what_is_no_state_of_one_sequence_is_refused(tmp_path: Path) -> None:
    deployment, data = made("digits")
    file, state = tmp_path / "d.safetensors", tmp_path / "d.state"
    deployment.save(file)
    stream = deployment.stream(2)
    stream.step(data[:2, :3])
    stream.save(state)
    words = ["export", str(file), "-o", str(tmp_path / "c"), "--state"]
    done = CliRunner().invoke(commands, [*words, str(state)], standalone_mode=False)
    assert isinstance(done.exception, DataError)
    assert "2 sequences side by side; a board's state is one's" in str(done.exception)
    done = CliRunner().invoke(commands, [*words, str(file)], standalone_mode=False)
    assert isinstance(done.exception, DataError)
    done = CliRunner().invoke(
        commands, [*words, str(state), "--format", "onnx"], standalone_mode=False
    )
    assert isinstance(done.exception, ConfigError)
