// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the cases are made of: pipelines that are run to their end, and what came out of them.

use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;

/// No pipeline of the cases takes longer.
pub const LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(120);

/// A pipeline that ends with this.
pub struct Pipeline(pub gst::Pipeline);

impl Pipeline {
    /// Makes a pipeline.
    pub fn new(description: &str) -> Self {
        let element = gst::parse::launch(description)
            .unwrap_or_else(|error| panic!("{description}: {error}"));
        Self(element.downcast().expect("more than one element"))
    }

    /// Sets it going.
    pub fn play(&self) {
        let _ = self.0.set_state(gst::State::Playing);
    }

    /// Finds an element.
    pub fn element(&self, name: &str) -> gst::Element {
        self.0.by_name(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Finds the sink with the name `sink`, which gives pictures to this program.
    pub fn sink(&self) -> gst_app::AppSink {
        self.element("sink").downcast().expect("an appsink")
    }

    /// Waits for its end; the text of an error.
    pub fn wait(&self) -> Result<(), String> {
        let bus = self.0.bus().expect("a bus");
        let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = bus.timed_pop_filtered(LIMIT, &kinds);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            _ => panic!("neither end nor error within {LIMIT}"),
        }
    }

    /// Stops it; how long that took.
    pub fn stop(&self) -> Duration {
        let begin = Instant::now();
        self.0.set_state(gst::State::Null).expect("no failure");
        begin.elapsed()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// A picture or packet that came out.
pub struct Out {
    /// Its caps.
    pub caps: gst::Caps,
    /// When it is shown.
    pub pts: Option<gst::ClockTime>,
    /// Its flags.
    pub flags: gst::BufferFlags,
    /// Its bytes; of pictures without what is between the rows.
    pub bytes: Vec<u8>,
}

impl Out {
    /// Looks at a sample.
    pub fn of(sample: &gst::Sample) -> Self {
        let caps = sample.caps_owned().expect("caps");
        let buffer = sample.buffer().expect("a buffer");
        let bytes = match gst_video::VideoInfo::from_caps(&caps) {
            Ok(info) if caps.structure(0).is_some_and(|s| s.name() == "video/x-raw") => {
                packed(buffer, &info)
            }
            _ => buffer.map_readable().expect("readable").to_vec(),
        };
        Self {
            caps,
            pts: buffer.pts(),
            flags: buffer.flags(),
            bytes,
        }
    }
}

fn packed(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Vec<u8> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).expect("a frame");
    let (mut width, height) = (info.width() as usize, info.height() as usize);
    let mut planes = vec![(0, height)];
    match info.format() {
        gst_video::VideoFormat::Nv12 => planes.push((1, height.div_ceil(2))),
        gst_video::VideoFormat::Bgr => width *= 3,
        other => panic!("{other:?}"),
    }
    let mut bytes = Vec::new();
    for (plane, rows) in planes {
        let stride = frame.plane_stride()[plane] as usize;
        let data = frame.plane_data(plane as u32).expect("a plane");
        for row in 0..rows {
            bytes.extend_from_slice(&data[row * stride..][..width]);
        }
    }
    bytes
}

/// Runs a pipeline with an `appsink name=sink` to its end; all that came out.
pub fn run(description: &str) -> Vec<Out> {
    let pipeline = Pipeline::new(description);
    let sink = pipeline.sink();
    pipeline.play();
    let mut all = Vec::new();
    while let Some(sample) = sink.try_pull_sample(LIMIT) {
        all.push(Out::of(&sample));
    }
    if let Err(error) = pipeline.wait() {
        panic!("{description}: {error}");
    }
    pipeline.stop();
    all
}

/// All bytes that came out.
pub fn bytes(all: &[Out]) -> Vec<u8> {
    all.iter().flat_map(|out| out.bytes.clone()).collect()
}

/// Reads an input, or what is to come out.
pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("/share/in/{name}")).expect("an input")
}

/// Fails unless the pictures are those of a file; tells which is the first that is not.
pub fn same(got: &[Out], name: &str) {
    let (got, want) = (bytes(got), file(name));
    if got != want {
        let at = got.iter().zip(&want).position(|(a, b)| a != b);
        panic!(
            "{name}: {} bytes instead of {}, the first other at {at:?}",
            got.len(),
            want.len()
        );
    }
}

/// Ratio of signal to noise between two pictures of bytes, dB.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let error: f64 = a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / error.max(1e-9)).log10()
}
