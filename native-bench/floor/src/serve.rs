//! The floor under a schedule: the least that is a server of `L(b) = a + c b` milliseconds on some instances, in native code. Executions
//! start by the clock, spread evenly, as the fluid bound has them; who cannot be in one that ends in time is refused at once. What
//! such a server answers late is the machine's doing: its timers, its sockets, its other programs.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::ort::Result;

const USAGE: &str = "usage: penstock-floor serve --curve A,C --instances M --slo-ms D --port P [--most ROWS]";

/// When executions start, and of how many rows they are at most.
struct Plan {
    base_ms: f64,
    row_ms: f64,
    slo_ms: f64,
    instances: u64,
    most_rows: usize,
    /// From one start, of any instance, to the next.
    gap: Duration,
    began: Instant,
}

impl Plan {
    /// The most rows whose oldest request, having waited for the next start, is in time: the fluid bound.
    fn new(curve: (f64, f64), instances: u64, slo_ms: f64, most: usize) -> Plan {
        let (base_ms, row_ms) = curve;
        let m = instances as f64;
        let rows = ((slo_ms * m / (m + 1.0) - base_ms) / row_ms).floor().max(1.0) as usize;
        let most_rows = rows.min(most);
        let gap = Duration::from_secs_f64((base_ms + row_ms * most_rows as f64) / m / 1e3);
        Plan { base_ms, row_ms, slo_ms, instances, most_rows, gap, began: Instant::now() }
    }

    fn takes(&self, rows: usize) -> Duration {
        Duration::from_secs_f64((self.base_ms + self.row_ms * rows as f64) / 1e3)
    }

    fn start(&self, number: u64) -> Instant {
        self.began + Duration::from_nanos(self.gap.as_nanos() as u64 * number)
    }

    /// Whether a request that comes now, behind so many others, is answered in time.
    fn in_time(&self, waiting: usize) -> bool {
        let now = Instant::now();
        let next = ((now - self.began).as_nanos() / self.gap.as_nanos()) as u64 + 1;
        let end = self.start(next + (waiting / self.most_rows) as u64) + self.takes(self.most_rows);
        (end - now).as_secs_f64() * 1e3 <= self.slo_ms
    }
}

type Line = Mutex<VecDeque<Arc<TcpStream>>>;

/// Serves until it is killed.
pub fn run(words: &[String]) -> Result<()> {
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).map(String::as_str)
    };
    let number = |name: &str| value(name).and_then(|text| text.parse::<f64>().ok()).ok_or(format!("{name}: a number\n{USAGE}"));
    let curve = value("--curve").and_then(|text| text.split_once(','));
    let curve = curve.and_then(|(a, c)| Some((a.parse::<f64>().ok()?, c.parse::<f64>().ok()?)));
    let curve = curve.filter(|(_, c)| *c > 0.0).ok_or(format!("--curve: two numbers\n{USAGE}"))?;
    let most = number("--most").unwrap_or(1024.0) as usize;
    let plan = Arc::new(Plan::new(curve, number("--instances")? as u64, number("--slo-ms")?, most));
    let listener = TcpListener::bind(("127.0.0.1", number("--port")? as u16)).map_err(|error| error.to_string())?;
    let line: Arc<Line> = Arc::default();
    for instance in 0..plan.instances {
        let (plan, line) = (plan.clone(), line.clone());
        thread::spawn(move || execute(&plan, &line, instance));
    }
    for stream in listener.incoming().flatten() {
        let (plan, line) = (plan.clone(), line.clone());
        thread::spawn(move || connection(&plan, &line, stream));
    }
    Ok(())
}

/// One instance: its starts are those of its number, and of every `instances`th after it.
fn execute(plan: &Plan, line: &Line, instance: u64) {
    let mut number = instance;
    loop {
        sleep_until(plan.start(number));
        let began = Instant::now();
        let members: Vec<_> = {
            let mut waiting = line.lock().unwrap();
            let rows = waiting.len().min(plan.most_rows);
            waiting.drain(..rows).collect()
        };
        if !members.is_empty() {
            sleep_until(began + plan.takes(members.len()));
            for member in members {
                let _ = (&*member).write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
            }
        }
        // A full execution ends when the next is due; what the machine adds makes that one late, and loses none.
        number += plan.instances;
    }
}

fn sleep_until(instant: Instant) {
    thread::sleep(instant.saturating_duration_since(Instant::now()));
}

/// Requests of one connection, one after the other: any POST is one of one row.
fn connection(plan: &Plan, line: &Line, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let stream = Arc::new(stream);
    let mut reader = BufReader::new(&*stream);
    let mut body = Vec::new();
    loop {
        let (mut length, mut first) = (0, String::new());
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut header = String::new();
        while { header.clear(); reader.read_line(&mut header).unwrap_or(0) > 2 } {
            if let Some((name, value)) = header.split_once(':') && name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        body.resize(length, 0);
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if first.starts_with("GET") {
            let _ = (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            continue;
        }
        let mut waiting = line.lock().unwrap();
        if plan.in_time(waiting.len()) {
            waiting.push_back(stream.clone());
            continue;
        }
        drop(waiting);
        let _ = (&*stream).write_all(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    }
}
