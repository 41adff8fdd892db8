//! What was promised, and whether a drill can measure it.

use crate::place::Path;
use crate::{Content, Newest, Source};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    let objectives = &rules.scenario.objectives;
    let path = Path::of(["objectives"]);
    if objectives.rto.is_none() && objectives.rpo.is_none() {
        rules.say(
            &path,
            "`objectives` promises nothing",
            "Add `rto` (the longest that the service may be away), `rpo` (the oldest that the restored data may be), or both.",
        );
    }
    if let Some(store) = rules.store().filter(|_| objectives.newest.is_some()) {
        let hint = format!("Take it away: the recovery point is then measured by {}.", store.measured_by);
        let message = format!("`newest` can't be asked for: {} keeps no times", store.called);
        return rules.say(&path.key("newest"), message, hint);
    }
    match &objectives.newest {
        Some(Newest::Sql(_)) => query(rules, &path.key("newest").key("sql")),
        Some(Newest::Files(glob)) => {
            let path = path.key("newest").key("files");
            rules.glob(&path, &glob.to_string_lossy());
            rules.below(&path, glob, "the restored data");
            files(rules, &path);
        }
        None => measurable(rules, &path.key("rpo")),
    }
}

fn query(rules: &mut Rules<'_>, path: &Path) {
    if rules.server().is_some() || rules.sqlite_count() == 1 {
        return;
    }
    let (message, hint) = if rules.sqlite_count() > 1 {
        (
            "`sql` can't tell which of several SQLite databases is meant",
            "Use `newest: {files: …}` with the file that tells the age.",
        )
    } else {
        (
            "`sql` needs a database, and none is restored",
            "Use `newest: {files: …}`, or name the database in `source.directory.sqlite`.",
        )
    };
    rules.say(path, message, hint);
}

fn files(rules: &mut Rules<'_>, path: &Path) {
    if rules.server().is_some() {
        let hint = "Use `newest: {sql: …}` with a query that gives one timestamp.";
        rules.say(path, "`files` needs restored files, and a database is restored", hint);
    } else if from_one_stream(rules) {
        rules.say(path, "`files` finds nothing: the one restored file is as old as the restore", STREAM);
    }
}

const STREAM: &str =
    "Let the command write a tar archive (`content: tar`), whose entries keep their times, or take `rpo` away.";

/// Whether what is restored is one file made from a program's output, which has no time of its own.
fn from_one_stream(rules: &Rules<'_>) -> bool {
    match rules.system.source {
        Source::Command(command) => matches!(command.content, Content::File(_)),
        Source::Files(files) => matches!(files.content, Content::File(_)),
        Source::Tool(tool) => matches!(tool.content, Content::File(_)),
        _ => false,
    }
}

fn measurable(rules: &mut Rules<'_>, path: &Path) {
    if rules.scenario.objectives.rpo.is_none() {
        return;
    }
    let source = rules.system.source;
    if rules.is_dump() && !source.plants_canary() && source.recover_to().is_none() {
        let not_ours = matches!(rules.system.source, Source::Command(_) | Source::Files(_) | Source::Tool(_));
        let planted = if not_ours { "" } else { ", or `canary: true` in the source" };
        let hint = format!(
            "Add `newest: {{sql: select max(updated_at) from orders}}` with a query of yours that gives one timestamp{planted}."
        );
        rules.say(path, "`rpo` can't be measured: a dump does not say how new its data is", hint);
    } else if matches!(source, Source::Etcd(etcd) if !etcd.canary) {
        let hint = "Write `canary: true` in the source: the key that is planted tells the time of the backup.";
        rules.say(path, "`rpo` can't be measured: a snapshot of etcd does not say how new its data is", hint);
    } else if from_one_stream(rules) {
        rules.say(path, "`rpo` can't be measured: one file from a program's output has no time of its own", STREAM);
    }
}
