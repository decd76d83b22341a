// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models, their tensors, and room for those.

use std::ffi::{c_char, CString};
use std::time::Duration;

use ax650::{Binding, Model, TensorInfo};

use crate::pointer::{bytes, end, give, object, place, text};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};
use crate::session::ax650_session;

/// A model on the card.  Made by ax650_model_load_file() or ax650_model_load(), ended by ax650_model_free().
pub struct ax650_model {
    model: Model,
    inputs: Vec<Names>,
    outputs: Vec<Names>,
}

/// Strings of a tensor that C can read.
struct Names {
    name: CString,
    data_type: CString,
}

/// A tensor in one shape group.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ax650_tensor {
    /// Name.
    pub name: *const c_char,
    /// Type of the elements as NumPy calls it, such as "float32" and "bfloat16"; "" if it is not known.
    pub data_type: *const c_char,
    /// Dimensions, outermost first.
    pub dims: *const u32,
    /// How many dimensions.
    pub rank: usize,
    /// Bytes of the tensor, which may be more than the elements need.
    pub size: usize,
}

impl ax650_model {
    fn new(model: Model) -> Self {
        let names = |tensors: &[TensorInfo]| {
            let c = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
            let of = |tensor: &TensorInfo| Names {
                name: c(&tensor.name),
                data_type: c(tensor.data_type.numpy_name().unwrap_or("")),
            };
            tensors.iter().map(of).collect()
        };
        Self {
            inputs: names(model.inputs()),
            outputs: names(model.outputs()),
            model,
        }
    }
}

/// Loads a model from a file.
///
/// @return AX650_ERR_OTHER: the file; AX650_ERR_CARD: it is no model that the card can run, ax650_last_error() says why.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_load_file(
    session: *const ax650_session,
    path: *const c_char,
    out: *mut *mut ax650_model,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, path, out) = unsafe { (object(session)?, text(path)?, place(out)?) };
        *out = give(ax650_model::new(Model::load_file(&session.0, path)?));
        Ok(AX650_OK)
    })
}

/// Loads a model from memory.
///
/// @return As ax650_model_load_file().
#[no_mangle]
pub unsafe extern "C" fn ax650_model_load(
    session: *const ax650_session,
    data: *const u8,
    size: usize,
    out: *mut *mut ax650_model,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, image, out) = unsafe { (object(session)?, bytes(data, size)?, place(out)?) };
        *out = give(ax650_model::new(Model::load_bytes(&session.0, image)?));
        Ok(AX650_OK)
    })
}

/// Ends a model; the card forgets it when nothing uses it any more.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_free(model: *mut ax650_model) {
    // SAFETY: the header's promise.
    unsafe { end(model) }
}

/// Returns how many inputs a model has; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_inputs(model: *const ax650_model) -> usize {
    // SAFETY: the header's promise.
    unsafe { object(model) }.map_or(0, |model| model.inputs.len())
}

/// Returns how many outputs a model has; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_outputs(model: *const ax650_model) -> usize {
    // SAFETY: the header's promise.
    unsafe { object(model) }.map_or(0, |model| model.outputs.len())
}

/// Returns how many shape groups a model has; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_groups(model: *const ax650_model) -> usize {
    // SAFETY: the header's promise.
    unsafe { object(model) }.map_or(0, |model| model.model.groups())
}

fn describe(
    tensors: &[TensorInfo],
    names: &[Names],
    index: usize,
    group: usize,
) -> Result<ax650_tensor, Failure> {
    let tensor = tensors.get(index).zip(names.get(index));
    let (tensor, names) = tensor.ok_or(Failure::Argument("the model has no such tensor"))?;
    let shape = tensor.shapes.get(group);
    let shape = shape.ok_or(Failure::Argument("the model has no such shape group"))?;
    Ok(ax650_tensor {
        name: names.name.as_ptr(),
        data_type: names.data_type.as_ptr(),
        dims: shape.dims.as_ptr(),
        rank: shape.dims.len(),
        size: shape.size,
    })
}

/// Describes an input of a model, by its number from 0, in a shape group.
///
/// @return AX650_ERR_INVALID: there is no such one.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_input(
    model: *const ax650_model,
    index: usize,
    group: usize,
    out: *mut ax650_tensor,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (model, out) = unsafe { (object(model)?, place(out)?) };
        *out = describe(model.model.inputs(), &model.inputs, index, group)?;
        Ok(AX650_OK)
    })
}

/// Describes an output of a model, by its number from 0, in a shape group.
///
/// @return AX650_ERR_INVALID: there is no such one.
#[no_mangle]
pub unsafe extern "C" fn ax650_model_output(
    model: *const ax650_model,
    index: usize,
    group: usize,
    out: *mut ax650_tensor,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (model, out) = unsafe { (object(model)?, place(out)?) };
        *out = describe(model.model.outputs(), &model.outputs, index, group)?;
        Ok(AX650_OK)
    })
}

/// Room for the inputs and outputs of a model, on host and card.  Made by ax650_binding_new(), ended by
/// ax650_binding_free().  For runs that overlap with filling and reading use two in turn.
pub struct ax650_binding(pub(crate) Binding);

/// Makes room for one run at a time of a model in a shape group; most models have only group 0.
///
/// @return AX650_ERR_INVALID: there is no such group; AX650_ERR_NO_MEMORY.
#[no_mangle]
pub unsafe extern "C" fn ax650_binding_new(
    model: *const ax650_model,
    group: usize,
    out: *mut *mut ax650_binding,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (model, out) = unsafe { (object(model)?, place(out)?) };
        *out = give(ax650_binding(model.model.bind(group)?));
        Ok(AX650_OK)
    })
}

/// Ends a binding, and with it the memory of its tensors; a run that is under way ends first.
#[no_mangle]
pub unsafe extern "C" fn ax650_binding_free(binding: *mut ax650_binding) {
    // SAFETY: the header's promise.
    unsafe { end(binding) }
}

/// Ends runs with AX650_ERR_TIMEOUT when they take longer; 0: the driver's default.  Not while a run is under way.
#[no_mangle]
pub unsafe extern "C" fn ax650_binding_set_timeout(
    binding: *mut ax650_binding,
    timeout_ms: u32,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise; no other call uses it meanwhile.
        let binding = unsafe { place(binding) }?;
        let timeout = Duration::from_millis(timeout_ms.into());
        binding.0.set_timeout((timeout_ms > 0).then_some(timeout));
        Ok(AX650_OK)
    })
}

/// Gives the bytes of an input, to be filled in place, until ax650_binding_free().  They are not to be written to from
/// the start of a run to its end.
///
/// @return AX650_ERR_INVALID: there is no such one; AX650_ERR_BUSY: a run is under way.
#[no_mangle]
pub unsafe extern "C" fn ax650_binding_input(
    binding: *const ax650_binding,
    index: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (binding, data, size) = unsafe { (object(binding)?, place(data)?, place(size)?) };
        let mut input = binding.0.input(index)?;
        // The guard ends here; from now on it is the caller who keeps to what the header says.
        (*data, *size) = (input.as_mut_ptr(), input.len());
        Ok(AX650_OK)
    })
}

/// Gives the bytes of an output, in place, until ax650_binding_free().  They are not to be looked at from the start of a
/// run to its end.
///
/// @return AX650_ERR_INVALID: there is no such one; AX650_ERR_BUSY: a run is under way; AX650_ERR_CARD: a run was broken
/// off while its outputs were copied.
#[no_mangle]
pub unsafe extern "C" fn ax650_binding_output(
    binding: *const ax650_binding,
    index: usize,
    data: *mut *const u8,
    size: *mut usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (binding, data, size) = unsafe { (object(binding)?, place(data)?, place(size)?) };
        let output = binding.0.output(index)?;
        (*data, *size) = (output.as_ptr(), output.len());
        Ok(AX650_OK)
    })
}
