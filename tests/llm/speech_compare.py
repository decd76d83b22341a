#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares what `ax650-llm transcribe` has heard with faster-whisper, word for word, and with ONNX Runtime, token for token.

Files that ONNX Runtime did not hear have another rate than 16 kHz: the two filters that mend that differ, and so may a word in 25
where two are about as likely.

usage: speech_compare.py heard WORDS TOKENS OUT
       speech_compare.py pauses WORDS SPOKEN HEARD
       speech_compare.py spectra ONE OTHER
"""
import difflib
import json
import os
import re
import sys

import numpy

# Bytes of a spectrum and of the prompt, and of the logits of a token, of Whisper tiny.en.
SPECTRUM, PROMPT, LOGITS = 80 * 3000 * 4, 4, 51864 * 4


def lines(path):
    with open(path, encoding="utf-8") as file:
        return {line["audio"]: line for line in map(json.loads, file)}


def times(heard):
    return [(round(part["start"], 2), round(part["end"], 2), part["text"]) for part in heard["segments"]]


def other_words(one, other):
    """How many words of the longer text the other has not, or has elsewhere."""
    one, other = one.split(), other.split()
    same = sum(block.size for block in difflib.SequenceMatcher(None, one, other, False).get_matching_blocks())
    return max(len(one), len(other)) - same


def heard(words, tokens, out):
    faults = []
    words, tokens = lines(words), lines(tokens)
    for name, want in words.items():
        with open(os.path.join(out, name.replace(".wav", ".json")), encoding="utf-8") as file:
            have = json.load(file)
        print(f"{name}\n  the card:       {have['text']}\n  faster-whisper: {want['text']}")
        others = other_words(have["text"], want["text"])
        if others > (0 if name in tokens else len(want["text"].split()) // 25):
            faults.append(f"{name}: {others} other words")
        if name in tokens:
            print(f"  ONNX Runtime:   {tokens[name]['text']}")
            pairs = (tokens[name]["windows"], have["windows"])
            if [window["tokens"] for window in pairs[0]] != [window["tokens"] for window in pairs[1]]:
                faults.append(f"{name}: other tokens")
            if times(have) != times(want):
                faults.append(f"{name}: other times")
        # A token copies its logits from the card and nothing to it; the first run's are copied twice.
        windows = have["windows"]
        count = sum(len(window["tokens"]) for window in windows)
        moved = have["costs"]["bytes_to_card"], have["costs"]["bytes_from_card"]
        print(f"  {len(windows)} windows, {count} tokens, {have['ms'] / 1000:.1f} s; {moved} bytes to and from the card")
        if moved != (len(windows) * (SPECTRUM + PROMPT), (2 * len(windows) + count) * LOGITS):
            faults.append(f"{name}: more was copied than has to be")
    for fault in faults:
        print(f"FAULT: {fault}")
    print(f"{len(words)} files compared, {len(faults)} faults")
    sys.exit(bool(faults) or len(words) != 3)


def pauses(words, spoken, heard):
    """`--vad` hears the sentences of a sound with pauses, where they are, and nothing else."""
    words = lines(words)
    wanted, have = (json.load(open(name, encoding="utf-8")) for name in (spoken, heard))
    whole = " ".join(words[name]["text"] for name in ("beckett.wav", "clone-test.wav"))
    print(f"with pauses\n  the card:       {have['text']}")
    for name, pieces in (("the card", have["spoken"]), ("silero-vad", wanted["spoken"])):
        print(f"  {name + ' finds':20} " + ", ".join(f"{piece['start']:.3f} to {piece['end']:.3f} s" for piece in pieces))
    faults = []
    if have["spoken"] != wanted["spoken"] or len(have["spoken"]) < 2:
        faults.append("other pieces")
    # What is heard at once has other commas than what is heard by itself.
    bare = lambda text: re.sub("[,.]", "", text).lower()
    if other_words(bare(have["text"]), bare(whole)):
        faults.append(f"other words, wanted: {whole}")
    inside = lambda part: any(
        piece["start"] - 0.02 <= part["start"] < part["end"] <= piece["end"] + 0.02 for piece in wanted["spoken"]
    )
    if not all(map(inside, have["segments"])):
        faults.append(f"segments outside of the pieces: {have['segments']}")
    if have["duration"] != wanted["duration"]:
        faults.append(f"a duration of {have['duration']} s")
    for fault in faults:
        print(f"FAULT: {fault}")
    sys.exit(bool(faults))


def spectra(one, other):
    one, other = (numpy.fromfile(name, "<f4") for name in (one, other))
    if one.shape != other.shape or abs(one - other).max() > 1e-5:
        sys.exit("the stored spectrum is not that of faster-whisper")


if __name__ == "__main__":
    {"heard": heard, "pauses": pauses, "spectra": spectra}[sys.argv[1]](*sys.argv[2:])
