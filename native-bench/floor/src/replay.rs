//! What a server without any cost of its own would do with the very requests of a load: so many callers, each asking again
//! when it is answered; first come first served; a run takes along those of the head's shape that wait, up to the batch size.
//! One request is read where it lies, several are put together first; outputs are copied out, as somebody has to.

use std::collections::VecDeque;
use std::ffi::c_char;
use std::ptr::null_mut;
use std::time::Instant;

use crate::measure::{Figures, cpu_us, memory};
use crate::model::Model;
use crate::options::Options;
use crate::ort::{Ort, Ptr, Result, out, out_ptr};
use crate::requests::Request;

/// A request that waits, since when.
type Waiting<'a> = (&'a Request, Instant);

/// `p50_us` and `p99_us` are those of requests, with their wait behind others.
pub fn replay(ort: &Ort, model: &Model, requests: &[Request], batch: i64, options: &Options) -> Result<Figures> {
    let mut runner = Runner::new(ort, model)?;
    let mut turn = requests.iter().cycle();
    let mut waiting: VecDeque<Waiting> = VecDeque::with_capacity(options.callers);
    // Every shape is known, and memory has grown to what it needs, before anything is timed.
    for _ in 0..2 {
        for request in requests {
            runner.run(&[(request, Instant::now())])?;
        }
    }
    let mut times = Vec::new();
    let (mut runs, mut run_us) = (0usize, 0.0);
    let cpu_before = cpu_us();
    let start = Instant::now();
    let mut now = start;
    loop {
        while waiting.len() < options.callers {
            waiting.push_back((turn.next().expect("requests are cycled"), now));
        }
        let taken = take(&mut waiting, batch as usize);
        let begun = Instant::now();
        runner.run(&taken)?;
        now = Instant::now();
        run_us += now.duration_since(begun).as_secs_f64() * 1e6;
        runs += 1;
        times.extend(taken.iter().map(|(_, since)| now.duration_since(*since).as_secs_f64() * 1e6));
        // At the end of a round only: a part of one has other lengths.
        if now.duration_since(start).as_secs_f64() >= options.seconds && times.len() % requests.len() < taken.len() {
            break;
        }
    }
    let cpu = cpu_us() - cpu_before;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
    Ok(Figures {
        p50_us: at(0.5),
        p99_us: at(0.99),
        items_per_second: times.len() as f64 / now.duration_since(start).as_secs_f64(),
        runs,
        cpu_us_per_item: cpu / times.len() as f64,
        run_us: run_us / runs as f64,
    })
}

/// The head and those that may run with it.
fn take<'a>(waiting: &mut VecDeque<Waiting<'a>>, most: usize) -> Vec<Waiting<'a>> {
    let mut taken: Vec<Waiting> = waiting.pop_front().into_iter().collect();
    let mut at = 0;
    while at < waiting.len() && taken.len() < most {
        let alike = taken[0].0.iter().zip(waiting[at].0).all(|(a, b)| a.shape == b.shape);
        if alike { taken.extend(waiting.remove(at)) } else { at += 1 }
    }
    taken
}

struct Runner<'a> {
    ort: &'a Ort,
    model: &'a Model,
    host: Ptr,
    input_names: Vec<*const c_char>,
    output_names: Vec<*const c_char>,
    gathered: Vec<Vec<u8>>,
    copied: Vec<Vec<u8>>,
}

impl<'a> Runner<'a> {
    fn new(ort: &'a Ort, model: &'a Model) -> Result<Self> {
        let [inputs, outputs] = [&model.inputs, &model.outputs];
        Ok(Runner {
            ort,
            model,
            host: memory(ort, "Cpu")?,
            input_names: inputs.iter().map(|tensor| tensor.name.as_ptr()).collect(),
            output_names: outputs.iter().map(|tensor| tensor.name.as_ptr()).collect(),
            gathered: inputs.iter().map(|_| Vec::new()).collect(),
            copied: outputs.iter().map(|_| Vec::new()).collect(),
        })
    }

    fn run(&mut self, taken: &[Waiting]) -> Result<()> {
        let ort = self.ort;
        let inputs = (0..self.model.inputs.len()).map(|input| self.input(taken, input)).collect::<Result<Vec<Ptr>>>()?;
        let mut outputs = vec![null_mut(); self.output_names.len()];
        ort.run(
            self.model.session,
            null_mut(),
            self.input_names.as_ptr(),
            inputs.as_ptr(),
            inputs.len(),
            self.output_names.as_ptr(),
            outputs.len(),
            outputs.as_mut_ptr(),
        )?;
        for ((value, copy), tensor) in outputs.iter().zip(&mut self.copied).zip(&self.model.outputs) {
            let info = out_ptr(|to| ort.tensor_info(*value, to))?;
            let bytes = out(0, |to| ort.element_count(info, to))? * tensor.element_bytes()?;
            ort.release_tensor_info(info);
            let from = out_ptr(|to| ort.tensor_data(*value, to))?;
            copy.clear();
            copy.extend_from_slice(unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) });
        }
        for value in inputs.into_iter().chain(outputs) {
            ort.release_value(value);
        }
        Ok(())
    }

    /// A value over one request's bytes, or over those of several, put together.
    fn input(&mut self, taken: &[Waiting], input: usize) -> Result<Ptr> {
        let first = &taken[0].0[input];
        let mut shape = first.shape.clone();
        let data: &[u8] = if taken.len() == 1 {
            &first.data
        } else {
            shape[0] = taken.iter().map(|(request, _)| request[input].shape[0]).sum();
            let gathered = &mut self.gathered[input];
            gathered.clear();
            for (request, _) in taken {
                gathered.extend_from_slice(&request[input].data);
            }
            gathered
        };
        let element = self.model.inputs[input].element;
        out_ptr(|to| {
            self.ort.create_tensor_with_data(self.host, data.as_ptr().cast_mut().cast(), data.len(), shape.as_ptr(), shape.len(), element, to)
        })
    }
}
