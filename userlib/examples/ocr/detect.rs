// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where text is: the detector gives a probability per pixel, lines of text are islands in it.

use ax650::Model;

use crate::{dump::Dump, picture::Picture, run, Result};

/// A pixel belongs to text from this probability on.
const PIXEL: f32 = 0.3;
/// An island is text from this mean probability on.
const ISLAND: f32 = 0.5;
/// The model is trained to shrink text areas; islands grow by area * this / circumference.
const GROW: f32 = 1.6;
/// Smaller islands are noise, pixels.
const SMALLEST: u32 = 4;

/// A rectangle in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// Lines of text, from top to bottom.
pub fn boxes(model: &Model, picture: &Picture, dump: &mut Option<Dump>) -> Result<Vec<Area>> {
    let dims = &model.inputs()[0].shapes[0].dims;
    let (height, width) = (dims[2], dims[3]);
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let input = picture.tensor((width, height), width, mean, deviation);
    let (map, _) = run(model, "det", 0, &input, dump)?;
    let scale = |value: f32, from: u32, to: u32| (value * to as f32 / from as f32) as u32;
    let (across, down) = picture.size();
    let mut found: Vec<Area> = islands(&map, width, height)
        .into_iter()
        .map(|island| {
            let (x0, y0) = (
                scale(island[0], width, across),
                scale(island[1], height, down),
            );
            let (x1, y1) = (
                scale(island[2], width, across),
                scale(island[3], height, down),
            );
            Area {
                x: x0,
                y: y0,
                width: (x1 - x0).max(1),
                height: (y1 - y0).max(1),
            }
        })
        .collect();
    found.sort_by_key(|area| (area.y, area.x));
    Ok(found)
}

/// Rectangles (left, top, right, bottom) around the islands of `map`, grown.
fn islands(map: &[f32], width: u32, height: u32) -> Vec<[f32; 4]> {
    let mut seen = vec![false; map.len()];
    let mut found = Vec::new();
    for start in 0..map.len() {
        if seen[start] || map[start] < PIXEL {
            continue;
        }
        let (mut x0, mut y0, mut x1, mut y1) = (width, height, 0, 0);
        let (mut sum, mut count) = (0.0, 0u32);
        let mut todo = vec![start];
        seen[start] = true;
        while let Some(at) = todo.pop() {
            let (x, y) = (at as u32 % width, at as u32 / width);
            (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
            sum += map[at];
            count += 1;
            let steps = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                (y > 0).then(|| at - width as usize),
                (y + 1 < height).then(|| at + width as usize),
            ];
            for next in steps.into_iter().flatten() {
                if !seen[next] && map[next] >= PIXEL {
                    seen[next] = true;
                    todo.push(next);
                }
            }
        }
        let (across, down) = (x1 - x0 + 1, y1 - y0 + 1);
        if across < SMALLEST || down < SMALLEST || sum / (count as f32) < ISLAND {
            continue;
        }
        let grow = (across * down) as f32 * GROW / (2 * (across + down)) as f32;
        found.push([
            (x0 as f32 - grow).max(0.0),
            (y0 as f32 - grow).max(0.0),
            (x1 as f32 + 1.0 + grow).min(width as f32),
            (y1 as f32 + 1.0 + grow).min(height as f32),
        ]);
    }
    found
}
