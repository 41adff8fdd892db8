//! The container of the app: that it is in a sandbox, and that what is named in it can be found there.

use std::path::Path as FilePath;

use crate::place::Path;

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    let Some(container) = rules.scenario.container() else { return };
    let path = Path::of(["app", "container"]);
    if rules.scenario.sandbox.is_none() {
        let hint = "Write `sandbox: {}`: it keeps the container from everything else, and holds its limits.";
        rules.say(&path, "an app in a container needs the sandbox", hint);
    }
    if let Some(engine) = &container.engine
        && !engine.strip_prefix("unix://").is_some_and(|socket| socket.len() > 1 && socket.starts_with('/'))
    {
        let hint =
            "Write the socket of this host's engine, which mounts what was restored: `unix:///var/run/docker.sock`.";
        rules.say(&path.key("engine"), format!("`{engine}` is no unix socket"), hint);
    }
    if let Some(data) = &container.data {
        inside(rules, &path.key("data"), data);
    }
    for (number, folder) in container.memory.iter().enumerate() {
        inside(rules, &path.key("memory").item(number), folder);
    }
}

/// Refuses what is no place for something to be put over what the image has there.
fn inside(rules: &mut Rules<'_>, path: &Path, folder: &FilePath) {
    let text = folder.to_string_lossy();
    if !folder.is_absolute() || folder.parent().is_none() || text.split('/').any(|part| part == "..") {
        let hint = "Write a folder of the container from its root on, as in `/var/lib/wiki`.";
        rules.say(path, format!("`{text}` is no folder in a container"), hint);
    }
}
