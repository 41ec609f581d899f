"""Benchmarks say on what machine they ran, and why a peer could not."""

import sys

import pytest
from paths import ROOT

from cvae.config import Config

sys.path.insert(0, str(ROOT / "benchmarks"))

from peers import driver

CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu avx2 {}

processor\t: 1
model name\t: another
"""


def test_a_machine_is_named_with_its_instructions_and_what_libraries_are_held_to(
    monkeypatch,
):
    about = "Intel(R) Xeon(R) Processor (cpu family 6, model 143, "
    wide = driver.described(CPUINFO.format("avx512f amx_tile"))
    assert wide == about + "AVX-512, AMX)"
    assert driver.described(CPUINFO.format("")) == about + "AVX2 only)"
    assert driver.described("model name: Cortex\n") == "Cortex"
    for name in driver.AVX2:
        monkeypatch.delenv(name, raising=False)
    assert driver.machine()["held_to"] == {}
    machine = driver.machine(driver.AVX2)
    assert machine["held_to"] == driver.AVX2
    assert ", ATEN_CPU_CAPABILITY=avx2, " in driver.place(machine)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert driver.machine()["held_to"] == {"ONEDNN_MAX_CPU_ISA": "SSE41"}


def test_a_peer_that_is_not_there_says_why(tmp_path):
    absent = driver.pythons(tmp_path)["peers"]
    with pytest.raises(driver.NotMeasured, match="make peers"):
        with driver.worker(absent, "pytorch", Config()):
            pass
    with pytest.raises(driver.NotMeasured, match="torch is not installed"):
        with driver.worker(sys.executable, "pytorch", Config()):
            pass
