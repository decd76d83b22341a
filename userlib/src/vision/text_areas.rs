// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where text is: detectors of the family of DB ("differentiable binarization", PP-OCR) give a probability for each pixel, lines of
//! text are islands in it.

use crate::error::{Error, Result};

/// A place of a picture, or a vector: across and down.
type Point = (f32, f32);

/// A line of text: a rectangle that may be turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextArea {
    /// Where the line begins at its top, where it ends there, and the two below, clockwise.
    pub corners: [Point; 4],
    /// How sure the model is, 0 to 1.
    pub score: f32,
}

impl TextArea {
    /// Returns how long the line is.
    pub fn width(&self) -> f32 {
        distance(self.corners[0], self.corners[1])
    }

    /// Returns how high the line is.
    pub fn height(&self) -> f32 {
        distance(self.corners[0], self.corners[3])
    }

    /// Returns the area with each corner where `f` puts it.
    pub fn moved(&self, f: impl Fn(Point) -> Point) -> Self {
        Self {
            corners: self.corners.map(f),
            score: self.score,
        }
    }

    fn top(&self) -> f32 {
        self.corners.iter().map(|c| c.1).fold(f32::MAX, f32::min)
    }

    fn left(&self) -> f32 {
        self.corners.iter().map(|c| c.0).fold(f32::MAX, f32::min)
    }
}

/// Finds lines of text in a detector's output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextFinder {
    /// A pixel belongs to text from this probability on.
    pub pixel: f32,
    /// An island is text from this mean probability on.
    pub threshold: f32,
    /// Models are trained to shrink text; islands grow on all sides by their area times this by their circumference.
    pub grow: f32,
    /// What is narrower or lower is noise, pixels.
    pub smallest: f32,
    /// Lines of a picture at most.
    pub most: usize,
}

impl Default for TextFinder {
    fn default() -> Self {
        Self {
            pixel: 0.3,
            threshold: 0.5,
            grow: 1.6,
            smallest: 3.0,
            most: 1000,
        }
    }
}

impl TextFinder {
    /// Returns the lines of text in `map`, which has `size` columns and rows, in its pixels, in the order in which they are
    /// read.  Upright lines are taken to run from the top to the bottom.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: not as many numbers as columns and rows say.
    pub fn find(&self, map: &[f32], size: (u32, u32)) -> Result<Vec<TextArea>> {
        let (width, height) = (size.0 as usize, size.1 as usize);
        if width.checked_mul(height) != Some(map.len()) {
            let (len, (width, height)) = (map.len(), size);
            return Err(Error::invalid(format!(
                "{len} numbers for a map of {width}x{height} pixels"
            )));
        }
        let mut seen = vec![false; map.len()];
        let mut found = Vec::new();
        for start in 0..map.len() {
            if !seen[start] && map[start] >= self.pixel {
                let island = Island::new(map, width, self.pixel, start, &mut seen);
                found.extend(self.area(&island));
            }
        }
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        found.truncate(self.most);
        into_reading_order(&mut found);
        Ok(found)
    }

    fn area(&self, island: &Island) -> Option<TextArea> {
        let score = (island.sum / island.count as f64) as f32;
        // Half a pixel is around the middle of each.
        let around = Rectangle::around(&island.outline())?.grown(0.5);
        let (across, down) = around.size;
        if across.min(down) < self.smallest || score < self.threshold {
            return None;
        }
        let grow = across * down * self.grow / (2.0 * (across + down));
        let corners = around.grown(grow).corners();
        Some(TextArea { corners, score })
    }
}

/// Pixels of text that touch each other.
struct Island {
    /// Its first row, and its first and last column in each row.
    top: usize,
    rows: Vec<(usize, usize)>,
    sum: f64,
    count: usize,
}

impl Island {
    fn new(map: &[f32], width: usize, least: f32, start: usize, seen: &mut [bool]) -> Self {
        let mut island = Self {
            // Pixels are looked for row by row, so none is above the first.
            top: start / width,
            rows: Vec::new(),
            sum: 0.0,
            count: 0,
        };
        let height = map.len() / width;
        let mut todo = vec![start];
        seen[start] = true;
        while let Some(at) = todo.pop() {
            let (x, y) = (at % width, at / width);
            island.add(x, y);
            island.sum += f64::from(map[at]);
            island.count += 1;
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                for column in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = row * width + column;
                    if !seen[next] && map[next] >= least {
                        seen[next] = true;
                        todo.push(next);
                    }
                }
            }
        }
        island
    }

    fn add(&mut self, x: usize, y: usize) {
        let row = y - self.top;
        if row >= self.rows.len() {
            self.rows.resize(row + 1, (usize::MAX, 0));
        }
        let (first, last) = &mut self.rows[row];
        (*first, *last) = ((*first).min(x), (*last).max(x));
    }

    /// Returns the middles of the first and the last pixel of each row.
    fn outline(&self) -> Vec<Point> {
        let middles = |(y, (first, last)): (usize, &(usize, usize))| {
            [*first, *last].map(|x| (x as f32 + 0.5, y as f32 + 0.5))
        };
        (self.top..).zip(&self.rows).flat_map(middles).collect()
    }
}

/// A rectangle by its middle, the direction of its first side and the length of both.
#[derive(Clone, Copy)]
struct Rectangle {
    middle: Point,
    along: Point,
    size: (f32, f32),
}

impl Rectangle {
    /// Finds the smallest around all points: one of its sides has an edge of their convex hull in it.
    fn around(points: &[Point]) -> Option<Self> {
        let hull = hull(points);
        let edges = hull.iter().zip(hull.iter().cycle().skip(1));
        let mut best: Option<Self> = None;
        for (from, to) in edges {
            let length = distance(*from, *to);
            if length == 0.0 {
                continue;
            }
            let along = ((to.0 - from.0) / length, (to.1 - from.1) / length);
            let range = |direction: Point| {
                let places = hull.iter().map(|p| p.0 * direction.0 + p.1 * direction.1);
                places.fold((f32::MAX, f32::MIN), |(low, high), at| {
                    (low.min(at), high.max(at))
                })
            };
            let down = (-along.1, along.0);
            let (a, b) = (range(along), range(down));
            let size = (a.1 - a.0, b.1 - b.0);
            let (u, v) = ((a.0 + a.1) / 2.0, (b.0 + b.1) / 2.0);
            let middle = (u * along.0 + v * down.0, u * along.1 + v * down.1);
            let next = Self {
                middle,
                along,
                size,
            };
            if best.is_none_or(|best| next.area() < best.area()) {
                best = Some(next);
            }
        }
        best
    }

    fn area(&self) -> f32 {
        self.size.0 * self.size.1
    }

    fn grown(mut self, by: f32) -> Self {
        self.size = (self.size.0 + 2.0 * by, self.size.1 + 2.0 * by);
        self
    }

    /// Returns the corners in the order in which a line is read.
    fn corners(&self) -> [Point; 4] {
        let (mut along, mut size) = (self.along, self.size);
        let turn = |(x, y): Point| (-y, x);
        for _ in 0..3 {
            // To the right, if it is one of the two directions between 45 degrees upwards and downwards.
            if along.0 + 1e-3 >= along.1.abs() {
                break;
            }
            (along, size) = (turn(along), (size.1, size.0));
        }
        if size.1 >= 1.5 * size.0 {
            // Steep lines are read to the right as well, upright ones from the top to the bottom.
            (along, size) = (turn(along), (size.1, size.0));
            if along.0 < -0.1 {
                along = (-along.0, -along.1);
            }
        }
        let down = turn(along);
        let corner = |right: f32, below: f32| {
            let (u, v) = (right * size.0 / 2.0, below * size.1 / 2.0);
            (
                self.middle.0 + u * along.0 + v * down.0,
                self.middle.1 + u * along.1 + v * down.1,
            )
        };
        [
            corner(-1.0, -1.0),
            corner(1.0, -1.0),
            corner(1.0, 1.0),
            corner(-1.0, 1.0),
        ]
    }
}

/// Returns the corners of the convex hull, in order around it (Andrew's monotone chain).
fn hull(points: &[Point]) -> Vec<Point> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    let turns_left =
        |a: Point, b: Point, c: Point| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0) > 0.0;
    let chain = |points: &mut dyn Iterator<Item = Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..] {
                if turns_left(a, b, point) {
                    break;
                }
                chain.pop();
            }
            chain.push(point);
        }
        // The last is the first of the other chain.
        chain.pop();
        chain
    };
    let mut all = chain(&mut points.iter().copied());
    all.extend(chain(&mut points.iter().rev().copied()));
    all
}

fn distance(a: Point, b: Point) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// Sorts areas from the top to the bottom; those that begin at about the same height from left to right.
fn into_reading_order(areas: &mut [TextArea]) {
    areas.sort_by(|one, other| one.top().total_cmp(&other.top()));
    for end in 1..areas.len() {
        for at in (1..=end).rev() {
            let (above, below) = (&areas[at - 1], &areas[at]);
            let near = above.height().min(below.height()) / 2.0;
            if below.top() - above.top() >= near || below.left() >= above.left() {
                break;
            }
            areas.swap(at - 1, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: u32 = 200;
    const HEIGHT: u32 = 120;

    /// A map with rectangles in it, which are sure text: middle, half of the length and of the height, angle in degrees.
    fn map(size: (u32, u32), rectangles: &[(Point, Point, f32)], sure: f32) -> Vec<f32> {
        let inside = |x: u32, y: u32| {
            rectangles.iter().any(|(middle, half, angle)| {
                let (sin, cos) = angle.to_radians().sin_cos();
                let (dx, dy) = (x as f32 + 0.5 - middle.0, y as f32 + 0.5 - middle.1);
                (dx * cos + dy * sin).abs() < half.0 && (dy * cos - dx * sin).abs() < half.1
            })
        };
        let all = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
        all.map(|(x, y)| if inside(x, y) { sure } else { 0.1 })
            .collect()
    }

    fn find_in(map: &[f32], finder: TextFinder) -> Vec<TextArea> {
        finder.find(map, (WIDTH, HEIGHT)).unwrap()
    }

    fn find(rectangles: &[(Point, Point, f32)], finder: TextFinder) -> Vec<TextArea> {
        find_in(&map((WIDTH, HEIGHT), rectangles, 0.9), finder)
    }

    fn plain() -> TextFinder {
        TextFinder {
            grow: 0.0,
            ..Default::default()
        }
    }

    /// Where another program finds them: see tests/python/text_areas.py.
    #[test]
    fn areas_are_those_of_opencv() {
        const FOUND: &str = include_str!("../../tests/data/text_areas.txt");
        let numbers = |line: &str| -> Vec<f32> {
            let words = line.split_whitespace();
            words.map(|word| word.parse().unwrap()).collect()
        };
        let (mut areas, mut nothing) = (0, 0);
        for line in FOUND.lines().filter(|line| !line.starts_with('#')) {
            let values = numbers(line);
            let [x, y, half, low, angle, sure] = values[..6] else {
                panic!("{line}");
            };
            let size = (320, 200);
            let all = map(size, &[((x, y), (half, low), angle)], sure);
            let found = TextFinder::default().find(&all, size).unwrap();
            let wanted: Vec<Point> = values[6..].chunks(2).map(|p| (p[0], p[1])).collect();
            assert_eq!(found.len(), wanted.len() / 4, "{line}");
            for (have, want) in found.iter().flat_map(|area| area.corners).zip(wanted) {
                // It measures from middle to middle of pixels, and cuts off what is behind the point.
                assert!(distance(have, want) < 4.0, "{line}: {have:?}");
                areas += 1;
            }
            nothing += usize::from(found.is_empty());
        }
        assert!(areas >= 80 && nothing >= 10);
    }

    #[test]
    fn upright_areas_are_exact() {
        let found = find(&[((60.0, 40.0), (30.0, 10.0), 0.0)], plain());
        let wanted = [(30.0, 30.0), (90.0, 30.0), (90.0, 50.0), (30.0, 50.0)];
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].corners, wanted);
        assert!((found[0].score - 0.9).abs() < 1e-5);
        // 60 x 20 grows by 1200 * 1.6 / 160 on each side.
        let grown = find(&[((60.0, 40.0), (30.0, 10.0), 0.0)], TextFinder::default());
        assert_eq!(grown[0].corners[0], (18.0, 18.0));
        assert_eq!(grown[0].corners[2], (102.0, 62.0));
    }

    #[test]
    fn turned_areas_begin_where_they_are_read() {
        for angle in [-70.0_f32, -40.0, -12.0, 5.0, 12.0, 40.0, 70.0] {
            let middle = (100.0, 60.0);
            let found = find(&[(middle, (40.0, 8.0), angle)], plain());
            assert_eq!(found.len(), 1, "{angle}");
            let (sin, cos) = angle.to_radians().sin_cos();
            let place =
                |u: f32, v: f32| (middle.0 + u * cos - v * sin, middle.1 + u * sin + v * cos);
            let wanted = [
                place(-40.0, -8.0),
                place(40.0, -8.0),
                place(40.0, 8.0),
                place(-40.0, 8.0),
            ];
            for (have, want) in found[0].corners.iter().zip(wanted) {
                assert!(distance(*have, want) < 2.5, "{angle}: {have:?}, {want:?}");
            }
        }
    }

    #[test]
    fn high_areas_run_downwards() {
        let found = find(&[((50.0, 60.0), (8.0, 40.0), 0.0)], plain());
        let wanted = [(58.0, 20.0), (58.0, 100.0), (42.0, 100.0), (42.0, 20.0)];
        assert_eq!(found[0].corners, wanted);
        assert_eq!((found[0].width(), found[0].height()), (80.0, 16.0));
    }

    #[test]
    fn lines_are_in_reading_order() {
        let lines = [
            ((150.0, 30.0), (30.0, 6.0), 0.0),
            ((50.0, 32.0), (30.0, 6.0), 0.0),
            ((100.0, 90.0), (30.0, 6.0), 0.0),
            ((60.0, 60.0), (30.0, 6.0), 0.0),
        ];
        let found = find(&lines, plain());
        let left: Vec<f32> = found.iter().map(TextArea::left).collect();
        assert_eq!(left, [20.0, 120.0, 30.0, 70.0]);
        let two = TextFinder { most: 2, ..plain() };
        assert_eq!(find(&lines, two).len(), 2);
    }

    #[test]
    fn noise_and_doubt_are_no_text() {
        let specks = [
            ((20.0, 20.0), (1.0, 20.0), 0.0),
            ((90.0, 20.0), (1.0, 1.0), 0.0),
        ];
        assert!(find(&specks, plain()).is_empty());
        let unsure = vec![0.4; (WIDTH * HEIGHT) as usize];
        assert!(find_in(&unsure, plain()).is_empty());
        assert!(find_in(&vec![f32::NAN; unsure.len()], plain()).is_empty());
        // All of it: one area.
        assert_eq!(find_in(&vec![1.0; unsure.len()], plain()).len(), 1);
        assert!(TextFinder::default().find(&unsure, (7, 7)).is_err());
        assert!(TextFinder::default().find(&[], (0, 0)).unwrap().is_empty());
    }
}
