#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares an answer of ax650-llm with that of reference.py, and what a token has cost with what it may cost.

usage: compare.py WANT ANSWER BENCH WORD
"""
import json
import sys


def main():
    *files, word = sys.argv[1:]
    want, answer, bench = (json.load(open(name, encoding="utf-8")) for name in files)
    token, layers = bench["token"], bench["layers"]
    print(f"the model says: {answer['text']}")
    print(f"ONNX Runtime:   {want['text']}")
    print(
        f"a token: {layers + 1} calls, {token['doorbells']} doorbells, {token['interrupts']} interrupts, "
        f"{token['bytes_to_card']} bytes to the card, {token['bytes_from_card']} from it"
    )
    faults = []
    if answer["tokens"] != want["answer"]:
        faults.append(f"other tokens: {answer['tokens']}, wanted {want['answer']}")
    if word not in answer["text"]:
        faults.append(f"no {word} in the answer")
    # One for all calls, one for the copy of the logits; heartbeats and pings may come in between.
    if token["doorbells"] > 3 or bench["calls_per_token"] != layers + 1 or token["bytes_to_card"] != 0:
        faults.append(f"a token costs more than it may: {token}")
    for fault in faults:
        print(f"FAULT: {fault}")
    print(f"{len(want['answer'])} tokens compared, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
