#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cases of the Python door, on a card: each function `case_NAME` is one, called python/NAME.

usage: cases.py [GLOB...]; prints a line for each case, and writes the last one, `N passed, N failed, N skipped`, to
/share/out/summary.
"""
import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy

import ax650
from harness import child, good, main, raises

SHARE = "/share/in"


def path(name):
    return os.path.join(SHARE, name)


def wanted(name, group=0):
    """Inputs of a model, and what ONNX Runtime computes of them."""
    arrays = numpy.load(path(name + ".npz"))
    parts = {"in": {}, "out": {}}
    for key in arrays.files:
        kind, tensor = key.split(".", 1)
        for side in parts:
            if kind == f"{side}{group}":
                parts[side][tensor] = arrays[key]
    return parts["in"], parts["out"]


def same(found, expected):
    assert found.dtype == expected.dtype, (found.dtype, expected.dtype)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    # The same version computes the same, but the CPU of another machine may have other instructions.
    numpy.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


# -- inference --------------------------------------------------------------------------------------


def case_inference_equals_onnx_runtime():
    with ax650.Session() as session:
        for name in ("add", "half", "cls"):
            feed, results = wanted(name)
            with session.load(path(f"{name}.onnx")) as model:
                assert [t.name for t in model.inputs] == list(feed)
                for tensor in model.inputs:
                    assert tensor.shape == list(feed[tensor.name].shape) and tensor.dtype == feed[tensor.name].dtype.name
                for _ in range(3):
                    found = model.run(feed)
                    assert list(found) == [t.name for t in model.outputs]
                    for key, array in found.items():
                        same(array, results[key])
                # In order, some outputs, not contiguous, from bytes.
                last = list(results)[-1]
                assert list(model.run(list(feed.values()), [last])) == [last]
                turned = {key: numpy.asfortranarray(array) for key, array in feed.items()}
                same(model.run(turned)[last], results[last])
        with open(path("add.onnx"), "rb") as file:
            image = file.read()
        feed, results = wanted("add")
        for form in (image, bytearray(image), memoryview(image)):
            same(session.load(form).run(feed)["y"], results["y"])


def case_shape_groups():
    session = ax650.InferenceSession(path("rec.onnx"))
    widths = [320, 640, 960]
    for group, width in enumerate(widths):
        assert session.get_inputs(group)[0].shape == [1, 3, 48, width]
        feed, results = wanted("rec", group)
        (name, expected), = results.items()
        same(session.run(None, feed)[0], expected)
        same(session.run([name], feed, None, group)[0], expected)
        assert session.get_outputs(group)[0].shape == list(expected.shape)
    feed, _ = wanted("rec", 1)
    raises(ax650.InvalidError, "[1, 3, 48, 640]|takes [1, 3, 48, 320]", lambda: session.run(None, feed, shape_group=0))
    raises(ax650.InvalidError, "shape group 3 of a model that has 3", lambda: session.run(None, feed, shape_group=3))
    raises(ax650.InvalidError, "shape group -1", lambda: session.get_inputs(-1))
    other = {"x": numpy.zeros([1, 3, 48, 100], "float32")}
    raises(ax650.InvalidError, "[1, 3, 48, 100]|there are: `x` [1, 3, 48, 320]", lambda: session.run(None, other))


def case_bfloat16():
    import ml_dtypes

    x = numpy.array([1.5, -3.25, 1e30, 0.0], ml_dtypes.bfloat16)
    session = ax650.InferenceSession(path("brain.onnx"))
    assert [t.dtype for t in session.get_inputs() + session.get_outputs()] == ["bfloat16", "float32", "bfloat16"]
    assert session.get_inputs()[0].type == "tensor(bfloat16)"
    wide, y = session.run(None, {"x": x})
    assert wide.dtype == numpy.float32 and numpy.array_equal(wide, x.astype("float32"))
    assert y.dtype == ml_dtypes.bfloat16 and numpy.array_equal(y, (x.astype("float32") * 2).astype(ml_dtypes.bfloat16))
    hidden = "sys.modules['ml_dtypes'] = None\ns = ax650.InferenceSession(sys.argv[1])\n"
    done = child(hidden + "try: s.run(None, {'x': [1, 2, 3, 4]})\nexcept ax650.InvalidError as e: print(e)", path("brain.onnx"))
    good(done, "needs the package ml_dtypes")


def case_views_without_copies():
    feed, results = wanted("add")
    with ax650.Session() as session, session.load(path("add.onnx")) as model:
        binding = model.bind()
        x, y = binding.inputs["x"], binding.outputs["y"]
        assert not x.flags.owndata and not y.flags.owndata and not y.flags.writeable
        assert x.ctypes.data % 4096 == 0 and y.ctypes.data % 4096 == 0
        x[:] = feed["x"]
        times = binding.run()
        assert 0 < times.run <= times.total < 10, times
        same(y, results["y"])
        x[:] = 41
        binding.run()
        assert (y == 42).all(), y
        # They outlive what they were made by.
        del binding
    assert (y == 42).all()
    x[:] = 1


def case_call_shape_of_onnx_runtime():
    import axengine

    assert axengine.InferenceSession is ax650.InferenceSession
    assert axengine.axclrt_provider_name == "AXCLRTExecutionProvider"
    assert axengine.axengine_provider_name == "AxEngineExecutionProvider"
    assert axengine.get_available_providers() == ["AXCLRTExecutionProvider"]
    assert set(axengine.get_all_providers()) == {"AXCLRTExecutionProvider", "AxEngineExecutionProvider"}
    feed, results = wanted("add")
    forms = [
        {},
        {"providers": ["AXCLRTExecutionProvider"]},
        {"providers": ["CPUExecutionProvider"]},
        {"providers": ["AXCLRTExecutionProvider"], "provider_options": [{"device_id": 0}]},
        {"providers": [("AXCLRTExecutionProvider", {"device_id": "/dev/ax650-0"})]},
    ]
    for form in forms:
        with axengine.InferenceSession(path("add.onnx"), **form) as session:
            assert session.get_providers() == ["AXCLRTExecutionProvider"]
            one = session.get_inputs()[0]
            assert (one.name, one.dtype, one.shape, one.type) == ("x", "float32", [2, 3], "tensor(float)")
            y, square = session.run(None, feed)
            same(y, results["y"])
            same(session.run(["square"], feed)[0], results["square"])
    options = axengine.SessionOptions()
    options.inter_op_num_threads = 1
    session = axengine.InferenceSession(path("add.onnx"), options)
    assert session.get_session_options() is options
    raises(
        ax650.NoCardError, "no card 5", lambda: ax650.InferenceSession(path("add.onnx"), provider_options=[{"device_id": 5}])
    )

    # As Frigate's detector calls it.
    class Detector:
        def __init__(self, model):
            self.session = axengine.InferenceSession(model)

        def detect_raw(self, tensor_input):
            return self.session.run(None, {"x": tensor_input})

    same(Detector(path("cls.onnx")).detect_raw(wanted("cls")[0]["x"])[0], next(iter(wanted("cls")[1].values())))


def published(program, models, given, words):
    """Runs a published program, in which only the session class is another; what it found, and what it finds without a card."""
    found = f"/share/out/{program}.json"
    done = subprocess.run(
        [sys.executable, f"/share/{program}.py", "--card", models, given, found],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "PYTHONPATH": "/share/programs", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    good(done, words)
    with open(found, encoding="utf-8") as file, open(f"/share/{program}/want.json", encoding="utf-8") as other:
        return json.load(file), json.load(other)


def case_rapidocr_reads_the_same():
    found, expected = published("ocr", "/share/ocr", "/share/ocr/picture.png", "lines of text")
    assert [text for _, text, _ in found] == [text for _, text, _ in expected], found
    for (box, _, score), (right_box, _, right_score) in zip(found, expected):
        numpy.testing.assert_allclose(box, right_box, atol=1)
        numpy.testing.assert_allclose(score, right_score, atol=1e-3)


def case_silero_vad_hears_the_same():
    found, expected = published("vad", "/share/vad", "/share/vad/sound.npy", "pieces of speech")
    assert found["speech"] == expected["speech"] and len(expected["speech"]) == 2, found["speech"]
    # Each is made of what came of the one before.
    numpy.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-3)
    assert min(expected["probabilities"]) < 0.1 and max(expected["probabilities"]) > 0.9


# -- video ------------------------------------------------------------------------------------------


def clip():
    with open(path("clip.h264"), "rb") as file:
        stream = file.read()
    with open(path("clip.md5"), encoding="utf-8") as file:
        digests = [line.split(",")[-1].strip() for line in file if not line.startswith("#")]
    return stream, digests


def case_decoded_pictures_are_ffmpegs():
    stream, digests = clip()
    packets = ax650.split_packets("h264", stream)
    width, height = ax650.stream_size("h264", stream)
    with ax650.Session() as session:
        with ax650.Decoder(session, "h264", width, height) as decoder:
            pictures = list(decoder.decode(packets))
            assert decoder.ended and decoder.receive(1) is None
        assert all(picture.nv12.shape == (height * 3 // 2, width) for picture in pictures)
        assert sorted(picture.pts for picture in pictures) == list(range(len(packets)))
        assert [hashlib.md5(picture.nv12).hexdigest() for picture in pictures] == digests
        # One that nobody goes on with.
        decoder = ax650.Decoder(session, "h264", width, height)
        assert next(decoder.decode(packets)).width == width
        raises(ax650.InvalidError, "`vp9` is no codec", lambda: ax650.Decoder(session, "vp9", 64, 64))
        raises(ax650.InvalidError, "packet of 0 bytes", lambda: decoder.send(b""))
        decoder.close()
        raises(ax650.InvalidError, "the decoder is closed", lambda: decoder.send(b"x"))


def case_encoded_pictures_look_the_same():
    stream, _ = clip()
    width, height = ax650.stream_size("h264", stream)
    with ax650.Session() as session:
        with ax650.Decoder(session, "h264", width, height) as decoder:
            pictures = [picture.nv12 for picture in decoder.decode(ax650.split_packets("h264", stream))][:12]
        for codec in ("h264", "h265"):
            with ax650.Encoder(session, codec, width, height, frame_rate=25, gop=6) as encoder:
                packets = list(encoder.encode(pictures))
            assert [packet.pts for packet in packets] == list(range(len(pictures)))
            assert packets[0].key and [packet.key for packet in packets].count(True) == 2, packets
            with ax650.Decoder(session, codec, width, height) as decoder:
                found = [picture.nv12 for picture in decoder.decode(packet.data for packet in packets)]
            assert len(found) == len(pictures)
            for one, other in zip(found, pictures):
                error = numpy.mean((one.astype("float32") - other) ** 2)
                assert error < 100, error
        with ax650.Encoder(session, "jpeg", width, height, quantiser=10) as encoder:
            packet, = encoder.encode(pictures[:1])
        picture = ax650.decode_jpeg(session, packet.data)
        assert numpy.mean((picture.nv12.astype("float32") - pictures[0]) ** 2) < 100
        encoder = ax650.Encoder(session, "h264", width, height)
        raises(ax650.InvalidError, "a picture of 5 bytes", lambda: encoder.send(b"12345"))
        raises(ax650.InvalidError, "float32", lambda: encoder.send(numpy.zeros(5, "float32")))
        raises(ax650.InvalidError, "bit rate and a quantiser", lambda: ax650.Encoder(session, "h264", 64, 64, bit_rate=1, quantiser=1))


def image_of(session, packets, width, height):
    """The first picture of a stream, on the card."""
    decoder = ax650.Decoder(session, "h264", width, height)
    for packet in packets:
        decoder.send(packet)
        image = decoder.receive_image(0.1)
        if image is not None:
            return image
    raise AssertionError("no picture")


def case_pictures_are_scaled_on_the_card():
    """Colours are where they should be, as BT.601 has them; a decoded picture looks like the one that the host has."""
    # Luma, blue and red; the same as blue, green and red.
    colours = {(81, 90, 240): (0, 0, 254), (145, 54, 34): (0, 255, 0), (41, 240, 110): (255, 0, 0), (180, 128, 128): (191,) * 3}
    luma, chroma = numpy.zeros([48, 64], "uint8"), numpy.zeros([24, 32, 2], "uint8")
    for quarter, (y, *uv) in enumerate(colours):
        left, top = quarter % 2, quarter // 2
        luma[24 * top : 24 * top + 24, 32 * left : 32 * left + 32] = y
        chroma[12 * top : 12 * top + 12, 16 * left : 16 * left + 16] = uv
    picture = numpy.concatenate([luma, chroma.reshape(24, 64)])
    with ax650.Session() as session:
        processor = ax650.ImageProcessor(session)
        source = processor.nv12(64, 48)
        source.upload(picture)
        assert numpy.array_equal(source.download(), picture)
        small, pixels = processor.nv12(32, 20), processor.bgr(32, 20)
        processor.resize(source, small)
        processor.convert(small, pixels)
        found = pixels.download()
        for quarter, bgr in enumerate(colours.values()):
            pixel = found[5 + 10 * (quarter // 2), 8 + 16 * (quarter % 2)]
            numpy.testing.assert_allclose(pixel.astype(int), bgr, atol=6)
        processor.resize(source, small, crop=(36, 28, 28, 20))
        processor.convert(small, pixels)
        numpy.testing.assert_allclose(pixels.download().astype(int), numpy.full([20, 32, 3], 191), atol=6)
        # A decoded picture: half its size is the mean of four, more or less.
        stream, _ = clip()
        width, height = ax650.stream_size("h264", stream)
        packets = ax650.split_packets("h264", stream)
        with ax650.Decoder(session, "h264", width, height) as decoder:
            whole = next(decoder.decode(packets)).nv12[:height]
        half = processor.nv12(width // 2, height // 2 & ~1)
        encoder = ax650.Encoder(session, "h265", half.width, half.height, frame_rate=25)
        with image_of(session, packets, width, height) as image:
            raises(ax650.InvalidError, "cannot be filled", lambda: image.upload(picture))
            processor.resize(image, half)
        found = half.download()[: half.height].astype("float32")
        rows, columns = 2 * half.height, 2 * half.width
        mean = whole[:rows, :columns].reshape(half.height, 2, half.width, 2).astype("float32").mean(axis=(1, 3))
        assert numpy.mean((found - mean) ** 2) < 60, numpy.mean((found - mean) ** 2)
        # And on to an encoder, from where it is.
        encoder.send(half, 5)
        packet = encoder.receive(20)
        assert packet.pts == 5 and packet.key
        with ax650.Decoder(session, "h265", half.width, half.height) as decoder:
            (again,) = decoder.decode([packet.data])
        assert numpy.mean((again.nv12[: half.height] - found) ** 2) < 60


# -- errors -----------------------------------------------------------------------------------------


def case_errors_are_exceptions():
    feed, _ = wanted("add")
    session = ax650.Session()
    model = session.load(path("add.onnx"))
    assert issubclass(ax650.InvalidError, ValueError) and issubclass(ax650.TimeoutError, TimeoutError)
    raises(ax650.InvalidError, "input `x` is missing", lambda: model.run({}))
    raises(ax650.InvalidError, "no input is named `z`", lambda: model.run({**feed, "z": 1}))
    raises(ax650.InvalidError, "type float64", lambda: model.run({"x": feed["x"].astype("float64")}))
    raises(ax650.InvalidError, "shape [3, 2]|[2, 3]", lambda: model.run({"x": feed["x"].T}))
    raises(ax650.InvalidError, "input `x`", lambda: model.run({"x": "text"}))
    raises(ax650.InvalidError, "no output is named `nope`", lambda: model.run(feed, ["nope"]))
    raises(ax650.InvalidError, "2 inputs", lambda: model.run([1, 2]))
    raises(ax650.OtherError, "/nowhere", lambda: session.load("/nowhere"))
    raises(ax650.InvalidError, "not a file", lambda: session.load("/tmp"))
    raises(ax650.InvalidError, "empty", lambda: session.load(b""))
    error = raises(ax650.CardError, "load", lambda: session.load(b"this is no model" * 64))
    assert isinstance(error.card_code, int) and error.card_code > 0, error.card_code
    raises(ax650.NoCardError, "ax650-7", lambda: ax650.Card("ax650-7"))
    raises(ax650.InvalidError, "names no card", lambda: ax650.Card("card"))
    raises(ax650.InvalidError, "timeout", lambda: session.close(float("nan")))
    # The model works after all of that.
    same(model.run(feed)["y"], wanted("add")[1]["y"])
    done = child("os.setgroups([]); os.setgid(1000); os.setuid(1000)\ntry: ax650.Card()\nexcept ax650.PermissionError as e: print('refused', isinstance(e, OSError))")
    good(done, "refused True")


def case_close():
    feed, _ = wanted("add")
    card = ax650.Card()
    assert card.info()["state"] == "running", card.info()
    session = card.session()
    model, binding = session.load(path("add.onnx")), None
    binding = model.bind()
    kept = model.run(feed)["y"]
    session.close()
    session.close()
    raises(ax650.InvalidError, "closed", lambda: model.run(feed))
    raises(ax650.InvalidError, "closed", binding.run)
    raises(ax650.InvalidError, "closed", lambda: session.load(path("add.onnx")))
    same(kept, wanted("add")[1]["y"])
    # Sessions that are only dropped end, too: there are not so many.
    for _ in range(40):
        session = card.session()
        del session


# -- threads, tasks, signals, processes --------------------------------------------------------------


def case_async():
    feed, results = wanted("slow")
    (name, expected), = results.items()
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    async def main():
        with ax650.Session() as session:
            models = [session.load(path("slow.onnx")) for _ in range(2)]
            other = asyncio.create_task(tick())
            found = await asyncio.gather(*(model.run_async(feed) for model in models))
            other.cancel()
            for outputs in found:
                same(outputs[name], expected)
            # A task that is given up does no harm.
            given_up = asyncio.create_task(models[0].run_async(feed))
            await asyncio.sleep(0.02)
            given_up.cancel()
            try:
                await given_up
                raise AssertionError("not cancelled")
            except asyncio.CancelledError:
                pass
            same((await models[0].run_async(feed))[name], expected)
            binding = models[1].bind()
            binding.inputs["x"][:] = feed["x"]
            times = await binding.start()
            same(binding.outputs[name], expected)
            assert times.total > 0

    asyncio.run(main())
    assert ticks >= 3, ticks


def case_others_go_on_while_a_thread_waits():
    feed, results = wanted("slow")
    (name, expected), = results.items()
    with ax650.Session() as session:
        model = session.load(path("slow.onnx"))
        run = {}
        thread = threading.Thread(target=lambda: run.update(model.run(feed)))
        thread.start()
        count = 0
        while thread.is_alive():
            count += 1
            time.sleep(0.002)
        assert count > 10, count
        same(run[name], expected)
        # Many threads, one model.
        small = session.load(path("add.onnx"))
        wrong = []

        def work(number):
            try:
                for turn in range(10):
                    x = numpy.full([2, 3], number * 100 + turn, "float32")
                    y = small.run({"x": x})["y"]
                    if not numpy.array_equal(y, x + 1):
                        wrong.append((x, y))
            except BaseException as error:  # pylint: disable=broad-except
                wrong.append(error)

        threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong, wrong[0]


def case_ctrl_c_ends_a_wait():
    feed, results = wanted("slow")
    (name, expected), = results.items()
    with ax650.Session() as session:
        model = session.load(path("slow.onnx"))
        binding = model.bind()
        binding.inputs["x"][:] = feed["x"]
        run = binding.start()
        sent = []

        def send():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(0.05, send).start()
        try:
            run.wait()
            raise AssertionError("no KeyboardInterrupt")
        except KeyboardInterrupt:
            late = time.monotonic() - sent[0]
        # It came while the run was under way, which goes on.
        assert run.wait(0) is None
        assert late < 1, late
        assert run.wait() is not None
        same(binding.outputs[name], expected)
        threading.Timer(0.05, send).start()
        try:
            model.run(feed)
            raise AssertionError("no KeyboardInterrupt")
        except KeyboardInterrupt:
            pass
        same(model.run(feed)[name], expected)


def case_fork():
    feed, results = wanted("add")
    session = ax650.Session()
    model = session.load(path("add.onnx"))
    shared = ax650.InferenceSession(path("add.onnx"))
    model.run(feed), shared.run(None, feed)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            raises(ax650.LostSessionError, "fork", lambda: model.run(feed))
            raises(ax650.LostSessionError, "fork", lambda: shared.run(None, feed))
            model.close(), session.close()
            # By itself it can use the card.
            same(ax650.InferenceSession(path("add.onnx")).run(None, feed)[0], results["y"])
            status = 0
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    same(model.run(feed)["y"], results["y"])
    same(shared.run(None, feed)[0], results["y"])
    # A child that ends as Python ends.
    script = """
s = ax650.InferenceSession(sys.argv[1])
x = numpy.zeros([2, 3], 'float32')
s.run(None, {'x': x})
import multiprocessing as m
def work(q):
    q.put(float(ax650.InferenceSession(sys.argv[1]).run(None, {'x': x})[0].sum()))
c = m.get_context('fork'); q = c.Queue(); p = c.Process(target=work, args=[q]); p.start()
print('sum', q.get(timeout=60)); p.join(); print('exit', p.exitcode, float(s.run(None, {'x': x})[0].sum()))
"""
    good(child(script, path("add.onnx")), "sum 6.0\nexit 0 6.0")


def case_exit_with_a_live_session():
    load = "s = ax650.Session(); m = s.load(sys.argv[1]); x = numpy.load(sys.argv[2])['in0.x']\n"
    files = [path("slow.onnx"), path("slow.npz")]
    scripts = {
        "globals": "b = m.bind(); v = b.outputs; m.run({'x': x})\n",
        "a run under way": "b = m.bind(); r = b.start()\n",
        "a thread that waits": "threading.Thread(target=lambda: m.run({'x': x}), daemon=True).start(); time.sleep(0.3)\n",
        "an exception": "import atexit; atexit.register(lambda: m.run({'x': x}))\n",
        "sys.exit in a task": "async def f():\n  t = asyncio.create_task(m.run_async({'x': x})); await asyncio.sleep(0.05)\nasyncio.run(f())\n",
    }
    for name, script in scripts.items():
        begin = time.monotonic()
        done = child(load + script + "print('end')", *files)
        try:
            good(done, "end")
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
        assert time.monotonic() - begin < 60, name


def case_reset_of_the_card():
    feed, results = wanted("add")
    session = ax650.InferenceSession(path("add.onnx"))
    same(session.run(None, feed)[0], results["y"])
    subprocess.run(["ax650-fw", "boot"], check=True, timeout=120)
    raises(ax650.LostSessionError, "reset", lambda: session.run(None, feed))
    same(ax650.InferenceSession(path("add.onnx")).run(None, feed)[0], results["y"])


COUNTS = ("messages_sent", "messages_received", "doorbells", "interrupts", "bytes_to_card", "bytes_from_card")


def counters():
    """What the driver has counted, by its own file in debugfs: no door is asked."""
    with open("/sys/kernel/debug/ax650-0/counters", encoding="utf-8") as file:
        lines = dict(line.split() for line in file)
    return [int(lines[name]) for name in COUNTS]


def cost(work, rounds=50):
    """Counts and microseconds of one of `rounds` that `work` does: the cheapest of five, as heartbeats come in between."""
    counts, times = [], []
    for _ in range(5):
        before, begin = counters(), time.perf_counter()
        work(rounds)
        times.append(1e6 * (time.perf_counter() - begin) / rounds)
        counts.append([round((now - then) / rounds, 1) for now, then in zip(counters(), before)])
    return min(counts), min(times)


def case_overhead():
    """An inference costs the same messages, bells and bytes by each door as by `ax650 run`, which is the crate's."""

    def crate(repeat):
        command = ["ax650", "run", path("add.onnx"), "--repeat", str(repeat), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return json.loads(done.stdout)

    # What comes before and after the runs goes away in the difference.
    least = []
    for _ in range(5):
        steps = [counters()]
        for repeat in (50, 100):
            told = crate(repeat)
            steps.append(counters())
        least.append([round((c - b - (b - a)) / 50, 1) for a, b, c in zip(*steps)])
    crates = min(least)
    feed, _ = wanted("add")
    shared = ax650.InferenceSession(path("add.onnx"))
    with ax650.Session() as session, session.load(path("add.onnx")) as model:
        binding = model.bind()
        doors = {
            "Binding.run": binding.run,
            "Model.run": lambda: model.run(feed),
            "InferenceSession.run": lambda: shared.run(None, feed),
        }
        print("  " + ", ".join(f"{name} {count:g}" for name, count in zip(COUNTS, crates)))
        print(f"  ax650 run: {json.dumps(told)}")
        for name, run in doors.items():
            run()
            counts, microseconds = cost(lambda rounds, run=run: [run() for _ in range(rounds)])
            print(f"  {name}: {microseconds:.0f} us")
            # How many interrupts there are depends on how soon somebody looks.
            exact = [at for at, counter in enumerate(COUNTS) if counter != "interrupts"]
            # Heartbeats are in between.
            assert all(abs(counts[at] - crates[at]) <= 0.2 for at in exact), (name, counts, crates)
        driver = min(binding.run().total for _ in range(50))
        print(f"  the driver's part: {1e6 * driver:.0f} us")


if __name__ == "__main__":
    sys.exit(main("python", globals(), sys.argv[1:], "/share/out/summary"))
