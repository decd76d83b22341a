// SPDX-License-Identifier: MIT OR Apache-2.0

//! ONNX Runtime: loads models and runs them.

use std::path::PathBuf;
use std::sync::OnceLock;

use ax650_emu_api::priority;
use ort::session::run_options::RunOptions;
use ort::session::{Session, SessionInputValue};
use ort::tensor::TensorElementType;
use ort::value::ValueType;
use prost::Message;

use super::file::Image;
use super::groups::{fix, parse_groups, GroupError, GROUPS_KEY};
use super::onnx::{Graph, Model, Node, OperatorSet, TensorType, Type, ValueInfo};
use super::quiet::without_chatter;
use super::tensor::{from_bytes, refused_element, to_bytes, Format};

/// Key of the metadata property with the number of NPU cores that a model runs on, 1 to 3.
const CORES_KEY: &str = "ax650.cores";

/// Why a model cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The library is missing or too old.
    #[error("ONNX Runtime cannot be used: {0}")]
    Runtime(String),
    /// A file of the model directory cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, String),
    /// Its shape groups do not fit, or are missing.
    #[error(transparent)]
    Groups(#[from] GroupError),
    /// ONNX Runtime refuses it.
    #[error("this is no ONNX model, or not a valid one: {0}")]
    NoModel(String),
    /// It asks for operators, or a version of them, that this runtime does not have.
    #[error("it needs operators that this card does not have: {0}")]
    Operators(String),
    /// An input or output that is no tensor of numbers.
    #[error("{name:?} is of type {kind}, not a tensor of numbers")]
    Type {
        /// Name of the input or output.
        name: String,
        /// What it is.
        kind: String,
    },
    /// The shapes of its outputs depend on more than those of its inputs.
    #[error("the output shapes of group {group} are not to be found: {why}")]
    Outputs {
        /// Index of the group.
        group: usize,
        /// What ONNX Runtime says.
        why: String,
    },
}

/// An input or output.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub format: Format,
    /// Its shape in each group.
    pub shapes: Vec<Vec<i64>>,
    element: TensorElementType,
}

impl TensorInfo {
    /// Bytes in `group`.
    pub fn bytes(&self, group: usize) -> u64 {
        self.shapes[group].iter().product::<i64>() as u64 * self.format.bytes()
    }
}

/// A loaded model.
#[derive(Debug)]
pub struct Network {
    /// Inputs, in the model's order.
    pub inputs: Vec<TensorInfo>,
    /// Outputs, likewise.
    pub outputs: Vec<TensorInfo>,
    /// Number of shape groups.
    pub groups: usize,
    /// Which tool made it.
    pub version: String,
    /// NPU cores that it runs on, 1 to 3.
    pub cores: u32,
    session: Session,
}

/// Ends a run from another thread.
pub(crate) type Stop = RunOptions;

impl Network {
    /// Loads a model that runs with `threads` threads; 0 for one per CPU.
    pub fn load(image: &Image, threads: usize) -> Result<Self, LoadError> {
        let mut network = Self::open(image, threads)?;
        let stop = RunOptions::new().map_err(|e| LoadError::Runtime(e.to_string()))?;
        network.find_output_shapes(&stop)?;
        Ok(network)
    }

    /// The same, without the output shapes that the model does not state.
    pub(crate) fn open(image: &Image, threads: usize) -> Result<Self, LoadError> {
        available()?;
        let known = Model::decode(&*image.model).unwrap_or_default();
        check_types(&known)?;
        let session = build(&image.model, threads).map_err(|e| not_built(e.to_string()))?;
        let property = |key| {
            session
                .metadata()
                .and_then(|m| m.custom(key))
                .ok()
                .flatten()
        };
        let groups = match &image.groups {
            Some(groups) => Some(groups.clone()),
            None => property(GROUPS_KEY)
                .map(|text| parse_groups(&text))
                .transpose()?,
        };
        let cores = property(CORES_KEY)
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);

        let types = session.inputs.iter().map(|i| (&i.name, &i.input_type));
        let mut inputs = types
            .map(|(name, kind)| info(name, kind))
            .collect::<Result<Vec<_>, _>>()?;
        let types = session.outputs.iter().map(|o| (&o.name, &o.output_type));
        let mut outputs = types
            .map(|(name, kind)| info(name, kind))
            .collect::<Result<Vec<_>, _>>()?;

        let shapes: Vec<_> = inputs
            .iter()
            .map(|i| (i.name.clone(), i.shapes[0].clone()))
            .collect();
        let fixed = fix(&shapes, groups.as_deref())?;
        for (index, input) in inputs.iter_mut().enumerate() {
            input.shapes = fixed.iter().map(|group| group[index].clone()).collect();
        }
        for output in &mut outputs {
            output.shapes = vec![output.shapes[0].clone(); fixed.len()];
        }
        Ok(Self {
            inputs,
            outputs,
            groups: fixed.len(),
            version: version(&known),
            cores: u32::clamp(cores, 1, 3),
            session,
        })
    }

    /// Output shapes that the model does not state are those of a run on zeroes.
    pub(crate) fn find_output_shapes(&mut self, stop: &Stop) -> Result<(), LoadError> {
        let known = |output: &TensorInfo| output.shapes[0].iter().all(|d| *d >= 0);
        if self.outputs.iter().all(known) {
            return Ok(());
        }
        for group in 0..self.groups {
            let failed = |e: ort::Error| LoadError::Outputs {
                group,
                why: e.to_string(),
            };
            let zeroes: Vec<_> = self
                .inputs
                .iter()
                .map(|i| vec![0; i.bytes(group) as usize])
                .collect();
            let outputs = self.run_any(group, &zeroes, stop).map_err(failed)?;
            for (info, (shape, _)) in self.outputs.iter_mut().zip(outputs) {
                info.shapes[group] = shape;
            }
        }
        Ok(())
    }

    /// Runs the model on the bytes of its inputs; the result is the bytes of its outputs.
    pub(crate) fn run(
        &self,
        group: usize,
        inputs: &[Vec<u8>],
        stop: &Stop,
    ) -> Result<Vec<Vec<u8>>, String> {
        let outputs = self
            .run_any(group, inputs, stop)
            .map_err(|e| e.to_string())?;
        let checked = outputs
            .into_iter()
            .zip(&self.outputs)
            .map(|((shape, bytes), info)| {
                if shape == info.shapes[group] {
                    return Ok(bytes);
                }
                let (name, want) = (&info.name, &info.shapes[group]);
                Err(format!(
                    "output {name:?} has the shape {shape:?} instead of {want:?}"
                ))
            });
        checked.collect()
    }

    fn run_any(
        &self,
        group: usize,
        inputs: &[Vec<u8>],
        stop: &Stop,
    ) -> ort::Result<Vec<(Vec<i64>, Vec<u8>)>> {
        let tensors = self.inputs.iter().zip(inputs).map(|(info, bytes)| {
            let tensor = from_bytes(info.element, &info.shapes[group], bytes)?;
            Ok((info.name.clone(), tensor))
        });
        let tensors: Vec<(String, SessionInputValue<'_>)> = tensors.collect::<ort::Result<_>>()?;
        let outputs = self.session.run_with_options(tensors, stop)?;
        let named = self.outputs.iter().map(|info| {
            let value = outputs.get(&info.name);
            to_bytes(
                info.element,
                value.ok_or_else(|| ort::Error::new("an output is missing"))?,
            )
        });
        named.collect()
    }
}

/// Why the library does not take a model; it has no code of its own for what it lacks.
fn not_built(text: String) -> LoadError {
    let lacks = [
        "official support",
        "Unsupported model IR version",
        "not a registered",
        "No Op registered",
        "find an implementation",
    ];
    if lacks.iter().any(|part| text.contains(part)) {
        return LoadError::Operators(text);
    }
    LoadError::NoModel(text)
}

/// Name and version of the tool that made the model.
fn version(known: &Model) -> String {
    let text = format!("{} {}", known.producer_name, known.producer_version);
    match text.trim() {
        "" => "onnx".into(),
        text => text.into(),
    }
}

/// Refuses element types that the binding to ONNX Runtime panics at.
fn check_types(known: &Model) -> Result<(), LoadError> {
    let graph = known.graph.iter();
    for value in graph.flat_map(|graph| graph.input.iter().chain(&graph.output)) {
        let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        if let Some(kind) = tensor.and_then(|t| refused_element(t.elem_type)) {
            return Err(LoadError::Type {
                name: value.name.clone(),
                kind: format!("a tensor of {kind}"),
            });
        }
    }
    Ok(())
}

fn build(model: &[u8], threads: usize) -> ort::Result<Session> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        n => n,
    };
    let load = || {
        // The library's threads are to compute when nobody has anything to say.
        priority::background();
        // Threads that spin between operators would take the CPU from QEMU.
        Session::builder()?
            .with_intra_threads(threads)?
            .with_intra_op_spinning(false)?
            .with_inter_threads(1)?
            .commit_from_memory(model)
    };
    let session = std::thread::scope(|scope| scope.spawn(load).join());
    session.unwrap_or_else(|_| Err(ort::Error::new("the binding to ONNX Runtime has panicked")))
}

fn info(name: &str, kind: &ValueType) -> Result<TensorInfo, LoadError> {
    let wrong = || LoadError::Type {
        name: name.to_owned(),
        kind: kind.to_string(),
    };
    let ValueType::Tensor { ty, dimensions, .. } = kind else {
        return Err(wrong());
    };
    Ok(TensorInfo {
        name: name.to_owned(),
        format: Format::of(*ty).ok_or_else(wrong)?,
        shapes: vec![dimensions.clone()],
        element: *ty,
    })
}

/// Names of the library: a given one, the distribution's, a development package's.
fn library_names() -> Vec<String> {
    let given = std::env::var("ORT_DYLIB_PATH")
        .ok()
        .filter(|path| !path.is_empty());
    let names = [
        "libonnxruntime.so.1.21",
        "libonnxruntime.so.1",
        "libonnxruntime.so",
    ];
    given.into_iter().chain(names.map(str::to_owned)).collect()
}

/// Whether the library can be used.  The binding panics if it cannot, so this looks first.
fn available() -> Result<(), LoadError> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| without_chatter(find));
    found.clone().map_err(LoadError::Runtime)
}

fn find() -> Result<(), String> {
    let mut errors = Vec::new();
    for name in library_names() {
        match library_version(&name) {
            Ok(minor) if minor >= ort::MINOR_VERSION => {
                return warm_up(name).map_err(|e| e.to_string());
            }
            Ok(minor) => errors.push(format!(
                "{name} is version 1.{minor}, 1.{} is needed",
                ort::MINOR_VERSION
            )),
            Err(error) => errors.push(error),
        }
    }
    Err(errors.join("; "))
}

/// Loads the library and a first model: the library registers its operators only then.
fn warm_up(name: String) -> ort::Result<()> {
    ort::init_from(name).with_telemetry(false).commit()?;
    let one = |name: &str| ValueInfo {
        name: name.into(),
        r#type: Some(Type {
            tensor_type: Some(TensorType {
                elem_type: 1,
                shape: None,
            }),
        }),
    };
    let nothing = Model {
        ir_version: 8,
        graph: Some(Graph {
            name: "nothing".into(),
            node: vec![Node {
                op_type: "Identity".into(),
                input: vec!["x".into()],
                output: vec!["y".into()],
                ..Default::default()
            }],
            input: vec![one("x")],
            output: vec![one("y")],
            ..Default::default()
        }),
        opset_import: vec![OperatorSet {
            version: 13,
            ..Default::default()
        }],
        ..Default::default()
    };
    build(&nothing.encode_to_vec(), 1).map(drop)
}

/// The second part of the version of the library `name`.
fn library_version(name: &str) -> Result<u32, String> {
    // SAFETY: the library's initialisers are those of ONNX Runtime, which the user has installed.
    let library = unsafe { libloading::Library::new(name) }.map_err(|e| e.to_string())?;
    // SAFETY: the symbol has had this type in all versions of the library.
    let base = unsafe {
        library.get::<unsafe extern "C" fn() -> *const ort_sys::OrtApiBase>(b"OrtGetApiBase")
    }
    .map_err(|e| e.to_string())?;
    // SAFETY: it takes nothing and returns a pointer to a static table, or null.
    let text = unsafe {
        let base = base().as_ref().ok_or("OrtGetApiBase returned nothing")?;
        let get = base.GetVersionString.ok_or("no GetVersionString")?;
        std::ffi::CStr::from_ptr(get())
            .to_string_lossy()
            .into_owned()
    };
    // ONNX Runtime does not bear being unloaded, and is needed at once.
    std::mem::forget(library);
    let minor = text.split('.').nth(1).and_then(|minor| minor.parse().ok());
    minor.ok_or(format!("{name} has the version {text:?}"))
}
