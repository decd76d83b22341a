#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tells where rapidocr-onnxruntime (with OpenCV and pyclipper) finds lines of text in a map with rectangles in it, for the test of
`userlib/src/vision/text_areas.rs`, which draws the same.

usage: text_areas.py >FILE

A line is a rectangle: middle, half of the length and of the height, degrees, probability; then the four corners that were found, or none.
"""
import random

import numpy
from rapidocr_onnxruntime.ch_ppocr_v3_det.utils import DBPostProcess

WIDTH, HEIGHT = 320, 200


def main():
    rng = random.Random(650)
    print("# Made by tests/python/text_areas.py: middle, half of the sides, degrees, probability; corners")
    for _ in range(40):
        middle = rng.uniform(110, 210), rng.uniform(80, 120)
        half = rng.uniform(14, 60), rng.uniform(2, 9)
        degrees, sure = rng.uniform(-40, 40), rng.choice([0.35, 0.9, 0.97])
        # As a text has them: what is read is what was written.
        values = [float(f"{value:.3f}") for value in (*middle, *half, degrees, sure)]
        y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype(numpy.float32) + 0.5
        angle = numpy.radians(numpy.float32(values[4]))
        dx, dy = x - values[0], y - values[1]
        inside = abs(dx * numpy.cos(angle) + dy * numpy.sin(angle)) < values[2]
        inside &= abs(dy * numpy.cos(angle) - dx * numpy.sin(angle)) < values[3]
        table = numpy.where(inside, numpy.float32(values[5]), numpy.float32(0.1))
        finder = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=False)
        boxes, _ = finder(table[None, None], (HEIGHT, WIDTH))
        corners = [value for box in boxes for corner in box for value in corner]
        print(*values, *corners)


if __name__ == "__main__":
    main()
