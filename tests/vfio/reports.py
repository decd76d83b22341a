#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails if a card reports that it was told to move bytes where it must not, or lost memory that it worked with.

usage: reports.py REPORT...
"""
import json
import sys


def main():
    total = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            faults = json.load(file)["faults"]
        for kind in (faults, faults["freed_in_use"]):
            total += kind["total"]
            for fault in kind["list"]:
                print(f"{path}: {fault}")
    print(f"{total} faults of {len(sys.argv) - 1} cards")
    return total != 0


if __name__ == "__main__":
    sys.exit(main())
