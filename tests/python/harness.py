# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the cases of the Python packages are run and judged with."""
import fnmatch
import signal
import subprocess
import sys
import time
import traceback

import ax650


def raises(kind, words, what):
    """Fails unless `what` raises just this kind, with all the words (parted by |) in its text."""
    try:
        what()
    except ax650.Error as error:
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        for word in words.split("|"):
            assert word in str(error), f"no '{word}' in: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def child(script, *args, timeout=120):
    """Runs a script in a Python of its own."""
    begin = "import os, sys, time, threading, signal, asyncio, numpy, ax650\n"
    return subprocess.run(
        [sys.executable, "-c", begin + script, *args], capture_output=True, text=True, timeout=timeout, check=False
    )


def good(done, words=""):
    """Fails unless a program ended well, and said the words."""
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stdout}{done.stderr}"
    assert words in done.stdout, done.stdout + done.stderr
    assert "panicked" not in done.stderr and "Traceback" not in done.stderr, done.stderr


def main(concern, functions, globs, summary=None):
    """Runs the functions `case_NAME` that a glob matches, and returns the exit status."""
    # Shells start what they put into the background with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    passed = failed = 0
    for name, case in list(functions.items()):
        if not name.startswith("case_"):
            continue
        name = f"{concern}/{name[5:]}"
        if not any(fnmatch.fnmatch(part, glob) for glob in globs or ["*"] for part in (name, name.split("/")[1])):
            continue
        begin = time.monotonic()
        try:
            case()
            passed += 1
            print(f"ok       {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except BaseException:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED   {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
    line = f"{passed} passed, {failed} failed, 0 skipped"
    if summary:
        with open(summary, "w", encoding="utf-8") as file:
            file.write(line + "\n")
    else:
        print(line)
    return 0 if passed and not failed else 1
