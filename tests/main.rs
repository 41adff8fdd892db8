//! End-to-end tests: the program as users run it, and the files it leaves. Nothing of the crates is called.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start programs and wait as they need")]
#![allow(unreachable_pub, reason = "the modules of one test binary")]

mod adopted;
mod adversary;
mod barman;
mod command_line;
mod container;
mod crash;
mod damage;
mod directory;
mod disk;
mod etcd;
mod examples;
mod files;
mod history;
mod keep;
mod limits;
mod mariadb;
mod pgbackrest;
mod postgres;
mod redis;
mod sandbox;
mod schedules;
mod secrets;
mod skew;
mod sqlite;
mod support;
mod systems;
mod tool;
mod vaults;
mod wordpress;
