#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cases of the Python packages that need no guest: on the library's card without hardware, whose models add 1 to the bytes of
their first input, and whose jobs can be held back.

usage: host_cases.py [GLOB...]; ax650 must be built with the feature `fake` (host.sh).
"""
import asyncio
import os
import signal
import sys
import threading
import time

import numpy

import ax650
from ax650 import _ax650
from harness import child, good, main, raises

# Numbers of types in the card's interface, and bytes of an element.
INT4, UINT8, BF16, FP32 = (1, 1), (4, 1), (14, 2), (15, 4)
SHAPES = [[2, 3], [4, 3]]


def image(kind=UINT8, shapes=None):
    tensors = [("x", *kind, shapes or SHAPES)], [("y", *kind, shapes or SHAPES), ("z", *kind, shapes or SHAPES)]
    return bytes(_ax650.fake_model(*tensors))


def setup(kind=UINT8, shapes=None):
    fake = _ax650.FakeCard()
    session = ax650.Session(ax650.Card(fake.open()))
    return fake, session, session.load(image(kind, shapes))


def make_room(model, runs):
    """Makes the rooms for runs at a time ahead: held back, the card would make none."""
    model._spare[0].extend(model.bind() for _ in range(runs))


def array(shape=(2, 3)):
    return numpy.arange(numpy.prod(shape), dtype="uint8").reshape(shape)


def case_runs():
    fake, session, model = setup()
    x = array()
    for feed in ({"x": x}, [x], {"x": x.tolist()}, {"x": numpy.asfortranarray(x)}):
        found = model.run(feed)
        assert list(found) == ["y", "z"]
        assert all(numpy.array_equal(out, x + 1) and out.dtype == x.dtype for out in found.values())
    before = fake.submits()
    for _ in range(10):
        model.run({"x": x}, ["z"])
    # One job for each run, as in Rust.
    assert fake.submits() == before + 10
    assert list(model.run({"x": x}, ["z"])) == ["z"]
    assert not model.run({"x": x == 1})["y"][0, 0] - 1
    # What was returned is the caller's own.
    first = model.run({"x": x})["y"]
    model.run({"x": x + 5})
    assert numpy.array_equal(first, x + 1) and first.flags.owndata
    session.close()


def case_shape_groups():
    _, session, model = setup()
    assert model.groups == 2
    assert [t.shape for t in model.get_inputs(1)] == [[4, 3]]
    for shape in SHAPES:
        assert model.run({"x": array(shape)})["y"].shape == tuple(shape)
    raises(ax650.InvalidError, "shape [4, 3]|takes [2, 3]", lambda: model.run({"x": array((4, 3))}, shape_group=0))
    raises(ax650.InvalidError, "[5, 3]|there are: `x` [2, 3]; `x` [4, 3]", lambda: model.run({"x": array((5, 3))}))
    for group in (2, -1):
        raises(ax650.InvalidError, f"shape group {group} of a model that has 2", lambda: model.bind(group))
    session.close()


def case_types():
    import_blocked = sys.modules.get("ml_dtypes")
    _, _, model = setup(FP32, [[2]])
    x = numpy.array([1.0, 2.0], "float32")
    found = model.run({"x": x})["y"]
    assert found.dtype == numpy.float32 and numpy.array_equal(found.view("uint8"), x.view("uint8") + numpy.uint8(1))
    raises(ax650.InvalidError, "type float64", lambda: model.run({"x": numpy.zeros(2)}))
    # Types that numpy has not are bytes.
    _, _, model = setup(INT4, [[4]])
    assert model.inputs[0].dtype == "int4"
    assert list(model.run({"x": numpy.zeros(4, "uint8")})["y"]) == [1] * 4
    sys.modules["ml_dtypes"] = None
    try:
        _, session, _ = setup()
        model = session.load(image(BF16, [[4]]))
        raises(ax650.InvalidError, "needs the package ml_dtypes|", lambda: model.run({"x": [1, 2, 3, 4]}))
    finally:
        del sys.modules["ml_dtypes"]
        if import_blocked is not None:
            sys.modules["ml_dtypes"] = import_blocked
    try:
        import ml_dtypes
    except ImportError:
        return
    model = session.load(image(BF16, [[4]]))
    x = numpy.array([1, 2, 3, 4], ml_dtypes.bfloat16)
    found = model.run({"x": x})["y"]
    assert found.dtype == x.dtype
    assert numpy.array_equal(found.view("uint8"), x.view("uint8") + numpy.uint8(1))


def case_wrong_arguments():
    _, session, model = setup()
    x = array()
    raises(ax650.InvalidError, "input `x` is missing", lambda: model.run({}))
    raises(ax650.InvalidError, "no input is named `w`; there are: x", lambda: model.run({"x": x, "w": x}))
    raises(ax650.InvalidError, "no output is named `w`; there are: y, z", lambda: model.run({"x": x}, ["w"]))
    raises(ax650.InvalidError, "2 inputs for a model that has 1", lambda: model.run([x, x]))
    raises(ax650.InvalidError, "input `x`", lambda: model.run({"x": "text"}))
    raises(ax650.InvalidError, "input `x`", lambda: model.run({"x": None}))
    raises(ax650.InvalidError, "input `x`", lambda: model.run({"x": 1000}))
    raises(ax650.OtherError, "/nowhere", lambda: session.load("/nowhere"))
    raises(ax650.InvalidError, "not a file", lambda: session.load("/tmp"))
    raises(ax650.InvalidError, "cannot be empty", lambda: session.load(b""))
    error = raises(ax650.CardError, "load model", lambda: session.load(b"nothing of the kind"))
    assert error.card_code > 0x80000000
    raises(ax650.InvalidError, "timeout: -1 seconds", lambda: model.bind().start().wait(-1))
    raises(ax650.InvalidError, "timeout: NaN seconds", lambda: session.close(float("nan")))
    assert issubclass(ax650.InvalidError, ValueError) and issubclass(ax650.OtherError, OSError)
    assert issubclass(ax650.TimeoutError, TimeoutError) and issubclass(ax650.PermissionError, PermissionError)
    assert issubclass(ax650.NoMemoryError, MemoryError) and all(
        issubclass(getattr(ax650, name), ax650.Error) for name in dir(ax650) if name.endswith("Error")
    )
    assert numpy.array_equal(model.run({"x": x})["y"], x + 1)


def case_views_without_copies():
    fake, session, model = setup()
    binding = model.bind(1)
    x, y = binding.inputs["x"], binding.outputs["y"]
    assert x.shape == (4, 3) and not x.flags.owndata and x.flags.writeable and not y.flags.writeable
    for start in (0, 7):
        x[:] = array((4, 3)) + start
        times = binding.run()
        assert numpy.array_equal(y, x + 1) and times.total >= times.run
    run = binding.start()
    assert run.wait() is not None
    raises(ax650.InvalidError, "the end of this run was seen", run.wait)
    # They outlive what they were made by, in whatever order that goes.
    del binding, run
    model.close()
    session.close()
    del session, model
    x[:] = 3
    assert y[0, 0] == 8 and x.sum() == 36
    assert fake.open_handles()[0] == 1
    del x, y
    assert fake.open_handles() == (0, 0), fake.open_handles()


def case_close():
    fake, session, model = setup()
    binding = model.bind()
    kept = model.run({"x": array()})["y"]
    with session:
        pass
    session.close()
    raises(ax650.InvalidError, "the model is closed", lambda: model.bind())
    raises(ax650.InvalidError, "the binding is closed", binding.run)
    raises(ax650.InvalidError, "the session is closed", lambda: session.load(image()))
    assert numpy.array_equal(kept, array() + 1)
    assert fake.open_handles() == (0, 0), fake.open_handles()
    # A run under way does not hold a close up.
    fake, session, model = setup()
    binding = model.bind()
    fake.hold()
    run = binding.start()
    begin = time.monotonic()
    try:
        session.close(0.2)
    except ax650.Error:
        pass
    assert time.monotonic() - begin < 5
    fake.release()
    del run, binding


def case_async():
    fake, _, model = setup()
    make_room(model, 4)
    x = array()

    async def scenario():
        fake.hold()
        tasks = [asyncio.create_task(model.run_async({"x": x + n})) for n in range(3)]
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks)
        fake.release()
        for n, outputs in enumerate(await asyncio.wait_for(asyncio.gather(*tasks), 10)):
            assert numpy.array_equal(outputs["y"], x + n + 1)
        # One that is given up.
        fake.hold()
        task = asyncio.create_task(model.run_async({"x": x}))
        await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
            raise AssertionError("not cancelled")
        except asyncio.CancelledError:
            pass
        fake.release()
        assert numpy.array_equal((await model.run_async({"x": x}))["z"], x + 1)
        binding = model.bind()
        binding.inputs["x"][:] = x
        assert (await binding.start()).total >= 0
        assert numpy.array_equal(binding.outputs["z"], x + 1)

    asyncio.run(scenario())


def case_others_go_on_while_a_thread_waits():
    fake, _, model = setup()
    make_room(model, 1)
    fake.hold()
    found = {}
    thread = threading.Thread(target=lambda: found.update(model.run({"x": array()})))
    thread.start()
    begin = time.monotonic()
    while time.monotonic() - begin < 0.3:
        time.sleep(0.01)
    assert thread.is_alive()
    fake.release()
    thread.join(10)
    assert numpy.array_equal(found["y"], array() + 1)
    # Many threads, one model.
    wrong = []

    def work(number):
        for turn in range(50):
            x = numpy.full([2, 3], (number * 20 + turn) % 200, "uint8")
            if not numpy.array_equal(model.run({"x": x})["y"], x + 1):
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


def case_ctrl_c_ends_a_wait():
    fake, _, model = setup()
    binding = model.bind()
    binding.inputs["x"][:] = array()
    make_room(model, 1)
    fake.hold()
    run = binding.start()
    for what in (run.wait, lambda: model.run({"x": array()})):
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        try:
            what()
            raise AssertionError("no KeyboardInterrupt")
        except KeyboardInterrupt:
            assert 0.05 < time.monotonic() - begin < 1.5
    assert run.wait(0) is None and run.wait(0.1) is None
    fake.release()
    assert run.wait(5) is not None
    assert numpy.array_equal(binding.outputs["y"], array() + 1)
    assert numpy.array_equal(model.run({"x": array()})["y"], array() + 1)


def case_pictures_on_the_card():
    fake = _ax650.FakeCard()
    session = ax650.Session(ax650.Card(fake.open()))
    processor = ax650.ImageProcessor(session)
    rows = numpy.repeat(numpy.arange(48, dtype="uint8"), 64).reshape(48, 64)
    source, target = processor.nv12(64, 32), processor.nv12(32, 32, 114)
    source.upload(rows)
    assert (source.width, source.height, source.format) == (64, 32, "nv12")
    assert numpy.array_equal(source.download(), rows)
    # The lower half, into the upper half; the card without hardware takes the nearest pixel, and of colours the luma.
    processor.resize(source, target.part(0, 0, 32, 16), crop=(0, 16, 64, 16))
    pixels = processor.bgr(32, 32)
    processor.convert(target, pixels)
    found = pixels.download()
    assert found.shape == (32, 32, 3) and found.dtype == numpy.uint8
    assert all((found[y] == (16 + y if y < 16 else 114)).all() for y in range(32)), found[:, 0, 0]
    for words, what in {
        "no engine": lambda: ax650.ImageProcessor(session, "gpu"),
        "is no picture": lambda: processor.nv12(0, 2),
        "a picture of 3072 bytes": lambda: target.upload(rows),
        "cannot be filled": lambda: target.part(0, 0, 32, 16).upload(rows[:12]),
        "no part of a picture of 64x32": lambda: processor.resize(source, target, crop=(0, 0, 66, 32)),
        "cannot be converted": lambda: processor.convert(source, pixels),
        "where NV12 is needed": lambda: processor.resize(source, pixels),
        "type float32": lambda: source.upload(numpy.zeros([48, 64], "float32")),
    }.items():
        raises(ax650.InvalidError, words, what)
    # From a decoder to an encoder without a copy.
    with ax650.Decoder(session, "h264", 64, 32) as decoder, ax650.Encoder(session, "h265", 32, 32) as encoder:
        decoder.send(bytes([9]), 77)
        with decoder.receive_image(5) as picture:
            assert (picture.pts, picture.width, picture.height) == (77, 64, 32)
            raises(ax650.InvalidError, "cannot be filled", lambda: picture.upload(rows))
            processor.resize(picture, target)
        raises(ax650.InvalidError, "the image is closed", picture.download)
        encoder.send(target, 78)
        packet = encoder.receive(5)
        assert packet.pts == 78 and packet.data[0] == 9, packet
        raises(ax650.InvalidError, "64x32 for an encoder of 32x32", lambda: encoder.send(source))
        decoder.finish()
        assert decoder.receive_image(5) is None and decoder.ended
    session.close()
    raises(ax650.InvalidError, "the image is closed", source.download)
    raises(ax650.InvalidError, "the image processor is closed", lambda: processor.nv12(2, 2))
    del source, target, pixels, picture
    assert fake.open_handles() == (0, 0), fake.open_handles()


def case_fork():
    _, session, model = setup()
    model.run({"x": array()})
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            raises(ax650.LostSessionError, "fork", lambda: model.run({"x": array()}))
            raises(ax650.LostSessionError, "fork", lambda: session.load(image()))
            model.close()
            session.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert numpy.array_equal(model.run({"x": array()})["y"], array() + 1)


def case_exit_with_a_live_session():
    begin = """
from ax650 import _ax650
f = _ax650.FakeCard(); s = ax650.Session(ax650.Card(f.open()))
t = [('x', 4, 1, [[2]])]
m = s.load(bytes(_ax650.fake_model(t, t))); x = numpy.zeros(2, 'uint8')
"""
    scripts = {
        "globals": "b = m.bind(); v = b.outputs; m.run({'x': x})\n",
        "a run under way": "b = m.bind(); f.hold(); r = b.start()\n",
        "a thread that waits": "m.run({'x': x}); f.hold(); threading.Thread(target=lambda: m.run({'x': x}), daemon=True).start(); time.sleep(0.2)\n",
        "at exit": "import atexit; atexit.register(lambda: m.run({'x': x}))\n",
        "a task": "async def g():\n  m.run({'x': x}); f.hold(); t = asyncio.create_task(m.run_async({'x': x})); await asyncio.sleep(0.05)\nasyncio.run(g())\n",
    }
    for name, script in scripts.items():
        done = child(begin + script + "print('end')", timeout=30)
        try:
            good(done, "end")
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


def case_nothing_is_left_behind():
    fake, session, model = setup()
    model.run({"x": array()})
    handles = fake.open_handles()
    for _ in range(100):
        model.run({"x": array()})
        model.bind().run()
        with session.load(image()) as other:
            other.run({"x": array()})
    assert fake.open_handles() == handles, (handles, fake.open_handles())


if __name__ == "__main__":
    sys.exit(main("python-host", globals(), sys.argv[1:]))
