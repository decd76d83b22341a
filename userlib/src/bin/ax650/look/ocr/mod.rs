// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 ocr`: three models, one behind the other.  Where is text, is it upside down, what does it say?

mod network;
mod page;
mod tensors;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use ax650::vision::{Characters, TextArea, TextFinder};
use ax650::{Card, Session};
use serde_json::{json, Value};

use super::report::{Labels, Picture, Report};
use super::{png, tasks};
use crate::args::Ocr;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::refuse_input;
use crate::progress::Progress;
use crate::run::look_at_model;
use crate::video::input::Input;
use network::{Network, Scale, Shown};
use page::Page;
use tensors::Tensors;

/// Text is turned back if the model is so sure that it is upside down.
const TURNED: f32 = 0.9;
/// What the detector is shown, with mean and deviation of photographs, that it was trained with.
const PAGE: (Shown, Scale) = (
    Shown::Page,
    Scale {
        mean: [0.485, 0.456, 0.406],
        deviation: [0.229, 0.224, 0.225],
    },
);
/// What the others are shown, with colours from -1 to 1.
const LINE: (Shown, Scale) = (
    Shown::Line,
    Scale {
        mean: [0.5; 3],
        deviation: [0.5; 3],
    },
);

/// Finds a model in the directory of the models, if it is there.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let files = ["axmodel", "onnx"].map(|end| directory.join(format!("{name}.{end}")));
    files.into_iter().find(|path| path.exists())
}

/// Finds a model that must be there.
fn need(directory: &Path, name: &str) -> Result<PathBuf, Failure> {
    find(directory, name).ok_or_else(|| {
        let directory = directory.display();
        Failure::of(format!(
            "{directory}: neither {name}.axmodel nor {name}.onnx is there"
        ))
    })
}

/// Looks at what the options name, without a card.
pub fn look_at_files(options: &Ocr) -> Result<(), Failure> {
    let directory = &options.models;
    for model in [need(directory, "det")?, need(directory, "rec")?] {
        look_at_model(&model)?;
    }
    find(directory, "cls").map_or(Ok(()), |model| look_at_model(&model))?;
    characters(directory).map(drop)
}

fn characters(directory: &Path) -> Result<Characters, Failure> {
    let path = directory.join("keys.txt");
    let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
    Ok(Characters::new(&text))
}

/// Reads the text in pictures.
pub fn ocr(card: &Card, options: &Ocr) -> Result<(), Failure> {
    let several = options.input.len() > 1;
    if let Some(draw) = &options.draw {
        if several {
            return Err(Failure::usage("--draw wants one input"));
        }
        png::check(draw, options.force)?;
    }
    let inputs = options.input.iter().map(|path| {
        let input = Input::open(path)?;
        for output in [Some(options.output.as_path()), options.draw.as_deref()] {
            refuse_input(output, input.file(), path)?;
        }
        Ok::<_, Failure>((path.as_path(), input))
    });
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let session = card.session()?;
    let mut reader = Reader::new(&session, options)?;
    let report = Report::create(&options.output, options.force, Labels::read(None)?, several)?;
    let mut progress = Progress::new(Some(inputs.len() as u64), options.quiet);
    let mut count = 0;
    let mut results = Vec::new();
    for (path, input) in inputs {
        interrupt::check()?;
        let result = read(&mut reader, &session, options, path, input, &report);
        if let Ok(lines) = &result {
            count += lines;
            progress.frame();
        }
        results.push(result.map(drop));
    }
    // What was read is there to be seen, whatever became of the others.
    report.finish()?;
    reader.finish()?;
    progress.finish(&format!("read {count} lines of text"));
    results.into_iter().collect()
}

/// Reads one picture; how many lines there are.
fn read(
    reader: &mut Reader,
    session: &Session,
    options: &Ocr,
    path: &Path,
    input: Input,
    report: &Report,
) -> Result<usize, Failure> {
    let mut page = Page::load(session, path, input)?;
    let lines = reader.lines(&page)?;
    report.tell(Picture {
        input: path,
        number: 0,
        seconds: 0.0,
        size: page.size(),
        seen: ("lines", lines.iter().map(Line::json).collect()),
    })?;
    if let Some(draw) = &options.draw {
        lines.iter().for_each(|line| page.frame(&line.area));
        png::write(draw, options.force, page.size(), page.pixels())?;
    }
    Ok(lines.len())
}

/// A line of text.
struct Line {
    area: TextArea,
    text: String,
    score: f32,
}

impl Line {
    fn json(&self) -> Value {
        let corners = self.area.corners.map(|(x, y)| [x, y].map(tasks::tenths));
        json!({"text": self.text, "score": tasks::rounded(self.score), "box": corners})
    }
}

/// The models, and what they were shown.
struct Reader {
    detector: Network,
    angle: Option<Network>,
    recogniser: Network,
    characters: Characters,
    threshold: f32,
    tensors: Option<Tensors>,
}

impl Reader {
    fn new(session: &Session, options: &Ocr) -> Result<Self, Failure> {
        let directory = &options.models;
        let load = |name, path: PathBuf, what| Network::load(session, name, &path, what);
        Ok(Self {
            detector: load("det", need(directory, "det")?, PAGE)?,
            angle: match find(directory, "cls") {
                Some(path) => Some(load("cls", path, LINE)?),
                None => None,
            },
            recogniser: load("rec", need(directory, "rec")?, LINE)?,
            characters: characters(directory)?,
            threshold: options.threshold,
            tensors: options.tensors.as_deref().map(Tensors::new).transpose()?,
        })
    }

    /// Reads the lines of a page, in the order in which people do.
    fn lines(&mut self, page: &Page) -> Result<Vec<Line>, Failure> {
        let mut lines = Vec::new();
        for area in self.areas(page)? {
            interrupt::check()?;
            let cut = self.upright(page.cut(&area))?;
            let (scores, dims) = self.recogniser.run(&cut, &mut self.tensors)?;
            let classes = dims.last().map_or(0, |last| *last as usize);
            let (text, score) = self.characters.read(&scores, classes)?;
            // Where nothing is read there is no text.
            if score >= self.threshold && !text.trim().is_empty() {
                lines.push(Line { area, text, score });
            }
        }
        Ok(lines)
    }

    fn areas(&mut self, page: &Page) -> Result<Vec<TextArea>, Failure> {
        let (map, dims) = self.detector.run(page, &mut self.tensors)?;
        let (&[1, 1, rows, columns] | &[1, rows, columns]) = &dims[..] else {
            return Err(self.detector.no_map());
        };
        let found = TextFinder::default().find(&map, (columns, rows))?;
        let place = self.detector.place(page);
        let (width, height) = page.size();
        let to_page = |(x, y): (f32, f32)| {
            // The map may be smaller than what the model was shown.
            let x = x * place.canvas.0 as f32 / columns as f32;
            let y = y * place.canvas.1 as f32 / rows as f32;
            let (x, y) = (
                x * width as f32 / place.inner.0 as f32,
                y * height as f32 / place.inner.1 as f32,
            );
            (x.clamp(0.0, width as f32), y.clamp(0.0, height as f32))
        };
        let found = found.iter().map(|area| area.moved(to_page));
        // What is left of an area beside the page is none.
        Ok(found
            .filter(|area| area.width() >= 1.0 && area.height() >= 1.0)
            .collect())
    }

    /// Turns a line that is upside down.
    fn upright(&mut self, cut: Page) -> Result<Page, Failure> {
        let Some(angle) = &self.angle else {
            return Ok(cut);
        };
        let (scores, _) = angle.run(&cut, &mut self.tensors)?;
        let turned = scores.get(1).is_some_and(|score| *score > TURNED);
        Ok(if turned { cut.turned() } else { cut })
    }

    fn finish(self) -> Result<(), Failure> {
        self.tensors.map_or(Ok(()), Tensors::finish)
    }
}
