//! The command line.

use crate::ort::Result;

#[derive(Clone, Copy, PartialEq)]
pub enum Provider {
    Cpu,
    Cuda,
}

pub struct Options {
    pub library: String,
    pub model: String,
    pub batches: Vec<i64>,
    pub threads: Vec<i32>,
    pub provider: Provider,
    pub seconds: f64,
    /// Size of open axes other than the first.
    pub length: i64,
    pub io_binding: bool,
    pub pinned: bool,
    pub cuda_graph: bool,
    pub json: bool,
    /// False: each tensor is allocated by itself, not by a plan kept for each shape.
    pub memory_pattern: bool,
    /// False: memory comes from the system's allocator.
    pub arena: bool,
    /// More entries of the session's configuration.
    pub config: Vec<(String, String)>,
    /// File of requests to replay in place of made inputs; `requests.rs` has its form.
    pub requests: Option<String>,
    /// Replayed requests that are there at a time.
    pub callers: usize,
}

pub const USAGE: &str = "usage: penstock-floor --library PATH --model PATH [--batches 1,2,4,8,16,32] [--threads 1] \
[--provider cpu|cuda] [--seconds 1] [--length 32] [--io-binding] [--pinned] [--cuda-graph] [--requests FILE [--callers 1]] [--no-memory-pattern] [--no-arena] [--config KEY=VALUE].. [--json]";

pub fn read(words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        library: String::new(),
        model: String::new(),
        batches: vec![1, 2, 4, 8, 16, 32],
        threads: vec![1],
        provider: Provider::Cpu,
        seconds: 1.0,
        length: 32,
        io_binding: false,
        pinned: false,
        cuda_graph: false,
        json: false,
        memory_pattern: true,
        arena: true,
        config: Vec::new(),
        requests: None,
        callers: 1,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--library" => options.library = value()?,
            "--model" => options.model = value()?,
            "--batches" => options.batches = list(&word, &value()?)?,
            "--threads" => options.threads = list(&word, &value()?)?,
            "--seconds" => options.seconds = number(&word, &value()?)?,
            "--length" => options.length = number(&word, &value()?)?,
            "--provider" => {
                options.provider = match value()?.as_str() {
                    "cpu" => Provider::Cpu,
                    "cuda" => Provider::Cuda,
                    other => return Err(format!("--provider {other}: expected cpu or cuda")),
                }
            }
            "--io-binding" => options.io_binding = true,
            "--pinned" => options.pinned = true,
            "--cuda-graph" => options.cuda_graph = true,
            "--requests" => options.requests = Some(value()?),
            "--callers" => options.callers = number(&word, &value()?)?,
            "--no-memory-pattern" => options.memory_pattern = false,
            "--no-arena" => options.arena = false,
            "--config" => {
                let entry = value()?;
                let (key, value) = entry.split_once('=').ok_or(format!("--config {entry}: expected KEY=VALUE"))?;
                options.config.push((key.into(), value.into()));
            }
            "--json" => options.json = true,
            _ => return Err(format!("unknown option {word}\n{USAGE}")),
        }
    }
    if options.library.is_empty() || options.model.is_empty() {
        return Err(format!("--library and --model are needed\n{USAGE}"));
    }
    if options.batches.iter().any(|batch| *batch < 1) || options.seconds <= 0.0 || options.length < 1 {
        return Err("batches, seconds and length are above 0".into());
    }
    if options.provider == Provider::Cpu && (options.pinned || options.cuda_graph) {
        return Err("--pinned and --cuda-graph are of a GPU: they need --provider cuda".into());
    }
    if options.requests.is_some() && (options.io_binding || options.provider == Provider::Cuda || options.callers < 1) {
        return Err("--requests: plain runs on the CPU, for 1 caller or more".into());
    }
    if options.cuda_graph && !options.io_binding {
        return Err("--cuda-graph replays fixed addresses: it needs --io-binding".into());
    }
    Ok(options)
}

fn list<T: std::str::FromStr>(flag: &str, words: &str) -> Result<Vec<T>> {
    words.split(',').map(|word| number(flag, word)).collect()
}

fn number<T: std::str::FromStr>(flag: &str, word: &str) -> Result<T> {
    word.parse().map_err(|_| format!("{flag} {word}: expected a number"))
}
