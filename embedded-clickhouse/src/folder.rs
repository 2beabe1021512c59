//! The data folder's own small files: the lock that keeps a second process out, and the password.
//! Knows nothing of what the engine keeps there.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the password file in the data folder.
pub const PASSWORD_FILE: &str = "password";
const LOCK_FILE: &str = "upriver.lock";
const GENERATED_PASSWORD_BYTES: usize = 24;
/// A password file larger than this is not one.
const PASSWORD_FILE_BYTES_MAX: u64 = 4096;

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("{0} is in use by another process; stop that process or name another folder")]
    InUse(PathBuf),
    /// A file of it cannot be read or written.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The definition of a table that has data is an empty file.
    #[error(
        "{0} is empty and its table has data: put back the file from a backup, or write the table's \
         ATTACH TABLE statement into it; the engine does not start without it"
    )]
    EmptyDefinition(PathBuf),
    /// A password is empty.
    #[error("the password in {0} is empty; write one or delete the file to have one made")]
    EmptyPassword(PathBuf),
}

/// A password: never printed, not even by `{:?}`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password. An empty one is kept and then never matches.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// Reads a password file: its content without the line end.
    ///
    /// # Errors
    /// [`FolderError::Io`], [`FolderError::EmptyPassword`].
    pub fn from_file(path: &Path) -> Result<Self, FolderError> {
        let explain = |source| FolderError::Io {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).map_err(explain)?.len() > PASSWORD_FILE_BYTES_MAX {
            return Err(explain(io::Error::other(
                "too large for a password file (4 KiB)",
            )));
        }
        let text = fs::read_to_string(path).map_err(explain)?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(FolderError::EmptyPassword(path.to_owned())),
            password => Ok(Self(password.to_owned())),
        }
    }

    /// The password itself, for the one who has to send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The held lock; the system releases it when the process ends, however it ends.
pub(crate) struct Lock {
    _file: File,
}

/// Makes the folder if absent and locks it. Returns its absolute path.
pub(crate) fn lock(folder: &Path) -> Result<(PathBuf, Lock), FolderError> {
    let explain = |path: &Path, source| FolderError::Io {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(|error| explain(folder, error))?;
    let folder = folder
        .canonicalize()
        .map_err(|error| explain(folder, error))?;
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| explain(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok((folder, Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(folder)),
        Err(TryLockError::Error(error)) => Err(explain(&path, error)),
    }
}

/// The folder's password; made on first use, readable by the owner only.
pub(crate) fn kept_password(folder: &Path) -> Result<Secret, FolderError> {
    let path = folder.join(PASSWORD_FILE);
    if path.exists() {
        return Secret::from_file(&path);
    }
    let explain = |source| FolderError::Io {
        path: path.clone(),
        source,
    };
    let mut random = [0; GENERATED_PASSWORD_BYTES];
    getrandom::fill(&mut random).map_err(|error| explain(io::Error::other(error.to_string())))?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(explain)?;
    file.write_all(password.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(explain)?;
    tracing::info!(file = %path.display(), "made a password for the user `default`");
    Ok(Secret(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_and_released_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let (path, held) = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(FolderError::InUse(in_use)) if in_use == path));
        drop(held);
        assert!(lock(folder.path()).is_ok());
    }

    #[test]
    fn the_password_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept_password(folder.path()).unwrap();
        assert_eq!(first.expose().len(), 2 * GENERATED_PASSWORD_BYTES);
        assert_eq!(
            first.expose(),
            kept_password(folder.path()).unwrap().expose()
        );
        assert!(!format!("{first:?}").contains(first.expose()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(PASSWORD_FILE))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
