#!/usr/bin/env python3
"""Record what TensorFlow Lite itself computes, as the reference of the converter's tests.

Needs `pip install ai-edge-litert` on top of the tests' packages, and the archives of
models/fetch.py in .cache/downloads. Run it only when a model is added or replaced:

    python tests/models_py/make_reference.py
"""

from __future__ import annotations

import argparse

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from support import APPENDED, CONVERTED, MODELS, REFERENCE, inputs_of, original_bytes


def main() -> None:
    """Write one .npz a model: for each input, the outputs in the manifest's order."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for name in CONVERTED:
        model, data = MODELS[name], original_bytes(name)
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
        target = interpreter.get_input_details()[0]["index"]
        details = {d["name"]: d["index"] for d in interpreter.get_output_details()}
        arrays = {}
        if name in APPENDED:
            # The file is for two pictures at a time.
            source = model["source"]["embedding"]
            for kind, value in inputs_of(model).items():
                interpreter.set_tensor(target, np.repeat(value, 2, axis=0))
                interpreter.invoke()
                arrays[f"{kind}.{source}"] = interpreter.get_tensor(details[source])[:1]
            np.savez_compressed(REFERENCE / f"{name}.npz", **arrays)
            print(name, {k: v.shape for k, v in arrays.items()})
            continue
        for kind, value in inputs_of(model).items():
            interpreter.set_tensor(target, value)
            interpreter.invoke()
            for output in model["output"]:
                result = interpreter.get_tensor(details[output["source"]])
                arrays[f"{kind}.{output['name']}"] = result.reshape(output["shape"])
        np.savez_compressed(REFERENCE / f"{name}.npz", **arrays)
        print(name, {k: v.shape for k, v in arrays.items()})


if __name__ == "__main__":
    main()
