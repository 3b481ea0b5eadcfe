"""Fixtures of the parity tests: named arrays as a safetensors file, the same bytes at every run."""

import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "mathematics" / "parity"


def write(name, arrays):
    """Writes arrays of floats, in f64, as FOLDER/NAME.safetensors."""
    header, data = {}, b""
    for key, array in arrays.items():
        array = np.ascontiguousarray(array, dtype="<f8")
        end = len(data) + array.nbytes
        header[key] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = FOLDER / f"{name}.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    print(f"{path}: {len(arrays)} arrays, {path.stat().st_size} bytes")
