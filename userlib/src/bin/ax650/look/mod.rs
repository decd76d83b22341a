// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 detect`, `classify`, `embed` and `ocr`

mod draw;
mod drawn;
mod ocr;
mod png;
mod report;
mod tasks;

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use ax650::media::{jpeg, CardImage, Frame, Letterbox, PictureRunner, RunnerConfig};
use ax650::{Card, Model, Session};

use crate::args::look::Look;
use crate::args::{Classify, Detect, Embed, Rate};
use crate::failure::{Failure, CARD};
use crate::interrupt;
use crate::notes::Notes;
use crate::output::refuse_input;
use crate::progress::Progress;
use crate::pump::{self, Consumer, Moment};
use crate::video::clip::{Clip, Format};
use crate::video::input::Input;
use crate::video::sniff::{sniff, Found};
use crate::video::FileKind;
use drawn::Drawn;
use report::{Labels, Picture, Report};
use tasks::{Boxes, Classes, Task, Vector};

pub use ocr::{look_at_files, ocr};

/// How long a picture may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// No JPEG picture is larger.
const MAX_JPEG: u64 = 256 << 20;

/// Finds things in files.
pub fn detect(card: &Card, options: &Detect) -> Result<(), Failure> {
    let labels = Labels::read(options.labels.as_deref())?;
    let draw = options.draw.as_deref();
    look(card, &options.look, labels, draw, |model| {
        Boxes::of(model, options)
    })
}

/// Names what files show.
pub fn classify(card: &Card, options: &Classify) -> Result<(), Failure> {
    let labels = Labels::read(options.labels.as_deref())?;
    look(card, &options.look, labels, None, |model| {
        Classes::of(model, options)
    })
}

/// Turns pictures into vectors.
pub fn embed(card: &Card, options: &Embed) -> Result<(), Failure> {
    let labels = Labels::read(None)?;
    look(card, &options.look, labels, None, |model| {
        Vector::of(model, &options.look.model, options.raw)
    })
}

/// Looks at files.
fn look<T: Task>(
    card: &Card,
    options: &Look,
    labels: Labels,
    draw: Option<&Path>,
    task: impl FnOnce(&Model) -> Result<T, Failure>,
) -> Result<(), Failure> {
    if options.frames == Some(0) {
        return Err(Failure::usage("0 pictures are nothing to look at"));
    }
    if draw.is_some() && options.input.len() > 1 {
        return Err(Failure::usage("--draw wants one input"));
    }
    let inputs = options.input.iter().map(|path| open(path, options, draw));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let session = card.session()?;
    let model = Model::load_file(&session, &options.model)?;
    let task = task(&model)?;
    let report = Report::create(&options.output, options.force, labels, inputs.len() > 1)?;
    let work = |(path, input): (&Path, Input)| -> Result<(), Failure> {
        let channel = Channel {
            session: &session,
            path,
            options,
            draw,
            task: &task,
            report: &report,
            // Several would be written over each other.
            quiet: options.quiet || options.input.len() > 1,
        };
        channel.look(&model, input)
    };
    let work = &work;
    let results: Vec<Result<(), Failure>> = std::thread::scope(|scope| {
        let mut inputs = options.input.iter().map(|path| path.as_path()).zip(inputs);
        let first = inputs.next();
        let others: Vec<_> = inputs
            .map(|input| std::thread::Builder::new().spawn_scoped(scope, move || work(input)))
            .collect();
        let first = first.map_or(Ok(()), work);
        let others = others.into_iter().map(|thread| match thread {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(Failure::of("a thread has ended with a panic"))),
            Err(error) => Err(Failure::of(format!("a thread cannot be started: {error}"))),
        });
        std::iter::once(first).chain(others).collect()
    });
    // What was found is there to be seen, whatever became of the others.
    report.finish()?;
    results.into_iter().collect()
}

fn open(path: &Path, options: &Look, draw: Option<&Path>) -> Result<Input, Failure> {
    let input = Input::open(path)?;
    for output in [Some(options.output.as_path()), draw] {
        refuse_input(output, input.file(), path)?;
    }
    Ok(input)
}

/// One input.
struct Channel<'a> {
    session: &'a Session,
    path: &'a Path,
    options: &'a Look,
    draw: Option<&'a Path>,
    task: &'a dyn Task,
    report: &'a Report,
    quiet: bool,
}

impl Channel<'_> {
    fn look(&self, model: &Model, mut input: Input) -> Result<(), Failure> {
        let head = input.peek();
        let head = head.map_err(|error| Clip::read_failure(self.path, &error))?;
        let jpeg = FileKind::Jpeg;
        let is_jpeg = sniff(head) == Found::Known(jpeg) || FileKind::of(self.path) == Some(jpeg);
        let mut config = RunnerConfig::default();
        config.stretch = self.options.stretch;
        let runner = PictureRunner::new(model, config)?;
        if is_jpeg {
            return self.picture(runner, input);
        }
        self.video(runner, config.depth as u32, input)
    }

    fn picture(&self, runner: PictureRunner, input: Input) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        input
            .take(MAX_JPEG)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::file(self.path, &error))?;
        let named = |error| match error {
            ax650::Error::Invalid(problem) => {
                Failure::of(format!("{}: {problem}", self.path.display()))
            }
            error => error.into(),
        };
        let image = jpeg::decode_on_card(self.session, &bytes).map_err(named)?;
        let drawn = match self.draw {
            Some(path) => Some(Drawn::picture(path, self.options.force, true)?),
            None => None,
        };
        let mut work = self.work(runner, drawn, Progress::new(Some(1), self.quiet));
        work.start(image, None, 0.0)?;
        work.finish("JPEG")
    }

    fn video(&self, runner: PictureRunner, spare: u32, input: Input) -> Result<(), Failure> {
        let options = self.options;
        let mut clip = Clip::from_input(input, self.path, options.fps, None)?;
        let drawn = match self.draw {
            Some(path) => Some(Drawn::create(path, options, &clip)?),
            None => None,
        };
        let total = match (clip.count, options.frames) {
            (Some(count), Some(frames)) => Some(count.min(frames)),
            (count, frames) => count.or(frames),
        };
        let mut work = self.work(runner, drawn, Progress::new(total, self.quiet));
        (work.timescale, work.rate) = (clip.timescale, clip.rate);
        let name = self.path.display().to_string();
        let mut notes = Notes::new(false);
        let kept = if self.draw.is_some() { spare } else { 0 };
        let report = pump::run(self.session, &mut clip, spare + kept, &mut work)?;
        if report.shown > 0 {
            work.finish(&clip.format.codec.to_string())?;
        }
        report.judge(&name, &clip, &mut notes)
    }

    fn work(&self, runner: PictureRunner, drawn: Option<Drawn>, progress: Progress) -> Work<'_> {
        Work {
            channel: self,
            runner,
            inside: VecDeque::new(),
            started: 0,
            timescale: 0,
            rate: Rate { num: 1, den: 1 },
            drawn,
            progress,
        }
    }
}

/// Looks at pictures.
struct Work<'a> {
    channel: &'a Channel<'a>,
    runner: PictureRunner,
    inside: VecDeque<Inside>,
    started: u64,
    timescale: u32,
    rate: Rate,
    drawn: Option<Drawn>,
    progress: Progress,
}

/// A picture that is looked at.
struct Inside {
    number: u64,
    seconds: f64,
    /// It, if it is to be drawn on, and the decoder's hold of it.
    image: Option<(CardImage, Option<Frame>)>,
}

impl Work<'_> {
    fn start(
        &mut self,
        image: CardImage,
        frame: Option<Frame>,
        seconds: f64,
    ) -> Result<(), Failure> {
        if self.runner.is_full() {
            self.take()?;
        }
        self.runner.start(image.clone(), None)?;
        let image = self.drawn.is_some().then_some((image, frame));
        let number = self.started;
        self.started += 1;
        self.inside.push_back(Inside {
            number,
            seconds,
            image,
        });
        Ok(())
    }

    /// Tells what came of the picture that was started first.
    fn take(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        let result = loop {
            interrupt::check()?;
            if let Some(result) = self.runner.receive(Duration::from_millis(200))? {
                break result;
            }
            if begin.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                let text = format!("the model gave nothing for {seconds} s");
                return Err(Failure::new(CARD, text));
            }
        };
        let Some(inside) = self.inside.pop_front() else {
            return Ok(());
        };
        let labels = self.channel.report.labels();
        let seen = self.channel.task.read(&result, labels)?;
        let Letterbox { source, .. } = result.place;
        self.channel.report.tell(Picture {
            input: self.channel.path,
            number: inside.number,
            seconds: inside.seconds,
            size: source,
            seen: seen.member,
        })?;
        if let (Some(drawn), Some((image, frame))) = (&mut self.drawn, inside.image) {
            drawn.add(self.channel.session, &image, &seen.boxes, labels)?;
            drop(frame);
        }
        self.progress.frame();
        Ok(())
    }

    fn finish(mut self, what: &str) -> Result<(), Failure> {
        while self.runner.running() > 0 {
            self.take()?;
        }
        if let Some(drawn) = self.drawn {
            drawn.finish()?;
        }
        let (width, height) = self.runner.size();
        self.progress.finish(&format!(
            "looked at {what} with a model of {width}x{height}"
        ));
        Ok(())
    }
}

impl Consumer for Work<'_> {
    fn begin(&mut self, _: Format) -> Result<(), Failure> {
        Ok(())
    }

    fn picture(&mut self, frame: Frame, moment: Moment) -> Result<bool, Failure> {
        let told = moment.time.filter(|_| self.timescale > 0);
        let seconds = match told {
            Some(time) => time as f64 / f64::from(self.timescale),
            None => self.started as f64 / self.rate.value(),
        };
        let image = CardImage::from(&frame);
        // Only who draws needs the decoder's picture any longer.
        let frame = self.drawn.is_some().then_some(frame);
        self.start(image, frame, seconds)?;
        let limit = self.channel.options.frames;
        Ok(limit.is_none_or(|limit| self.started < limit))
    }
}
