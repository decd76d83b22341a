// SPDX-License-Identifier: MIT OR Apache-2.0

//! The short programs that show the library and the ioctl interface: what they print is true.

use std::process::{Command, Stdio};

use anyhow::{ensure, Context as _, Result};
use md5::{Digest, Md5};

use crate::card::Card;
use crate::case::Context;
use crate::onnx;

crate::cases!["examples":
    infer_on_a_card,
    decode_on_a_card { timeout_s: 90 },
    query_in_c,
    c_infer_on_a_card,
    c_scale_on_a_card,
    cpp_transcode_on_a_card { timeout_s: 120 },
];

const HOME: &str = "/tmp/examples";

/// Runs a program of the guest, which must go well; returns what it prints.
fn good(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(format!("/bin/example-{program}"))
        .args(args)
        .current_dir(HOME)
        .stdin(Stdio::null())
        .output()
        .with_context(|| program.to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program of the guest, which must fail and say why.
fn fails(program: &str, args: &[&str], code: i32, says: &str) -> Result<()> {
    let output = Command::new(format!("/bin/example-{program}"))
        .args(args)
        .current_dir(HOME)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code) && said.contains(says),
        "{args:?}: {output:?}"
    );
    Ok(())
}

/// Writes a model that squares four numbers, and an input for it.
fn write_square() -> Result<()> {
    std::fs::create_dir_all(HOME)?;
    let model = onnx::binary("Mul", &["x", "x"], &["y"], 4);
    std::fs::write(format!("{HOME}/square.onnx"), model)?;
    let input: Vec<u8> = [1.0_f32, -2.0, 3.0, 0.5]
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    std::fs::write(format!("{HOME}/x"), input)?;
    Ok(())
}

fn infer_on_a_card(_: &mut Context) -> Result<()> {
    write_square()?;
    let text = good("infer", &["square.onnx", "x"])?;
    ensure!(
        text.ends_with("y fp32 1x4: [1.0, 4.0, 9.0, 0.25]\n"),
        "{text}"
    );
    let text = good("infer", &["square.onnx"])?;
    ensure!(text.ends_with(": [0.0, 0.0, 0.0, 0.0]\n"), "{text}");
    Ok(())
}

/// The pictures are those that ffmpeg makes of the same stream.
fn decode_on_a_card(_: &mut Context) -> Result<()> {
    const NAME: &str = "c14_zeronal_first.h264";
    const TABLE: &str = include_str!("../../../data/field/table.txt");
    std::fs::create_dir_all(HOME)?;
    let stream = include_bytes!("../../../data/field/c14_zeronal_first.h264");
    std::fs::write(format!("{HOME}/in.h264"), stream)?;
    let text = good("decode", &["in.h264", "out.nv12"])?;
    let (count, size) = text.trim().split_once(" pictures of ").context("a line")?;
    let (width, height) = size.split_once('x').context("a size")?;
    let luma = width.parse::<usize>()? * height.parse::<usize>()?;
    let pictures = std::fs::read(format!("{HOME}/out.nv12"))?;
    let hex = |bytes: &[u8]| -> String {
        let digits = Md5::digest(bytes).into_iter();
        digits
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    };
    // The table has them as planes.
    let sums: String = pictures
        .chunks(luma * 3 / 2)
        .map(|picture| {
            let (luma, chroma) = picture.split_at(luma.min(picture.len()));
            let plane = |first: usize| chroma.iter().skip(first).step_by(2).copied();
            let planes: Vec<u8> = luma
                .iter()
                .copied()
                .chain(plane(0))
                .chain(plane(1))
                .collect();
            hex(&planes) + "\n"
        })
        .collect();
    let row = TABLE.lines().find(|row| row.starts_with(NAME));
    let words: Vec<_> = row.context("no row")?.split_whitespace().collect();
    ensure!(
        words[1..3] == [count, &hex(sums.as_bytes())],
        "{text}, not {words:?}"
    );
    Ok(())
}

fn query_in_c(_: &mut Context) -> Result<()> {
    std::fs::create_dir_all(HOME)?;
    let text = good("query", &[])?;
    let info = Card::open(0)?.info()?;
    let firmware = info.firmware_version.split(|byte| *byte == 0).next();
    let firmware = String::from_utf8_lossy(firmware.unwrap_or_default());
    for line in [
        format!("card: {}", crate::card::address(0)?),
        format!("firmware: {firmware}"),
        "state: running".into(),
        format!("generation: {}", info.generation),
    ] {
        ensure!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    ensure!(
        !firmware.is_empty() && !text.contains("more are known"),
        "{text}"
    );
    let output = Command::new("/bin/example-query")
        .arg("/dev/null")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1) && said.starts_with("/dev/null: "),
        "{said}"
    );
    Ok(())
}

fn c_infer_on_a_card(_: &mut Context) -> Result<()> {
    write_square()?;
    let text = good("c-infer", &["square.onnx", "x"])?;
    // 1, 4, 9 and 0.25.
    let wanted = "y float32 16: 00 00 80 3f 00 00 80 40 00 00 10 41 00 00 80 3e\n";
    ensure!(text == wanted, "{text}");
    for (arguments, code, says) in [
        (&["nothing.onnx"][..], 1, "nothing.onnx"),
        (&["x"], 1, "load: "),
        (&[], 2, "usage: "),
    ] {
        fails("c-infer", arguments, code, says)?;
    }
    Ok(())
}

/// Luma, blue and red of BT.601, and the same as blue, green and red bytes by its formula.
const COLOURS: [([u8; 3], [u8; 3]); 4] = [
    ([81, 90, 240], [0, 0, 254]),
    ([145, 54, 34], [0, 255, 0]),
    ([41, 240, 110], [255, 0, 0]),
    ([180, 128, 128], [191, 191, 191]),
];

/// Writes an NV12 picture of 64x48 with a colour in each quarter.
fn write_quarters() -> Result<()> {
    const SIZE: (usize, usize) = (64, 48);
    let colour = |x: usize, y: usize| COLOURS[x / (SIZE.0 / 2) + 2 * (y / (SIZE.1 / 2))].0;
    let luma = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| colour(x, y)[0]));
    let chroma =
        (0..SIZE.1 / 2).flat_map(|y| (0..SIZE.0).map(move |x| colour(x, 2 * y)[1 + x % 2]));
    let picture: Vec<u8> = luma.chain(chroma).collect();
    std::fs::create_dir_all(HOME)?;
    Ok(std::fs::write(format!("{HOME}/quarters.nv12"), picture)?)
}

/// In the middle of each quarter is its colour, as BT.601 has it, and a part has the colours of that part.
fn c_scale_on_a_card(_: &mut Context) -> Result<()> {
    write_quarters()?;
    let near = |found: &[u8], wanted: &[u8]| {
        let mut pairs = found.iter().zip(wanted);
        pairs.all(|(a, b)| a.abs_diff(*b) <= 6)
    };
    let source = ["quarters.nv12", "64", "48", "out.bgr"];
    good("c-scale", &[&source[..], &["32", "20"]].concat())?;
    let pixels = std::fs::read(format!("{HOME}/out.bgr"))?;
    ensure!(pixels.len() == 32 * 20 * 3, "{} bytes", pixels.len());
    for (quarter, (_, bgr)) in COLOURS.iter().enumerate() {
        let (x, y) = (8 + 16 * (quarter % 2), 5 + 10 * (quarter / 2));
        let found = &pixels[(32 * y + x) * 3..][..3];
        ensure!(
            near(found, bgr),
            "quarter {quarter}: {found:?}, not {bgr:?}"
        );
    }
    // The lower right quarter, enlarged.
    let part = ["80", "60", "36", "28", "28", "20"];
    good("c-scale", &[&source[..], &part].concat())?;
    let pixels = std::fs::read(format!("{HOME}/out.bgr"))?;
    ensure!(pixels.len() == 80 * 60 * 3, "{} bytes", pixels.len());
    ensure!(
        pixels.chunks(3).all(|pixel| near(pixel, &COLOURS[3].1)),
        "another colour"
    );
    for (arguments, code, says) in [
        (&["nothing", "2", "2", "out", "2", "2"][..], 1, "nothing: "),
        (
            &["quarters.nv12", "64", "99", "out", "2", "2"],
            1,
            "rows of",
        ),
        (
            &["quarters.nv12", "64", "48", "out", "0", "2"],
            1,
            "target: ",
        ),
        (
            &[
                "quarters.nv12",
                "64",
                "48",
                "out",
                "2",
                "2",
                "60",
                "0",
                "8",
                "8",
            ],
            1,
            "scale: ",
        ),
        (&[], 2, "usage: "),
    ] {
        fails("c-scale", arguments, code, says)?;
    }
    Ok(())
}

/// The pictures that the card's own decoder makes of the result are as many, and of the same size.
fn cpp_transcode_on_a_card(_: &mut Context) -> Result<()> {
    std::fs::create_dir_all(HOME)?;
    let stream = include_bytes!("../../../data/field/c14_zeronal_first.h264");
    std::fs::write(format!("{HOME}/in.h264"), stream)?;
    good("decode", &["in.h264", "in.nv12"])?;
    good("c-transcode", &["in.h264", "out.h265"])?;
    let output = Command::new("ax650")
        .args(["decode", "out.h265", "-o", "out.nv12", "--force", "-q"])
        .current_dir(HOME)
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    let [before, after] =
        ["in.nv12", "out.nv12"].map(|name| std::fs::read(format!("{HOME}/{name}")));
    let (before, after) = (before?, after?);
    ensure!(
        before.len() == after.len() && !before.is_empty(),
        "{} and {} bytes",
        before.len(),
        after.len()
    );
    // Of bytes that have nothing to do with each other it would be about 80.
    let apart = before
        .iter()
        .zip(&after)
        .map(|(a, b)| u64::from(a.abs_diff(*b)));
    let mean = apart.sum::<u64>() as f64 / before.len() as f64;
    ensure!(mean < 8.0, "pictures are {mean} apart");
    Ok(())
}
