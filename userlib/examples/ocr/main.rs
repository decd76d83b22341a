// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads the text in a picture with the PP-OCRv4 models on the card.
//!
//! ```text
//! ocr --models DIR PICTURE.png [--marked OUT.png] [--dump DIR]
//! ```
//!
//! DIR holds `det.onnx`, `cls.onnx`, `rec.onnx` with fixed shapes and `keys.txt`, the characters that
//! `rec` knows, one a line.  Three models run one after the other: where is text, is it upside down, what
//! does it say.  `--marked` gets the picture with the boxes drawn in, `--dump` every tensor that went in
//! or out, for comparison with another engine.

mod detect;
mod dump;
mod picture;
mod recognise;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use ax650::{Card, Model};
use dump::Dump;
use picture::Picture;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

struct Options {
    models: PathBuf,
    picture: PathBuf,
    marked: Option<PathBuf>,
    dump: Option<PathBuf>,
}

const USAGE: &str = "usage: ocr --models DIR PICTURE.png [--marked OUT.png] [--dump DIR]";

fn options() -> Option<Options> {
    let (mut models, mut picture, mut marked, mut dump) = (None, None, None, None);
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        let slot = match arg.to_str() {
            Some("--models") => &mut models,
            Some("--marked") => &mut marked,
            Some("--dump") => &mut dump,
            _ => {
                picture = Some(PathBuf::from(arg));
                continue;
            }
        };
        *slot = Some(PathBuf::from(args.next()?));
    }
    Some(Options {
        models: models?,
        picture: picture?,
        marked,
        dump,
    })
}

/// Runs `model` on one tensor of floats, and gives the first output with its dimensions.
fn run(
    model: &Model,
    name: &str,
    group: usize,
    input: &[f32],
    dump: &mut Option<Dump>,
) -> Result<(Vec<f32>, Vec<u32>)> {
    let binding = model.bind(group)?;
    let bytes: Vec<u8> = input.iter().flat_map(|v| v.to_le_bytes()).collect();
    binding.set_input(0, &bytes)?;
    binding.run()?;
    let output = binding.output(0)?.to_vec();
    let dims = model.outputs()[0].shapes[group].dims.clone();
    if let Some(dump) = dump {
        let from = &model.inputs()[0];
        dump.add(
            name,
            &from.name,
            &from.shapes[group].dims,
            &bytes,
            &dims,
            &output,
        )?;
    }
    let floats = output
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Ok((floats.collect(), dims))
}

fn read(options: &Options) -> Result<()> {
    let picture = Picture::load(&options.picture)?;
    let mut dump = options.dump.as_deref().map(Dump::new).transpose()?;
    let card = Card::open_first()?;
    let session = card.session()?;
    let load = |name: &str| Model::load_file(&session, options.models.join(name));
    let (det, cls, rec) = (load("det.onnx")?, load("cls.onnx")?, load("rec.onnx")?);
    let keys = recognise::Keys::load(&options.models.join("keys.txt"))?;

    let start = Instant::now();
    let boxes = detect::boxes(&det, &picture, &mut dump)?;
    let mut lines = Vec::new();
    for found in &boxes {
        let cut = picture.cut(found);
        let cut = recognise::upright(&cls, cut, &mut dump)?;
        lines.push(recognise::text(&rec, &cut, &keys, &mut dump)?);
    }
    for (found, (text, confidence)) in boxes.iter().zip(&lines) {
        println!(
            "{:4},{:<4} {:3}x{:<3} {:.2}  {text}",
            found.x, found.y, found.width, found.height, confidence
        );
    }
    println!(
        "{} lines in {:.0} ms",
        lines.len(),
        start.elapsed().as_secs_f64() * 1e3
    );
    if let Some(path) = &options.marked {
        let mut marked = picture;
        boxes.iter().for_each(|found| marked.frame(found));
        marked.save(path)?;
    }
    if let Some(dump) = dump {
        dump.finish()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match read(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ocr: {error}");
            ExitCode::FAILURE
        }
    }
}
