"""The readers of files that nobody vouches for, and what every one of them promises.

Shared by tests/system/test_fuzz.py (some hundreds of inputs each) and
tests/soak/fuzz.py (a million).
"""

import functools
import gzip
import hashlib
import io
import json
import struct
import time
import zipfile
from pathlib import Path
from typing import Any, Callable, List, NamedTuple

import numpy as np

from cvae.config import Config
from cvae.data import idx, published
from cvae.data.published import PublishedFile
from cvae.errors import CvaeError
from cvae.evaluation.partial import Partial
from cvae.runs.checkpoints import (
    AVERAGE,
    SHARED,
    Checkpoint,
    State,
    read_checkpoint,
    read_shared,
    write_shared,
)
from cvae.runs.run import Run
from cvae.storage.npz import read_arrays

SECONDS = 2.0  # of a processor that one input may take


class Reader(NamedTuple):
    """`read(data, folder)` returns a value that is as it should be, or refuses."""

    read: Callable[[bytes, Path], Any]
    seeds: List[bytes]  # good files


def survives(reader: Reader, data: bytes, folder: Path) -> bool:
    """Whether `data` are read; if not, they are refused in one line. Neither hangs."""
    began = time.thread_time()
    try:
        reader.read(data, folder)
        read = True
    except CvaeError as error:
        assert str(error) and "\n" not in str(error), repr(str(error))
        assert len(str(error)) < 1000, f"a screenful: {str(error)!r}"
        read = False
    seconds = time.thread_time() - began
    assert seconds < SECONDS, f"took {seconds:.1f} s"
    return read


def make_readers(folder: Path):
    """Readers by name, with good files as this package writes them."""
    run = Run.create(
        folder / "seed", Config(hidden=(8, 8), validate=True, minutes=None)
    )
    for step in (5, 10):
        run.append_metrics(_row(step))
        run.save_checkpoint(_checkpoint(step), best=step == 5)
    run.write_evaluation(_EVALUATION)
    run.write_evaluation_arrays(_evaluation_arrays())
    begun = Partial(run.partial_path, 10, "tiny", _SETTINGS, _STAGES, "cvae.zs")
    begun.add("first", np.arange(6.0).reshape(2, 3))
    begun.save()
    names = ("config.json", "metrics.jsonl", "evaluation.json", "evaluation.npz")
    read = {name: (run.path / name).read_bytes() for name in names}
    partial = begun.path.read_bytes()
    index = (run.path / "checkpoints" / "index.json").read_bytes()
    npz = (run.path / "checkpoints" / "step-000000010.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(npz)) as archive:
        npy = [archive.read(name) for name in archive.namelist()]
    write_shared(run.path / SHARED, _checkpoint(10))
    shared = (run.path / SHARED).read_bytes()
    state = json.dumps(_checkpoint(5).state._asdict()).encode("utf-8")
    return {
        "images": Reader(_read_images, [_IMAGES]),
        "labels": Reader(_read_labels, [_LABELS]),
        "gzip": Reader(_read_gzip, [gzip.compress(_LABELS), _LABELS]),
        "config": Reader(_read_config, [read["config.json"], b"{}"]),
        "metrics": Reader(_read_metrics, [read["metrics.jsonl"], b""]),
        "evaluation": Reader(_read_evaluation, [read["evaluation.json"]]),
        "per image": Reader(_read_per_image, [read["evaluation.npz"]]),
        "partial": Reader(_read_partial, [partial]),
        "index": Reader(_read_index, [index]),
        "npz": Reader(_read_npz, [npz]),
        "npy": Reader(_read_npy, npy),
        "state": Reader(_read_state, [state]),
        "shared": Reader(_read_shared, [shared]),
    }


# Reading, and what a value that was read must be --------------------------------------


def _read_images(data, folder):
    images = idx.parse_idx_images(data, "file")
    assert images.tobytes() == data[16:] and images.shape[1] == 784


def _read_labels(data, folder):
    labels = idx.parse_idx_labels(data, "file")
    assert labels.tobytes() == data[8:] and labels.max() < 10


def _read_gzip(data, folder):
    file = PublishedFile("labels", len(_LABELS), hashlib.sha256(_LABELS).hexdigest())
    assert published._verify(data, file, "file") == _LABELS


def _read_config(data, folder):
    (folder / "config.json").write_bytes(data)
    config = Run(folder).config
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def _read_metrics(data, folder):
    run = _blank_run(folder)
    (run.path / "metrics.jsonl").write_bytes(data)
    rows = run.metrics()
    json.dumps(rows, allow_nan=False)
    assert all({"step", "epoch", "seconds", "train_bound"} <= set(row) for row in rows)


def _read_evaluation(data, folder):
    run = _blank_run(folder)
    (run.path / "evaluation.json").write_bytes(data)
    results = run.evaluation()
    json.dumps(results, allow_nan=False)
    assert {"mean", "stderr", "particles"} == set(results["log_likelihood"])
    found = results["classifier"]
    n_classes = len(found["confusion"])
    assert sum(map(sum, found["confusion"])) == results["n_images"] > 0
    assert all(row["class"] < n_classes for row in results["per_class"])
    assert all(row["image"] < results["n_images"] for row in found["mistakes"])
    assert results["growth"][-1]["particles"] == results["log_likelihood"]["particles"]
    assert len(results["latent"]["kl"]) == len(results["latent"]["activity"])


def _read_per_image(data, folder):
    run = _evaluated_run(folder)
    (run.path / "evaluation.npz").write_bytes(data)
    arrays = run.evaluation_arrays()
    assert arrays["log_likelihoods"].shape == (3, 2) and arrays["bound"].shape == (3,)
    assert all(np.isfinite(array).all() for array in arrays.values())


def _read_partial(data, folder):
    """What is of other settings is passed over."""
    path = folder / "partial.npz"
    path.write_bytes(data)
    found = Partial(path, 10, "tiny", _SETTINGS, _STAGES, "cvae.zs")
    for name, (n, width) in _STAGES.items():
        rows = found.rows(name)
        assert len(rows) <= n and rows.shape[1] == width and np.isfinite(rows).all()


def _read_index(data, folder):
    """A damaged index gives way to the good checkpoint beside it."""
    run = _blank_run(folder)
    (run.path / "checkpoints" / "index.json").write_bytes(data)
    assert run.load_checkpoint(warn=lambda line: None).state == _checkpoint(10).state


def _read_npz(data, folder):
    path = folder / "arrays.npz"
    path.write_bytes(data)
    arrays = read_arrays(path)
    assert sum(array.nbytes for array in arrays.values()) <= len(data)
    for array in arrays.values():
        assert (
            array.dtype.str in ("<f4", "<f8", "<i4", "<i8") or array.dtype.kind == "U"
        )
        assert array.dtype.kind != "f" or np.isfinite(array).all()


def _read_npy(data, folder):
    """One member of an archive that is good otherwise, checksum and all."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("w.npy", data)
    _read_npz(packed.getvalue(), folder)


def _read_state(data, folder):
    """The loop's state in a checkpoint that is good otherwise."""
    path = folder / "state.npz"
    text = np.array(data.decode("utf-8", "replace") or " ")
    with path.open("wb") as out:
        np.savez(out, w=np.zeros(1), **{"__state__": text})
    state = read_checkpoint(path).state
    json.dumps(state, allow_nan=False)
    assert state.step >= state.plan[0] >= 0


def _read_shared(data, folder):
    """Averaged weights that are shared: those that were written, or none."""
    path = folder / SHARED
    path.write_bytes(data)
    arrays, state = read_shared(path)
    expected = _checkpoint(10)
    assert state == expected.state._replace(plan=[0, 0.0, 900])
    np.testing.assert_equal(arrays, {"w" + AVERAGE: expected.arrays["w" + AVERAGE]})


@functools.lru_cache(maxsize=1)
def _blank_run(folder):
    run = Run.create(folder / "run", Config())
    run.save_checkpoint(_checkpoint(10))
    return run


@functools.lru_cache(maxsize=1)
def _evaluated_run(folder):
    run = Run.create(folder / "evaluated", Config())
    run.write_evaluation(_EVALUATION)
    return run


# Good files ---------------------------------------------------------------------------

_IMAGES = struct.pack(">4I", 0x803, 2, 28, 28) + bytes(range(196)) * 8
_LABELS = struct.pack(">2I", 0x801, 4) + bytes([3, 0, 9, 9])


def _row(step):
    row = {"step": step, "epoch": step / 5, "seconds": 1.5 * step, "train_bound": -99.5}
    row.update(images_per_second=1e4, learning_rate=1e-3, validation_bound=-98.0)
    return row


def _checkpoint(step):
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"w": kernel, "w" + AVERAGE: kernel / 2, "beta1_power": np.float32(0.9)}
    state = {"step": step, "plan": [0, 0.0, 900], "seconds": 3.5, "bound_sum": -9.0}
    state.update(bound_steps=1, best=None)
    state.update(tensorflow=["1.15.0"], zhusuan=["cvae.zs"])
    return Checkpoint(arrays, State(**state))


_SETTINGS, _STAGES = {"particles": 100}, {"first": (6, 3), "second": (4, 1)}


def _mean(mean, **more):
    return dict({"mean": mean, "stderr": 0.25}, **more)


_EVALUATION = {
    **{name: _mean(-85.5) for name in ("bound", "reconstruction", "kl", "kl_sampled")},
    "log_likelihood": _mean(-85.5, particles=100),
    "marginal": _mean(-85.5, particles=100),
    "growth": [
        {"particles": 10, "log_likelihood": _mean(-86.0), "marginal": _mean(-86.0)},
        {
            "particles": 100,
            "log_likelihood": _mean(-85.5),
            "marginal": _mean(-85.5),
            "gain": _mean(0.5),
        },
    ],
    "ess": {"median": 9.5, "p5": 1.5, "particles": 100},
    "classifier": {
        "errors": 1,
        "n_images": 3,
        "error_rate": 1 / 3,
        "low": 0.06,
        "high": 0.8,
        "log_loss": _mean(0.5),
        "particles": 1000,
        "confusion": [[1, 1], [0, 1]],
        "mistakes": [{"image": 2, "class": 0, "predicted": 1, "log_odds": 4.0}],
    },
    "latent": {
        "kl": [2.5, 0.0],
        "activity": [0.9, 0.0],
        "active": 1,
        "threshold": 0.01,
    },
    "fallback": {"pairs": 0, "images": []},
    "encoder": {
        "images": 3,
        "growth": [{"particles": 10, "log_likelihood": _mean(-86.0)}],
        "ess": {"median": 4.5, "p5": 1.5, "particles": 10},
        "laplace": _mean(-85.5),
        "difference": _mean(0.5),
    },
    "sandwich": {
        "images": 3,
        "particles": 500,
        "steps": 60,
        "acceptance": 0.75,
        "below": _mean(-80.0),
        "above": _mean(-79.0),
        "gap": _mean(1.0),
    },
    "train_bound": _mean(-81.0, n_images=3),
    "per_class": [
        {
            "class": c,
            "n": n,
            "bound": -80.0,
            "reconstruction": -55.0,
            "kl": 25.0,
            "kl_sampled": 25.1,
            "log_likelihood": -78.0,
            "marginal": -80.0,
            "errors": 1 - c,
        }
        for c, n in ((0, 2), (1, 1))
    ],
    "n_images": 3,
    "bits_seed": 7,
    "dataset": "mnist",
    "note": "",
    "step": 10,
    "zhusuan": {"trained": ["cvae.zs"], "evaluated": ["cvae.zs", "ZhuSuan 0.4.0"]},
}


def _evaluation_arrays():
    names = (
        "bound",
        "reconstruction",
        "kl",
        "kl_sampled",
        "log_likelihood",
        "marginal",
    )
    arrays = {name: np.array([-85.5, -86.5, -84.5]) for name in names}
    arrays.update(ess=np.array([2.0, 30.0, 9.0]), step=np.array(10))
    arrays["encoder_ess"] = np.array([1.5, 4.5, 8.0])
    arrays["log_likelihoods"] = np.full((3, 2), -85.5)
    return dict(arrays, particles=np.full((3, 2), 100, np.int32))
