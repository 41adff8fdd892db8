//! The `drillctl` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // As the first process of a sandbox it is no command line at all.
    drill_agents::inside_sandbox().unwrap_or_else(drillctl::cli::main)
}
