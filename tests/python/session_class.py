# SPDX-License-Identifier: MIT OR Apache-2.0
"""Puts another class in the place of ONNX Runtime's, for published programs that know only that."""
import os

import onnxruntime

_shapes = {}


class Recorder(onnxruntime.InferenceSession):
    """ONNX Runtime's own, which remembers shapes."""

    def __init__(self, path, *args, **kwargs):
        super().__init__(path, *args, **kwargs)
        self.seen = _shapes.setdefault(os.path.basename(path), [])

    def run(self, output_names, input_feed, run_options=None):
        # Inputs without dimensions have one shape only.
        shapes = {name: array.shape for name, array in input_feed.items() if array.shape}
        group = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
        if group not in self.seen:
            self.seen.append(group)
        return super().run(output_names, input_feed, run_options)


def take(how):
    """`--card`: the class that runs models on the card; `--runtime`: ONNX Runtime's own, which remembers shapes.

    To be called before the program is loaded, which takes the name then.
    """
    if how == "--card":
        import ax650

        onnxruntime.InferenceSession = ax650.InferenceSession
    else:
        onnxruntime.InferenceSession = Recorder


def write_shapes(directory):
    """Writes the shapes that models were run with, as arguments that fix them, to DIRECTORY/MODEL."""
    for name, seen in _shapes.items():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.writelines(f"--group {group}\n" for group in seen)
