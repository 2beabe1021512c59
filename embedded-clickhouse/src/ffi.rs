//! The C interface of the engine library, and nothing else: declarations, ownership, conversion of
//! handles into values. It knows neither SQL nor HTTP, keeps no pool and makes no policy. This is
//! the only file of the workspace that may use `unsafe`.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use libloading::Library;

/// Every handle of the interface is an opaque pointer.
type Handle = *mut c_void;
type Text = *const c_char;

/// The first element of a connection's argument list: the name a program would have in `argv`.
const PROGRAM_NAME: &str = "clickhouse";
/// `CHDBSuccess` of the interface's state enumeration.
const SUCCESS: c_int = 0;

/// A `(name, value)` pair for a `{name:Type}` placeholder; the value is in ClickHouse's escaped text.
pub(crate) type Param = (String, String);

/// Why the library could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file is missing, is for another platform, or lacks a needed symbol.
    #[error("cannot load the engine library {path}: {source}")]
    Open {
        /// The file tried.
        path: String,
        /// What the loader said.
        source: libloading::Error,
    },
}

macro_rules! interface {
    ($($field:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        struct Api { $($field: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)* }

        impl Api {
            fn resolve(library: &Library) -> Result<Self, libloading::Error> {
                // SAFETY: each name is looked up with the signature that the library's public
                // header declares for it; the pointers stay valid because the library is never
                // unloaded (see `Engine::load`).
                unsafe {
                    Ok(Self { $($field: *library.get(concat!(stringify!($field), "\0").as_bytes())?,)* })
                }
            }
        }
    };
}

interface! {
    chdb_set_signal_handlers_enabled: fn(c_int);
    chdb_version: fn() -> Text;
    chdb_shutdown: fn() -> c_int;
    chdb_connect: fn(c_int, *mut *mut c_char) -> *mut Handle;
    chdb_close_conn: fn(*mut Handle);
    chdb_query_with_params_n: fn(Handle, Text, usize, Text, usize, *const Text, *const usize, *const Text, *const usize, usize) -> Handle;
    chdb_stream_query_with_params_n: fn(Handle, Text, usize, Text, usize, *const Text, *const usize, *const Text, *const usize, usize) -> Handle;
    chdb_stream_fetch_result: fn(Handle, Handle) -> Handle;
    chdb_stream_cancel_query: fn(Handle, Handle);
    chdb_destroy_query_result: fn(Handle);
    chdb_stream_insert_with_params_n: fn(Handle, Text, usize, Text, usize, *const Text, *const usize, *const Text, *const usize, usize) -> Handle;
    chdb_stream_append: fn(Handle, *const c_void, usize) -> c_int;
    chdb_stream_done: fn(Handle) -> Handle;
    chdb_stream_cancel_insert: fn(Handle);
    chdb_stream_insert_error: fn(Handle) -> Text;
    chdb_destroy_insert_stream: fn(Handle);
    chdb_result_buffer: fn(Handle) -> *const u8;
    chdb_result_length: fn(Handle) -> usize;
    chdb_result_elapsed: fn(Handle) -> f64;
    chdb_result_rows_read: fn(Handle) -> u64;
    chdb_result_storage_rows_read: fn(Handle) -> u64;
    chdb_result_storage_bytes_read: fn(Handle) -> u64;
    chdb_result_rows_written: fn(Handle) -> u64;
    chdb_result_bytes_written: fn(Handle) -> u64;
    chdb_result_error: fn(Handle) -> Text;
    chdb_classify_query_n: fn(Handle, Text, usize, Text, usize, *mut QueryAnalysis) -> c_int;
}

/// The C struct a classification is written to; `struct_size` is its version.
#[repr(C)]
struct QueryAnalysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

/// What a statement would change, by the engine's own parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatementClass {
    /// Leaves no trace: SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS, CHECK.
    ReadOnly,
    /// Anything else, text that does not parse included.
    Other,
}

/// The loaded engine library. Cloning is cheap; the library stays in memory until the process ends.
#[derive(Clone)]
pub(crate) struct Engine {
    api: Arc<Api>,
}

impl Engine {
    /// Opens the library and keeps the engine from installing signal handlers of its own.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let explain = |source| LoadError::Open {
            path: path.display().to_string(),
            source,
        };
        // SAFETY: loading runs the library's initialisers; it is the pinned engine package, whose
        // initialisers have no precondition.
        let library = unsafe { Library::new(path) }.map_err(explain)?;
        let api = Api::resolve(&library).map_err(explain)?;
        // The engine's threads and exit handlers live in this mapping, so it must never be
        // unmapped while the process runs.
        std::mem::forget(library);
        // SAFETY: takes a plain flag, may be called at any time.
        unsafe { (api.chdb_set_signal_handlers_enabled)(0) };
        Ok(Self { api: Arc::new(api) })
    }

    /// The library's own version, e.g. `26.7.3`.
    pub(crate) fn library_version(&self) -> String {
        // SAFETY: takes nothing and returns a static NUL-terminated string or null.
        unsafe { text((self.api.chdb_version)()) }.unwrap_or_default()
    }

    /// Opens a connection. All connections of a process must name the same `--path`. `None` when
    /// the engine refuses; it prints the reason on standard error and gives none here.
    pub(crate) fn connect(&self, arguments: &[String]) -> Option<Connection> {
        let owned: Vec<CString> = std::iter::once(PROGRAM_NAME)
            .chain(arguments.iter().map(String::as_str))
            .map(CString::new)
            .collect::<Result<_, _>>()
            .ok()?;
        let mut pointers: Vec<*mut c_char> = owned.iter().map(|a| a.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: `pointers` holds `count` NUL-terminated strings that outlive the call; the
        // engine copies what it keeps and does not write through them.
        let outer = unsafe { (self.api.chdb_connect)(count, pointers.as_mut_ptr()) };
        let outer = NonNull::new(outer)?;
        // SAFETY: a non-null return points at a handle that lives until it is closed.
        let handle = unsafe { *outer.as_ptr() };
        (!handle.is_null()).then(|| Connection {
            api: self.api.clone(),
            outer,
            handle,
        })
    }

    /// Joins every engine thread. `false` while a connection is open or a thread would not stop.
    /// No connection can be opened afterwards.
    pub(crate) fn shutdown(&self) -> bool {
        // SAFETY: documented as callable from any thread at any time.
        unsafe { (self.api.chdb_shutdown)() == SUCCESS }
    }
}

/// One session of the engine: its own current database, settings and temporary tables.
pub(crate) struct Connection {
    api: Arc<Api>,
    outer: NonNull<Handle>,
    handle: Handle,
}

// SAFETY: the engine lets a connection be used from any thread as long as uses do not overlap;
// every method takes `&mut self` or `self`, so they cannot.
unsafe impl Send for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `outer` came from `chdb_connect` and is closed only here, once.
        unsafe { (self.api.chdb_close_conn)(self.outer.as_ptr()) };
    }
}

impl Connection {
    /// Runs one statement to its end and holds the whole result in memory.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        format: &str,
        params: &[Param],
    ) -> Result<Output, String> {
        let params = ParamArrays::new(params);
        // SAFETY: the handle is open; every pointer comes with its length and outlives the call.
        let result = unsafe {
            (self.api.chdb_query_with_params_n)(
                self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        Output::take(&self.api, result)
    }

    /// Starts a SELECT whose result is fetched piece by piece.
    pub(crate) fn stream(
        self,
        sql: &str,
        format: &str,
        params: &[Param],
    ) -> Result<QueryStream, (Self, String)> {
        let params = ParamArrays::new(params);
        // SAFETY: as in `query`; the engine captures statement and parameters before it returns.
        let stream = unsafe {
            (self.api.chdb_stream_query_with_params_n)(
                self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        match Output::take(&self.api, stream) {
            Ok(handle) => Ok(QueryStream {
                handle,
                connection: self,
                ended: false,
            }),
            Err(message) => Err((self, message)),
        }
    }

    /// Starts an INSERT (text without FORMAT clause and data) whose data is appended in `format`.
    pub(crate) fn insert(
        &mut self,
        sql: &str,
        format: &str,
        params: &[Param],
    ) -> Result<InsertStream<'_>, String> {
        let params = ParamArrays::new(params);
        // SAFETY: as in `query`. The returned handle is never null by contract and is destroyed by
        // `InsertStream::drop` on every path.
        let handle = unsafe {
            (self.api.chdb_stream_insert_with_params_n)(
                self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        let Some(handle) = NonNull::new(handle) else {
            return Err("the engine gave no insert handle".to_owned());
        };
        let insert = InsertStream {
            connection: self,
            handle,
            finished: false,
        };
        match insert.error() {
            Some(message) => Err(message),
            None => Ok(insert),
        }
    }

    /// Parses without running. Also says how many statements the text holds.
    pub(crate) fn classify(&mut self, sql: &str) -> (StatementClass, u32) {
        let mut analysis = QueryAnalysis {
            struct_size: 16,
            statement_count: 0,
            flags: 0,
            query_class: u32::MAX,
        };
        // SAFETY: the handle is open, `analysis` has the size it claims, a null target is allowed.
        let state = unsafe {
            (self.api.chdb_classify_query_n)(
                self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                ptr::null(),
                0,
                &raw mut analysis,
            )
        };
        let class = match (state, analysis.query_class) {
            (SUCCESS, 0) => StatementClass::ReadOnly,
            _ => StatementClass::Other,
        };
        (class, analysis.statement_count)
    }
}

/// A finished result or one piece of a stream; owns the engine's buffer.
pub(crate) struct Output {
    api: Arc<Api>,
    handle: NonNull<c_void>,
}

// SAFETY: a result is an immutable buffer with counters; nothing in it is tied to a thread.
unsafe impl Send for Output {}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: the handle is owned and destroyed only here.
        unsafe { (self.api.chdb_destroy_query_result)(self.handle.as_ptr()) };
    }
}

impl AsRef<[u8]> for Output {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: buffer and length belong to each other and live as long as the handle, which
        // `self` keeps alive.
        unsafe {
            let buffer = (self.api.chdb_result_buffer)(self.handle.as_ptr());
            let length = (self.api.chdb_result_length)(self.handle.as_ptr());
            if buffer.is_null() || length == 0 {
                &[]
            } else {
                std::slice::from_raw_parts(buffer, length)
            }
        }
    }
}

/// What a statement read and wrote, as `X-ClickHouse-Summary` reports it. Rows, bytes, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) read_rows: u64,
    pub(crate) read_bytes: u64,
    pub(crate) written_rows: u64,
    pub(crate) written_bytes: u64,
    pub(crate) result_rows: u64,
    pub(crate) elapsed_ns: u64,
}

impl Output {
    /// Takes ownership of a returned handle; an error inside it becomes `Err`.
    fn take(api: &Arc<Api>, handle: Handle) -> Result<Self, String> {
        let Some(handle) = NonNull::new(handle) else {
            return Err("the engine gave no result".to_owned());
        };
        let output = Self {
            api: api.clone(),
            handle,
        };
        // SAFETY: the handle is alive; the text, if any, is NUL-terminated and copied at once.
        match unsafe { text((api.chdb_result_error)(output.handle.as_ptr())) } {
            Some(message) if !message.is_empty() => Err(message),
            _ => Ok(output),
        }
    }

    /// The result's counters.
    pub(crate) fn counters(&self) -> Counters {
        let handle = self.handle.as_ptr();
        // SAFETY: plain reads from a live handle.
        unsafe {
            Counters {
                read_rows: (self.api.chdb_result_storage_rows_read)(handle),
                read_bytes: (self.api.chdb_result_storage_bytes_read)(handle),
                written_rows: (self.api.chdb_result_rows_written)(handle),
                written_bytes: (self.api.chdb_result_bytes_written)(handle),
                result_rows: (self.api.chdb_result_rows_read)(handle),
                elapsed_ns: ((self.api.chdb_result_elapsed)(handle).max(0.0) * 1e9) as u64,
            }
        }
    }
}

/// A running SELECT. Dropping it cancels what is left and closes its connection.
pub(crate) struct QueryStream {
    // Declared before the connection: fields drop in order, and the handle must go first.
    handle: Output,
    connection: Connection,
    ended: bool,
}

impl QueryStream {
    /// The next piece, each a complete document in the stream's format; `None` at the end. May
    /// block for as long as the engine computes.
    pub(crate) fn next(&mut self) -> Result<Option<Output>, String> {
        if self.ended {
            return Ok(None);
        }
        let api = &self.connection.api;
        // SAFETY: both handles are alive and `&mut self` keeps fetches from overlapping.
        let piece = unsafe {
            (api.chdb_stream_fetch_result)(self.connection.handle, self.handle.handle.as_ptr())
        };
        match Output::take(api, piece) {
            Ok(piece) if piece.as_ref().is_empty() && piece.counters().result_rows == 0 => {
                self.ended = true;
                Ok(None)
            }
            Ok(piece) => Ok(Some(piece)),
            // The handle is cancelled on drop all the same: a killed query otherwise stays in the
            // engine's process list.
            Err(message) => Err(message),
        }
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: both handles are alive; cancelling a failed stream is allowed.
            unsafe {
                (self.connection.api.chdb_stream_cancel_query)(
                    self.connection.handle,
                    self.handle.handle.as_ptr(),
                );
            }
        }
    }
}

/// An open INSERT. Dropping it unfinished cancels: nothing that the engine has not yet cut into a
/// block is kept.
pub(crate) struct InsertStream<'a> {
    connection: &'a mut Connection,
    handle: NonNull<c_void>,
    finished: bool,
}

impl InsertStream<'_> {
    fn error(&self) -> Option<String> {
        // SAFETY: the stream is alive; the text belongs to it and is copied at once.
        unsafe {
            text((self.connection.api.chdb_stream_insert_error)(
                self.handle.as_ptr(),
            ))
        }
    }

    /// Hands over a piece of the data; pieces need not end at row boundaries. Blocks while the
    /// engine is behind.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<(), String> {
        // SAFETY: pointer and length belong together; the engine copies before it returns.
        let state = unsafe {
            (self.connection.api.chdb_stream_append)(
                self.handle.as_ptr(),
                data.as_ptr().cast(),
                data.len(),
            )
        };
        if state == SUCCESS {
            return Ok(());
        }
        Err(self
            .error()
            .unwrap_or_else(|| "the engine refused the data and gave no reason".to_owned()))
    }

    /// Ends the input, waits until the engine has written it, returns what was written.
    pub(crate) fn finish(mut self) -> Result<Counters, String> {
        self.finished = true;
        // SAFETY: the stream is alive and finished once; the result is owned by `Output`.
        let result = unsafe { (self.connection.api.chdb_stream_done)(self.handle.as_ptr()) };
        Output::take(&self.connection.api, result).map(|output| output.counters())
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is alive, cancelled at most once and destroyed only here.
        unsafe {
            if !self.finished {
                (self.connection.api.chdb_stream_cancel_insert)(self.handle.as_ptr());
            }
            (self.connection.api.chdb_destroy_insert_stream)(self.handle.as_ptr());
        }
    }
}

/// Parameters as the parallel arrays the interface wants. Borrows from the pairs.
struct ParamArrays {
    names: Vec<Text>,
    name_lengths: Vec<usize>,
    values: Vec<Text>,
    value_lengths: Vec<usize>,
}

impl ParamArrays {
    fn new(params: &[Param]) -> Self {
        Self {
            names: params
                .iter()
                .map(|(name, _)| name.as_ptr().cast())
                .collect(),
            name_lengths: params.iter().map(|(name, _)| name.len()).collect(),
            values: params
                .iter()
                .map(|(_, value)| value.as_ptr().cast())
                .collect(),
            value_lengths: params.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}

/// Copies a C string. `None` for null.
///
/// # Safety
/// `pointer` is null or points at a NUL-terminated string that lives during the call.
unsafe fn text(pointer: Text) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: by the function's own contract.
    let text = unsafe { CStr::from_ptr(pointer) };
    Some(text.to_string_lossy().into_owned())
}
