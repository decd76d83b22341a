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

import session_class

MODELS = {
    "det": "ch_PP-OCRv4_det_infer.onnx",
    "cls": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "rec": "ch_PP-OCRv4_rec_infer.onnx",
}


def main():
    how, models, picture, result, *groups = sys.argv[1:]
    session_class.take(how)
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(**{f"{part}_model_path": os.path.join(models, name) for part, name in MODELS.items()})
    found, _ = engine(picture)
    with open(result, "w", encoding="utf-8") as file:
        json.dump([[box, text, float(score)] for box, text, score in found], file)
    if groups:
        session_class.write_shapes(groups[0])
    print(f"{len(found)} lines of text, the first: {found[0][1]}")


if __name__ == "__main__":
    main()
