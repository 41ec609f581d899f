"""One small data set in every form that --dataset takes, as written by other code."""

import gzip
import struct

import numpy as np
from PIL import Image


def write_npz(path, train, test, compressed=False, scale=None):
    """Write (images [n, side, side], labels) twice, with Keras' names."""
    convert = (lambda x: x) if scale is None else (lambda x: np.float32(x / scale))
    arrays = {
        "x_train": convert(train[0]),
        "y_train": train[1],
        "x_test": convert(test[0]),
        "y_test": test[1],
    }
    (np.savez_compressed if compressed else np.savez)(str(path), **arrays)
    return path


def idx_files(train, test):
    """The four IDX files by name, as bytes."""
    files = {}
    for prefix, (images, labels) in (("train", train), ("t10k", test)):
        n, side, _ = images.shape
        header = struct.pack(">4I", 0x803, n, side, side)
        files[f"{prefix}-images-idx3-ubyte"] = header + images.tobytes()
        labels = np.asarray(labels, np.uint8)
        header = struct.pack(">2I", 0x801, n)
        files[f"{prefix}-labels-idx1-ubyte"] = header + labels.tobytes()
    return files


def write_idx(folder, train, test, spelling="{}", packed=False):
    """Write the four files; `spelling` makes a file's name from the usual one."""
    folder.mkdir(parents=True)
    for name, data in idx_files(train, test).items():
        name = spelling.format(name, dotted=name.replace("-idx", ".idx"))
        path = folder / (name + (".gz" if packed else ""))
        path.write_bytes(gzip.compress(data) if packed else data)
    return folder


def write_folders(folder, train, test=None, suffix=".png"):
    """Write <folder>/train/<label>/<number>.png and test, or without test no split."""
    for split, part in (("train", train), ("test", test)):
        if part is None:
            continue
        for number, (image, label) in enumerate(zip(*part)):
            place = folder / (split if test else "") / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(str(place / f"{number}{suffix}"))
    return folder
