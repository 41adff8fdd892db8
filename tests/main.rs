//! End-to-end tests: the program as users run it, and the files it leaves. Nothing of the crates is called.

mod command_line;
mod crash;
mod damage;
mod directory;
mod disk;
mod postgres;
mod secrets;
mod sqlite;
mod support;
mod vaults;
