// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoders and encoders with a fake card: threads, lost answers, wrong guests, no memory.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ax650::fake::FakeCard;
use ax650::media::{
    Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Frame, Packet, Profile, RateControl,
    Received,
};
use ax650::proto::axclrpc::native::{Module, VdecApi};
use ax650::uapi::{ax650_session_create, ax650_step_result, ax650_wait};
use ax650::{
    Action, Buffer, Card, CardMemory, Direction, Error, ErrorKind, Kind, Mapping, Session,
    Submission, Transport,
};
use nix::errno::Errno;

const WAIT: Duration = Duration::from_millis(5);

/// Whether a job is to fail, at which step, and whether the card carries it out all the same.
type Plan = Box<dyn FnMut(&Submission<'_>) -> Option<(usize, bool)> + Send>;

/// A fake card on a line that loses answers.
struct Faulty {
    fake: Arc<FakeCard>,
    plan: Mutex<Option<Plan>>,
    lost: Mutex<Vec<(u64, usize)>>,
    /// Waits that were not just a look.
    waits: AtomicU64,
}

impl Faulty {
    fn new() -> (Arc<Self>, Session) {
        let faulty = Arc::new(Self {
            fake: FakeCard::new(),
            plan: Mutex::default(),
            lost: Mutex::default(),
            waits: AtomicU64::default(),
        });
        let session = Card::with_transport(faulty.clone(), "ax650-0").session();
        (faulty, session.unwrap())
    }

    /// Lets the first job fail that `plan` names.
    fn fail_once(
        &self,
        mut plan: impl FnMut(&Submission<'_>) -> Option<(usize, bool)> + Send + 'static,
    ) {
        let mut done = false;
        *self.plan.lock().unwrap() = Some(Box::new(move |job| {
            let fault = if done { None } else { plan(job) };
            done |= fault.is_some();
            fault
        }));
    }
}

impl Transport for Faulty {
    fn query(&self, kind: u32, data: &mut [u8]) -> Result<usize, Errno> {
        self.fake.query(kind, data)
    }

    fn session_create(&self, request: &mut ax650_session_create) -> Result<(), Errno> {
        self.fake.session_create(request)
    }

    fn session_destroy(&self, session: u32) -> Result<(), Errno> {
        self.fake.session_destroy(session)
    }

    fn buffer_create(&self, size: usize) -> Result<(u32, Mapping), Errno> {
        self.fake.buffer_create(size)
    }

    fn buffer_destroy(&self, handle: u32) -> Result<(), Errno> {
        self.fake.buffer_destroy(handle)
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<u64, Errno> {
        let mut plan = self.plan.lock().unwrap();
        let fault = plan.as_mut().and_then(|plan| plan(submission));
        if let Some((step, false)) = fault {
            self.fake.fail_next_job(step, Errno::ETIME);
        }
        // SAFETY: as the caller promised.
        let job = unsafe { self.fake.submit(submission) }?;
        if let Some((step, true)) = fault {
            self.lost.lock().unwrap().push((job, step));
        }
        Ok(job)
    }

    fn wait(
        &self,
        job: u64,
        deadline_ns: u64,
        results: &mut [ax650_step_result],
    ) -> Result<ax650_wait, Errno> {
        self.waits
            .fetch_add(u64::from(deadline_ns != 0), Ordering::SeqCst);
        let mut wait = self.fake.wait(job, deadline_ns, results)?;
        let lost = self.lost.lock().unwrap();
        if let Some((_, step)) = lost.iter().find(|lost| lost.0 == job) {
            wait.status = -(Errno::ETIME as i32);
            results[*step].status = wait.status;
        }
        Ok(wait)
    }

    fn control(&self, op: u32, flags: u32) -> Result<u32, Errno> {
        self.fake.control(op, flags)
    }

    fn poll_fd(&self) -> BorrowedFd<'_> {
        self.fake.poll_fd()
    }
}

/// Whether a step of the job copies that way.
fn copies(job: &Submission<'_>, way: Direction) -> bool {
    job.steps.iter().any(
        |step| matches!(step.action, Action::Copy { direction, size, .. } if direction == way && size > 0),
    )
}

fn encoder(session: &Session) -> (Encoder, Buffer) {
    let config = EncoderConfig::new(Codec::H264, 64, 32);
    let encoder = Encoder::new(session, &config).unwrap();
    let buffer = session.buffer(encoder.layout().size()).unwrap();
    (encoder, buffer)
}

/// Sends a picture that begins with the eight bytes of its time.
fn send(encoder: &Encoder, buffer: &Buffer, pts: u64) -> ax650::Result<()> {
    buffer.write().unwrap()[..8].copy_from_slice(&pts.to_le_bytes());
    encoder.send(buffer, pts)
}

fn begins_with_its_time(packet: &Packet) -> bool {
    packet.data[..8] == packet.pts.to_le_bytes()
}

fn receive(encoder: &Encoder) -> Packet {
    match encoder.receive(Duration::from_secs(5)).unwrap() {
        Received::Some(packet) => packet,
        other => panic!("{other:?}"),
    }
}

/// U5: each packet comes once, with its own bytes, whoever receives it.
#[test]
fn u5_two_threads_receive() {
    const COUNT: u64 = 3000;
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    let (encoder, buffer) = encoder(&session);
    let received = AtomicU64::new(0);
    // A thread that has failed leaves packets to the others that never come.
    let failed = AtomicBool::new(false);
    let mut all = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    while received.load(Ordering::SeqCst) < COUNT && !failed.load(Ordering::SeqCst)
                    {
                        match encoder.receive(Duration::from_millis(2)) {
                            Ok(Received::Some(packet)) => mine.push(packet),
                            Ok(_) => continue,
                            Err(error) => {
                                failed.store(true, Ordering::SeqCst);
                                panic!("{error}");
                            }
                        }
                        received.fetch_add(1, Ordering::SeqCst);
                    }
                    mine
                })
            })
            .collect();
        for pts in 0..COUNT {
            while encoder.pending() == encoder.depth() && !failed.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            if let Err(error) = send(&encoder, &buffer, pts) {
                failed.store(true, Ordering::SeqCst);
                panic!("{error}");
            }
        }
        for thread in threads {
            for packet in thread.join().unwrap() {
                assert!(begins_with_its_time(&packet), "{packet:?}");
                assert!(all.insert(packet.pts, ()).is_none(), "{} twice", packet.pts);
            }
        }
    });
    assert_eq!(all.len() as u64, COUNT);
    assert_eq!(encoder.pending(), 0);
    drop((encoder, buffer, session));
    assert_eq!(fake.card_memory_in_use(), 0);
}

/// U6: a send that timed out may have been carried out; the picture's memory is not free until its packet came.
#[test]
fn u6_a_picture_that_was_taken_though_the_send_failed() {
    let (faulty, session) = Faulty::new();
    let (encoder, buffer) = encoder(&session);
    faulty.fail_once(|job| copies(job, Direction::ToCard).then_some((1, true)));
    let error = send(&encoder, &buffer, 7).unwrap_err();
    assert!(matches!(error, Error::Job { .. }), "{error}");
    let picture = encoder.layout().size() as u64;
    // The picture, and its packet of 64 bytes.
    assert_eq!(faulty.fake.card_memory_in_use(), picture + 64);
    assert_eq!(encoder.pending(), 0);
    // The next does not take the same memory.
    send(&encoder, &buffer, 8).unwrap();
    assert_eq!(encoder.pending(), 1);
    assert_eq!(faulty.fake.card_memory_in_use(), 2 * (picture + 64));
    for pts in [7, 8] {
        let packet = receive(&encoder);
        assert!(
            packet.pts == pts && begins_with_its_time(&packet),
            "{packet:?}"
        );
    }
    assert_eq!(encoder.pending(), 0);
    // Now both are free for the next pictures.
    send(&encoder, &buffer, 9).unwrap();
    send(&encoder, &buffer, 10).unwrap();
    assert_eq!(faulty.fake.card_memory_in_use(), 2 * (picture + 64));
}

/// U6: a copy that was given up may go on; its target is for nobody.
#[test]
fn u6_memory_that_is_still_written_to_is_not_used_again() {
    let (faulty, session) = Faulty::new();
    let (encoder, buffer) = encoder(&session);
    let picture = encoder.layout().size() as u64;
    for count in 1..=encoder.depth() as u64 {
        faulty.fail_once(|job| copies(job, Direction::ToCard).then_some((0, false)));
        let buffer = session.buffer(buffer.len()).unwrap();
        encoder.send(&buffer, 0).unwrap_err();
        assert_eq!(faulty.fake.card_memory_in_use(), count * picture);
    }
    let error = encoder.send(&buffer, 0).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert!(error.to_string().contains("make a new encoder"), "{error}");
    drop(encoder);
    assert_eq!(faulty.fake.card_memory_in_use(), 0);
}

/// U6: a packet that cannot be fetched is given back, and its picture is no longer in the encoder.
#[test]
fn u6_a_packet_that_cannot_be_fetched() {
    let (faulty, session) = Faulty::new();
    let (encoder, buffer) = encoder(&session);
    for pts in 1..=3 {
        send(&encoder, &buffer, pts).unwrap();
    }
    faulty.fail_once(|job| copies(job, Direction::FromCard).then_some((0, false)));
    let error = encoder.receive(WAIT).unwrap_err();
    assert!(matches!(error, Error::Job { .. }), "{error}");
    assert_eq!(encoder.pending(), 2);
    for pts in 2..=3 {
        let packet = receive(&encoder);
        assert!(
            packet.pts == pts && begins_with_its_time(&packet),
            "{packet:?}"
        );
    }
    assert_eq!(encoder.pending(), 0);
    drop(encoder);
    assert_eq!(faulty.fake.card_memory_in_use(), 0);
}

/// U6: the answer to "get a packet" is lost, and the packet with it; those that follow are not taken for it.
#[test]
fn u6_a_packet_that_is_lost() {
    let (faulty, session) = Faulty::new();
    let (encoder, buffer) = encoder(&session);
    send(&encoder, &buffer, 1).unwrap();
    send(&encoder, &buffer, 2).unwrap();
    faulty.fail_once(|job| (job.steps.len() == 1).then_some((0, true)));
    encoder.receive(WAIT).unwrap_err();
    assert_eq!(receive(&encoder).pts, 2);
    assert_eq!(encoder.pending(), 0);
}

fn one_frame(session: &Session) -> (Decoder, Frame) {
    let decoder = Decoder::new(session, &DecoderConfig::new(Codec::H264, 64, 32)).unwrap();
    decoder.send(&[5], 77).unwrap();
    match decoder.receive(WAIT).unwrap() {
        Received::Some(frame) => (decoder, frame),
        other => panic!("{other:?}"),
    }
}

/// U7: addresses and numbers of one session mean something else, or nothing, in another.
#[test]
fn u7_a_picture_of_another_session_or_card() {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    let (encoder, _) = encoder(&session);
    let other_session = fake.open().session().unwrap();
    let other_card = FakeCard::new();
    let session_there = Card::with_transport(other_card.clone(), "ax650-1")
        .session()
        .unwrap();
    for (session, name) in [(&other_session, "ax650-0"), (&session_there, "ax650-1")] {
        let (_decoder, frame) = one_frame(session);
        let error = encoder.send_frame(frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(
            text.contains(&format!("of {name} for an encoder of session"))
                && text.contains("must be of the same"),
            "{text}"
        );
    }
    assert_eq!(encoder.pending(), 0);
    let (_decoder, frame) = one_frame(&session);
    encoder.send_frame(frame).unwrap();
    assert_eq!(receive(&encoder).pts, 77);
}

/// U14: a card without memory is asked now and then, not as often as can be; then it is told how much there is.
#[test]
fn u14_no_memory_is_no_busy_loop() {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    let stream = session.stream();
    let _half = CardMemory::new(&stream, 200 << 20).unwrap();
    let mut rest = Vec::new();
    for size in [32 << 20, 8 << 20, 1 << 20, 1 << 16, 4096] {
        while let Ok(memory) = CardMemory::new(&stream, size) {
            rest.push(memory);
        }
    }
    let config = DecoderConfig::new(Codec::H264, 640, 360).patience(Duration::from_millis(500));
    let decoder = Decoder::new(&session, &config).unwrap();
    let before = fake.submits();
    let error = decoder.send(&[1], 0).unwrap_err();
    let calls = fake.submits() - before;
    assert!((3..30).contains(&calls), "{calls} calls");
    assert_eq!(
        error.to_string(),
        "send a packet to the decoder (0 MiB of card memory are free): \
         video decoder: no buffer (0x80080119)"
    );
    assert!(error.card_code().unwrap().is_no_memory());
    drop(rest);
    decoder.send(&[1], 0).unwrap();
}

/// U15: the longest time there is.
#[test]
fn u15_received_with_all_the_time_in_the_world() {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    let (decoder, frame) = one_frame(&session);
    let (encoder, _) = encoder(&session);
    encoder.send_frame(frame).unwrap();
    let packet = encoder.receive(Duration::MAX).unwrap();
    assert!(matches!(packet, Received::Some(packet) if packet.pts == 77));
    decoder.finish().unwrap();
    assert!(matches!(
        decoder.receive(Duration::MAX).unwrap(),
        Received::End
    ));
}

/// F10: a size that the card does not encode is told with those that it does.
#[test]
fn f10_sizes_that_the_card_refuses() {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    fake.check_encoders(|channel| channel.width() >= 32 && channel.height() >= 32);
    let refusal = |width, height| {
        let config = EncoderConfig::new(Codec::H264, width, height);
        Encoder::new(&session, &config).unwrap_err()
    };
    for (width, height) in [(2, 2), (30, 64), (31, 31), (9000, 16)] {
        let error = refusal(width, height);
        assert_eq!(
            error.to_string(),
            format!(
                "pictures of {width}x{height} cannot be encoded: even sizes from 32x32 to 8192x8192 can"
            )
        );
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// F8: what the caller left open is chosen again if the card does not take the best.
#[test]
fn f8_a_card_that_takes_only_what_was_seen() {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    fake.check_encoders(|c| (c.profile(), c.level(), c.rate_control()) == (10, 51, 1));
    let config = EncoderConfig::new(Codec::H264, 64, 64);
    drop(Encoder::new(&session, &config).unwrap());
    // What was asked for is not replaced.
    let config = config.profile(Profile::High);
    let error = Encoder::new(&session, &config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "create an encoder (H.264 High, level 1.1, 64x64 at 30 pictures per second, \
         rate control VBR of up to 150 kbit/s): video encoder: illegal parameter (0x8007020a)"
    );
    let rate = RateControl::Fixed {
        intra: 20,
        predicted: 20,
        both_ways: 20,
    };
    let config = EncoderConfig::new(Codec::H264, 64, 64).rate(rate);
    Encoder::new(&session, &config).unwrap_err();
}

/// U13: the end of a decoder or encoder can be waited for, and its errors seen.
#[test]
fn u13_closed_in_time() {
    let (faulty, session) = Faulty::new();
    let (decoder, frame) = one_frame(&session);
    let error = decoder.close(WAIT).unwrap_err();
    assert!(error.to_string().contains("still in use"), "{error}");
    drop(frame);
    let (decoder, frame) = one_frame(&session);
    drop(frame);
    decoder.close(WAIT).unwrap();
    let (first, _) = encoder(&session);
    first.close(WAIT).unwrap();
    let (second, buffer) = encoder(&session);
    send(&second, &buffer, 1).unwrap();
    faulty.fail_once(|_| Some((0, true)));
    let error = second.close(WAIT).unwrap_err();
    assert!(matches!(error, Error::Job { .. }), "{error}");
    // Nobody knows whether the card still reads the picture.
    assert!(faulty.fake.card_memory_in_use() > 64);
}

/// U13: to drop a picture waits for nothing, and gives it back all the same.
#[test]
fn u13_dropped_without_waiting() {
    let (faulty, session) = Faulty::new();
    let (_decoder, frame) = one_frame(&session);
    let in_use = faulty.fake.card_memory_in_use();
    let waits = faulty.waits.load(Ordering::SeqCst);
    drop(frame);
    assert_eq!(faulty.waits.load(Ordering::SeqCst), waits);
    assert!(faulty.fake.card_memory_in_use() < in_use);
}

/// U20: a picture is given back once, also when the answer to that is lost, and when the copy ahead of it fails.
#[test]
fn u20_a_download_that_fails_gives_back_once() {
    let api = VdecApi::AxVdecReleaseChnFrame.into();
    let release = Kind::native(Module::Vdec.into(), api).0.to_le_bytes();
    for (from_behind, carried_out) in [(1, true), (1, false), (2, false)] {
        let (faulty, session) = Faulty::new();
        let (decoder, frame) = one_frame(&session);
        let buffer = session.buffer(frame.layout().size()).unwrap();
        faulty.fail_once(move |job| {
            let step = job.steps.len().checked_sub(from_behind)?;
            copies(job, Direction::FromCard).then_some((step, carried_out))
        });
        let error = frame.download(&buffer).unwrap_err();
        assert!(matches!(error, Error::Job { .. }), "{error}");
        drop(decoder);
        drop(session);
        let requests = faulty.fake.take_requests();
        let releases = requests.iter().filter(|frame| frame[..4] == release);
        // A step that fails was sent, or is told to have been, but the fake card has seen only what it carried out.
        let seen = if from_behind == 1 && !carried_out {
            0
        } else {
            1
        };
        assert_eq!(releases.count(), seen, "{from_behind} {carried_out}");
    }
}
