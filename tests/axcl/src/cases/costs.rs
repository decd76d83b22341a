// SPDX-License-Identifier: MIT OR Apache-2.0

//! What operations cost by the legacy nodes, as `bench` has it for the native interface (docs/performance.md).

use anyhow::{ensure, Result};
use ax650_test_kit::case::{Context, STOCK};
use ax650_test_kit::costs::Meter;
use ax650_test_kit::onnx;

use super::support::ready;
use crate::client::{pattern, Device, Scope};

ax650_test_kit::cases!["axcl_bench":
    calls_by_axcl { kernels: STOCK, timeout_s: 90, soak_s: 300 },
    copies_by_axcl { kernels: STOCK, timeout_s: 120, soak_s: 600 },
];

const AXCL: &str = "axcl";
/// RunModel calls of a token of a small language model.
const CHAIN: usize = 37;

/// Sizes of copies, and how often each is done with a watch.
const SIZES: [(&str, usize, u32); 5] = [
    ("4 KiB", 4 << 10, 200),
    ("64 KiB", 64 << 10, 200),
    ("1 MiB", 1 << 20, 50),
    ("4 MiB", 4 << 20, 30),
    ("64 MiB", 64 << 20, 5),
];

fn calls_by_axcl(context: &mut Context) -> Result<()> {
    ready()?;
    let mut meter = Meter::new(context, AXCL);
    let mut open = Vec::new();
    meter.measure("open a session", 0, || {
        open.push(Device::open()?);
        Ok(())
    })?;
    drop(open);
    let device = Device::open()?;
    let scope = device.scope();
    meter.measure("small call", 1000, || scope.echo(b"small"))?;
    let long = pattern(5000, 1);
    meter.measure("long frame there and back", 200, || scope.echo(&long))?;
    meter.measure("37 calls one by one", 50, || {
        (0..CHAIN).try_for_each(|at| scope.echo(&[at as u8; 20]))
    })?;
    inference(&mut meter, &scope)?;
    device.close()
}

fn inference(meter: &mut Meter<'_>, scope: &Scope<'_>) -> Result<()> {
    scope.init_npu()?;
    let model = scope.load(&onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    let input = [1.5_f32.to_le_bytes().repeat(1000)];
    let mut output = Vec::new();
    meter.measure("inference", 100, || {
        output = model.run(scope, &input)?;
        Ok(())
    })?;
    ensure!(output == [3.0_f32.to_le_bytes().repeat(1000)]);
    model.unload(scope)
}

fn copies_by_axcl(context: &mut Context) -> Result<()> {
    ready()?;
    let mut meter = Meter::new(context, AXCL);
    let device = Device::open()?;
    let scope = device.scope();
    for (name, size, times) in SIZES {
        let address = scope.malloc(size as u32)?;
        let data = pattern(size, 1);
        let mut back = Vec::new();
        meter.measure(&format!("copy of {name} to the card"), times, || {
            scope.write(address, &data)
        })?;
        meter.measure(&format!("copy of {name} from the card"), times, || {
            back = scope.read(address, size)?;
            Ok(())
        })?;
        ensure!(back == data, "{name} came back changed");
        scope.free(address)?;
    }
    device.close()
}
