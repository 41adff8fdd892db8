//! The `drillctl` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    drillctl::cli::main()
}
