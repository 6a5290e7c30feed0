//! PostgreSQL's own client library, as the oracle for connection strings and certificates.
//!
//! Loaded at run time, so that two versions can be asked in one process.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use crate::provision;

/// One loaded version of libpq. Never unloaded.
pub struct Libpq {
    version: unsafe extern "C" fn() -> c_int,
    conninfo_parse: unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> *mut Opt,
    conndefaults: unsafe extern "C" fn() -> *mut Opt,
    conninfo_free: unsafe extern "C" fn(*mut Opt),
    freemem: unsafe extern "C" fn(*mut c_void),
    connectdb: unsafe extern "C" fn(*const c_char) -> *mut c_void,
    error_message: unsafe extern "C" fn(*const c_void) -> *const c_char,
    finish: unsafe extern "C" fn(*mut c_void),
}

/// The values of a connection string by keyword; those that were not given are absent.
pub type Values = BTreeMap<String, Vec<u8>>;

/// libpq's `PQconninfoOption`.
#[repr(C)]
struct Opt {
    keyword: *const c_char,
    envvar: *const c_char,
    compiled: *const c_char,
    val: *const c_char,
    label: *const c_char,
    dispchar: *const c_char,
    dispsize: c_int,
}

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, symbol: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

const RTLD_NOW: c_int = 2;

impl Libpq {
    /// The libpq of a major version, installed if it is missing. Panics with the reason if it
    /// cannot be had.
    pub fn load(major: u16) -> Libpq {
        let path = provision::libpq(major).unwrap_or_else(|error| panic!("libpq: {error}"));
        let libpq = Libpq::open(&path).unwrap_or_else(|error| panic!("libpq: {error}"));
        assert_eq!(libpq.version() / 10_000, i32::from(major), "{}", path.display());
        libpq
    }

    /// The version, 180004 for 18.4.
    pub fn version(&self) -> i32 {
        // SAFETY: no arguments, no state.
        unsafe { (self.version)() }
    }

    /// What `PQconninfoParse` makes of a string, or what it says against it.
    pub fn parse(&self, text: &str) -> Result<Values, String> {
        let text = CString::new(text).map_err(|error| error.to_string())?;
        let mut error = ptr::null_mut();
        // SAFETY: a NUL-terminated string and a place for the message, freed below.
        let options = unsafe { (self.conninfo_parse)(text.as_ptr(), &mut error) };
        if options.is_null() {
            if error.is_null() {
                return Err(String::from("out of memory"));
            }
            let message = string(error);
            // SAFETY: libpq's own allocation, not used again.
            unsafe { (self.freemem)(error.cast()) };
            return Err(String::from_utf8_lossy(&message.unwrap_or_default()).into_owned());
        }
        let values = self.collect(options).filter_map(|(keyword, value)| Some((keyword, value?)));
        Ok(values.collect())
    }

    /// All keywords that this version knows.
    pub fn keywords(&self) -> Vec<String> {
        // SAFETY: no arguments.
        let options = unsafe { (self.conndefaults)() };
        assert!(!options.is_null(), "PQconndefaults failed");
        self.collect(options).map(|(keyword, _)| keyword).collect()
    }

    /// What `PQconnectdb` says when it fails; `None` if it connected.
    pub fn connect_error(&self, conninfo: &str) -> Option<String> {
        let text = CString::new(conninfo).expect("no NUL");
        // SAFETY: the connection is asked for its message and finished, nothing else.
        let message = unsafe {
            let connection = (self.connectdb)(text.as_ptr());
            let message = string((self.error_message)(connection)).unwrap_or_default();
            (self.finish)(connection);
            message
        };
        (!message.is_empty()).then(|| String::from_utf8_lossy(&message).into_owned())
    }

    fn open(path: &Path) -> Result<Libpq, String> {
        let file = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|e| e.to_string())?;
        // SAFETY: runs the library's initialisers; it is libpq.
        let library = unsafe { dlopen(file.as_ptr(), RTLD_NOW) };
        if library.is_null() {
            // SAFETY: dlerror has a message after a failure.
            let message = string(unsafe { dlerror() }).unwrap_or_default();
            return Err(String::from_utf8_lossy(&message).into_owned());
        }
        macro_rules! symbol {
            ($name:literal) => {{
                // SAFETY: the name is NUL-terminated; the type is that of libpq-fe.h.
                let address = unsafe { dlsym(library, $name.as_ptr()) };
                if address.is_null() {
                    return Err(format!("{}: no {:?}", path.display(), $name));
                }
                // SAFETY: a function of the type declared in the struct, see libpq-fe.h.
                #[allow(clippy::missing_transmute_annotations)]
                unsafe {
                    std::mem::transmute(address)
                }
            }};
        }
        Ok(Libpq {
            version: symbol!(c"PQlibVersion"),
            conninfo_parse: symbol!(c"PQconninfoParse"),
            conndefaults: symbol!(c"PQconndefaults"),
            conninfo_free: symbol!(c"PQconninfoFree"),
            freemem: symbol!(c"PQfreemem"),
            connectdb: symbol!(c"PQconnectdb"),
            error_message: symbol!(c"PQerrorMessage"),
            finish: symbol!(c"PQfinish"),
        })
    }

    /// Takes an option list over into Rust's memory.
    fn collect(&self, options: *mut Opt) -> std::vec::IntoIter<(String, Option<Vec<u8>>)> {
        let mut list = Vec::new();
        let mut next = options;
        // SAFETY: the list ends with an entry whose keyword is null; freed once, here.
        unsafe {
            while let Some(keyword) = string((*next).keyword) {
                let keyword = String::from_utf8(keyword).expect("ASCII keywords");
                list.push((keyword, string((*next).val)));
                next = next.add(1);
            }
            (self.conninfo_free)(options);
        }
        list.into_iter()
    }
}

fn string(text: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: null, or a NUL-terminated string that lives during the call.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
}
