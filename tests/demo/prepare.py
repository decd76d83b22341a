#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the inputs of the text recognition demo.

usage: prepare.py REC_MODEL PICTURE KEYS

PICTURE gets a page of rendered text, KEYS the characters that the recogniser knows, which the model
file carries in its metadata, one a line.
"""
import random
import sys

import onnxruntime
from PIL import Image, ImageDraw, ImageFont

SIZE = 960, 480
LINES = [
    ("AX650N open stack", 52),
    ("text found by PP-OCRv4", 40),
    ("running on an emulated card", 40),
    ("PCI 1f4b:0650, 24 TOPS INT8", 36),
    ("kernel module in Rust", 44),
]
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def picture(path):
    """A page with a gradient and noise, so that it is no easier than a photograph of a page."""
    rng = random.Random(650)
    width, height = SIZE
    page = Image.new("RGB", SIZE)
    for y in range(height):
        for x in range(width):
            shade = 225 + x * 20 // width - y * 25 // height + rng.randint(-8, 8)
            page.putpixel((x, y), (shade, shade, shade - 6))
    draw = ImageDraw.Draw(page)
    y = 28
    for text, size in LINES:
        draw.text((48 + rng.randint(0, 60), y), text, font=ImageFont.truetype(FONT, size), fill=(30, 34, 48))
        y += size + 38
    page.save(path)


def keys(model, path):
    meta = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_modelmeta()
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(meta.custom_metadata_map["character"].splitlines()) + "\n")


def main():
    model, picture_path, keys_path = sys.argv[1:]
    picture(picture_path)
    keys(model, keys_path)


if __name__ == "__main__":
    main()
