//! A function of a shared library opened at run time, by the C library's own `dlopen`: no crate is needed for it.

use crate::ort::{Ptr, Result};
use std::ffi::{CStr, CString, c_char, c_int};

const RTLD_NOW: c_int = 2;

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> Ptr;
    fn dlsym(library: Ptr, name: *const c_char) -> Ptr;
    fn dlerror() -> *const c_char;
}

/// The address of `name` in the library at `path`. The library is never closed: unloading it under its own threads crashes.
pub fn symbol(path: &str, name: &CStr) -> Result<Ptr> {
    let file = CString::new(path).map_err(|_| format!("{path:?} holds a NUL"))?;
    unsafe {
        let library = dlopen(file.as_ptr(), RTLD_NOW);
        if library.is_null() {
            return Err(last_error());
        }
        let address = dlsym(library, name.as_ptr());
        if address.is_null() {
            return Err(last_error());
        }
        Ok(address)
    }
}

/// Valid after a call that failed; the text names the file.
unsafe fn last_error() -> String {
    unsafe { CStr::from_ptr(dlerror()) }.to_string_lossy().into_owned()
}
