//! The few functions of ONNX Runtime's C API that the floor calls, bound by slot from a library opened at run time.
//! Slots only ever grow (`onnxruntime_c_api.h`, the static asserts of `onnxruntime_c_api.cc`): one row each, as in
//! `src/serving/backend/onnx/api-table.ts`.

use crate::library::symbol;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

pub type Ptr = *mut c_void;
pub type Result<T> = std::result::Result<T, String>;

/// Every slot used is of this API version or older.
const API_VERSION: u32 = 17;

#[repr(C)]
struct ApiBase {
    get_api: unsafe extern "C" fn(u32) -> *const Ptr,
    get_version: unsafe extern "C" fn() -> *const c_char,
}

pub struct Ort {
    table: *const Ptr,
    pub version: String,
}

/// Declares methods that call a slot and turn its status into an error.
macro_rules! slots {
    ($($name:ident = $slot:literal ( $($argument:ident : $kind:ty),* );)*) => {
        impl Ort {
            $(pub fn $name(&self, $($argument: $kind),*) -> Result<()> {
                let call: unsafe extern "C" fn($($kind),*) -> Ptr = unsafe { std::mem::transmute(*self.table.add($slot)) };
                self.check(unsafe { call($($argument),*) })
            })*
        }
    };
}

slots! {
    create_env = 3(severity: c_int, id: *const c_char, out: *mut Ptr);
    create_session = 7(env: Ptr, path: *const c_char, options: Ptr, out: *mut Ptr);
    run = 9(session: Ptr, options: Ptr, input_names: *const *const c_char, inputs: *const Ptr, input_count: usize,
        output_names: *const *const c_char, output_count: usize, outputs: *mut Ptr);
    create_session_options = 10(out: *mut Ptr);
    disable_memory_pattern = 17(options: Ptr);
    disable_arena = 19(options: Ptr);
    set_optimization_level = 23(options: Ptr, level: c_int);
    set_intra_op_threads = 24(options: Ptr, count: c_int);
    set_inter_op_threads = 25(options: Ptr, count: c_int);
    input_count = 30(session: Ptr, out: *mut usize);
    output_count = 31(session: Ptr, out: *mut usize);
    input_type = 33(session: Ptr, index: usize, out: *mut Ptr);
    output_type = 34(session: Ptr, index: usize, out: *mut Ptr);
    input_name = 36(session: Ptr, index: usize, allocator: Ptr, out: *mut *const c_char);
    output_name = 37(session: Ptr, index: usize, allocator: Ptr, out: *mut *const c_char);
    create_tensor = 48(allocator: Ptr, shape: *const i64, rank: usize, element: c_int, out: *mut Ptr);
    create_tensor_with_data = 49(memory: Ptr, data: Ptr, bytes: usize, shape: *const i64, rank: usize, element: c_int, out: *mut Ptr);
    tensor_data = 51(value: Ptr, out: *mut Ptr);
    cast_to_tensor_info = 55(info: Ptr, out: *mut Ptr);
    element_type = 60(info: Ptr, out: *mut c_int);
    rank = 61(info: Ptr, out: *mut usize);
    dimensions = 62(info: Ptr, out: *mut i64, rank: usize);
    element_count = 64(info: Ptr, out: *mut usize);
    tensor_info = 65(value: Ptr, out: *mut Ptr);
    create_run_options = 39(out: *mut Ptr);
    create_memory_info = 68(name: *const c_char, allocator: c_int, device: c_int, memory: c_int, out: *mut Ptr);
    default_allocator = 78(out: *mut Ptr);
    add_config_entry = 130(options: Ptr, key: *const c_char, value: *const c_char);
    create_allocator = 131(session: Ptr, memory: Ptr, out: *mut Ptr);
    add_run_config_entry = 165(options: Ptr, key: *const c_char, value: *const c_char);
    run_with_binding = 133(session: Ptr, options: Ptr, binding: Ptr);
    create_io_binding = 134(session: Ptr, out: *mut Ptr);
    bind_input = 136(binding: Ptr, name: *const c_char, value: Ptr);
    bind_output = 137(binding: Ptr, name: *const c_char, value: Ptr);
    bind_output_to_device = 138(binding: Ptr, name: *const c_char, memory: Ptr);
    append_cuda = 204(options: Ptr, cuda: Ptr);
    create_cuda_options = 205(out: *mut Ptr);
    update_cuda_options = 206(options: Ptr, keys: *const *const c_char, values: *const *const c_char, count: usize);
}

impl Ort {
    pub fn open(path: &str) -> Result<Ort> {
        unsafe {
            let get_base: unsafe extern "C" fn() -> *const ApiBase =
                std::mem::transmute(symbol(path, c"OrtGetApiBase").map_err(|error| format!("no ONNX Runtime: {error}"))?);
            let base = get_base();
            let version = CStr::from_ptr(((*base).get_version)()).to_string_lossy().into_owned();
            let table = ((*base).get_api)(API_VERSION);
            if table.is_null() {
                return Err(format!("{path}: ONNX Runtime {version} has no API version {API_VERSION}"));
            }
            Ok(Ort { table, version })
        }
    }

    pub fn release_value(&self, value: Ptr) {
        self.release(96, value);
    }

    pub fn release_session(&self, session: Ptr) {
        self.release(95, session);
    }

    pub fn release_tensor_info(&self, info: Ptr) {
        self.release(99, info);
    }

    pub fn release_run_options(&self, options: Ptr) {
        self.release(97, options);
    }

    pub fn release_binding(&self, binding: Ptr) {
        self.release(135, binding);
    }

    fn release(&self, slot: usize, object: Ptr) {
        let call: unsafe extern "C" fn(Ptr) = unsafe { std::mem::transmute(*self.table.add(slot)) };
        unsafe { call(object) };
    }

    fn check(&self, status: Ptr) -> Result<()> {
        if status.is_null() {
            return Ok(());
        }
        let message: unsafe extern "C" fn(Ptr) -> *const c_char = unsafe { std::mem::transmute(*self.table.add(2)) };
        let text = unsafe { CStr::from_ptr(message(status)) }.to_string_lossy().into_owned();
        self.release(93, status);
        Err(text)
    }
}

/// Runs a call that fills an out parameter.
pub fn out<T>(empty: T, call: impl FnOnce(*mut T) -> Result<()>) -> Result<T> {
    let mut value = empty;
    call(&mut value)?;
    Ok(value)
}

pub fn out_ptr(call: impl FnOnce(*mut Ptr) -> Result<()>) -> Result<Ptr> {
    out(null_mut(), call)
}

pub fn text(words: &str) -> CString {
    CString::new(words).expect("texts hold no NUL")
}
