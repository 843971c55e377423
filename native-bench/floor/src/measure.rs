//! Runs one batch size for a time, in one thread.

use std::ffi::{c_char, c_int, c_long};
use std::ptr::null_mut;
use std::time::Instant;

use crate::cuda::{COPY_IN, COPY_OUT, Cuda};
use crate::model::{Model, Tensor};
use crate::options::{Options, Provider};
use crate::ort::{Ort, Ptr, Result, out_ptr, text};

pub struct Figures {
    pub p50_us: f64,
    pub p99_us: f64,
    pub items_per_second: f64,
    pub runs: usize,
    /// CPU time of the whole process, all its threads.
    pub cpu_us_per_item: f64,
    /// Mean time of a run.
    pub run_us: f64,
}

const WARM_UP_RUNS: usize = 5;

pub fn measure(ort: &Ort, model: &Model, batch: i64, options: &Options) -> Result<Figures> {
    let inputs = input_values(ort, model, batch, options)?;
    let figures = if options.io_binding {
        let binding = out_ptr(|to| ort.create_io_binding(model.session, to))?;
        let figures = bound(ort, model, batch, options, binding, &inputs);
        ort.release_binding(binding);
        figures
    } else {
        plain(ort, model, batch, options, &inputs)
    };
    for (value, _) in inputs {
        ort.release_value(value);
    }
    figures
}

/// Outputs are allocated by ONNX Runtime and released after each run.
fn plain(ort: &Ort, model: &Model, batch: i64, options: &Options, inputs: &[(Ptr, Vec<u8>)]) -> Result<Figures> {
    let names = |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.name.as_ptr()).collect::<Vec<*const c_char>>();
    let (input_names, output_names) = (names(&model.inputs), names(&model.outputs));
    let values: Vec<Ptr> = inputs.iter().map(|(value, _)| *value).collect();
    let mut outputs = vec![null_mut(); output_names.len()];
    timed(batch, options.seconds, || {
        ort.run(
            model.session,
            null_mut(),
            input_names.as_ptr(),
            values.as_ptr(),
            values.len(),
            output_names.as_ptr(),
            output_names.len(),
            outputs.as_mut_ptr(),
        )?;
        for output in &mut outputs {
            ort.release_value(std::mem::replace(output, null_mut()));
        }
        Ok(())
    })
}

/// Outputs and inputs are bound at fixed places. On CUDA those are on the device: a run copies its inputs in, runs (as a CUDA
/// graph with `--cuda-graph`, one for each batch size) and copies its outputs out, as a bound lane of the gateway does.
fn bound(ort: &Ort, model: &Model, batch: i64, options: &Options, binding: Ptr, inputs: &[(Ptr, Vec<u8>)]) -> Result<Figures> {
    let on_gpu = options.provider == Provider::Cuda;
    let cuda = if on_gpu { Some(Cuda::open()?) } else { None };
    let mut kept = Vec::new();
    let mut copies_in = Vec::new();
    let mut copies_out = Vec::new();
    for (tensor, (value, data)) in model.inputs.iter().zip(inputs) {
        let mut place = *value;
        if on_gpu {
            place = device_tensor(ort, model, tensor, &tensor.sized(batch, options.length), "Cuda")?;
            copies_in.push((address(ort, place)?, address(ort, *value)?, data.len()));
            kept.push(place);
        }
        ort.bind_input(binding, tensor.name.as_ptr(), place)?;
    }
    for tensor in &model.outputs {
        if !on_gpu {
            ort.bind_output_to_device(binding, tensor.name.as_ptr(), memory(ort, "Cpu")?)?;
            continue;
        }
        if tensor.shape.iter().skip(1).any(|size| *size < 0) {
            return Err(format!("--io-binding on CUDA: output {:?} has no fixed shape", tensor.name));
        }
        let shape = tensor.sized(batch, options.length);
        let place = device_tensor(ort, model, tensor, &shape, "Cuda")?;
        let here = device_tensor(ort, model, tensor, &shape, if options.pinned { "CudaPinned" } else { "Cpu" })?;
        let bytes = shape.iter().product::<i64>() as usize * tensor.element_bytes()?;
        copies_out.push((address(ort, here)?, address(ort, place)?, bytes));
        ort.bind_output(binding, tensor.name.as_ptr(), place)?;
        kept.extend([place, here]);
    }
    let run_options = out_ptr(|to| ort.create_run_options(to))?;
    if options.cuda_graph {
        // A graph holds one shape: without an id of its own, the second batch size would replay the first.
        let id = text(&batch.to_string());
        ort.add_run_config_entry(run_options, text("gpu_graph_id").as_ptr(), id.as_ptr())?;
    }
    let figures = timed(batch, options.seconds, || {
        if let Some(cuda) = &cuda {
            for (to, from, bytes) in &copies_in {
                cuda.copy(*to, *from, *bytes, COPY_IN)?;
            }
            cuda.arrived()?;
        }
        ort.run_with_binding(model.session, run_options, binding)?;
        if let Some(cuda) = &cuda {
            for (to, from, bytes) in &copies_out {
                cuda.copy(*to, *from, *bytes, COPY_OUT)?;
            }
        }
        Ok(())
    });
    ort.release_run_options(run_options);
    for value in kept {
        ort.release_value(value);
    }
    figures
}

fn address(ort: &Ort, value: Ptr) -> Result<Ptr> {
    out_ptr(|to| ort.tensor_data(value, to))
}

/// Input tensors over our own memory, or in pinned host memory; the memory goes with them.
fn input_values(ort: &Ort, model: &Model, batch: i64, options: &Options) -> Result<Vec<(Ptr, Vec<u8>)>> {
    let host = memory(ort, "Cpu")?;
    let one = |tensor: &Tensor| -> Result<(Ptr, Vec<u8>)> {
        let shape = tensor.sized(batch, options.length);
        let count: i64 = shape.iter().product();
        let mut data = tensor.sample(count as usize)?;
        if options.pinned {
            let value = device_tensor(ort, model, tensor, &shape, "CudaPinned")?;
            let to = address(ort, value)?;
            unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to.cast(), data.len()) };
            return Ok((value, data));
        }
        let value = out_ptr(|to| {
            ort.create_tensor_with_data(host, data.as_mut_ptr().cast(), data.len(), shape.as_ptr(), shape.len(), tensor.element, to)
        })?;
        Ok((value, data))
    };
    model.inputs.iter().map(one).collect()
}

/// A tensor in memory of a kind that the session has: `Cuda`, `CudaPinned` or `Cpu`.
fn device_tensor(ort: &Ort, model: &Model, tensor: &Tensor, shape: &[i64], place: &str) -> Result<Ptr> {
    let allocator = out_ptr(|to| ort.create_allocator(model.session, memory(ort, place)?, to))?;
    out_ptr(|to| ort.create_tensor(allocator, shape.as_ptr(), shape.len(), tensor.element, to))
}

/// OrtDeviceAllocator on device 0; pinned memory is the CPU's output memory (OrtMemTypeCPUOutput = -1).
pub fn memory(ort: &Ort, place: &str) -> Result<Ptr> {
    let kind = if place == "CudaPinned" { -1 } else { 0 };
    out_ptr(|to| ort.create_memory_info(text(place).as_ptr(), 0, 0, kind, to))
}

fn timed(batch: i64, seconds: f64, mut run: impl FnMut() -> Result<()>) -> Result<Figures> {
    for _ in 0..WARM_UP_RUNS {
        run()?;
    }
    let mut times = Vec::new();
    let cpu_before = cpu_us();
    let start = Instant::now();
    let mut last = start;
    while last.duration_since(start).as_secs_f64() < seconds {
        run()?;
        let now = Instant::now();
        times.push(now.duration_since(last).as_secs_f64() * 1e6);
        last = now;
    }
    let cpu = cpu_us() - cpu_before;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
    Ok(Figures {
        p50_us: at(0.5),
        p99_us: at(0.99),
        items_per_second: times.len() as f64 * batch as f64 / last.duration_since(start).as_secs_f64(),
        runs: times.len(),
        cpu_us_per_item: cpu / (times.len() as f64 * batch as f64),
        run_us: last.duration_since(start).as_secs_f64() * 1e6 / times.len() as f64,
    })
}

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
}

const CLOCK_PROCESS_CPUTIME_ID: c_int = if cfg!(target_os = "macos") { 12 } else { 2 };

/// CPU time of this process.
pub fn cpu_us() -> f64 {
    let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.seconds as f64 * 1e6 + time.nanoseconds as f64 / 1e3
}
