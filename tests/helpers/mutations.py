"""Changes of a good file into one that may be damaged, drawn by a seed."""

import json
import random
import struct


def mutated(data: bytes, seed: int) -> bytes:
    """`data` after one to three changes of the kinds below, drawn by `seed`."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(_CHANGES)(data, chance)
    return data


_NUMBERS = (0, 1, 2, 8, 28, 784, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
_TEXTS = ("", "\n", "\ud800", "é", "x" * 99999, "../../x", "step-000000001.npz")
_SCALARS = (None, True, -1, 0.5, 2**63, 2**64, 1e308, 10**19, [], {}, [[]], {"": 0})
_LITERALS = (b"NaN", b"-Infinity", b"1e999", b"9" * 99, b"9" * 9999, b"[" * 9999, b"\0")


def _flip(data, chance):
    if not data:
        return b"\0"
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data, chance):
    return data[: chance.randint(0, len(data))]


def _splice(data, chance):
    """Replace a piece by one of somewhere else, or by random bytes."""
    start, length = chance.randint(0, len(data)), chance.choice((0, 1, 4, 40))
    source = chance.randint(0, len(data))
    noise = bytes(chance.randrange(256) for _ in range(chance.randint(0, 8)))
    piece = chance.choice((data[source : source + length], noise))
    return data[:start] + piece + data[start + length :]


def _edit_header(data, chance):
    """Overwrite a field near the start or the end, where headers are."""
    field = struct.pack(
        chance.choice(("<H", "<I", "<Q", ">I")), chance.choice(_NUMBERS) & 0xFFFF
    )
    if chance.random() < 0.5:
        field = struct.pack(chance.choice("<>") + "I", chance.choice(_NUMBERS))
    start = chance.choice((0, max(0, len(data) - 100))) + chance.randrange(100)
    return data[:start] + field + data[start + len(field) :]


def _edit_json(data, chance):
    """Replace a value, drop it or rename it, in the first line that is JSON."""
    line, newline, rest = data.partition(b"\n")
    if not line.endswith(b"}"):
        line, newline, rest = data, b"", b""
    try:
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return _splice(data, chance)
    marker = "<<literal>>"
    new = chance.choice(_SCALARS + _TEXTS + (marker,))
    text = json.dumps(_with(value, new, chance)).encode("utf-8")
    literal = chance.choice(_LITERALS)
    return text.replace(json.dumps(marker).encode(), literal) + newline + rest


def _with(value, new, chance):
    """`value` with one part replaced by `new`, dropped or renamed."""
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.05:
        return new
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key, changed = chance.choice(list(keys)), value.copy()
    if chance.random() < 0.2:
        old = changed.pop(key)
        if isinstance(changed, dict) and chance.random() < 0.5:
            changed[chance.choice(_TEXTS)] = old
    else:
        changed[key] = _with(changed[key], new, chance)
    return changed


_CHANGES = (_flip, _cut, _splice, _edit_header, _edit_json, _edit_json)
