//! The few things the log asks of a disk, so that a simulated, faulty one can run the same code.
//!
//! Knows nothing of segments or frames.

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// A folder of append-only files.
pub trait Storage: Send + Sync + 'static {
    /// An open file.
    type File: StorageFile;

    /// Names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes a new empty file and opens it for appending. Fails when the name is taken.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens an existing file for appending at its end.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Reads at most `len` bytes from `offset`; fewer only at the end of the file.
    fn read(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Bytes in a file.
    fn len(&self, name: &str) -> io::Result<u64>;
    /// Gives a file another name, in the place of whichever file has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, new names and removals durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// A file being appended to.
pub trait StorageFile: Send + 'static {
    /// Sets room aside for the first so many bytes of the file, without making it longer: writing
    /// them later does not fail for want of space. Disks that cannot do that do nothing.
    fn reserve(&mut self, bytes: u64) -> io::Result<()>;
    /// Writes at the end; returns how many of the bytes, which may be fewer than all.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Makes all written bytes durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file off at `len` bytes, and gives back room set aside after them.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// A folder on a real disk, locked against a second process for as long as this lives.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    handle: File,
    _lock: File,
}

impl Disk {
    /// Opens a folder, making it if need be, and locks it.
    ///
    /// # Errors
    /// The folder cannot be made or opened, or another process holds its lock
    /// (`ErrorKind::WouldBlock`).
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("another process uses {}", folder.display()),
            ),
            std::fs::TryLockError::Error(error) => error,
        })?;
        let handle = File::open(&folder)?;
        Ok(Self {
            folder,
            handle,
            _lock: lock,
        })
    }
}

impl Storage for Disk {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.folder)?
            .filter_map(|entry| match entry {
                Ok(entry) => entry.file_name().into_string().ok().map(Ok),
                Err(error) => Some(Err(error)),
            })
            .collect()
    }

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(self.folder.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).open(self.folder.join(name))
    }

    fn read(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.folder.join(name))?;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(std::fs::metadata(self.folder.join(name))?.len())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.folder.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

impl StorageFile for File {
    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        match fallocate(&*self, FallocateFlags::KEEP_SIZE, 0, bytes) {
            // Not every file system can.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            result => Ok(result?),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        #[cfg(feature = "planted-faults")]
        if crate::planted::has(crate::planted::Fault::NoFsync) {
            return Ok(());
        }
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}
