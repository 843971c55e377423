//! Requests of a load, from a file that the bench writes. Little-endian words of eight bytes: the number of requests, then of
//! each request every input in the model's order: its rank, its sizes, its bytes and the bytes themselves, filled up to a word.

use crate::model::Model;
use crate::ort::Result;

/// One input of one request.
pub struct Value {
    pub shape: Vec<i64>,
    pub data: Vec<u8>,
}

pub type Request = Vec<Value>;

pub fn read(path: &str, model: &Model) -> Result<Vec<Request>> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let mut rest = bytes.as_slice();
    let count = word(&mut rest)?;
    let requests: Vec<Request> =
        (0..count).map(|_| model.inputs.iter().map(|_| value(&mut rest)).collect()).collect::<Result<_>>()?;
    if !rest.is_empty() || requests.is_empty() {
        return Err(format!("{path}: not the requests of this model"));
    }
    Ok(requests)
}

fn value(rest: &mut &[u8]) -> Result<Value> {
    let rank = word(rest)?;
    let shape = (0..rank).map(|_| word(rest)).collect::<Result<Vec<i64>>>()?;
    let bytes = word(rest)? as usize;
    Ok(Value { shape, data: take(rest, bytes.next_multiple_of(8))?[..bytes].to_vec() })
}

fn word(rest: &mut &[u8]) -> Result<i64> {
    Ok(i64::from_le_bytes(take(rest, 8)?.try_into().expect("eight bytes")))
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes).ok_or("the file of requests ends early")?;
    *rest = left;
    Ok(taken)
}
