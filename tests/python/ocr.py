#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads a picture with the published program rapidocr-onnxruntime.

usage: ocr.py --runtime MODELS PICTURE RESULT GROUPS   with ONNX Runtime; the shapes that it ran the models with, as
                                                       arguments that fix them, go to GROUPS/MODEL
       ocr.py --card MODELS PICTURE RESULT             with the class that runs models on the card in place of ONNX Runtime's
"""
import json
import os
import sys

import onnxruntime

MODELS = {
    "det": "ch_PP-OCRv4_det_infer.onnx",
    "cls": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "rec": "ch_PP-OCRv4_rec_infer.onnx",
}
shapes = {}


class Recorder(onnxruntime.InferenceSession):
    """ONNX Runtime's own, which remembers shapes."""

    def __init__(self, path, *args, **kwargs):
        super().__init__(path, *args, **kwargs)
        self.seen = shapes.setdefault(os.path.basename(path), [])

    def run(self, output_names, input_feed, run_options=None):
        group = ",".join(f"{name}:{'x'.join(map(str, array.shape))}" for name, array in input_feed.items())
        if group not in self.seen:
            self.seen.append(group)
        return super().run(output_names, input_feed, run_options)


def main():
    how, models, picture, result, *groups = sys.argv[1:]
    if how == "--card":
        import ax650

        onnxruntime.InferenceSession = ax650.InferenceSession
    else:
        onnxruntime.InferenceSession = Recorder
    # The program takes the name when it is loaded.
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(**{f"{part}_model_path": os.path.join(models, name) for part, name in MODELS.items()})
    found, _ = engine(picture)
    with open(result, "w", encoding="utf-8") as file:
        json.dump([[box, text, float(score)] for box, text, score in found], file)
    for name, seen in shapes.items():
        with open(os.path.join(groups[0], name), "w", encoding="utf-8") as file:
            file.writelines(f"--group {group}\n" for group in seen)
    print(f"{len(found)} lines of text, the first: {found[0][1]}")


if __name__ == "__main__":
    main()
