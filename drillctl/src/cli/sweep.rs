//! `drillctl sweep`: cleans up after runs that died.

use std::sync::Arc;

use drill_reports::shown;
use serde::Serialize;

use super::console::Console;
use super::{Ended, Options, complain, say, say_json};
use crate::failure::ERRORED;
use crate::monitor::Monitor;
use crate::sweep::{self, Swept};

/// A run is left with something that could not be removed.
const LEAKED: u8 = 4;

#[derive(Debug, Serialize)]
struct Row {
    run: String,
    removed: Vec<String>,
    leaked: Vec<String>,
}

pub(super) async fn sweep(options: &Options) -> Ended {
    let monitor: Arc<dyn Monitor> = Console::new(options);
    let (mut rows, mut code) = (Vec::new(), 0);
    for (folder, swept) in sweep::sweep(&options.store()?, &monitor).await? {
        match swept {
            Ok(Swept::Nothing) => {}
            Ok(Swept::Empty) => {
                rows.push(Row { run: folder.run, removed: vec!["its empty folder".into()], leaked: Vec::new() })
            }
            Ok(Swept::Cleaned(record)) => {
                code = if record.release.leaked.is_empty() { code } else { LEAKED };
                rows.push(Row { run: folder.run, removed: record.release.removed, leaked: record.release.leaked });
            }
            Err(failure) => {
                complain(&failure);
                code = ERRORED;
            }
        }
    }
    if options.json {
        say_json(&rows);
    } else if rows.is_empty() {
        say("nothing to sweep");
    } else {
        rows.iter().for_each(tell_row);
    }
    Ok(code)
}

fn tell_row(row: &Row) {
    say(format_args!("{}", row.run));
    row.removed.iter().for_each(|what| say(format_args!("  removed  {}", shown(what))));
    row.leaked.iter().for_each(|what| say(format_args!("  LEAKED   {}", shown(what))));
}
