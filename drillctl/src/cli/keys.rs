//! `drillctl keys`: makes identities and looks into files of them. A secret key is never printed.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use drill_agents::Clock;
use drill_agents::seal::{self, KeyKind};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{Ended, Options, say, say_json, tell};
use crate::failure::{Failure, USAGE};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an identity and print its public key
    New(NewArguments),
    /// Print the public keys of identity files, and say who else can read them
    Show(ShowArguments),
}

#[derive(Debug, Args)]
pub(super) struct NewArguments {
    /// The file to make; it must not exist
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Identity files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Row {
    file: PathBuf,
    public: String,
    exposed: Option<String>,
}

pub(super) fn keys(options: &Options, command: &Command) -> Ended {
    match command {
        Command::New(arguments) => new(options, arguments),
        Command::Show(arguments) => show(options, arguments),
    }
}

fn new(options: &Options, arguments: &NewArguments) -> Ended {
    let file = &arguments.file;
    let (text, public) = seal::generate(KeyKind::default(), &Clock::system());
    let mut made =
        File::options().write(true).create_new(true).mode(0o600).open(file).map_err(|cause| refused(file, cause))?;
    let written = made.write_all(text.expose_secret().as_bytes()).and_then(|()| made.sync_all());
    written.map_err(|cause| Failure::io("writing", file.display(), cause))?;
    if options.json {
        say_json(&Row { file: file.clone(), public, exposed: None });
        return Ok(0);
    }
    say(public);
    if !options.quiet {
        tell(format_args!(
            "{} opens every snapshot that is sealed to this key: keep a copy where the backups are not",
            file.display()
        ));
    }
    Ok(0)
}

fn refused(file: &std::path::Path, cause: std::io::Error) -> Failure {
    match cause.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format!("{} exists already", file.display()))
            .hint("An identity is never overwritten: snapshots may be sealed to it. Name another file."),
        _ => Failure::io("making", file.display(), cause),
    }
}

fn show(options: &Options, arguments: &ShowArguments) -> Ended {
    let mut rows = Vec::new();
    for file in &arguments.files {
        let found = seal::inspect(file)?;
        rows.extend(found.into_iter().map(|key| Row { file: file.clone(), public: key.public, exposed: key.exposed }));
    }
    if options.json {
        say_json(&rows);
    } else {
        rows.iter().for_each(|row| say(format_args!("{}  {}", row.public, row.file.display())));
        rows.iter().filter_map(|row| row.exposed.as_ref()).for_each(tell);
    }
    Ok(if rows.iter().any(|row| row.exposed.is_some()) { USAGE } else { 0 })
}
