//! A session with its inputs and outputs.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::null;

use crate::options::{Options, Provider};
use crate::ort::{Ort, Ptr, Result, out, out_ptr, text};

pub struct Tensor {
    pub name: CString,
    /// ONNXTensorElementDataType.
    pub element: c_int,
    pub shape: Vec<i64>,
}

pub struct Model {
    pub session: Ptr,
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
}

/// How the message begins where this machine has no CUDA.
pub const NO_CUDA: &str = "--provider cuda cannot be had here";

fn unavailable(error: String) -> String {
    format!("{NO_CUDA}: {error}")
}

/// Opens the model with one provider; nodes that CUDA cannot run are an error, not the CPU's.
pub fn open(ort: &Ort, env: Ptr, options: &Options, threads: i32) -> Result<Model> {
    let settings = out_ptr(|to| ort.create_session_options(to))?;
    ort.set_intra_op_threads(settings, threads)?;
    ort.set_inter_op_threads(settings, 1)?;
    ort.set_optimization_level(settings, 99)?;
    ort.add_config_entry(settings, text("session.intra_op.allow_spinning").as_ptr(), text("0").as_ptr())?;
    for (key, value) in &options.config {
        ort.add_config_entry(settings, text(key).as_ptr(), text(value).as_ptr())?;
    }
    if !options.memory_pattern {
        ort.disable_memory_pattern(settings)?;
    }
    if !options.arena {
        ort.disable_arena(settings)?;
    }
    if options.provider == Provider::Cuda {
        ort.add_config_entry(settings, text("session.disable_cpu_ep_fallback").as_ptr(), text("1").as_ptr())?;
        let cuda = out_ptr(|to| ort.create_cuda_options(to)).map_err(unavailable)?;
        let (key, value) = (text("enable_cuda_graph"), text(if options.cuda_graph { "1" } else { "0" }));
        ort.update_cuda_options(cuda, [key.as_ptr()].as_ptr(), [value.as_ptr()].as_ptr(), 1).map_err(unavailable)?;
        ort.append_cuda(settings, cuda).map_err(unavailable)?;
    }
    let session = out_ptr(|to| ort.create_session(env, text(&options.model).as_ptr(), settings, to))
        .map_err(|error| if error.contains("CUDA failure") { unavailable(error) } else { error })?;
    let inputs = out(0, |to| ort.input_count(session, to))?;
    let outputs = out(0, |to| ort.output_count(session, to))?;
    Ok(Model {
        session,
        inputs: (0..inputs).map(|i| tensor(ort, session, i, Ort::input_name, Ort::input_type)).collect::<Result<_>>()?,
        outputs: (0..outputs).map(|i| tensor(ort, session, i, Ort::output_name, Ort::output_type)).collect::<Result<_>>()?,
    })
}

type NameOf = fn(&Ort, Ptr, usize, Ptr, *mut *const c_char) -> Result<()>;
type TypeOf = fn(&Ort, Ptr, usize, *mut Ptr) -> Result<()>;

fn tensor(ort: &Ort, session: Ptr, index: usize, name_of: NameOf, type_of: TypeOf) -> Result<Tensor> {
    let allocator = out_ptr(|to| ort.default_allocator(to))?;
    let name = unsafe { CStr::from_ptr(out(null(), |to| name_of(ort, session, index, allocator, to))?) }.to_owned();
    let kind = out_ptr(|to| type_of(ort, session, index, to))?;
    let info = out_ptr(|to| ort.cast_to_tensor_info(kind, to))?;
    if info.is_null() {
        return Err(format!("{name:?} is no tensor"));
    }
    let element = out(0, |to| ort.element_type(info, to))?;
    let mut shape = vec![0; out(0, |to| ort.rank(info, to))?];
    ort.dimensions(info, shape.as_mut_ptr(), shape.len())?;
    Ok(Tensor { name, element, shape })
}

impl Tensor {
    /// The shape with the first axis as the batch and other open axes of the given length.
    pub fn sized(&self, batch: i64, length: i64) -> Vec<i64> {
        let size = |(axis, size): (usize, &i64)| if *size >= 0 { *size } else if axis == 0 { batch } else { length };
        self.shape.iter().enumerate().map(size).collect()
    }

    /// Bytes of one element; element types are ONNX's numbers.
    pub fn element_bytes(&self) -> Result<usize> {
        match self.element {
            2 | 3 | 9 => Ok(1),
            4 | 5 | 10 | 16 => Ok(2),
            1 | 6 | 12 => Ok(4),
            7 | 11 | 13 => Ok(8),
            other => Err(format!("{:?}: element type {other} is not one that the floor fills", self.name)),
        }
    }

    /// Sample elements: (i % 17) / 16 for floats, i % 10 for whole numbers.
    pub fn sample(&self, count: usize) -> Result<Vec<u8>> {
        let bytes = self.element_bytes()?;
        let mut data = vec![0u8; count * bytes];
        for i in 0..count {
            let at = &mut data[i * bytes..(i + 1) * bytes];
            match self.element {
                1 => at.copy_from_slice(&((i % 17) as f32 / 16.0).to_le_bytes()),
                11 => at.copy_from_slice(&((i % 17) as f64 / 16.0).to_le_bytes()),
                // Half and bfloat16: zeros cost what others do.
                10 | 16 => {}
                9 => at[0] = (i % 2) as u8,
                _ => at[0] = (i % 10) as u8,
            }
        }
        Ok(data)
    }
}
