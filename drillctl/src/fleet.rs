//! The scenarios that are scheduled together, and the policy of their site.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drill_scenarios::{Blackouts, Calendar, Drill, Site, parse_site, together};

use crate::failure::Failure;
use crate::scenario_file::ScenarioFile;

/// The site file that a folder of scenarios may have.
const SITE: &str = "site.yaml";

/// Whether this is a site file, by its name.
pub(crate) fn is_site(path: &Path) -> bool {
    path.ends_with(SITE)
}

/// Scenarios that are scheduled together.
pub(crate) struct Fleet {
    /// In the order of their names, no name twice.
    pub(crate) files: Vec<ScenarioFile>,
    /// What holds for all of them.
    pub(crate) site: Site,
    /// The site's blackouts, with its calendars.
    pub(crate) blackouts: Blackouts,
}

impl Fleet {
    /// Reads files, and every `.yaml` in folders. The site is `site`, or the `site.yaml` that is named or lies in one of the folders.
    pub(crate) fn read(paths: &[PathBuf], site: Option<&Path>) -> Result<Self, Failure> {
        let (mut scenarios, mut sites) = (Vec::new(), Vec::new());
        for path in paths {
            if path.is_dir() {
                let (found, site) = listed(path)?;
                scenarios.extend(found);
                sites.extend(site);
            } else if is_site(path) {
                sites.push(path.clone());
            } else {
                scenarios.push(path.clone());
            }
        }
        sites.sort();
        sites.dedup();
        let mut files = scenarios.iter().map(|path| ScenarioFile::read(path)).collect::<Result<Vec<_>, _>>()?;
        files.sort_by(|a, b| a.scenario.name.cmp(&b.scenario.name));
        files.dedup_by(|a, b| a.path == b.path);
        fit(&files)?;
        let (site, blackouts) = match (site, sites.as_slice()) {
            (Some(site), _) => read_site(site)?,
            (None, [site]) => read_site(site)?,
            (None, []) => (Site::default(), Blackouts::default()),
            (None, [_, second, ..]) => {
                let message = format!("there is more than one site file, {} among them", second.display());
                return Err(Failure::usage(message).hint("Name the one that holds with --site."));
            }
        };
        Ok(Self { files, site, blackouts })
    }

    /// The drills, for a scheduler.
    pub(crate) fn drills(&self) -> Vec<Drill> {
        self.files.iter().filter_map(|file| Drill::of(&file.scenario, file.base())).collect()
    }
}

/// The scenarios in a folder, and its site file.
fn listed(folder: &Path) -> Result<(Vec<PathBuf>, Option<PathBuf>), Failure> {
    let wrong = |cause| Failure::io("listing", folder.display(), cause);
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if is_yaml && path.is_file() && !is_site(&path) {
            scenarios.push(path);
        }
    }
    if scenarios.is_empty() {
        return Err(Failure::usage(format!("there is no scenario in {}", folder.display()))
            .hint("Scenarios are the files there that end in .yaml."));
    }
    let site = folder.join(SITE);
    Ok((scenarios, site.exists().then_some(site)))
}

fn fit(files: &[ScenarioFile]) -> Result<(), Failure> {
    let problems = together(files.iter().map(|file| &file.scenario));
    match problems.as_slice() {
        [] => Ok(()),
        [first, more @ ..] => {
            let more: String = more.iter().map(|problem| format!("\n{problem}")).collect();
            Err(Failure::usage(format!("the scenarios don't go together: {first}{more}"))
                .hint("Mend them, or name only those that belong together."))
        }
    }
}

fn read_site(path: &Path) -> Result<(Site, Blackouts), Failure> {
    let shown = path.display().to_string();
    let wrong = |cause| Failure::usage(format!("reading site file {}: {cause}", path.display()));
    let bytes = std::fs::read(path).map_err(wrong)?;
    let site = parse_site(&shown, &bytes).map_err(|problems| {
        let text = problems.to_string();
        Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end())
    })?;
    let mut calendars = BTreeMap::new();
    for file in site.calendars() {
        calendars.insert(file.clone(), calendar(&path.with_file_name(file), &site)?);
    }
    let blackouts = Blackouts::new(&site, &calendars)
        .map_err(|file| Failure::errored(format!("calendar {} was not read", file.display())))?;
    Ok((site, blackouts))
}

fn calendar(path: &Path, site: &Site) -> Result<Calendar, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("calendar {}: {why}", path.display()))
            .hint("No event of a calendar is passed over: have it without what is not understood, or take it out of the site.")
    };
    let text = std::fs::read_to_string(path).map_err(|cause| wrong(&cause))?;
    Calendar::parse(&text, &site.timezone).map_err(|refused| wrong(&refused))
}
