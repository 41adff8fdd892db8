//! Programs that tests need.

use std::process::{Command, Output};

/// Runs a program that must succeed; says how to get it if it isn't there.
pub fn must(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().unwrap_or_else(|error| panic!("{name}: {error}; `tests/install` installs what tests need"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {:?}: {}\n{told}", command.get_args().collect::<Vec<_>>(), output.status);
    output
}
