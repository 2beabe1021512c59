//! Definitions of tables that are empty files: what a disk that filled up while a table was being made
//! may leave, and what the engine does not start with. They are set aside, so that the table can be made
//! again, unless there is data that only a definition gives access to.

use crate::folder::FolderError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Ends the name of a file that is set aside; the engine passes over such files.
const ASIDE: &str = "bak";

/// Sets aside every empty definition in a data folder whose table has no data. Returns where those are
/// now.
///
/// # Errors
/// [`FolderError::EmptyDefinition`] for a table that has data; [`FolderError::Io`].
pub(crate) fn set_aside(data_dir: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut aside = Vec::new();
    for database in children(&data_dir.join("metadata"))? {
        // A folder with the definitions of a database's tables, or a link to one.
        if !database.is_dir() {
            continue;
        }
        for definition in children(&database)? {
            let is_sql = definition.extension().is_some_and(|it| it == "sql");
            let explain = |source| FolderError::Io {
                path: definition.clone(),
                source,
            };
            if !is_sql || fs::metadata(&definition).map_err(explain)?.len() > 0 {
                continue;
            }
            if has_data(data_dir, &database, &definition)? {
                return Err(FolderError::EmptyDefinition(definition));
            }
            let place = definition.with_extension(format!("sql.{ASIDE}"));
            fs::rename(&definition, &place).map_err(explain)?;
            tracing::warn!(
                path = %place.display(),
                "the definition of a table was empty and is set aside; it had no data"
            );
            aside.push(place);
        }
    }
    Ok(aside)
}

/// Whether a table has parts.
fn has_data(data_dir: &Path, database: &Path, definition: &Path) -> Result<bool, FolderError> {
    let (Some(database), Some(table)) = (database.file_name(), definition.file_stem()) else {
        return Ok(false);
    };
    let table = data_dir.join("data").join(database).join(table);
    let parts = children(&table)?.into_iter();
    Ok(parts
        .filter(|part| part.is_dir())
        .any(|part| part.file_name().is_none_or(|name| name != "detached")))
}

/// What a folder holds; nothing when there is no such folder.
fn children(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let explain = |source| FolderError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(explain)?,
    };
    let paths = entries.map(|entry| Ok(entry.map_err(explain)?.path()));
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_definition_without_data_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (metadata, data) = (
            folder.path().join("metadata/shop"),
            folder.path().join("data/shop"),
        );
        fs::create_dir_all(&metadata).unwrap();
        fs::create_dir_all(data.join("new/detached")).unwrap();
        fs::create_dir_all(data.join("old/all_1_1_0")).unwrap();
        fs::write(metadata.join("whole.sql"), "ATTACH TABLE").unwrap();
        fs::write(metadata.join("new.sql"), "").unwrap();
        let aside = set_aside(folder.path()).unwrap();
        assert_eq!(aside, [metadata.join("new.sql.bak")]);
        assert!(metadata.join("whole.sql").exists() && !metadata.join("new.sql").exists());
        assert!(set_aside(folder.path()).unwrap().is_empty());

        fs::write(metadata.join("old.sql"), "").unwrap();
        let error = set_aside(folder.path()).unwrap_err();
        assert!(matches!(error, FolderError::EmptyDefinition(path) if path.ends_with("old.sql")));
        assert!(metadata.join("old.sql").exists());
        assert!(set_aside(&folder.path().join("absent")).unwrap().is_empty());
    }
}
