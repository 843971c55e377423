//! The two functions of CUDA's runtime that the floor calls, from the library that the CUDA provider is linked to.

use crate::library::symbol;
use crate::ort::{Ptr, Result};
use std::ffi::c_int;

/// `cudaMemcpyHostToDevice`, `cudaMemcpyDeviceToHost`.
pub const COPY_IN: c_int = 1;
pub const COPY_OUT: c_int = 2;

pub struct Cuda {
    copy: unsafe extern "C" fn(Ptr, Ptr, usize, c_int) -> c_int,
    synchronize: unsafe extern "C" fn(Ptr) -> c_int,
}

impl Cuda {
    pub fn open() -> Result<Cuda> {
        let library = "libcudart.so.13";
        unsafe {
            Ok(Cuda {
                copy: std::mem::transmute::<Ptr, unsafe extern "C" fn(Ptr, Ptr, usize, c_int) -> c_int>(symbol(library, c"cudaMemcpy")?),
                synchronize: std::mem::transmute::<Ptr, unsafe extern "C" fn(Ptr) -> c_int>(symbol(library, c"cudaStreamSynchronize")?),
            })
        }
    }

    pub fn copy(&self, to: Ptr, from: Ptr, bytes: usize, kind: c_int) -> Result<()> {
        check(unsafe { (self.copy)(to, from, bytes, kind) })
    }

    /// What was copied in has arrived: the run's own stream does not wait for the default one.
    pub fn arrived(&self) -> Result<()> {
        check(unsafe { (self.synchronize)(std::ptr::null_mut()) })
    }
}

fn check(error: c_int) -> Result<()> {
    if error == 0 { Ok(()) } else { Err(format!("CUDA failure {error}")) }
}
