//! The native floor: what ONNX Runtime does on this machine when nothing is around it. Sweeps batch sizes and threads of one
//! model in one calling thread, over the very library that the gateway loads; or replays requests that a gateway is asked. `serve`: the
//! least that is a server with a schedule.

mod library;
mod cuda;
mod measure;
mod model;
mod options;
mod ort;
mod replay;
mod requests;
mod serve;

use options::{Options, Provider};
use ort::{Ort, Result, out_ptr, text};

const LOG_FATAL: i32 = 4;
/// As `penstock gpu-check` ends where there is no GPU.
const EXIT_NO_GPU: i32 = 4;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if words.first().is_some_and(|word| word == "serve") {
        serve::run(&words)
    } else {
        options::read(words.into_iter()).and_then(|options| sweep(&options))
    };
    if let Err(message) = outcome {
        eprintln!("penstock-floor: {}", message.split_whitespace().collect::<Vec<_>>().join(" "));
        std::process::exit(if message.starts_with(model::NO_CUDA) { EXIT_NO_GPU } else { 1 });
    }
}

/// One JSON line, or a line of text, for each point.
fn sweep(options: &Options) -> Result<()> {
    let ort = Ort::open(&options.library)?;
    let env = out_ptr(|to| ort.create_env(LOG_FATAL, text("floor").as_ptr(), to))?;
    let provider = if options.provider == Provider::Cuda { "cuda" } else { "cpu" };
    for threads in &options.threads {
        let model = model::open(&ort, env, options, *threads)?;
        for batch in &options.batches {
            let found = match &options.requests {
                Some(file) => replay::replay(&ort, &model, &requests::read(file, &model)?, *batch, options)?,
                None => measure::measure(&ort, &model, *batch, options)?,
            };
            if options.json {
                println!(
                    "{{\"onnxruntime\":\"{}\",\"provider\":\"{provider}\",\"threads\":{threads},\"batch\":{batch},\"ioBinding\":{},\"pinned\":{},\"cudaGraph\":{},\"p50Us\":{:.2},\"p99Us\":{:.2},\"itemsPerSecond\":{:.1},\"cpuUsPerItem\":{:.3},\"runUs\":{:.2},\"runs\":{}}}",
                    ort.version, options.io_binding, options.pinned, options.cuda_graph, found.p50_us, found.p99_us, found.items_per_second, found.cpu_us_per_item, found.run_us, found.runs
                );
            } else {
                println!(
                    "{provider}  threads {threads:>2}  batch {batch:>4}  p50 {:>9.1} us  p99 {:>9.1} us  {:>10.0} items/s",
                    found.p50_us, found.p99_us, found.items_per_second
                );
            }
        }
        ort.release_session(model.session);
    }
    Ok(())
}
