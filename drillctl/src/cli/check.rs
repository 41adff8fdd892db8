//! `drillctl check`: everything that is wrong with scenario files.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Ended, Options, say, say_json};
use crate::failure::{Failure, USAGE};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scenario files
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    problems: serde_json::Value,
}

pub(super) fn check(options: &Options, arguments: &Arguments) -> Ended {
    let mut all = Vec::new();
    for file in &arguments.scenarios {
        let text =
            std::fs::read(file).map_err(|cause| Failure::usage(format!("reading {}: {cause}", file.display())))?;
        let text =
            String::from_utf8(text).map_err(|_| Failure::usage(format!("{} is not UTF-8 text", file.display())))?;
        let problems = drill_scenarios::parse(&file.display().to_string(), &text).err();
        if !options.json {
            match &problems {
                Some(problems) => say(problems.to_string().trim_end()),
                None => say(format_args!("{}: right", file.display())),
            }
        }
        let problems = serde_json::to_value(&problems).expect("problems are plain data");
        all.push(Checked { file: file.clone(), problems });
    }
    if options.json {
        say_json(&all);
    }
    Ok(if all.iter().all(|checked| checked.problems.is_null()) { 0 } else { USAGE })
}
