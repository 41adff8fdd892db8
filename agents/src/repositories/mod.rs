//! The kinds of repository, one file each; their options are the scenario language's.

mod barman;
mod borg;
mod files;
mod listed;
mod pgbackrest;
mod programs;
mod restic;
mod surveyed;
mod tool;
mod unpacked;

use std::path::Path;
use std::sync::Arc;

use self::barman::BarmanRepository;
use self::borg::BorgRepository;
use self::files::FilesRepository;
use self::pgbackrest::PgbackrestRepository;
use self::programs::ProgramsRepository;
use self::restic::ResticRepository;
use crate::{Error, Kind, Repository, Result, Secrets};

/// Folder in the run's, for what a tool notes for itself and would otherwise put into a home folder.
const NOTES: &str = "notes";

/// The repository that a scenario adopts its backup from: one row a kind. Nothing is reached yet.
///
/// # Errors
/// Those of settings that can't work, and of programs that are missing; [`Kind::Config`] for a source that is captured.
pub fn open(source: &drill_scenarios::Source, secrets: &Arc<Secrets>) -> Result<Box<dyn Repository>> {
    use drill_scenarios::Source as Named;
    Ok(match source {
        Named::Restic(source) => Box::new(ResticRepository::open(source, secrets)?),
        Named::Borg(source) => Box::new(BorgRepository::open(source, secrets)?),
        Named::Files(source) => Box::new(FilesRepository::open(source, secrets)?),
        Named::Pgbackrest(source) => Box::new(PgbackrestRepository::open(source, secrets)?),
        Named::Barman(source) => Box::new(BarmanRepository::open(source, secrets)?),
        Named::Tool(source) => Box::new(ProgramsRepository::open(source, secrets)?),
        Named::Directory(_)
        | Named::Sqlite(_)
        | Named::Postgres(_)
        | Named::Mariadb(_)
        | Named::Redis(_)
        | Named::Objects(_)
        | Named::Etcd(_)
        | Named::Command(_) => {
            return Err(Error::new(Kind::Config, format!("a {} source is captured, not adopted", source.kind())));
        }
    })
}

/// Removes what tools noted for themselves in a run's folder.
///
/// # Errors
/// I/O errors.
pub fn remove_notes(folder: &Path) -> Result<()> {
    let notes = folder.join(NOTES);
    match std::fs::remove_dir_all(&notes) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("removing", notes.display(), cause))
        }
        _ => Ok(()),
    }
}

/// A word of a shell command in which `%` stands for something.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_means_itself_to_the_shell_and_to_the_server() {
        assert_eq!(quoted("/srv/it's 5%"), r"'/srv/it'\''s 5%%'");
    }
}
