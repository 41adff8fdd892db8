//! `drillctl check`: everything that is wrong with scenario files, and with site files.

use std::path::PathBuf;

use clap::Args;
use drill_scenarios::Problem;
use serde::Serialize;

use super::{Ended, Options, say, say_json};
use crate::failure::{Failure, USAGE};
use crate::fleet::is_site;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scenario files; one called `site.yaml` is a site file
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    problems: Vec<Problem>,
    /// How many more there are.
    more: usize,
}

pub(super) fn check(options: &Options, arguments: &Arguments) -> Ended {
    let mut all = Vec::new();
    for file in &arguments.scenarios {
        let bytes =
            std::fs::read(file).map_err(|cause| Failure::usage(format!("reading {}: {cause}", file.display())))?;
        let name = file.display().to_string();
        let problems = match is_site(file) {
            true => drill_scenarios::parse_site(&name, &bytes).err(),
            false => drill_scenarios::parse_bytes(&name, &bytes).err(),
        };
        if !options.json {
            match &problems {
                Some(problems) => say(problems.to_string().trim_end()),
                None => say(format_args!("{}: right", file.display())),
            }
        }
        let (problems, more) = problems.map(|found| (found.problems, found.more)).unwrap_or_default();
        all.push(Checked { file: file.clone(), problems, more });
    }
    if options.json {
        say_json(&all);
    }
    Ok(if all.iter().all(|checked| checked.problems.is_empty()) { 0 } else { USAGE })
}
